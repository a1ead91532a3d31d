"""What stands: which adapter was promoted or rejected in a run, and when its rounds stop.

The rule by which an adapter is promoted or rejected is in verify/gate.py; here its decision, the gate.json of
a round, is carried out and read.  Knows nothing of models.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from selfstudy.files.jsonl import unfinished
from selfstudy.models.lora import is_complete
from selfstudy.records import Failure, TrainedArm
from selfstudy.run import Round


def promote(round_: Round, source: Callable[[], Path], *, move: bool) -> Path:
    """Puts the folder that was measured in place of what was promoted before, byte for byte.

    First promoted.json names the round and the SHA-256 of every file.  Then the new folder goes beside the
    old one, the old one aside, the new one in.  After a kill between two steps a run that is opened for
    writing has the old one or the new one, whole, and the same call goes on from there.

    Args:
        source: gives the folder that was measured; asked only if it is still needed.
        move: whether the folder is moved rather than copied.
    """
    run, target, temporary = round_.run, round_.run.promoted_folder, unfinished(round_.run.promoted_folder)
    written = run.read_json(run.promoted_file) or {}
    files = written.get("files") if written.get("round") == round_.number else None
    if files and hashes(target) == files:
        shutil.rmtree(temporary, ignore_errors=True)
        return target
    if not files or hashes(temporary) != files:
        shutil.rmtree(temporary, ignore_errors=True)
        measured = source()
        run.write_json(run.promoted_file, {"round": round_.number, "files": hashes(measured)})
        if move:
            measured.rename(temporary)
        else:
            shutil.copytree(measured, temporary)
    if target.exists():
        target.rename(run.promoted_aside)
    temporary.rename(target)
    shutil.rmtree(run.promoted_aside, ignore_errors=True)
    return target


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a folder by its path in there; nothing of a folder that is not there."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                found[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def reject(round_: Round, reasons: Sequence[str]) -> None:
    """Marks the adapter of a round, with the gate's reasons."""
    round_.rejected_mark.write_text("\n".join(reasons) + "\n", encoding="utf-8")


def trained(round_: Round, arm: TrainedArm) -> Path | None:
    """The adapter folder of an arm of a round, if its training gave one that is of use."""
    failed = any(f.stage == "teach" and f.item_id == arm for f in round_.iter(Failure))
    folder = round_.adapter(arm)
    return folder if is_complete(folder) and not failed else None


def standing(round_: Round) -> Path | None:
    """The adapter that stands when `round` begins: the last one promoted before it."""
    for earlier in range(round_.number - 1, 0, -1):
        if _gate(round_.run.round(earlier)).get("promoted"):
            return round_.run.round(earlier).adapter()
    return None


def why_stop(round_: Round) -> str | None:
    """The stop rule: nothing promoted, or a gain below the recipe's `min_gain`; None to go on."""
    gate = _gate(round_)
    if not gate.get("promoted"):
        return "nothing was promoted"
    gain = (gate.get("gains") or {}).get("gap", {}).get("difference")
    if gain is not None and gain < round_.run.recipe.min_gain:
        return f"the gain {gain:.3f} is below min_gain"
    return None


def _gate(round_: Round) -> dict[str, Any]:
    return round_.run.read_json(round_.gate_file) or {}
