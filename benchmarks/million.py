"""A million questions: does everything that is not a model stay near-linear in time and bounded in memory?

    python benchmarks/million.py [--sizes 10000 100000 1000000] [--steps write open ...] --folder FOLDER

Writes synthetic records of one round, then takes each step of a run over them, each in a process of its own,
so that its CPU seconds and its peak memory are its own:

    write       append all records, in blocks, as the stages do
    open        after a kill: cut a torn last line off, load the ids, append the last block again
    probe       the stage, given again where all is answered and scored: what it reads before it goes on
    gather      the same, where all is judged
    facts       which questions are about one fact, and the split of what is trained and tested
    duplicates  near-duplicates among the questions
    calibrate   labels from a file, thresholds, the map from scores to chances, for two scorers
    summary     all figures, with the metrics of methods 1, AUROC, and both scorers side by side
    report      the HTML file, with its map and table
    why         the trail of one question
    teach, verify   (only when named) the judged questions and the gaps to teach; what to ask again

What was measured stands in FOLDER/measured.json, so that steps can be taken in several calls: what is there
is not measured again (`--again` does).  A million questions take 4 GB; `--delete` removes them at the end.
Prints seconds at each size, the growth exponent between the smallest and the largest size and between the two
largest, and the peak.  Exit status 1 if a step takes more than `BOUND` or `PEAK`.

    python benchmarks/million.py kill --folder FOLDER

Kills a writer of 20,000 questions with kill -9 at five moments, lets it go on, and compares all files with
those of an undisturbed one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from selfstudy.recipe import Ask, ProbeBlock, Recipe
from selfstudy.records import (
    Answer,
    Check,
    Completion,
    Evidence,
    Example,
    Failure,
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
    digest,
)
from selfstudy.run import Run

BOUND = 1.1
"""Largest growth exponent of CPU seconds between the smallest and the largest size."""
PEAK = 4096
"""MiB that no step may take more of."""
SAMPLES = 6
BLOCK = 256
"""Questions of a block: the recipe's default."""
CHECKED = 2000
"""Most gaps and most known questions that verify asks again: the recipe's default."""
SEED = 0

SYLLABLES = (
    "ka ro mi ta len dor vi sa bel un gar tho pra nel zu mor eth quin las fer "
    "ost ira jen pul wex hai dro nim col est bay rud"
)
ASPECTS = (
    "capital currency climate founder anthem harbour river flag parliament railway museum airport dialect "
    "cathedral bridge market festival mountain lake dynasty newspaper university theatre island border "
    "population export import language calendar"
)
FORMS = (
    ("What is the {a} of {x}?", "The {a} of {x} is {y}."),
    ("Which {a} does {x} have?", "The {a} that {x} has is {y}."),
    ("Who was the first to describe the {a} of {x} in {n}?", "In {n} the {a} of {x} was described by {y}."),
    ("How did people in {z} call the {a} of {x} before {n}?", "People in {z} called the {a} of {x} {y}."),
    (
        "According to {z}, which {a} was the most important one in {x} in the year {n}?",
        "According to {z} the most important {a} in {x} was {y}.",
    ),
)
CHANGED = (("the ", "its "), ("Which ", "What "), ("important", "famous"), ("call", "name"))
"""One word of a question asked nearly the same before."""
_SYLLABLES, _ASPECTS = SYLLABLES.split(), ASPECTS.split()


def name(rng: random.Random) -> str:
    """An invented proper name."""
    return "".join(rng.choice(_SYLLABLES) for _ in range(rng.randint(2, 4))).capitalize()


def recipe(count: int) -> Recipe:
    """Of a run that asks `count` questions in two ways."""
    open_ = count * 3 // 4
    asks = (Ask(method="open", count=open_), Ask(method="induced", count=count - open_))
    return Recipe(probe=ProbeBlock(ask=asks, compare=("agreement",), samples=SAMPLES))


class Synthetic:
    """One finished round of `count` questions, four in ten of them gaps, made from the seed alone."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.checked = {"gap": 0, "known": 0}

    def lookup(self, question: str) -> Truth:
        """The answer key: what the model truly knows."""
        return Truth(("unused",), known=not is_gap(question))

    def blocks(self) -> Iterator[list[list[Record]]]:
        """Block by block what each stage appends at once."""
        rng = random.Random(f"{SEED}:million")
        recent: list[str] = []
        seen: set[int] = set()
        boundary = self.count * 3 // 4
        for start in range(0, self.count, BLOCK):
            parts: list[list[Record]] = [[] for _ in range(5)]
            for index in range(start, min(start + BLOCK, self.count)):
                first = index < boundary
                place = (0, index) if first else (1, index - boundary)
                asked, statement, wrong = self.question(rng, recent, seen)
                for part, records in zip(parts, self.trail(rng, place, asked, statement, wrong), strict=True):
                    part += records
            yield parts
        for phase, top in (("sft", 3.1), ("dpo", 0.69)):
            steps = range(1, 400)
            yield [
                [TrainingStep(arm="taught", phase=phase, step=s, loss=top * 0.99**s + 0.04) for s in steps]
            ]

    def question(self, rng: random.Random, recent: list[str], seen: set[int]) -> tuple[str, str, str]:
        """A question that was not asked before, one in thirty nearly so; what is true, and what is not."""
        while True:
            words = {"a": rng.choice(_ASPECTS), "x": name(rng), "z": name(rng), "n": rng.randint(1200, 2020)}
            asked, statement = rng.choice(FORMS)
            text = asked.format(**words)
            if recent and rng.random() < 1 / 30:
                old, new = rng.choice(CHANGED)
                text = rng.choice(recent).replace(old, new, 1)
            key = hash(text)
            if key not in seen:
                break
        seen.add(key)
        recent.append(text)
        del recent[:-2000]
        return text, statement.format(y=name(rng), **words), statement.format(y=name(rng), **words)

    def trail(
        self, rng: random.Random, place: tuple[int, int], text: str, statement: str, wrong: str
    ) -> list[list[Record]]:
        """All records of one question, by what appends them: asking, answering, scoring, gathering, later."""
        method = "open" if place[0] == 0 else "induced"
        asked = Question(text=text, topic=text.split()[-1].strip("?"), method=method)
        proposal = Proposal(ask=place[0], index=place[1], method=method, text=text, question_id=asked.id)
        parts: list[list[Record]] = [[asked, proposal], [], [], [], []]
        if rng.random() < 0.001:
            parts[1] = [Failure(stage="probe", item_id=asked.id, message="no answer: timed out")]
            return parts
        gap = is_gap(text)
        right = not gap or rng.random() < 0.1
        passage = statement if right else wrong
        sure = rng.random() < (0.1 if gap else 0.95)
        same = [rng.random() < (0.95 if sure else 0.2) for _ in range(SAMPLES)]
        samples = tuple(said(passage if one else f"It is {name(rng)}, as far as is known.") for one in same)
        each = tuple(0.05 * rng.random() if one else 0.8 + 0.19 * rng.random() for one in same)
        value = sum(each) / SAMPLES
        parts[1] = [Answer(question_id=asked.id, passage=said(passage), samples=samples)]
        sentence = SentenceScore(text=passage, value=value, per_sample=each)
        clusters = tuple(0 if one else k + 1 for k, one in enumerate(same))
        agree = len(set(clusters)) / SAMPLES
        parts[2] = [
            Score(question_id=asked.id, scorer="selfcheck-nli", value=value, sentences=(sentence,)),
            Score(question_id=asked.id, scorer="agreement", value=agree, clusters=clusters),
        ]
        parts[3] = self.gathered(rng, asked, statement, value, right=right)
        parts[4] = self.later(rng, asked, statement, passage, gap=gap)
        return parts

    def gathered(
        self, rng: random.Random, asked: Question, statement: str, score: float, *, right: bool
    ) -> list[Record]:
        hits = [self.evidence(rng, asked, statement, rank) for rank in range(2)]
        read = Reference(
            question_id=asked.id, evidence_id=hits[0].id, text=statement, inconsistency=0.05, accepted=True
        )
        kind: VerdictKind = "unsure" if right else "unknown"
        if score <= 0.5:
            kind = "known" if right else "misbelief"
        kind = "unverifiable" if rng.random() < 0.03 else kind
        judged = Verdict(
            question_id=asked.id,
            kind=kind,
            score=score,
            contradiction=0.04 if right else 0.96,
            agrees=right,
            reference_id=read.id,
        )
        return [*hits, read, judged]

    def evidence(self, rng: random.Random, asked: Question, statement: str, rank: int) -> Evidence:
        lead = " ".join(f"{name(rng)} lies {rng.randint(2, 900)} km from {name(rng)}." for _ in range(8))
        page = f"{lead} {statement if rank == 0 else ''} {name(rng)} was founded in {rng.randint(900, 1900)}."
        document = digest("document", asked.topic, str(rank))
        return Evidence(
            question_id=asked.id,
            document_id=document,
            source=f"library/{document}.md",
            title=f"Page {document[:4]}",
            text=page,
            start=0,
            end=len(page),
            rank=rank,
            relevance=rng.random(),
        )

    def later(
        self, rng: random.Random, asked: Question, statement: str, passage: str, *, gap: bool
    ) -> list[Record]:
        """What was trained, and asked again, of the first gaps and known questions."""
        target = "gap" if gap else "known"
        if self.checked[target] >= CHECKED:
            return []
        self.checked[target] += 1
        made: list[Record] = []
        prompt = ({"role": "user", "content": asked.text},)
        if gap:
            other = f"Tell me: {asked.text}"
            made += [
                Rewording(question_id=asked.id, text=other, use="heldout"),
                Example.model_validate(
                    {"prompt": prompt, "completion": statement, "question_id": asked.id, "kind": "reference"}
                ),
                Pair.model_validate(
                    {"prompt": prompt, "chosen": statement, "rejected": "No.", "question_id": asked.id}
                ),
            ]
        for arm in ("base", "taught"):
            answer = passage if arm == "base" or rng.random() < 0.1 else statement
            made.append(
                Check(
                    question_id=asked.id,
                    arm="base" if arm == "base" else "taught",
                    target="gap" if gap else "known",
                    wording="original",
                    asked=asked.text,
                    answer=answer,
                    expected=statement,
                    correct=answer == statement,
                    score=rng.random() if gap else None,
                )
            )
        return made


def is_gap(question: str) -> bool:
    """Whether the model does not know it: four in ten."""
    return int(digest("gap", question), 16) % 10 < 4


def said(text: str) -> Completion:
    return Completion(text=text, tokens=len(text) // 4, logprob=-3.0)


# Steps: each is called in a process of its own with the size and the folder, and returns figures to note;
# `seconds` of them takes the place of the process's own.


def write(count: int, folder: Path) -> dict[str, Any]:
    spent = 0.0
    with Run.create_or_resume(folder, recipe(count)) as run:
        run.write_json(run.threshold_file, {"value": 0.5, "source": "default"})
        for parts in Synthetic(count).blocks():
            start = time.process_time()
            for part in parts:
                run.round(1).append(part)
            spent += time.process_time() - start
    size = sum(path.stat().st_size for path in (folder / "rounds/1").iterdir())
    return {"seconds": spent, "disk_gb": size / 1e9}


def open_(count: int, folder: Path) -> dict[str, Any]:
    files = {path: path.stat().st_size for path in sorted((folder / "rounds/1").glob("*.jsonl"))}
    tails = {}
    for path in files:
        with path.open("r+b") as file:
            file.seek(max(0, files[path] - 2**20))
            tails[path] = (lines := file.read().splitlines(keepends=True))[-1]
            assert len(lines) > 1
            file.truncate(files[path] - len(tails[path]) // 2)
    start = time.process_time()
    with Run.open(folder) as run:
        opened = time.process_time() - start
        kinds = {
            kind.file: kind for kind in (Question, Proposal, Answer, Score, Evidence, Reference, Verdict)
        }
        for path, size in files.items():
            kind = kinds.get(path.name)
            if kind is None:
                path.write_bytes(path.read_bytes() + tails[path])
                continue
            run.round(1).append([kind.model_validate_json(tails[path])])
            run.round(1).append([next(run.round(1).iter(kind))])
            assert path.stat().st_size == size, path
    return {"repair": opened}


def probe(count: int, folder: Path) -> dict[str, Any]:
    from selfstudy.models import Models, load_embedder
    from selfstudy.models.scripted import ScriptedLM
    from selfstudy.probe.stage import run_probe
    from selfstudy.progress import Silent
    from selfstudy.prompts import Prompts
    from selfstudy.recipe import EmbedderBlock

    lm: Any = ScriptedLM({".": ["What is the capital of Peru?"]})
    nli: Any = None  # nothing is left to judge
    with Run.open(folder) as run:
        (run.round(1).path / "probe.done").unlink(missing_ok=True)
        models = Models(lm, nli, load_embedder(EmbedderBlock()))
        run_probe(run.round(1), models, Prompts(), (), Silent())
    return {}


def gather(count: int, folder: Path) -> dict[str, Any]:
    from selfstudy.gather.stage import run_gather
    from selfstudy.progress import Silent
    from selfstudy.prompts import Prompts

    models: Any = None  # nothing is left to read or judge
    with Run.open(folder) as run:
        (run.round(1).path / "gather.done").unlink(missing_ok=True)
        run_gather(run.round(1), models, Prompts(), None, Silent())
    return {}


def facts(count: int, folder: Path) -> dict[str, Any]:
    from selfstudy.run.split import split_of

    with Run.open(folder, write=False) as run:
        split = split_of(run.round(1))
    return {"facts": len(set(split.facts.values())), "tested": len(split.tested)}


def teach(count: int, folder: Path) -> dict[str, Any]:
    from selfstudy.teach.gaps import gaps_to_teach, judged_questions

    with Run.open(folder, write=False) as run:
        found = judged_questions(run.round(1))
        gaps = gaps_to_teach(found)
    return {"judged": len(found), "taught": len(gaps)}


def verify(count: int, folder: Path) -> dict[str, Any]:
    from selfstudy.prompts import Prompts
    from selfstudy.verify.questions import plan

    with Run.open(folder, write=False) as run:
        planned = plan(run.round(1), Prompts(), None)
    return {"checks": len(planned)}


def duplicates(count: int, folder: Path) -> dict[str, Any]:
    from selfstudy.duplicates import near_duplicates

    with Run.open(folder, write=False) as run:
        kept = near_duplicates([question.text for question in run.round(1).iter(Question)])
    return {"kept": len(kept)}


def calibrate(count: int, folder: Path) -> dict[str, Any]:
    from selfstudy.judging.labels import find_labels
    from selfstudy.probe.calibration import calibrate_round

    labels = folder.parent / f"labels-{count}.jsonl"
    with Run.open(folder, write=False) as run:
        with labels.open("w") as file:
            for question in run.round(1).iter(Question):
                label = {"question_id": question.id, "known": not is_gap(question.text)}
                file.write(json.dumps(label) + "\n")
        found = find_labels(run.round(1), None, labels)
        made, _ = calibrate_round(run.round(1), found.known, found.source)
    return {"labels": made[0].labels, "auroc": made[0].auroc}


def summary(count: int, folder: Path) -> dict[str, Any]:
    from selfstudy.models import load_embedder
    from selfstudy.recipe import EmbedderBlock
    from selfstudy.summary import summarise

    with Run.open(folder) as run:
        found = summarise(run, Synthetic(count), load_embedder(EmbedderBlock()))
        run.write_json(run.summary_file, found.to_dict())
    return {"slc": found.slc, "auroc": found.auroc, "gaps": found.gaps}


def report(count: int, folder: Path) -> dict[str, Any]:
    from selfstudy.models import load_embedder
    from selfstudy.recipe import EmbedderBlock
    from selfstudy.show.report import write_report
    from selfstudy.summary import Summary

    with Run.open(folder, write=False) as run:
        shown = Summary.model_validate(run.read_json(run.summary_file))
        write_report(run, shown, run.report_file, load_embedder(EmbedderBlock()))
    return {"megabytes": (folder / "report.html").stat().st_size / 1e6}


def why(count: int, folder: Path) -> dict[str, Any]:
    from selfstudy.verbs.why import why as ask_why

    with Run.open(folder, write=False) as run:
        asked = next(run.round(1).iter(Question)).text
        found = ask_why(run, f"{asked.rstrip('?')} now?")
    assert found.found
    return {}


HELD = ("teach", "verify")
"""Steps that hold what they work with, 7 KB a judged question: taken when asked for, and not bounded."""
STEPS: dict[str, Callable[[int, Path], dict[str, Any]]] = {
    "write": write,
    "open": open_,
    "probe": probe,
    "gather": gather,
    "facts": facts,
    "teach": teach,
    "verify": verify,
    "duplicates": duplicates,
    "calibrate": calibrate,
    "summary": summary,
    "report": report,
    "why": why,
}


def measure(step: str, count: int, folder: Path) -> dict[str, Any]:
    """Takes a step in this process: its CPU seconds, its wall clock and its peak memory."""
    start, wall = time.process_time(), time.perf_counter()
    notes = STEPS[step](count, folder / f"run-{count}")
    spent = {"seconds": time.process_time() - start, "wall": time.perf_counter() - wall}
    return {**spent, "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, **notes}


def measured_apart(step: str, count: int, folder: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, "one", step, str(count), "--folder", str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=_environment())
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONHASHSEED": "0"}


def exponent(small: float, large: float, times: float) -> float:
    """e of large = small times^e."""
    if times <= 1:
        return 0.0
    return math.log(max(large, 1e-9) / max(small, 1e-9)) / math.log(times)


def table(found: dict[str, dict[str, Any]], sizes: list[int]) -> bool:
    """Prints what was measured; whether all bounds are kept."""
    print(
        "| step | " + " | ".join(f"{size:,}, s" for size in sizes) + " | exponent | of the last | peak, MiB |"
    )
    print("|---|" + "---|" * (len(sizes) + 3))
    good = True
    for step in STEPS:
        rows = [found.get(f"{step} {size}") for size in sizes]
        if not all(rows):
            continue
        seconds = [row["seconds"] for row in rows if row]
        whole = exponent(seconds[0], seconds[-1], sizes[-1] / sizes[0])
        last = exponent(seconds[-2], seconds[-1], sizes[-1] / sizes[-2]) if len(sizes) > 1 else whole
        peak = max(row["mib"] for row in rows if row)
        good = good and (step in HELD or (whole <= BOUND and peak <= PEAK))
        spent = " | ".join(f"{one:.2f}" for one in seconds)
        print(f"| {step} | {spent} | {whole:.2f} | {last:.2f} | {peak:,.0f} |")
    for step in STEPS:
        for size in sizes:
            plain = ("seconds", "mib")
            notes = {k: v for k, v in found.get(f"{step} {size}", {}).items() if k not in plain}
            if notes:
                print(f"{step} {size:,}: " + ", ".join(f"{k} {v:,.4g}" for k, v in notes.items()))
    return good


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((folder / "rounds/1").glob("*.jsonl"))
    }


def kill(folder: Path, count: int = 20_000) -> bool:
    """Whether writers that were killed and go on end with the same files."""
    whole, torn = folder / "whole", folder / "torn"
    measured_apart("write", count, whole)
    expected = hashes(whole / f"run-{count}")
    size = (whole / f"run-{count}/rounds/1" / Answer.file).stat().st_size
    command = [sys.executable, __file__, "one", "write", str(count), "--folder", str(torn)]
    shutil.rmtree(torn, ignore_errors=True)
    for share in (0.02, 0.3, 0.5, 0.75, 0.98):
        writer = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=_environment())
        answers = torn / f"run-{count}/rounds/1" / Answer.file
        while writer.poll() is None and (not answers.exists() or answers.stat().st_size < share * size):
            time.sleep(0.005)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        print(f"killed with {answers.stat().st_size:,} of {size:,} bytes of answers")
    measured_apart("write", count, torn)
    same = hashes(torn / f"run-{count}") == expected
    print(f"{len(expected)} files of the writer that went on are {'equal' if same else 'NOT EQUAL'}")
    return same


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", nargs="*", help="kill, or nothing")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument(
        "--steps", nargs="+", choices=list(STEPS), default=[step for step in STEPS if step not in HELD]
    )
    parser.add_argument("--folder", type=Path, required=True, help="where the runs go: 7 GB for a million")
    parser.add_argument("--again", action="store_true", help="measure also what was measured before")
    parser.add_argument("--delete", action="store_true", help="delete the runs at the end")
    arguments = parser.parse_args()
    folder = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    if arguments.command[:1] == ["one"]:
        print(json.dumps(measure(arguments.command[1], int(arguments.command[2]), folder)))
        return 0
    if arguments.command == ["kill"]:
        return 0 if kill(folder) else 1
    kept = folder / "measured.json"
    found: dict[str, dict[str, Any]] = json.loads(kept.read_text()) if kept.exists() else {}
    for size in arguments.sizes:
        for step in arguments.steps:
            name = f"{step} {size}"
            if name not in found or arguments.again:
                taken = measured_apart(step, size, folder)
                found = {**(json.loads(kept.read_text()) if kept.exists() else {}), name: taken}
                kept.write_text(json.dumps(found, indent=1))
                print(f"{name}: {found[name]['seconds']:.2f} s, {found[name]['mib']:,.0f} MiB", flush=True)
    good = table(found, arguments.sizes)
    if arguments.delete:
        for size in arguments.sizes:
            shutil.rmtree(folder / f"run-{size}", ignore_errors=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
