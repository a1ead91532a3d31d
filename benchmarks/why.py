"""How long `selfstudy why` takes for every gap of a run: worst and median, in process and as a process.

    python benchmarks/why.py [RUN] [--processes N] [--made N]

Without RUN the demo is run first, which takes ten minutes on 2 cores.  `--made N` writes a run of N questions
instead, as large as records are, and also tells what `why` and `why --source` take of it in memory.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from selfstudy.models.base import chat
from selfstudy.recipe import Recipe
from selfstudy.records import (
    GAPS,
    Answer,
    Check,
    Completion,
    Evidence,
    Example,
    Proposal,
    Question,
    Record,
    Reference,
    Rewording,
    Score,
    SentenceScore,
    TrainedItem,
    Verdict,
)
from selfstudy.run import Run
from selfstudy.verbs.why import why

PEAK = """
import resource, sys
from selfstudy.cli.entry import app
app(sys.argv[1:], standalone_mode=False)
print("KB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, nargs="?", help="a run directory [default: the demo is run]")
    parser.add_argument("--processes", type=int, help="gaps asked as a process [default: all]")
    parser.add_argument("--made", type=int, metavar="N", help="write a run of N questions, and ask that one")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        place = chosen.run or Path(scratch) / "run"
        if chosen.made and not (place / "recipe.yaml").exists():
            make(place, chosen.made)
        elif not place.exists():
            subprocess.run([sys.executable, "-m", "selfstudy", "demo", "--run", str(place)], check=True)
        limit = chosen.processes if chosen.processes is not None else (3 if chosen.made else None)
        measure(place, limit, 3 if chosen.made else None)
        if chosen.made:
            memory(place)


def measure(place: Path, processes: int | None, most: int | None) -> None:
    """Every gap of the run, or the first, the middle and the last one; and each in other words."""
    with Run.open(place, write=False) as run:
        gaps = [
            (one.question_id, turn) for turn in run.rounds for one in turn.iter(Verdict) if one.kind in GAPS
        ]
        ids = list(dict.fromkeys(name for name, _ in gaps))
        if most is not None:
            ids = [ids[0], ids[len(ids) // 2], ids[-1]]
        texts = {one.id: one.text for turn in run.rounds for one in turn.where(Question, "id", set(ids))}
        print(f"{len(ids)} gaps of {place}")
        told("in process, its words", [timed(lambda name=name: why(run, texts[name])) for name in ids])
        near = [timed(lambda name=name: why(run, texts[name].lower() + " please")) for name in ids]
        told("in process, other words", near)
    command = [sys.executable, "-m", "selfstudy", "why", str(place)]
    told(
        "as a process, its words",
        [
            timed(lambda name=name: subprocess.run([*command, texts[name]], check=True, capture_output=True))
            for name in ids[:processes]
        ],
    )


def timed(act: object) -> float:
    start = time.perf_counter()
    act()  # type: ignore[operator]
    return time.perf_counter() - start


def told(what: str, seconds: list[float]) -> None:
    print(
        f"{what:<26} worst {max(seconds):.3f} s, median {statistics.median(seconds):.3f} s, "
        f"{len(seconds)} times"
    )


def memory(place: Path) -> None:
    """The most memory that each way of asking takes."""
    for name, arguments in {
        "a question": ["What is the capital of place 77?"],
        "other words": ["the capital city of place 77"],
        "one source": ["--source", "library/place-77.md"],
        "all sources": ["--source", "library"],
    }.items():
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", PEAK, "why", str(place), *arguments], capture_output=True, text=True
        )
        said = done.stderr.splitlines()[-1]
        kilobytes = int(said.split()[1]) if said.startswith("KB") else 0
        print(f"{name:<14} {time.perf_counter() - start:.2f} s, {kilobytes / 1024:.0f} MB")


def make(place: Path, count: int) -> None:
    """A run of one round, with all that a question leaves behind."""
    with Run.create_or_resume(place, Recipe()) as run:
        turn = run.round(1)
        for start in range(0, count, 2_000):
            turn.append(one for n in range(start, min(count, start + 2_000)) for one in records(n))


def records(n: int) -> Iterator[Record]:
    asked = Question(text=f"What is the capital of place {n}?", topic=f"place {n % 99}", method="documents")
    said = Completion(text=f"The capital of place {n} is town {n + 1}.", tokens=12, logprob=-3.5)
    page = f"Place {n} is a country. Its capital is town {n}. " + "It has hills, rivers and a coast. " * 20
    yield asked
    yield Proposal(ask=0, index=n, method="documents", text=asked.text, question_id=asked.id)
    yield Answer(question_id=asked.id, passage=said, samples=(said,) * 10)
    sentence = SentenceScore(text=said.text, value=0.9, per_sample=(0.9,) * 10)
    yield Score(question_id=asked.id, scorer="selfcheck-nli", value=0.9, sentences=(sentence,))
    found = [
        Evidence(
            question_id=asked.id,
            document_id=f"d{n + rank}",
            source=f"library/place-{n + rank}.md",
            text=page,
            start=0,
            end=len(page),
            rank=rank,
            relevance=1.0,
        )
        for rank in range(3)
    ]
    yield from found
    text = f"The capital of place {n} is town {n}."
    read = Reference(
        question_id=asked.id, evidence_id=found[0].id, text=text, inconsistency=0.0, accepted=True
    )
    yield read
    yield Verdict(question_id=asked.id, kind="unknown", score=0.9, reference_id=read.id)
    for k in range(3):
        yield Rewording(question_id=asked.id, text=f"Wording {k} of place {n}", use="train")
        example = Example(
            prompt=chat(f"Wording {k} of place {n}", "You are a student who is eager to learn."),
            completion=text,
            question_id=asked.id,
            kind="reference",
        )
        yield example
        yield TrainedItem(
            arm="taught", phase="sft", item_id=example.id, question_id=asked.id, steps=(n, 2 * n, 3 * n)
        )
        for arm in ("base", "taught"):
            yield Check(
                question_id=asked.id,
                arm=arm,
                target="gap",
                wording="trained",
                asked=f"Wording {k} of place {n}",
                answer=text,
                expected=text,
                correct=arm == "taught",
            )


if __name__ == "__main__":
    main()
