"""Does everything that is not a model stay near-linear in time and bounded in memory?

    python benchmarks/scale.py [--sizes 1000 10000 100000] [--folder FOLDER]

Writes synthetic records of one finished round, reads them back, removes near-duplicate questions, computes
summary.json and writes the report.  Each size runs in a process of its own, so that its peak memory is its
own.  Prints CPU seconds per step (so that other work on the machine does not count), the wall clock of all
steps, CPU time per question, and how that grows with size.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from selfstudy import text
from selfstudy.models import load_embedder
from selfstudy.models.base import chat
from selfstudy.recipe import EmbedderBlock, Recipe
from selfstudy.records import (
    Answer,
    Check,
    Completion,
    Evidence,
    Example,
    Pair,
    Proposal,
    Question,
    Record,
    Reference,
    Rewording,
    Score,
    SentenceScore,
    TrainingStep,
    Truth,
    Verdict,
    VerdictKind,
    Wording,
    digest,
)
from selfstudy.run import Run
from selfstudy.show.report import write_report
from selfstudy.summary import summarise

SAMPLES = 10
BLOCK = 1000
CHECKED = 2000
"""Most gaps and most known questions that verify asks again: the recipe's default."""

SYLLABLES = "ka ro mi ta len dor vi sa bel un gar tho pra nel zu mor eth quin las fer".split()  # noqa: SIM905
ASPECTS = {
    "capital": (
        "What is the capital of {x}?",
        "The capital of {x} is {y}.",
        "Which city is the capital of {x}?",
    ),
    "currency": (
        "What is the currency of {x}?",
        "The currency of {x} is the {y}.",
        "Which money is used in {x}?",
    ),
    "continent": (
        "On which continent is {x}?",
        "{x} is on the continent of {y}.",
        "Where in the world is {x}?",
    ),
    "language": ("What is spoken in {x}?", "The main language of {x} is {y}.", "Which language has {x}?"),
    "river": (
        "What is the longest river of {x}?",
        "The longest river of {x} is the {y}.",
        "Name the river of {x}.",
    ),
}


def name(rng: random.Random) -> str:
    """An invented proper name."""
    return "".join(rng.choice(SYLLABLES) for _ in range(rng.randint(2, 4))).capitalize()


class Synthetic:
    """One finished round of `count` questions, four in ten of them gaps, made from `seed` alone."""

    def __init__(self, count: int, seed: int = 0) -> None:
        self.count = count
        self.seed = seed
        self.checked = {"gap": 0, "known": 0}

    def lookup(self, question: str) -> Truth:
        """The answer key: what `question` the model truly knows."""
        return Truth((self.fact(question)[1],), known=not self.is_gap(question))

    def is_gap(self, question: str) -> bool:
        return int(digest("gap", question), 16) % 10 < 4

    def fact(self, question: str) -> tuple[str, str]:
        """(sentence, short answer) that is true for `question`."""
        aspect = next(
            a for a, (asked, _, _) in ASPECTS.items() if question.startswith(asked.partition("{x}")[0])
        )
        x = question.removesuffix("?").split()[-1]
        y = name(random.Random(f"{self.seed}:{aspect}:{x}"))
        return ASPECTS[aspect][1].format(x=x, y=y), y

    def blocks(self) -> Iterator[list[Record]]:
        rng = random.Random(f"{self.seed}:scale")
        asked: set[str] = set()
        index = 0
        while len(asked) < self.count:
            block: list[Record] = []
            for _ in range(min(BLOCK, self.count - len(asked))):
                aspect = rng.choice(list(ASPECTS))
                question = ASPECTS[aspect][0].format(x=name(rng))
                while question in asked:
                    question = ASPECTS[aspect][0].format(x=name(rng) + name(rng).lower())
                asked.add(question)
                block += self.trail(rng, question, aspect, index)
                index += 1
            yield block
        for phase, top in (("sft", 3.1), ("dpo", 0.69)):
            yield [
                TrainingStep(
                    arm="taught", phase=phase, step=s, loss=top * 0.99**s + 0.05 * rng.random() + 0.04
                )
                for s in range(1, 400)
            ]

    def trail(self, rng: random.Random, question: str, aspect: str, index: int) -> list[Record]:
        """All records of one question."""
        asked = Question(text=question, topic=aspect, method="documents")
        statement, _ = self.fact(question)
        gap = self.is_gap(question)
        right = not gap or rng.random() < 0.07

        def wrong() -> str:
            return ASPECTS[aspect][1].format(x=question.removesuffix("?").split()[-1], y=name(rng))

        passage = statement if right else wrong()
        samples = [passage if (not gap and rng.random() < 0.95) else wrong() for _ in range(SAMPLES)]
        each = tuple(
            round(0.02 * rng.random() if s == passage else 0.85 + 0.14 * rng.random(), 4) for s in samples
        )
        value = sum(each) / SAMPLES
        evidence, reference = self.gathered(rng, asked, statement)
        kind: VerdictKind = "known" if not gap else "unsure" if right else "unknown"
        if kind == "unknown" and rng.random() < 0.1:
            kind = "misbelief"
        records: list[Record] = [
            Proposal(ask=0, index=index, method="documents", text=question, question_id=asked.id),
            asked,
            Answer(question_id=asked.id, passage=said(passage), samples=tuple(said(s) for s in samples)),
            Score(
                question_id=asked.id,
                scorer="selfcheck-nli",
                value=value,
                sentences=(SentenceScore(text=passage, value=value, per_sample=each),),
            ),
            evidence,
            reference,
            Verdict(
                question_id=asked.id,
                kind=kind,
                score=value,
                contradiction=0.04 if right else 0.96,
                agrees=right,
                reference_id=reference.id,
            ),
        ]
        if gap:
            records += self.taught(asked, aspect, statement, samples[0])
        return records + self.checks(rng, asked, aspect, statement, passage, gap)

    def gathered(self, rng: random.Random, asked: Question, statement: str) -> tuple[Evidence, Reference]:
        lead = " ".join(f"{name(rng)} lies {rng.randint(2, 900)} km from {name(rng)}." for _ in range(3))
        page = f"{lead} {statement} {name(rng)} was founded in {rng.randint(900, 1900)}."
        document = digest("document", asked.text)
        evidence = Evidence(
            question_id=asked.id,
            document_id=document,
            source=f"library/{document}.md",
            title=f"Page {document[:4]}",
            text=page,
            start=0,
            end=len(page),
            rank=0,
            relevance=rng.random(),
        )
        reference = Reference(
            question_id=asked.id, evidence_id=evidence.id, text=statement, inconsistency=0.05, accepted=True
        )
        return evidence, reference

    def taught(self, asked: Question, aspect: str, statement: str, sample: str) -> list[Record]:
        other = ASPECTS[aspect][2].format(x=asked.text.removesuffix("?").split()[-1])
        return [
            Rewording(question_id=asked.id, text=other, use="heldout"),
            Example(prompt=chat(asked.text), completion=statement, question_id=asked.id, kind="reference"),
            Pair(
                prompt=chat(asked.text),
                chosen=statement,
                rejected=sample,
                question_id=asked.id,
                verdict="unknown",
            ),
        ]

    def checks(
        self, rng: random.Random, asked: Question, aspect: str, statement: str, passage: str, gap: bool
    ) -> list[Record]:
        target = "gap" if gap else "known"
        if self.checked[target] >= CHECKED:
            return []
        self.checked[target] += 1
        other = ASPECTS[aspect][2].format(x=asked.text.removesuffix("?").split()[-1])
        wordings: list[tuple[Wording, str]] = [("original", asked.text)]
        if gap:
            wordings.append(("reworded", other))
        made: list[Record] = []
        for wording, words in wordings:
            after = (
                statement
                if rng.random() < (0.995 if not gap else 0.95 if wording == "original" else 0.9)
                else passage + " Maybe."
            )
            for arm, answer in (("base", passage), ("taught", after)):
                right = answer == statement
                made.append(
                    Check(
                        question_id=asked.id,
                        arm="base" if arm == "base" else "taught",
                        target="gap" if gap else "known",
                        wording=wording,
                        asked=words,
                        answer=answer,
                        expected=statement,
                        correct=right,
                        score=None
                        if not gap or wording != "original"
                        else 0.1 * rng.random() + 0.8 * (not right),
                    )
                )
        return made


def said(answer: str) -> Completion:
    return Completion(text=answer, tokens=len(answer) // 4, logprob=-3.0)


def measure(count: int, folder: Path) -> dict[str, float]:
    """CPU seconds per step for `count` questions, and the peak memory of this process in MiB."""
    world = Synthetic(count)
    embedder = load_embedder(EmbedderBlock())
    seconds: dict[str, float] = {}
    start = time.perf_counter()

    def lap(step: str, since: float) -> float:
        now = time.process_time()
        seconds[step] = now - since
        return now

    with Run.create_or_resume(folder / f"run-{count}", Recipe()) as run:
        clock = time.process_time()
        for block in world.blocks():
            run.round(1).append(block)
        clock = lap("write", clock)
        questions = [q.text for q in run.round(1).iter(Question)]
        for kind in (Answer, Score, Evidence, Check):
            for _ in run.round(1).iter(kind):
                pass
        clock = lap("read", clock)
        kept = text.near_duplicates(questions)
        clock = lap("duplicates", clock)
        summary = summarise(run, world, embedder)
        run.write_json(run.summary_file, summary.to_dict())
        clock = lap("summary", clock)
        write_report(run, summary, run.path / "report.html", embedder)
        lap("report", clock)
        seconds["kept"] = len(kept)
        seconds["report_mb"] = (run.path / "report.html").stat().st_size / 1e6
    seconds["wall"] = time.perf_counter() - start
    seconds["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return seconds


STEPS = ("write", "read", "duplicates", "summary", "report")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--folder", type=Path, help="where the runs go [default: a temporary folder]")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        if arguments.one:
            print(json.dumps(measure(arguments.one, folder)))
            return
        print(
            f"{'questions':>10}"
            + "".join(f"{s + ' s':>13}" for s in STEPS)
            + f"{'wall s':>9}{'ms/question':>13}{'peak MiB':>10}{'report MB':>11}"
        )
        rates = {}
        for size in arguments.sizes:
            command = [sys.executable, __file__, "--one", str(size), "--folder", str(folder)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            found = json.loads(done.stdout)
            rates[size] = sum(found[s] for s in STEPS) / size
            print(
                f"{size:>10,}"
                + "".join(f"{found[s]:>13.2f}" for s in STEPS)
                + f"{found['wall']:>9.1f}{rates[size] * 1000:>13.3f}"
                + f"{found['peak_mib']:>10.0f}{found['report_mb']:>11.1f}",
                flush=True,
            )
        least, most = min(rates), max(rates)
        print(
            f"CPU time per question at {most:,} is {rates[most] / rates[least]:.2f} times that at {least:,}"
        )


if __name__ == "__main__":
    main()
