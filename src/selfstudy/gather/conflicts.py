"""Sources that disagree: what do the other passages say, and who is believed?

A reference comes from the best passage.  The further ones that name what the question asks about are read
too, greedily, all of a block in one batch; what says the same is support.  An answer counts if the sentence
that it rests on, with the page's title, has every name of the question: a small reader reads the population
of Rabat off a page about Morocco.  Only one that says something that
cannot be right as well (judging/exclusive.py) is read again with all samples, in one more batch, and stands
against the reference if its answer would be accepted as one.  So a block without conflicts costs one short
answer for each further passage about the same thing, and nothing where there is none.

    newer       the side with a date after all dates of the others wins, if every side has one
    supported   the side with more independent sources than each other wins (sources.py)
    careful     either of the two, unless they name different sides
    unresolved  nobody wins

It knows nothing of the model's own answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from selfstudy import text
from selfstudy.gather.dates import latest
from selfstudy.gather.references import (
    QuestionPassage,
    Replies,
    page_of,
    read_passages,
    references_of,
    unusable,
)
from selfstudy.gather.sources import independent
from selfstudy.judging.exclusive import relations
from selfstudy.judging.grounding import is_about, off_topic, ungrounded
from selfstudy.judging.refusals import is_refusal
from selfstudy.models.base import EntailmentModel
from selfstudy.prompts import Prompts
from selfstudy.recipe import GatherBlock
from selfstudy.records import Conflict, Evidence, Question, Reference, Saying, Settled

Heard = tuple[list[Reference | None], list[Conflict]]


@dataclass
class _Side:
    """An answer, and the passages that give it; `reference` is the best of them."""

    reference: Reference
    passages: list[tuple[Evidence, str]] = field(default_factory=list)

    @property
    def support(self) -> int:
        return independent(passage for passage, _ in self.passages)

    @property
    def dates(self) -> list[str]:
        return [passage.date for passage, _ in self.passages]


@dataclass(frozen=True)
class Settling:
    """What settling needs beside questions and passages."""

    ask: Replies
    nli: EntailmentModel
    prompts: Prompts
    block: GatherBlock
    as_of: date


def settle(
    questions: Sequence[Question],
    evidence: Sequence[Sequence[Evidence]],
    references: Sequence[Reference | None],
    by: Settling,
) -> Heard:
    """The references once all passages have been heard, in the same order, and where they disagree.

    A reference that lost gives way to that of the winner; where nobody wins it is not accepted.  `sources` of
    an accepted one is how many independent sources say it.
    """
    if by.block.conflicts == "ignore":
        return list(references), []
    sides = {
        i: [_Side(one, [(passage, one.text) for passage in evidence[i] if passage.id == one.evidence_id])]
        for i, one in enumerate(references)
        if one is not None and one.accepted
    }
    against = _hear(questions, evidence, sides, by)
    _confirm(questions, against, sides, by)
    settled, conflicts = list(references), []
    for i, some in sides.items():
        if len(some) == 1:
            settled[i] = _with_sources(some[0])
            continue
        conflict = _decide(questions[i], some, by)
        conflicts.append(conflict)
        if conflict.chosen is None:
            settled[i] = some[0].reference.model_copy(
                update={
                    "accepted": False,
                    "explanation": conflict.reason,
                    "sources": conflict.support[0],
                }
            )
        else:
            settled[i] = _with_sources(some[conflict.chosen])
    return settled, conflicts


def _with_sources(side: _Side) -> Reference:
    return side.reference.model_copy(update={"sources": side.support})


def _hear(
    questions: Sequence[Question],
    evidence: Sequence[Sequence[Evidence]],
    sides: Mapping[int, list[_Side]],
    by: Settling,
) -> list[tuple[int, Evidence]]:
    """Reads the further passages; those that say the same join the side, the others are given back."""
    further = [
        (i, passage)
        for i, (side,) in sides.items()
        for passage in _after(evidence[i], side.reference.evidence_id)
        if off_topic(questions[i].text, page_of(passage)) is None
    ]
    if not further:
        return []
    chats = [
        by.prompts.chat("read", question=questions[i].text, document=page_of(passage))
        for i, passage in further
    ]
    heard = []
    for (i, passage), (said, *_) in zip(further, by.ask(chats, 0), strict=True):
        answer = said.text.strip()
        if not unusable(said) and _counts(questions[i].text, answer, passage):
            heard.append((i, passage, answer))
    found = relations(
        [questions[i].text for i, _, _ in heard],
        [answer for _, _, answer in heard],
        [sides[i][0].reference.text for i, _, _ in heard],
        by.nli,
    )
    against = []
    for (i, passage, answer), relation in zip(heard, found, strict=True):
        if relation == "same":
            sides[i][0].passages.append((passage, answer))
        elif relation == "exclusive":
            against.append((i, passage))
    return against


def _counts(question: str, answer: str, passage: Evidence) -> bool:
    """Whether an answer was read in a passage, and in a sentence that is about what was asked."""
    if is_refusal(answer) or ungrounded(question, answer, page_of(passage)):
        return False
    start, end = _span(passage, answer)
    return is_about(question, f"{passage.title}\n{passage.text[start:end]}")


def _span(passage: Evidence, answer: str) -> tuple[int, int]:
    """Of the sentence that says it, in the passage."""
    return text.best_sentence(passage.text, text.tokens(answer)) or (0, len(passage.text))


def _after(passages: Sequence[Evidence], evidence_id: str) -> Sequence[Evidence]:
    """Those behind the one that was read: the ones before it gave no answer."""
    place = next(i for i, passage in enumerate(passages) if passage.id == evidence_id)
    return passages[place + 1 :]


def _confirm(
    questions: Sequence[Question],
    against: Sequence[tuple[int, Evidence]],
    sides: Mapping[int, list[_Side]],
    by: Settling,
) -> None:
    """Reads those that disagree with all samples; each answer that is accepted joins a side, or is one."""
    asked: list[QuestionPassage] = [(questions[i], passage) for i, passage in against]
    readings = read_passages(asked, by.ask, by.prompts, by.block)
    confirmed = [
        (i, passage, reference)
        for (i, passage), reference in zip(against, references_of(readings, by.nli, by.block), strict=True)
        if reference.accepted and _counts(questions[i].text, reference.text, passage)
    ]
    while confirmed:  # once a side at most: each is compared with all sides of its question in one batch
        now: list[tuple[int, Evidence, Reference]] = []
        later: list[tuple[int, Evidence, Reference]] = []
        taken: set[int] = set()
        for one in confirmed:
            (later if one[0] in taken else now).append(one)
            taken.add(one[0])
        compared = [(i, side, reference) for i, _, reference in now for side in sides[i]]
        found = relations(
            [questions[i].text for i, _, _ in compared],
            [reference.text for _, _, reference in compared],
            [side.reference.text for _, side, _ in compared],
            by.nli,
        )
        told = iter(found)
        for i, passage, reference in now:
            relation = [next(told) for _ in sides[i]]
            if "same" in relation:
                sides[i][relation.index("same")].passages.append((passage, reference.text))
            elif all(one == "exclusive" for one in relation):
                sides[i].append(_Side(reference, [(passage, reference.text)]))
        confirmed = later


def _decide(question: Question, sides: Sequence[_Side], by: Settling) -> Conflict:
    newest = latest([side.dates for side in sides], by.as_of)
    support = tuple(side.support for side in sides)
    most = max(support)
    widest = support.index(most) if support.count(most) == 1 else None
    decided, chosen = _choice(by.block, newest, widest)
    return Conflict(
        question_id=question.id,
        sayings=tuple(_saying(place, *one) for place, side in enumerate(sides) for one in side.passages),
        support=support,
        decided=decided,
        chosen=chosen,
        reason=_reason(decided, chosen, sides, support, newest, widest),
    )


def _choice(block: GatherBlock, newest: int | None, widest: int | None) -> tuple[Settled, int | None]:
    """What decides, and for which side."""
    rules: dict[str, tuple[tuple[Settled, int | None], ...]] = {
        "newer": (("newer", newest),),
        "supported": (("supported", widest),),
        "careful": (("newer", newest), ("supported", widest)),
    }
    votes = [(name, side) for name, side in rules.get(block.conflicts, ()) if side is not None]
    if votes and len({side for _, side in votes}) == 1:
        return votes[0]
    return "unresolved", None


def _reason(
    decided: Settled,
    chosen: int | None,
    sides: Sequence[_Side],
    support: Sequence[int],
    newest: int | None,
    widest: int | None,
) -> str:
    said = " against ".join(
        f"{text.one_line(side.reference.text, 80)!r} ({number} source{'' if number == 1 else 's'})"
        for side, number in zip(sides, support, strict=True)
    )
    if decided == "newer":
        return f"sources disagree: {said}; the later date decided"
    if decided == "supported":
        return f"sources disagree: {said}; more independent sources decided"
    if newest is not None and widest is not None and newest != widest:
        why = "the later date and the number of sources speak for different sides"
    else:
        why = "neither dates nor the number of sources decide" if chosen is None else ""
    return f"sources disagree: {said}; {why}"


def _saying(side: int, passage: Evidence, answer: str) -> Saying:
    start, end = _span(passage, answer)
    return Saying(
        side=side,
        evidence_id=passage.id,
        source=passage.source,
        date=passage.date,
        answer=answer,
        quote=passage.text[start:end],
        start=passage.start + start,
        end=passage.start + end,
    )
