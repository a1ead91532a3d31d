"""What each part of a cited answer earns, and on which token: fine-grained rewards (Huang et al. 2024, arXiv
2402.04315).

    recall        +-  at the end of every statement: its citations support it, or not
    precision     +-  at the end of every citation mark: it is right, or wrong
    correctness   +   for a gold answer that is found, - for one that is missing; the answer's last token
    refusal       +-  to refuse, or not to, was right, or wrong; the answer's last token (ours)
    holistic          the sum of these on the answer's last token, instead of them

Our decisions, where the paper says nothing: a mark that names no document is wrong wherever it stands; the
other marks of its statement, and those beyond the third, are not judged and earn nothing; answering earns as
refusing does; an answer that could not be judged has no rewards.

A place is a character of the text that was judged (`citations.said` of an output), and so must be those of
the tokens.  Knows nothing of who judges, of which gold answers count as found, or of training.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import fsum
from typing import Literal

from selfstudy.judging.citations import CitedAnswer

RewardedPart = Literal["recall", "precision", "correctness", "refusal", "holistic"]
OF_THE_WHOLE: tuple[RewardedPart, ...] = ("correctness", "refusal", "holistic")
"""Parts that the answer's last token gets, EOS if there is one; the others go by their last character."""


@dataclass(frozen=True, slots=True)
class SpanReward:
    """What characters of an answer have earned.

    Attributes:
        start, end: the statement, the mark, or the whole answer.
        part: what for.
    """

    start: int
    end: int
    value: float
    part: RewardedPart


@dataclass(frozen=True, slots=True)
class CitationWeights:
    """How much each part may earn; None or 0: it is switched off.  The paper's are .2; refusal is ours.

    Attributes:
        most_missing: so many missing gold answers count at most: 5 for lists (QAMPARI); None: all.
    """

    recall: float | None = 0.2
    precision: float | None = 0.2
    correctness: float | None = 0.2
    refusal: float | None = 0.2
    most_missing: int | None = None


DEFAULTS = CitationWeights()
"""Of the paper, for texts, but for `refusal`, which is ours; it sets `most_missing` to 5 for lists."""


def fine_grained(
    judged: CitedAnswer,
    *,
    documents: int,
    length: int,
    found: Sequence[bool] = (),
    refused: bool | None = None,
    should_refuse: bool | None = None,
    weights: CitationWeights = DEFAULTS,
) -> list[SpanReward]:
    """All rewards of an answer.

    Args:
        documents: how many it could cite.
        length: of the answer, in characters.
        found: which of the gold answers are in it; without gold answers nothing is earned for them.
        refused, should_refuse: None: nothing is earned for refusing.

    Raises:
        ValueError: the answer could not be judged; leave it out, it is not worth 0.
    """
    return [
        *recall(judged, weights.recall),
        *precision(judged, documents, weights.precision),
        *correctness(found, length, weights.correctness, weights.most_missing),
        *refusal(refused, should_refuse, length, weights.refusal),
    ]


def recall(judged: CitedAnswer, weight: float | None) -> list[SpanReward]:
    """One a statement, also of one that cites nothing."""
    if not weight:
        return []
    _check(judged)
    return [
        SpanReward(one.statement.start, one.statement.end, _signed(weight, one.supported), "recall")
        for one in judged.statements
    ]


def precision(judged: CitedAnswer, documents: int, weight: float | None) -> list[SpanReward]:
    """One a mark that is judged or names none of so many documents."""
    if not weight:
        return []
    _check(judged)
    spans = []
    for part in judged.statements:
        right = {one.citation: one.right for one in part.citations}
        for mark in part.statement.citations:
            if not 1 <= mark.number <= documents:
                right.setdefault(mark, False)
            if mark in right:
                spans.append(SpanReward(mark.start, mark.end, _signed(weight, right[mark]), "precision"))
    return spans


def correctness(
    found: Sequence[bool], length: int, weight: float | None, most_missing: int | None = None
) -> list[SpanReward]:
    """One for all gold answers, found or missing; none without any."""
    if not weight or not found:
        return []
    missing = len(found) - sum(found)
    if most_missing is not None:
        missing = min(missing, most_missing)
    return [SpanReward(0, length, weight * (sum(found) - missing), "correctness")]


def refusal(
    refused: bool | None, should_refuse: bool | None, length: int, weight: float | None
) -> list[SpanReward]:
    """One, by whether the answer did as it should; none where either is not known."""
    if not weight or refused is None or should_refuse is None:
        return []
    return [SpanReward(0, length, _signed(weight, refused == should_refuse), "refusal")]


def holistic(spans: Sequence[SpanReward], length: int) -> SpanReward:
    """The sum of all, for the whole answer; does not depend on their order."""
    return SpanReward(0, length, fsum(span.value for span in spans), "holistic")


def on_tokens(spans: Sequence[SpanReward], offsets: Sequence[tuple[int, int]]) -> list[float]:
    """The reward of each token: with any token none is lost, whatever the tokenizer drops.

    Args:
        offsets: the characters [start, end) of each token of the answer, as a fast tokenizer gives them;
            empty for special tokens.

    Returns:
        As many values; several on one token add up, in any order of `spans`.
    """
    values: list[list[float]] = [[] for _ in offsets]
    if not offsets:
        return []
    places = _Places(offsets)
    for span in spans:
        values[-1 if span.part in OF_THE_WHOLE else places.token(span.end - 1)].append(span.value)
    return [fsum(found) for found in values]


class _Places:
    """Tokens by the characters that they hold."""

    def __init__(self, offsets: Sequence[tuple[int, int]]) -> None:
        held = sorted((start, place, end) for place, (start, end) in enumerate(offsets) if start < end)
        self._starts = [start for start, _, _ in held]
        self._tokens = [(place, end) for _, place, end in held]
        self._reach = list(accumulate((end for _, _, end in held), max))
        self._none = len(offsets) - 1

    def token(self, character: int) -> int:
        """The last token that holds a character, as bytes of one can be spread over several.

        If none does, the last that begins before it: white space can be dropped, or the tokens cut short.
        """
        if not self._tokens:
            return self._none
        begun = bisect_right(self._starts, character)
        if not begun:
            return self._tokens[0][0]
        if self._reach[begun - 1] <= character:
            return self._tokens[begun - 1][0]
        return next(
            place for place, end in (self._tokens[at] for at in range(begun - 1, -1, -1)) if character < end
        )


def _signed(weight: float, good: bool) -> float:
    return weight if good else -weight


def _check(judged: CitedAnswer) -> None:
    if judged.error is not None:
        raise ValueError(f"an answer that could not be judged has no rewards: {judged.error}")
