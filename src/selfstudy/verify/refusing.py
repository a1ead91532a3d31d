"""Does it say "I don't know" where nothing is known?  Asks every arm held-out questions without evidence.

Put as the probe put them, without documents, and only where teach teaches to refuse.  The answerable half,
gaps and known questions, has been asked already (questions.py): refusing_figures.py reads off those answers
whether they refuse.  What refuses is told by its form (judging/refusals.py); an empty answer does not.
A failed item is a record with its error, and in no figure.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING

from selfstudy.judging.refusals import is_refusal, knows_nothing
from selfstudy.models.answering import from_memory
from selfstudy.models.base import LanguageModel
from selfstudy.prompts import Prompts
from selfstudy.records import (
    Answer,
    Arm,
    Completion,
    Example,
    Pair,
    Question,
    RefusalCheck,
    Verdict,
    digest,
)
from selfstudy.run import Round, resume, threshold
from selfstudy.run.split import split_of, teaches_to_refuse
from selfstudy.verify.blocks import ask_blocks

if TYPE_CHECKING:
    from selfstudy.progress import Reporter

ARMS: tuple[Arm, ...] = ("base", "taught", "control", "weaker")
"""Who is asked; the model before round 1 is not."""


@dataclass(frozen=True, slots=True)
class PlannedRefusal:
    """A question without evidence."""

    question_id: str
    asked: str
    fact: str

    def unasked(self, arm: Arm) -> RefusalCheck:
        """The check before its answer is there: it has the final id."""
        return RefusalCheck(
            question_id=self.question_id,
            arm=arm,
            asked=self.asked,
            refused=None,
            fact=self.fact,
        )


def plan_refusals(round_: Round) -> list[PlannedRefusal]:
    """What is asked, the same for every arm; at most `recipe.verify.max_questions`, chosen by the seed."""
    recipe = round_.run.recipe
    if not teaches_to_refuse(recipe):
        return []
    split = split_of(round_)
    open_ = _answered_by_nobody(round_, split.unanswerable)
    some = [
        PlannedRefusal(one.id, one.text, split.facts[one.id])
        for one in round_.iter(Question)
        if one.id in open_
    ]
    limit = min(len(some), recipe.verify.max_questions)
    chosen = random.Random(f"{recipe.seed}:verify:refusing").sample(range(len(some)), limit)
    return [some[i] for i in sorted(chosen)]


def _answered_by_nobody(round_: Round, names: Set[str]) -> set[str]:
    """Those of these questions to which the model has no answer of its own either."""
    limit = threshold.of(round_.run).value
    said = {one.question_id: one.passage.text for one in round_.iter(Answer) if one.question_id in names}
    return {
        one.question_id
        for one in round_.iter(Verdict)
        if one.question_id in names and one.score is not None
        if knows_nothing(
            said.get(one.question_id, ""), inconsistent=threshold.is_inconsistent(one.score, limit)
        )
    }


def taught_to_refuse(round_: Round) -> bool:
    """Whether this round trained on anything that is to be refused."""
    return any(one.kind == "refusal" for one in round_.iter(Example)) or any(
        one.verdict == "unverifiable" for one in round_.iter(Pair)
    )


def ask_refusals(
    round_: Round,
    arm: Arm,
    load: Callable[[], LanguageModel],
    prompts: Prompts,
    items: Sequence[PlannedRefusal],
    report: Reporter,
) -> None:
    """Asks one arm greedily what it has not answered yet, and writes the checks block by block."""
    done = resume.done(round_, resume.REFUSED)
    if arm not in ARMS or all(item.unasked(arm).id in done for item in items):
        return
    recipe, lm = round_.run.recipe, load()
    how = from_memory(recipe.answering, 0, int(digest("verify", str(recipe.seed)), 16) % 2**31)
    works = arm != "base" or any(c.arm == arm and c.error is None for c in round_.iter(RefusalCheck))

    def ask(batch: Sequence[PlannedRefusal]) -> list[RefusalCheck]:
        answers = lm.generate([prompts.chat("answer", question=one.asked) for one in batch], how)
        return [_judged(item.unasked(arm), row[0]) for item, row in zip(batch, answers, strict=True)]

    name = f"verify: {arm}, without evidence"
    ask_blocks(round_, name, items, done, lambda item: item.unasked(arm).id, ask, report, works=works)


def _judged(check: RefusalCheck, answer: Completion) -> RefusalCheck:
    if answer.finish == "error":
        return check.model_copy(update={"error": answer.error or "the model gave no answer"})
    return check.model_copy(update={"answer": answer.text, "refused": is_refusal(answer.text)})
