"""Which of two answers is better, asked in both orders (prompts/compare.txt); `pairwise.compare` sums it up.

With a document that the answers are about the judge is asked by prompts/compare_document.txt.  It knows
nothing of who judges, nor of rewards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from selfstudy.judging.judge import Judge, JudgeQuestion, one_of
from selfstudy.judging.missing import Unscored
from selfstudy.judging.pairwise import Choice, JudgedPair
from selfstudy.models.base import Progress
from selfstudy.text import shortened

PROMPT, WITH_DOCUMENT = "compare", "compare_document"
_CHOICES = ("first", "second", "tie")
_LIMIT = 16
_SAME = JudgedPair("tie", "tie")
_LONGEST_DOCUMENT = 12_000
"""Characters of a document that a judge is shown."""


def judged_pairs(
    pairs: Sequence[tuple[str, str, str]],
    judge: Judge,
    progress: Progress | None = None,
    documents: Sequence[str] | None = None,
) -> list[JudgedPair]:
    """What a judge says of each (prompt, our answer, the other), in both orders; all are one batch.

    Answers that are the same, white space at their ends aside, are a tie that nobody is asked about.  A reply
    that names none of the three choices is None.

    Args:
        documents: what the judge is shown beside each pair; "" for none.
    """
    shown = [""] * len(pairs) if documents is None else documents
    different = [
        (document, *pair)
        for document, pair in zip(shown, pairs, strict=True)
        if pair[1].strip() != pair[2].strip()
    ]
    asked = [_asked(*pair) for pair in different] + [_asked(d, p, b, a) for d, p, a, b in different]
    said = judge.judgements(asked, [one_of(*_CHOICES)] * len(asked), progress)
    both = zip(said[: len(different)], said[len(different) :], strict=True)
    found = iter([JudgedPair(_choice(plain), _choice(exchanged)) for plain, exchanged in both])
    return [_SAME if ours.strip() == theirs.strip() else next(found) for _, ours, theirs in pairs]


def _asked(document: str, prompt: str, first: str, second: str) -> JudgeQuestion:
    texts = {"prompt": prompt, "first": first, "second": second}
    if not document:
        return JudgeQuestion(PROMPT, texts, _LIMIT)
    return JudgeQuestion(WITH_DOCUMENT, {"document": shortened(document, _LONGEST_DOCUMENT), **texts}, _LIMIT)


def _choice(said: str | Unscored) -> Choice | None:
    return None if isinstance(said, Unscored) else cast("Choice", said)
