"""Does a run that is killed and resumed end with the records of an undisturbed one?

    python benchmarks/kill.py                          ten kills of a small demo
    python benchmarks/kill.py --kills 48 --set teach.method=dpo
    python benchmarks/kill.py --recipe my.yaml         of any recipe

Runs the recipe undisturbed, then again with kill -9, resumed each time, and compares every file that the
rounds leave (records, gate, adapters), what was promoted and the summary, byte for byte.  The moments are the
same each time: as many in each stage, some of them just before a step on the disk (kill_at.py), some spread
over its time.  A run that ends before all kills are spent is compared and a fresh one begins.  Exit code 1 if
anything differs.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import runpy
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from selfstudy.files.own import UNFINISHED
from selfstudy.records import STAGES
from selfstudy.run import Run

SMALL = (
    "probe.ask.0.count=36",
    "probe.ask.1.count=4",
    "probe.ask.2.count=4",
    "probe.samples=4",
    "answering.block_size=8",
    "teach.wordings=1",
    "teach.sft.epochs=1",
    "verify.samples=2",
)
"""Makes the demo small, in many blocks, so that there is something to lose at any moment."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--recipe", type=Path, help="instead of a small demo")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as for selfstudy")
    parser.add_argument("--folder", type=Path, help="where the runs go [default: a temporary folder]")
    arguments = parser.parse_args()
    # once, before each session is forked: the imports take longer than a small stage
    import selfstudy.teach.trainers.dpo
    import selfstudy.teach.trainers.sft  # noqa: F401

    start = ["learn", str(arguments.recipe)] if arguments.recipe else ["demo", "--no-measure", *_sets(SMALL)]
    start += _sets(arguments.set)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        equal = compare(start, folder, arguments.kills)
    sys.exit(0 if equal else 1)


def compare(start: Sequence[str], folder: Path, kills: int) -> bool:
    """Whether every disturbed run ends like the undisturbed one; says what it sees."""
    begin = time.monotonic()
    _session(start, folder / "undisturbed", None)
    print(f"undisturbed: {time.monotonic() - begin:.1f} s", flush=True)
    expected = files(folder / "undisturbed")
    left = moments(_steps(folder / "undisturbed"), kills)
    equal = True
    number = 0
    while left:
        number += 1
        run = folder / f"killed-{number}"
        came = _disturb(start, run, left, kills)
        if not came:
            sys.exit(f"never came: {left[0]}")
        left = left[came:]
        found = files(run)
        different = differences(expected, found)
        equal &= not different
        size = sum(map(len, found.values()))
        print(f"{run.name}: {len(found)} files, {size:,} bytes:", "; ".join(different) or "equal", flush=True)
    print(
        f"{kills} kills, {number} runs, {time.monotonic() - begin:.0f} s:", "equal" if equal else "NOT EQUAL"
    )
    return equal


@dataclass(frozen=True)
class Moment:
    """Just before a step on the disk; or so many seconds after one, and before the next one.

    Attributes:
        until: the steps that come later: before the first of them at the latest.
    """

    until: Sequence[str]
    since: str = ""
    after: float = 0.0

    def __str__(self) -> str:
        return f"{self.after:.2f} s after {self.since}" if self.since else f"before {self.until[0]}"


Steps = list[tuple[float, str]]
"""When which step was taken."""
START = 1.0
"""Seconds until a resumed run is back at work, about."""


def moments(steps: Steps, kills: int) -> list[Moment]:
    """So many moments of a run, in order, as many in each of its stages."""
    parts = _stages(steps)
    found: list[tuple[str, float]] = []
    for number, part in enumerate(parts):
        until, before = (round(kills * n / len(parts)) for n in (number + 1, number))
        found += _spread(part, until - before)
    order = [name for part in parts for _, name in part[1:]]
    return [_moment(order, *one) for one in found]


def _moment(order: Sequence[str], step: str, after: float) -> Moment:
    """No removal is waited for but the moment's own: a resumed run first removes what a killed one left."""
    later = [name for name in order[order.index(step) + 1 :] if not name.startswith("remove")]
    return Moment(later, step, after) if after else Moment([step, *later])


def _stages(steps: Steps) -> list[Steps]:
    """Cut at the marker of every stage; only steps that come once, and again when the run is resumed."""
    often = Counter(name for _, name in steps)
    parts: list[Steps] = [[]]
    for at, name in steps:
        if often[name] > 1 or Run.timings_file in name:
            continue
        parts[-1].append((at, name))
        if name.startswith("rename") and any(name.endswith(f"/{stage}.done") for stage in STAGES):
            parts.append([(at, name)])
    return [[(steps[0][0], ""), *parts[0]], *parts[1:]]


def _spread(steps: Steps, count: int) -> list[tuple[str, float]]:
    """So many steps of a stage, and how long after each of them: in order.

    A third of them just before a record is written, a third before another step, the rest at any time.
    """
    writes = [step for step in steps[1:] if step[1].startswith(("open", "fsync"))]
    others = [step for step in steps[1:] if step not in writes]
    found = [(at, name, 0.0) for some in (writes, others) for at, name in _some(some, count // 3)]
    start, length = steps[0][0], steps[-1][0] - steps[0][0]
    left = count - len(found)
    for n in range(left):
        moment = start + length * (2 * n + 1) / (2 * left)
        at, name = max(step for step in steps if step[0] <= moment)
        found.append((at, name, moment - at))
    return [(name, after) for at, name, after in sorted(found, key=lambda one: one[0] + one[2])]


def _some(steps: Steps, count: int) -> Steps:
    count = min(count, len(steps))
    return [steps[len(steps) * (2 * n + 1) // (2 * count)] for n in range(count)]


def files(run: Path) -> dict[str, bytes]:
    """Everything a run found, by name: all files of its rounds, what it promoted, its summary untimed."""
    found = {
        path.relative_to(run).as_posix(): path.read_bytes()
        for place in (Run.rounds_folder, Run.promoted_folder)
        for path in sorted((run / place).rglob("*"))
        if path.is_file()
    }
    summary = json.loads((run / Run.summary_file).read_text(encoding="utf-8"))
    found[Run.summary_file] = json.dumps(
        summary | {"seconds": None, "usage": None, "estimated": None}
    ).encode()
    return found


def differences(expected: dict[str, bytes], found: dict[str, bytes]) -> list[str]:
    """What is not the same, a phrase per file."""
    result = []
    for name in sorted({*expected, *found}):
        if name not in found or name not in expected:
            result.append(f"{name} is {'missing' if name not in found else 'new'}")
        elif expected[name] != found[name]:
            ours, theirs = expected[name].splitlines(), found[name].splitlines()
            same = next((n for n, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), None)
            line = min(len(ours), len(theirs)) if same is None else same
            result.append(f"{name} differs from line {line + 1} of {len(ours)}")
    return result


def _disturb(start: Sequence[str], run: Path, left: Sequence[Moment], kills: int) -> int:
    """One run to its end, killed at these moments as long as they come; how many came."""
    for came, moment in enumerate(left):
        if not _session(start, run, moment):
            return came
        number = kills - len(left) + came + 1
        print(f"kill {number} of {kills}, {moment}: {_where(run)}", flush=True)
    _session(start, run, None)
    return len(left)


def _sets(values: Sequence[str]) -> list[str]:
    return [part for value in values for part in ("--set", value)]


def _session(start: Sequence[str], run: Path, moment: Moment | None) -> bool:
    """Runs until a moment, or to the end if it does not come; whether it came."""
    given: dict[str, object] = {}
    if moment is not None:
        given = {"until": moment.until, "since": moment.since, "after": moment.after}
        if moment.since and any(name == moment.since for _, name in _steps(run)):
            given["start"] = START
    order = json.dumps(given)
    arguments = [str(run), str(_log(run)), order, *start, "--run", str(run)]
    said = run.with_name(f"{run.name}.said")
    process = multiprocessing.get_context("fork").Process(target=_told, args=(arguments, said))
    process.start()
    process.join()
    if process.exitcode not in (0, -signal.SIGKILL):
        sys.exit(f"{' '.join(arguments)} ended with {process.exitcode}:\n{said.read_text()}")
    return process.exitcode != 0


def _told(arguments: Sequence[str], said: Path) -> None:
    """kill_at.py in this process: what it prints is not shown, what it says of errors goes to `said`."""
    with said.open("wb") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())
    with open(os.devnull, "wb") as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), sys.stdout.fileno())
    script = Path(__file__).with_name("kill_at.py")
    sys.argv = [str(script), *arguments]
    runpy.run_path(str(script), run_name="__main__")


def _log(run: Path) -> Path:
    return run.with_name(f"{run.name}.steps")


def _steps(run: Path) -> Steps:
    """What a run has done, over all its sessions."""
    if not _log(run).exists():
        return []
    return [tuple(json.loads(line)) for line in _log(run).read_text(encoding="utf-8").splitlines()]


def _where(run: Path) -> str:
    """The stage that a killed run was in, and what it had."""
    rounds = sorted(run.glob("rounds/*"), key=lambda path: int(path.name))
    if not rounds:
        return "nothing yet"
    stage = next((name for name in STAGES if not (rounds[-1] / f"{name}.done").exists()), "report")
    training = "in training, " if any(rounds[-1].glob(f"*{UNFINISHED}")) else ""
    lines = sum(path.read_bytes().count(b"\n") for path in rounds[-1].glob("*.jsonl"))
    return f"{stage} of round {rounds[-1].name}, {training}{lines} records"


if __name__ == "__main__":
    main()
