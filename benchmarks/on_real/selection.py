"""How much of what looks forgotten is selection?  The general questions of a run are asked in other orders.

A question that was chosen because its first answer was right can only fall.  How far such questions fall
where nothing was taught is seen by asking the unchanged model with the demonstrations of its prompt in
another order.  Beside it all questions that were held out, right or wrong.

Needs the folder of a run of `learn` ($SELFSTUDY_REAL_RUNS); 10 minutes.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from on_real.learn import kept_runs
from on_real.model import in_float32
from selfstudy.judging.correctness import states
from selfstudy.models import load_lm
from selfstudy.models.answering import from_memory
from selfstudy.prompts import Prompts, reordered
from selfstudy.records import Chat
from selfstudy.run import Run
from selfstudy.run.general import answered_facts
from selfstudy.run.split import general_tests

ORDERS = (None, 0, 1)
"""Seeds of the orders of the demonstrations; None: as they are asked."""


def run(seeds: Sequence[int]) -> dict[str, Any]:
    """Prints, by seed and order, how many were right before and after teaching, and what changed."""
    folder = kept_runs("selection")
    if folder is None:
        return {}
    return {f"seed {seed}": _figures(Run.open(folder / f"real-{seed}")) for seed in seeds}


def _figures(run_: Run) -> dict[str, Any]:
    tests = general_tests(run_)
    facts = [fact for fact in answered_facts(run_) if fact.id in tests]
    before = load_lm(in_float32())
    after = load_lm(in_float32(adapter=run_.round(1).adapter("taught")))
    how = from_memory(run_.recipe.answering, 0, 0)
    found: dict[str, Any] = {}
    first: list[bool] = []
    for order in ORDERS:
        chats = [_chat(fact.question, order) for fact in facts]
        right = [
            [
                states(completions[0].text, list(fact.answers), fact.question)
                for completions, fact in zip(lm.generate(chats, how), facts, strict=True)
            ]
            for lm in (before, after)
        ]
        first = first or right[0]
        for name, chosen in (("all", [True] * len(facts)), ("right at first", first)):
            pairs = [pair for pair, one in zip(zip(*right, strict=True), chosen, strict=True) if one]
            figures = {
                "asked": len(pairs),
                "before": sum(b for b, _ in pairs),
                "after": sum(a for _, a in pairs),
                "lost": sum(b and not a for b, a in pairs),
                "won": sum(a and not b for b, a in pairs),
            }
            title = f"{name}, " + ("as asked" if order is None else f"order {order}")
            found[title] = figures
            print(f"{title}: " + ", ".join(f"{k} {v}" for k, v in figures.items()), flush=True)
    return found


def _chat(question: str, order: int | None) -> Chat:
    chat = Prompts().chat("answer", question=question)
    return chat if order is None else reordered(chat, random.Random(order))
