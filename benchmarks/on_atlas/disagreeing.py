"""What becomes of facts that pages disagree on: which references are read, and what is taught and learned.

A reference is right if it states the true value (judging/correctness.py), wrong if it is accepted and does
not, none if it is not accepted.  Shares have Wilson's 95% intervals.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from on_atlas.conflicting import SHARE, TODAY, Changed, Conflicting, Untouched, conflicting, write
from selfstudy.judging.correctness import states
from selfstudy.loop.study import Study
from selfstudy.progress import Silent
from selfstudy.recipe import Recipe
from selfstudy.records import (
    Answer,
    Check,
    Completion,
    Conflict,
    Example,
    Question,
    Reference,
    Score,
    Verdict,
)
from selfstudy.run import Run
from selfstudy.stats import wilson

WAYS: dict[str, dict[str, Any]] = {
    "ignore": {"conflicts": "ignore"},
    "careful": {"conflicts": "careful"},
    "careful, max_age 3y": {"conflicts": "careful", "max_age": "3y"},
    "newer": {"conflicts": "newer"},
    "supported": {"conflicts": "supported"},
    "unresolved": {"conflicts": "unresolved"},
}


def gather(ways: Sequence[str], seeds: Sequence[int], folder: Path, share: float = SHARE) -> dict[str, Any]:
    """Reads references each way; a table of what they are.

    Args:
        share: see `conflicting.SHARE`.
    """
    found: dict[str, Any] = {}
    print("| | disagreed on: wrong | right | none | untouched: wrong | right | none | conflicts | s |")
    print("|---" * 9 + "|")
    for way in ways:
        changed: list[tuple[Changed, str]] = []
        untouched: list[tuple[Untouched, str]] = []
        decided: Counter[str] = Counter()
        seconds = 0.0
        for seed in seeds:
            made = conflicting(seed, share=share)
            start = time.monotonic()
            outcomes, counted = _gathered(made, WAYS[way], seed, folder / f"{way.replace(' ', '-')}-{seed}")
            seconds += time.monotonic() - start
            decided += counted
            changed += [(one, outcomes[one.question]) for one in made.changed]
            untouched += [(one, outcomes[one.question]) for one in made.untouched]
        kinds = sorted({one.kind for one, _ in changed})
        found[way] = {
            "changed": _shares([what for _, what in changed]),
            "untouched": _shares([what for _, what in untouched]),
            "counts": {
                "changed": dict(Counter(what for _, what in changed)),
                "untouched": dict(Counter(what for _, what in untouched)),
            },
            "conflicts": dict(decided),
            "seconds": round(seconds / len(seeds)),
            "kinds": {
                kind: dict(Counter(what for one, what in changed if one.kind == kind)) for kind in kinds
            },
        }
        row = found[way]
        cells = [row[part][what] for part in ("changed", "untouched") for what in ("wrong", "right", "none")]
        counts = ", ".join(f"{name} {number}" for name, number in sorted(decided.items())) or "-"
        print(f"| {way} | {' | '.join(cells)} | {counts} | {row['seconds']} |", flush=True)
    for way, row in found.items():
        print(way, row["kinds"], flush=True)
    return found


def _shares(outcomes: Sequence[str]) -> dict[str, str]:
    counted = Counter(outcomes)
    return {what: _share(counted[what], len(outcomes)) for what in ("wrong", "right", "none")}


def _share(count: int, of: int) -> str:
    found = wilson(count, of)
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f}; {count} of {of})"


def _gathered(
    made: Conflicting, way: dict[str, Any], seed: int, folder: Path
) -> tuple[dict[str, str], Counter[str]]:
    """What reference each question got, and how conflicts were decided."""
    library = write(made.rows, folder.with_suffix(".jsonl"))
    recipe = Recipe.model_validate(
        {
            "model": {"type": "local", "path": "atlas"},
            "nli": {"path": "atlas"},
            "embedder": {"path": "lexical"},
            "library": str(library),
            "seed": seed,
            "answering": {"max_new_tokens": 48, "reading_tokens": 48},
            "probe": {"threshold": 0.5},
            "gather": {**way, "as_of": TODAY},
        }
    )
    truth = {one.question: one.right for one in [*made.changed, *made.untouched]}
    with Run.create_or_resume(folder, recipe) as run:
        turn = run.round(1)
        for text in truth:
            question = Question(text=text)
            passage = Completion(text="I don't know.")
            turn.append([question, Answer(question_id=question.id, passage=passage, samples=())])
            turn.append([Score(question_id=question.id, scorer=recipe.probe.scorer, value=1.0)])
        turn.finish("probe")
        with Study(run, Silent()) as study:
            study.gather()
        return _outcomes(run, truth), Counter(one.decided for one in turn.iter(Conflict))


def _outcomes(run: Run, truth: dict[str, str]) -> dict[str, str]:
    turn = run.round(1)
    read = {one.question_id: one for one in turn.iter(Reference) if one.accepted}
    found = {}
    for question in turn.iter(Question):
        reference = read.get(question.id)
        if question.text not in truth:
            continue
        if reference is None:
            found[question.text] = "none"
        else:
            right = states(reference.text, (truth[question.text],), question.text)
            found[question.text] = "right" if right else "wrong"
    return found


def learn(seed: int, folder: Path, ways: Sequence[str] = ("ignore", "careful")) -> dict[str, Any]:
    """The whole loop on the facts that are disagreed on, and on others that it knows or does not know."""
    made = conflicting(seed)
    asked = folder / f"questions-{seed}.txt"
    truth = {one.question: one.right for one in [*made.changed, *made.withheld, *made.learned]}
    asked.write_text("\n".join(truth), encoding="utf-8")
    found = {}
    for way in ways:
        start = time.monotonic()
        path = folder / f"learn-{way}-{seed}"
        library = write(made.rows, folder / f"learn-{way}-{seed}.jsonl")
        recipe = _recipe(library, asked, WAYS[way], seed)
        with Run.create_or_resume(path, recipe) as run, Study(run, Silent()) as study:
            summary = study.learn()
            found[way] = _taught(run, study, made, truth) | {
                "promoted": summary.promoted,
                "gap_correct": [summary.before.gap_correct, summary.after.gap_correct],
                "known_correct": [summary.before.known_correct, summary.after.known_correct],
                "verdicts": dict(summary.verdicts),
            }
        found[way]["seconds"] = round(time.monotonic() - start)
        print(way, flush=True)
        for name, value in found[way].items():
            print(f"    {name}: {value}", flush=True)
    return found


def _recipe(library: Path, asked: Path, way: dict[str, Any], seed: int) -> Recipe:
    count = len(asked.read_text(encoding="utf-8").splitlines())
    return Recipe.model_validate(
        {
            "model": {"type": "local", "path": "atlas"},
            "nli": {"path": "atlas"},
            "embedder": {"path": "lexical"},
            "library": str(library),
            "answer_key": "atlas",
            "seed": seed,
            "answering": {"max_new_tokens": 48, "reading_tokens": 48},
            "probe": {
                "threshold": 0.5,
                "samples": 5,
                "ask": [{"method": "external", "source": str(asked), "questions": True, "count": count}],
            },
            "gather": {**way, "as_of": TODAY},
            "teach": {
                "method": "sft",
                "wordings": 2,
                "heldout_wordings": 1,
                "known_heldout": 0.3,
                "lora": {"r": 32, "alpha": 64, "dropout": 0.0},
                "sft": {"epochs": 4, "learning_rate": 0.001, "replay": 3.0, "reading": 0.1},
            },
            "verify": {"max_questions": 400, "samples": 0},
        }
    )


def _taught(run: Run, study: Study, made: Conflicting, truth: dict[str, str]) -> dict[str, Any]:
    """How often the false value of a changed fact is a reference, a lesson, an answer before and after."""
    turn = run.round(1)
    false = {one.question: one.false for one in made.changed}
    asked = {question.id: question.text for question in turn.iter(Question)}
    unresolved = {asked[one.question_id] for one in turn.iter(Conflict) if one.decided == "unresolved"}
    outcomes = _outcomes(run, truth)
    references = Counter(outcomes[one.question] for one in made.changed if one.question in outcomes)
    lessons: set[str] = set()
    of_unresolved: set[str] = set()
    for example in turn.iter(Example):
        question = asked.get(example.question_id, "")
        if example.kind not in ("reference", "reading"):
            continue
        if question in false and states(example.completion, (false[question],), question):
            lessons.add(question)
        if question in unresolved:
            of_unresolved.add(question)
    answers = {arm: _says_false(study, run, made, arm) for arm in ("base", "taught")}
    open_ = {
        arm: sum(said for question, said in says.items() if question in unresolved)
        for arm, says in answers.items()
    }
    count = len(made.changed)
    return {
        "references of changed facts": dict(references),
        "wrong references": _share(references["wrong"], count),
        "false values taught": _share(len(lessons), count),
        "unresolved": len(unresolved),
        "unresolved that were taught": len(of_unresolved),
        "false answers, base": _share(sum(answers["base"].values()), count),
        "false answers, taught": _share(sum(answers["taught"].values()), count),
        "false answers to unresolved, base and taught": [open_["base"], open_["taught"]],
        "conflicts": dict(Counter(one.decided for one in turn.iter(Conflict))),
        "verdicts of unresolved": dict(
            Counter(one.kind for one in turn.iter(Verdict) if asked[one.question_id] in unresolved)
        ),
        "checks failed": sum(one.error is not None for one in turn.iter(Check)),
    }


def _says_false(study: Study, run: Run, made: Conflicting, arm: str) -> dict[str, bool]:
    """Whether a model answers each changed fact with its false value, greedily, as it was first asked."""
    from selfstudy.models.answering import from_memory

    lm = study.lm(run.round(1).adapter() if arm == "taught" else None)
    chats = [study.prompts.chat("answer", question=one.question) for one in made.changed]
    said = lm.generate(chats, from_memory(run.recipe.answering, 0, run.recipe.seed))
    return {
        one.question: states(answer.text, (one.false,), one.question)
        for one, (answer,) in zip(made.changed, said, strict=True)
    }
