"""What stands: which adapter was promoted or rejected in a run, and when its rounds stop.

The rule by which an adapter is promoted or rejected is in verify/gate.py; here its decision, the gate.json of
a round, is carried out and read.  Knows nothing of models.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel

from selfstudy.files import jsonl, own
from selfstudy.models.taught import is_complete
from selfstudy.records import AdapterArm, Failure
from selfstudy.run import Round, Run


def promote(round_: Round, source: Callable[[], Path], *, move: bool) -> Path:
    """Puts the folder that was measured in place of what was promoted before, byte for byte.

    First promoted.json names the round and the SHA-256 of every file.  Then the new folder goes beside the
    old one, the old one aside, the new one in.  After a kill between two steps a run that is opened for
    writing has the old one or the new one, whole, and the same call goes on from there.

    Args:
        source: gives the folder that was measured; asked only if it is still needed.
        move: whether the folder is moved rather than copied.
    """
    run, target = round_.run, round_.run.promoted_folder
    temporary, aside = run.promoted_unfinished, run.promoted_aside
    written = run.read_as(run.promoted_file, _Promoted) or _Promoted()
    files = written.files if written.round == round_.number else {}
    with jsonl.writing(target, run.path):
        if files and hashes(target) == files:
            own.remove(temporary)
            return target
        if not files or hashes(temporary) != files:
            own.remove(temporary)
            if not files:  # else a kill came after promoted.json was written for this round
                _require_known(target, written.files)
            measured = source()
            run.write_json(run.promoted_file, {"round": round_.number, "files": hashes(measured)})
            if move:
                own.mark(measured)
                measured.rename(temporary)
            else:
                own.make(temporary)
                shutil.copytree(measured, temporary, symlinks=True, dirs_exist_ok=True)
        if own.check(target):
            target.rename(aside)
        temporary.rename(target)
        own.remove(aside)
    return target


class _Promoted(BaseModel):
    """promoted.json: of which round it is, and the SHA-256 of its files."""

    round: int = 0
    files: dict[str, str] = {}


def _require_known(target: Path, files: Mapping[str, str]) -> None:
    """Refuses to replace what is not, byte for byte, what was promoted; marks what an older version left.

    Raises:
        RunError: somebody put it there, or added to it.
    """
    if target.is_symlink() or not target.is_dir():
        own.check(target)
        return
    found = hashes(target)
    foreign = sorted(name for name, digest in found.items() if files.get(name) != digest)
    if foreign:
        raise own.not_ours(target, f"holds what was not promoted ({', '.join(foreign[:3])})")
    if found:
        own.mark(target)


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a folder, our mark apart, by its path in there; {} of a folder not there."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and path != folder / own.MARK:
            with path.open("rb") as file:
                found[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def reject(round_: Round, reasons: Sequence[str], arm: AdapterArm = "taught") -> None:
    """Marks the adapter of a round, with the gate's reasons."""
    said = ("\n".join(reasons) + "\n").encode("utf-8", "replace")
    jsonl.replace(round_.rejected_mark(arm), said, round_.run.path)


def trained(round_: Round, arm: AdapterArm) -> Path | None:
    """The adapter folder of an arm of a round, if its training gave one that is of use."""
    failed = any(f.stage == "teach" and f.item_id == arm for f in round_.iter(Failure))
    folder = round_.adapter(arm)
    return folder if is_complete(folder) and not failed else None


class _Gained(BaseModel):
    difference: float | None = None


class Decision(BaseModel):
    """What of the gate.json of a round is carried out (verify/gate.py writes it)."""

    promoted: bool
    reasons: tuple[str, ...] = ()
    gains: dict[str, _Gained] = {}
    weaker: dict[str, object] | None = None
    """There if it is about the adapter at a smaller strength."""

    @property
    def arm(self) -> AdapterArm:
        """Whose adapter was decided on."""
        return "weaker" if self.weaker else "taught"


def decision(round_: Round) -> Decision | None:
    """What the gate decided in a round, or None if it has not.

    Raises:
        RunError: the file is damaged.
    """
    return round_.run.read_as(round_.gate_file, Decision)


def decided(round_: Round) -> Path:
    """The adapter that the gate decided on; before it has, the one that was taught."""
    gate = decision(round_)
    return round_.adapter(gate.arm if gate is not None else "taught")


def standing(round_: Round) -> Path | None:
    """The adapter that stands when `round` begins: the last one promoted before it."""
    for earlier in range(round_.number - 1, 0, -1):
        gate = decision(round_.run.round(earlier))
        if gate is not None and gate.promoted:
            return decided(round_.run.round(earlier))
    return None


def promoted_last(run: Run) -> Round | None:
    """The last round whose adapter was promoted."""
    promoted = [one for one in run.rounds if (gate := decision(one)) is not None and gate.promoted]
    return next((one for one in reversed(promoted) if is_complete(decided(one))), None)


def promoted_round(run: Run) -> int | None:
    """Of which round the promoted folder is."""
    written = run.read_as(run.promoted_file, _Promoted)
    return written.round if written is not None and run.promoted_folder.is_dir() else None


def why_stop(round_: Round) -> str | None:
    """The stop rule: nothing promoted, or a gain below the recipe's `min_gain`; None to go on."""
    gate = decision(round_)
    if gate is None or not gate.promoted:
        return "nothing was promoted"
    gain = gate.gains.get("gap", _Gained()).difference
    if gain is not None and gain < round_.run.recipe.min_gain:
        return f"the gain {gain:.3f} is below min_gain"
    return None
