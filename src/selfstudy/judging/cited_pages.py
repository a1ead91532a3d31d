"""Which numbered documents stand with a question: the page that answers it among near ones that do not.

Once more, where it is drawn, without that page: then to refuse is right.  Which near pages answer too is
asked of the entailment model, once for all questions.  Knows pages and answers; nothing of who is taught or
tested by them.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from selfstudy.judging import citations
from selfstudy.judging.cited_items import CitedItem
from selfstudy.models.base import EntailmentModel
from selfstudy.text import tokens


@dataclass(frozen=True, slots=True)
class Sourced:
    """What is answered by a page: the answer, as a sentence, and the page."""

    answer: str
    page: str


@dataclass(frozen=True, slots=True)
class NumberedPages:
    """The documents of a question.

    Attributes:
        answer: what is gold, a claim.
        shown: with the page that answers, in the order of their numbers.
        withheld: as many near ones that do not answer, so that their number gives nothing away; empty: there
            are not so many, or it is not asked without its page.
        holds: of each page, whether it has the answer.
    """

    answer: str
    shown: tuple[str, ...]
    withheld: tuple[str, ...]
    holds: Mapping[str, bool]

    def item(self, question: str, *, withheld: bool = False) -> CitedItem:
        """The question with its documents, or with those that do not answer it."""
        pages = self.withheld if withheld else self.shown
        found = tuple((int(self.holds[page]),) for page in pages)
        return CitedItem(question, pages, "eli5", claims=(self.answer,), found=found)


def numbered_pages(
    sourced: Sequence[Sourced],
    pages: Sequence[str],
    entailment: EntailmentModel,
    *,
    count: int,
    withheld: float,
    seed: str,
) -> list[NumberedPages]:
    """The documents of each question.

    Args:
        pages: near ones are taken from these.
        count: documents of a question at most, the page that answers included.  Without that page twice as
            many near ones are looked at; where fewer than `count` of them do not answer it is not asked so.
        withheld: chance that it is asked once more without what answers it, in [0, 1].
        seed: of the order, and of that draw.
    """
    pages = list(dict.fromkeys(pages))
    words = {page: frozenset(tokens(page)) for page in [*pages, *(one.page for one in sourced)]}
    rng = random.Random(seed)
    drawn = [rng.random() < withheld for _ in sourced]
    near = [
        _near(one.page, pages, words, 2 * count if without else count - 1)
        for one, without in zip(sourced, drawn, strict=True)
    ]
    pairs = [(page, one.answer) for one, some in zip(sourced, near, strict=True) for page in some]
    labels = citations.labels(pairs, entailment)
    found = []
    for one, some, without in zip(sourced, near, drawn, strict=True):
        holds = {page: next(labels) == citations.ENTAILED for page in some} | {one.page: True}
        shown = rng.sample(some[:count], len(some[:count]))
        sure = [page for page in some if not holds[page]][:count] if without else []
        sure = rng.sample(sure, count) if len(sure) == count else []
        found.append(NumberedPages(one.answer, tuple(shown), tuple(sure), holds))
    return found


def _near(page: str, pages: Sequence[str], words: Mapping[str, frozenset[str]], count: int) -> list[str]:
    """The page, and as many that share most words with it; first ones where that says nothing."""
    own = words[page]
    others = [other for other in pages if other != page]
    order = sorted(range(len(others)), key=lambda at: (-_alike(own, words[others[at]]), at))
    return [page, *(others[at] for at in order[:count])]


def _alike(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / max(1, len(one | other))
