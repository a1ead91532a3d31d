"""How much of what a run calls forgotten is selection?  All that it never rehearsed is asked again.

Everyday facts that test were chosen because this greedy answer was right, so they can only fall; those that
were wrong before can only rise.  Needs the folder of a run of `learn` ($SELFSTUDY_REAL_RUNS); 7 minutes.
Asked as the recipe asks, and without a repetition penalty.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from on_real.model import model
from selfstudy.judging.correctness import states
from selfstudy.models import load_lm
from selfstudy.models.answering import from_memory
from selfstudy.prompts import Prompts
from selfstudy.recipe import LocalModel
from selfstudy.records import Check, KnownFact
from selfstudy.run import Run
from selfstudy.run.split import general_tests


def run(seeds: Sequence[int]) -> dict[str, Any]:
    """Prints, by seed and repetition penalty, what was right before and after teaching, and what changed."""
    found: dict[str, Any] = {}
    if "SELFSTUDY_REAL_RUNS" not in os.environ:
        print("selection: needs a run; set SELFSTUDY_REAL_RUNS to the folder that `learn` kept its runs in")
        return found
    for seed in seeds:
        folder = Path(os.environ["SELFSTUDY_REAL_RUNS"]) / f"real-{seed}"
        found[f"seed {seed}"] = _figures(Run.open(folder))
    return found


def _figures(run_: Run) -> dict[str, Any]:
    chosen, others = _asked(run_)
    rows = [*chosen, *others]
    before = load_lm(LocalModel(path=str(model())))
    after = load_lm(LocalModel(path=str(model()), adapter=run_.round(1).adapter("taught")))
    found = {}
    for penalty in (run_.recipe.answering.repetition_penalty, 1.0):
        how = replace(from_memory(run_.recipe.answering, 0, 0), repetition_penalty=penalty)
        right = [
            [states(said, list(answers), asked) for said, (asked, answers) in zip(texts, rows, strict=True)]
            for texts in (_answers(lm, [asked for asked, _ in rows], how) for lm in (before, after))
        ]
        for name, part in (("chosen", slice(len(chosen))), ("all", slice(None))):
            pairs = list(zip(right[0][part], right[1][part], strict=True))
            figures = {
                "asked": len(pairs),
                "before": sum(b for b, _ in pairs),
                "after": sum(a for _, a in pairs),
                "lost": sum(b and not a for b, a in pairs),
                "won": sum(a and not b for b, a in pairs),
            }
            found[f"{name}, penalty {penalty:g}"] = figures
            print(f"{name}, penalty {penalty:g}: " + ", ".join(f"{k} {v}" for k, v in figures.items()))
    return found


def _asked(run_: Run) -> tuple[list[tuple[str, tuple[str, ...]]], list[tuple[str, tuple[str, ...]]]]:
    """Questions and answers: the known ones that verify asks; everyday facts that were wrong before."""
    facts = {fact.question: fact for fact in run_.round(1).iter(KnownFact)}
    tests = general_tests(run_)
    own = [
        (check.asked, tuple(check.expected.split(" | ")))
        for check in run_.round(1).iter(Check)
        if check.target == "known" and check.arm == "base" and check.asked not in facts
    ]
    chosen = [(fact.question, fact.answers) for fact in facts.values() if fact.id in tests]
    wrong = [(fact.question, fact.answers) for fact in facts.values() if fact.correct is False]
    return [*own, *chosen], wrong


def _answers(lm: Any, questions: Sequence[str], how: Any) -> list[str]:
    chats = [Prompts().chat("answer", question=one) for one in questions]
    return [completions[0].text for completions in lm.generate(chats, how)]
