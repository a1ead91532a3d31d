"""Does a run that is killed and resumed end with the records of an undisturbed one?

    python benchmarks/kill.py                          ten kills of a small demo
    python benchmarks/kill.py --kills 3 --set teach.method=dpo
    python benchmarks/kill.py --recipe my.yaml         of any recipe

Runs the recipe undisturbed, then again with kill -9 at random moments, resumed each time, and compares every
file that the rounds leave (records, gate, adapters), what was promoted and the summary, byte for byte.
The moments are spread over the measured duration; a run that ends before all kills are spent is compared and
a fresh one begins.  Exit code 1 if anything differs.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
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
    parser.add_argument("--seed", type=int, default=0, help="of the moments; the recipe keeps its own")
    parser.add_argument("--recipe", type=Path, help="instead of a small demo")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as for selfstudy")
    parser.add_argument("--folder", type=Path, help="where the runs go [default: a temporary folder]")
    arguments = parser.parse_args()
    start = ["learn", str(arguments.recipe)] if arguments.recipe else ["demo", *_sets(SMALL)]
    start += _sets(arguments.set)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        equal = compare(start, folder, arguments.kills, random.Random(arguments.seed))
    sys.exit(0 if equal else 1)


def compare(start: Sequence[str], folder: Path, kills: int, rng: random.Random) -> bool:
    """Whether every disturbed run ends like the undisturbed one; says what it sees."""
    begin = time.monotonic()
    process = _begin(start, folder / "undisturbed")
    until_work = _until_work(process, folder / "undisturbed")
    _end(process)
    seconds = time.monotonic() - begin
    expected = files(folder / "undisturbed")
    print(f"undisturbed: {seconds:.1f} s, of which {until_work:.1f} s before the first record", flush=True)
    equal = True
    number = spent = 0
    while spent < kills:
        number += 1
        run = folder / f"killed-{number}"
        took = _disturb(start, run, kills, spent, seconds, until_work, rng)
        if not took:  # the undisturbed run met a busy or a cold machine
            seconds, until_work = seconds / 2, until_work / 2
        spent += took
        found = files(run)
        different = differences(expected, found)
        equal &= not different
        size = sum(map(len, found.values()))
        print(f"{run.name}: {len(found)} files, {size:,} bytes:", "; ".join(different) or "equal", flush=True)
    return equal


def files(run: Path) -> dict[str, bytes]:
    """Everything a run found, by name: all files of its rounds, what it promoted, its summary untimed."""
    found = {
        path.relative_to(run).as_posix(): path.read_bytes()
        for place in (Run.rounds_folder, Run.promoted_folder)
        for path in sorted((run / place).rglob("*"))
        if path.is_file()
    }
    summary = json.loads((run / Run.summary_file).read_text(encoding="utf-8"))
    found[Run.summary_file] = json.dumps(summary | {"seconds": None, "usage": None}).encode()
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


def _disturb(
    start: Sequence[str],
    run: Path,
    kills: int,
    spent: int,
    seconds: float,
    until_work: float,
    rng: random.Random,
) -> int:
    """One run to its end, killed now and then; how many kills it took.

    A session in which nothing got done makes the next one twice as long: training cannot be resumed half-way,
    and would never end.
    """
    done = 0
    patience = 1.0
    while spent + done < kills:
        before = _progress(run)
        moment = until_work + patience * rng.uniform(0, 2) * (seconds - until_work) / kills
        process = _begin(start, run)
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        else:
            _end(process)
            return done
        done += 1
        print(f"kill {spent + done} of {kills} after {moment:4.1f} s: {_where(run)}", flush=True)
        patience = 1.0 if _progress(run) != before else 2 * patience
    _end(_begin(start, run))
    return done


def _sets(values: Sequence[str]) -> list[str]:
    return [part for value in values for part in ("--set", value)]


def _begin(start: Sequence[str], run: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "selfstudy.cli", *start, "--run", str(run)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def _end(process: subprocess.Popen[str]) -> None:
    said = process.communicate()[1]
    if process.returncode:
        sys.exit(f"{' '.join(map(str, process.args))} ended with {process.returncode}:\n{said}")  # type: ignore[arg-type]


def _until_work(process: subprocess.Popen[str], run: Path) -> float:
    """Seconds until there is a first record."""
    begin = time.monotonic()
    while process.poll() is None and not any(run.glob("rounds/1/*.jsonl")):
        time.sleep(0.02)
    return time.monotonic() - begin


def _progress(run: Path) -> dict[str, int]:
    """Size of each file that counts as something done."""
    return {p.name: p.stat().st_size for p in run.glob("rounds/*/*.*") if p.is_file()}


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
