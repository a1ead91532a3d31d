"""Which gold answers does a text give?  By the published rules (ALCE: Gao et al. 2023, arXiv 2305.14627,
section 4; QAMPARI: Amouyal et al. 2023, arXiv 2205.12665), to the digit.

A gold answer is a list of forms, of which any one will do.  `normal` is the published normal form, and not
`text.normalise`, which tells "6.3 million" from "63 million".  Knows nothing of documents and citations.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass

from selfstudy.judging.citations import without_marks

FIRST = 5
"""Gold answers that are enough for recall-5: nobody lists a hundred films."""
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLE = re.compile(r"\b(a|an|the)\b")


@dataclass(frozen=True, slots=True)
class ListFigures:
    """A list of answers against the gold ones, each in [0, 1].

    Attributes:
        recall_5: gold answers given, of five or of all where there are fewer.
        f1, f1_5: of precision and recall, and of precision and recall-5.
        given: for each gold answer, whether it is in the list.
    """

    precision: float
    recall: float
    recall_5: float
    f1: float
    f1_5: float
    given: tuple[bool, ...]


def normal(text: str) -> str:
    """Lower case, without ASCII punctuation, without a/an/the, single spaces."""
    return " ".join(_ARTICLE.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def contained(answer: str, gold: Sequence[Sequence[str]]) -> list[bool]:
    """For each gold answer, whether a form of it stands in the answer, marks aside (STR-EM; ASQA).

    The share of them is STR-EM, all of them a hit.  As published a form may be a part of a word.
    """
    text = normal(without_marks(answer))
    return [any(normal(form) in text for form in forms) for forms in gold]


def listed(answer: str, gold: Sequence[Sequence[str]]) -> ListFigures:
    """The items of a list with commas between them, against gold answers (QAMPARI).

    Args:
        gold: at least one.

    Raises:
        ValueError: there is none.
    """
    if not gold:
        raise ValueError("no gold answer")
    parts = without_marks(answer).rstrip().rstrip(".").rstrip(",").split(",")
    items = [item for item in (normal(part) for part in parts) if item]
    wanted = [{normal(form) for form in forms} for forms in gold]
    known, said = set().union(*wanted), set(items)
    given = tuple(not said.isdisjoint(forms) for forms in wanted)
    precision = sum(item in known for item in items) / len(items) if items else 0.0
    recall = sum(given) / len(gold)
    recall_5 = min(FIRST, sum(given)) / min(FIRST, len(gold))
    return ListFigures(
        precision, recall, recall_5, harmonic(precision, recall), harmonic(precision, recall_5), given
    )


def harmonic(a: float, b: float) -> float:
    """The harmonic mean (F1 of precision and recall); 0 where both are."""
    return 2 * a * b / (a + b) if a + b else 0.0
