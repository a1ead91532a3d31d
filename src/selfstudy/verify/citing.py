"""Does it cite, and refuse?  Held-out questions with numbered documents, asked of every arm and judged.

What is asked are known questions of which no fact was trained: each with the page that answers it among near
ones that do not, and once more with near ones alone, where to refuse is right (judging/cited_pages.py).  Only
where a phase of teach trains to cite.  A failed item is a record with its error, and in no figure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from selfstudy.judging import citations, trust
from selfstudy.judging.answer_key import AnswerKey
from selfstudy.judging.cited_answers import judged_items
from selfstudy.judging.cited_items import CitedItem, asked
from selfstudy.judging.cited_pages import Sourced, numbered_pages
from selfstudy.models.base import EntailmentModel, LanguageModel, Sampling
from selfstudy.prompts import Prompts
from selfstudy.records import Arm, CitedCheck, Completion, ShownDocument
from selfstudy.run import Round, resume
from selfstudy.run.split import trains_to_cite
from selfstudy.verify.blocks import ask_blocks
from selfstudy.verify.questions import known_with_pages

if TYPE_CHECKING:
    from selfstudy.progress import Reporter

ARMS: tuple[Arm, ...] = ("base", "taught", "control", "weaker")
"""Who is asked; the model before round 1 is not."""


@dataclass(frozen=True, slots=True)
class PlannedCitation:
    """A question with its documents; `withheld`: none of them answers it."""

    question_id: str
    fact: str
    item: CitedItem
    withheld: bool

    def unasked(self, arm: Arm) -> CitedCheck:
        """The check before its answer is there: it has the final id."""
        item = self.item
        docs = zip(item.documents, item.found or (), strict=True)
        return CitedCheck(
            question_id=self.question_id,
            arm=arm,
            withheld=self.withheld,
            question=item.question,
            docs=tuple(ShownDocument(text=text, answers_found=found) for text, found in docs),
            claims=item.claims,
            fact=self.fact,
        )


def plan_cited(round_: Round, nli: EntailmentModel, key: AnswerKey | None) -> list[PlannedCitation]:
    """What is asked with documents, the same for every arm; nothing if no phase trains to cite.

    At most `recipe.verify.max_questions`, and each once more where near pages are there without the answer.
    """
    recipe = round_.run.recipe
    if not trains_to_cite(recipe):
        return []
    known, pages = known_with_pages(round_, key)
    documents = numbered_pages(
        [Sourced(one.answer, one.page) for one in known],
        pages,
        nli,
        count=recipe.verify.citing.documents,
        withheld=1.0,
        seed=f"{recipe.seed}:verify:documents",
    )
    both = list(zip(known, documents, strict=True))
    return [
        *(PlannedCitation(one.question_id, one.fact, of.item(one.question), False) for one, of in both),
        *(
            PlannedCitation(one.question_id, one.fact, of.item(one.question, withheld=True), True)
            for one, of in both
            if of.withheld
        ),
    ]


def ask_cited(
    round_: Round,
    arm: Arm,
    load: Callable[[], LanguageModel],
    nli: EntailmentModel,
    prompts: Prompts,
    items: Sequence[PlannedCitation],
    report: Reporter,
) -> None:
    """Asks one arm greedily what it has not answered yet, and writes the checks block by block."""
    done = resume.done(round_, resume.CITED)
    if arm not in ARMS or all(item.unasked(arm).id in done for item in items):
        return
    recipe, lm = round_.run.recipe, load()
    how = Sampling(n=0, greedy_first=True, max_new_tokens=recipe.verify.citing.max_new_tokens)
    works = arm != "base" or any(c.arm == arm and c.error is None for c in round_.iter(CitedCheck))

    def ask(batch: Sequence[PlannedCitation]) -> list[CitedCheck]:
        answers = lm.generate([asked(one.item, prompts) for one in batch], how)
        return judged(arm, batch, [row[0] for row in answers], nli)

    name = f"verify: {arm}, with documents"
    ask_blocks(round_, name, items, done, lambda item: item.unasked(arm).id, ask, report, works=works)


def judged(
    arm: Arm, batch: Sequence[PlannedCitation], answers: Sequence[Completion], nli: EntailmentModel
) -> list[CitedCheck]:
    """The checks of a block, whose answers are judged together."""
    usable = [at for at, one in enumerate(answers) if one.finish != "error"]
    lines = [citations.said(answers[at].text) for at in usable]
    found = judged_items([batch[at].item for at in usable], lines, nli)
    checks = [
        item.unasked(arm).model_copy(update={"error": answer.error or "the model gave no answer"})
        for item, answer in zip(batch, answers, strict=True)
    ]
    for at, line, (cited, labels) in zip(usable, lines, found, strict=True):
        checks[at] = batch[at].unasked(arm).model_copy(update=_figures(batch[at].item, line, cited, labels))
    return checks


def _figures(
    item: CitedItem, line: str, cited: citations.CitedAnswer, labels: Sequence[str]
) -> dict[str, object]:
    """What is written of an answer."""
    if cited.error is not None:
        return {"error": cited.error}
    holds = [trust.held([document]) for document in item.found or ()]
    return {
        "output": line,
        "refused": trust.refuses(line),
        "parts": {
            "citation_recall": cited.recall,
            "citation_precision": cited.precision,
            "claim_recall": citations.share(label == citations.ENTAILED for label in labels),
            "grounded_precision": trust.citation_precision(cited, holds),
        },
    }
