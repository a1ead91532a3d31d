"""Does a model answer what its documents answer, from them, and refuse the rest?  Trust-Score (Song et al.
2025, ICLR, arXiv 2409.11242).

    grounded refusal     F1 of refusing what the documents do not answer and F1 of answering what they do,
                         averaged: who always answers has 0 in the first
    answer correctness   F1 of the mean over what is answered (alpha) and over what is answerable (beta)
    citations            F1 of the mean recall and the mean precision over what is answered
    Trust-Score          the mean of the three

Answerable is a property of the documents shown and not of the world.  Knows neither texts of documents nor
models: who calls has judged correctness and citations, and leaves out (and counts) what could not be judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from selfstudy.judging.citations import CitedAnswer, JudgedStatement, share
from selfstudy.judging.gold_answers import harmonic, normal
from selfstudy.stats import Floats, harmonic_means, ratios

REFUSAL_BEGINNING = "I apologize, but I couldn't find an answer"
"""By this a refusal is recognised; who asks in other words may end the sentence otherwise."""
REFUSAL = f"{REFUSAL_BEGINNING} to your question in the search results."
"""What the paper's prompt has a model say, word for word, when no document holds an answer."""
_ALIKE = 85
"""Of 100; a refusal is more like the sentence than this (the paper's)."""
_LONGEST = 20_000
"""Characters of an output that are looked at."""


@dataclass(frozen=True, slots=True)
class TrustItem:
    """A question, as it was answered.

    Attributes:
        answerable: whether the documents shown hold a gold answer (see `answerable`).
        refused: whether the output is a refusal (see `refuses`).
        correctness: share, in [0, 1], of the gold answers *that the documents hold* which the output gives.
            Not looked at (0) unless the question is answerable and answered.
        plain_correctness: share, in [0, 1], of all gold answers which the output gives.
        recall, precision: of its citations, in [0, 1] (`citation_precision`).  Not looked at if refused.
    """

    answerable: bool
    refused: bool
    correctness: float
    plain_correctness: float
    recall: float
    precision: float


@dataclass(frozen=True, slots=True)
class RecallPrecision:
    """Both in [0, 1]; 0 where there is nothing to take the share of."""

    recall: float
    precision: float

    @property
    def f1(self) -> float:
        """Their harmonic mean, in [0, 1]."""
        return harmonic(self.recall, self.precision)


@dataclass(frozen=True, slots=True)
class TrustScore:
    """The Trust-Score of some questions, and what it is made of; all but one in [0, 1], papers give percent.

    Attributes:
        refusal: of what is unanswerable the share refused; of what is refused the share unanswerable.
        answering: of what is answerable the share answered; of what is answered the share answerable.
        correctness: mean over what is answerable (beta) and over what is answered (alpha), as recall and
            precision.
        citations: means over what is answered.
        answered_ratio: share of the questions that are answered.
        parametric_knowledge: mean plain correctness less mean correctness, over all questions: what is right
            without the documents.  In [-1, 1]: below 0 where they hold few of the gold answers, as the one
            is a share of all of these, and the other of those in them.
    """

    refusal: RecallPrecision
    answering: RecallPrecision
    correctness: RecallPrecision
    citations: RecallPrecision
    answered_ratio: float
    parametric_knowledge: float

    @property
    def grounded_refusal(self) -> float:
        """F1_GR; its halves are `refusal.f1` (F1_ref) and `answering.f1` (F1_ans)."""
        return (self.refusal.f1 + self.answering.f1) / 2

    @property
    def trust_score(self) -> float:
        """The mean of F1_GR, F1_AC (`correctness.f1`) and F1_CG (`citations.f1`)."""
        return (self.grounded_refusal + self.correctness.f1 + self.citations.f1) / 3


def trust_score(items: Sequence[TrustItem]) -> TrustScore:
    """The Trust-Score of these questions, each counting the same; all 0 without any."""
    answered = [one for one in items if not one.refused]
    refused = [one for one in items if one.refused]
    answerable = [one for one in items if one.answerable]
    unanswerable = [one for one in items if not one.answerable]
    return TrustScore(
        refusal=RecallPrecision(
            recall=share(one.refused for one in unanswerable),
            precision=share(not one.answerable for one in refused),
        ),
        answering=RecallPrecision(
            recall=share(not one.refused for one in answerable),
            precision=share(one.answerable for one in answered),
        ),
        correctness=RecallPrecision(
            recall=share(_correctness(one) for one in answerable),
            precision=share(_correctness(one) for one in answered),
        ),
        citations=RecallPrecision(
            recall=share(one.recall for one in answered),
            precision=share(one.precision for one in answered),
        ),
        answered_ratio=share(not one.refused for one in items),
        parametric_knowledge=share(one.plain_correctness for one in items)
        - share(_correctness(one) for one in items),
    )


def refusal_f1(
    answerable: Floats,
    unanswerable: Floats,
    answered: Floats,
    refused: Floats,
    right: Floats,
    rightly: Floats,
) -> tuple[Floats, Floats]:
    """F1_ref and F1_ans of counts, elementwise, for resampling; F1_GR is their mean.

    Args:
        right: answerable and answered; rightly: unanswerable and refused.
    """
    return (
        harmonic_means(ratios(rightly, unanswerable), ratios(rightly, refused)),
        harmonic_means(ratios(right, answerable), ratios(right, answered)),
    )


def _correctness(item: TrustItem) -> float:
    return item.correctness if item.answerable and not item.refused else 0.0


def held(answers_found: Sequence[Sequence[int]]) -> frozenset[int]:
    """Which gold answers, from 0, the documents hold together.

    Args:
        answers_found: of every document shown, 1 for each gold answer that it holds, else 0.
    """
    return frozenset(at for document in answers_found for at, found in enumerate(document) if found)


def answerable(answers_found: Sequence[Sequence[int]]) -> bool:
    """Whether the documents hold a gold answer (`answers_found` as in `held`)."""
    return bool(held(answers_found))


def refuses(text: str, sentence: str = REFUSAL_BEGINNING) -> bool:
    """Whether an output says the refusal sentence, or nearly: fuzzy partial ratio above 85, in normal form.

    It may stand anywhere in the first 20,000 characters.  Other wordings are answers here, see
    `refusals.is_refusal`; and "I could find an answer" is near enough.  A departure: the published matcher
    looks for the shorter in the longer, so the output "in" would be a refusal; here none is that is not
    longer than half of the sentence.  A typographic apostrophe is one.
    """
    from rapidfuzz import fuzz

    asked, said = (normal(one.replace("’", "'")) for one in (sentence, text[:_LONGEST]))
    return 2 * len(said) > len(asked) and fuzz.partial_ratio(asked, said) > _ALIKE


def right_citations(statement: JudgedStatement, holds: Sequence[AbstractSet[int]]) -> list[bool]:
    """Which of the judged citations of a statement are right here, in their order.

    As in `citations`, but one that does not support the statement alone while the others do without it is
    forgiven if its document shares a gold answer with another one cited.  The same document cited twice
    shares nothing with itself.

    Args:
        holds: of every document shown, the gold answers that it holds.
    """
    numbers = [one.citation.number for one in statement.citations]
    return [
        # of a supported statement only what the others do without is wrong
        one.right or (statement.supported and _shares(one.citation.number, numbers, holds))
        for one in statement.citations
    ]


def _shares(number: int, numbers: Sequence[int], holds: Sequence[AbstractSet[int]]) -> bool:
    return any(not holds[number - 1].isdisjoint(holds[one - 1]) for one in numbers if one != number)


def citation_precision(answer: CitedAnswer, holds: Sequence[AbstractSet[int]]) -> float:
    """Share of the judged citations of an answer that are right (`right_citations`); 0 without any."""
    return share(right for one in answer.statements for right in right_citations(one, holds))
