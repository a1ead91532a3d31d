"""Whether a text asks for what a stored question asks for, by the words that tell questions apart.

Two questions about things of similar names ("the capital of Niger", "of Nigeria") are as good as equal to an
embedder, and two wordings of one question are not.  What tells them apart are words that few questions have.
Here a text *covers* a stored question by the share of the words that all wordings of it have, each weighed by
how rare it is among all stored questions (inverse document frequency, Spaerck Jones 1972; squared); and it is
*foreign* to it if it has a name or number that no wording of it has.

Linear in the text; knows nothing of vectors, adapters or files.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from selfstudy import text

Float32s = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

_POSSESSIVE = re.compile(r"['’]s\b")
_SENTENCE_END = tuple(".!?:;。！？\"'»”)")
_COMMON = 0.05
"""A word that more than this share of questions has is no name, however it is written."""


def words(question: str) -> frozenset[str]:
    """The words of a text, without case, punctuation, articles and the ending of a possessive."""
    return frozenset(text.tokens(_POSSESSIVE.sub("", text.clean(question))))


def names(question: str) -> frozenset[str]:
    """Words with a capital within a sentence, and numbers.

    In scripts without capitals, and where everything is capitals, only numbers.
    """
    question = text.clean(question)
    cased = text.has_case(question) and question.upper() != question
    found: set[str] = set()
    begins = True
    for part in _POSSESSIVE.sub("", question).split():
        bare = part.lstrip("\"'«“„(¿¡")
        capital = cased and not begins and bare[:1].isupper()
        if capital or any(map(str.isdigit, bare)):
            found.update(word for word in text.tokens(part) if len(word) > 1 or word.isdigit())
        begins = part.endswith(_SENTENCE_END)
    return frozenset(found)


@dataclass(frozen=True)
class Worded:
    """The words of a stored question: those that all its wordings have, and those that only some have."""

    always: frozenset[str]
    sometimes: frozenset[str] = frozenset()

    @classmethod
    def of(cls, wordings: Sequence[str]) -> Worded:
        """Where no word is in all wordings, those of the first stand for them."""
        sets = [words(one) for one in wordings]
        every = frozenset.intersection(*sets) or sets[0]
        return cls(every, frozenset.union(*sets) - every)

    @property
    def all(self) -> frozenset[str]:
        return self.always | self.sometimes


class QuestionWords:
    """The words of stored questions, to which texts are held; questions are numbered from 0."""

    def __init__(self, questions: Sequence[Worded]) -> None:
        self.questions = tuple(questions)
        self._having = Counter(word for one in self.questions for word in one.all)

    def rarity(self, word: str) -> float:
        """The square of ln((N + 1) / (n + 1/2)), never below 0, of a word that n questions of N have.

        Squared, for a question of one wording has its phrases too, which together weigh more than a name.
        """
        return max(math.log((len(self.questions) + 1) / (self._having[word] + 0.5)), 0.0) ** 2

    def covers(self, texts: Sequence[frozenset[str]]) -> Float32s:
        """Shape (texts, questions), in [0, 1]: of each text (as `words`) what it has of each question's."""
        found = np.zeros((len(texts), len(self.questions)), dtype=np.float32)
        for row, one in zip(found, texts, strict=True):
            for word in one:
                if word in self._telling:
                    places, weight = self._telling[word]
                    row[places] += weight
        return found / self._totals

    def cover(self, one: frozenset[str], question: Worded) -> float:
        """The same of one text and one question, which need not be stored."""
        weights = {word: self.rarity(word) for word in question.always}
        total = sum(weights.values())
        if not total:
            return len(one & question.always) / max(len(question.always), 1)
        return sum(weights[word] for word in question.always & one) / total

    def foreign(self, texts: Sequence[frozenset[str]]) -> Bools:
        """Shape (texts, questions): whether a text (as `names`) names what the question does not."""
        found = np.zeros((len(texts), len(self.questions)), dtype=bool)
        for row, one in zip(found, texts, strict=True):
            for name in one:
                if self.is_rare(name):
                    without = np.ones(len(row), dtype=bool)
                    without[self.having(name)] = False
                    row |= without
        return found

    def is_rare(self, word: str) -> bool:
        """Whether few questions have it, so that it may be a name."""
        return self._having[word] <= max(1, _COMMON * len(self.questions))

    def rarest(self, question: int) -> str:
        """The word that tells a question from most others; the first by alphabet of several; "" without."""
        always = self.questions[question].always
        return min(always, key=lambda word: (-self.rarity(word), word), default="")

    def having(self, word: str) -> npt.NDArray[np.int64]:
        """The questions of which some wording has the word."""
        return self._places.get(word, np.zeros(0, dtype=np.int64))

    @cached_property
    def _places(self) -> dict[str, npt.NDArray[np.int64]]:
        found: dict[str, list[int]] = {}
        for place, one in enumerate(self.questions):
            for word in one.all:
                found.setdefault(word, []).append(place)
        return {word: np.array(places, dtype=np.int64) for word, places in found.items()}

    @cached_property
    def _telling(self) -> dict[str, tuple[npt.NDArray[np.int64], Float32s]]:
        """The questions that always have a word, and what it weighs."""
        found: dict[str, list[int]] = {}
        for place, one in enumerate(self.questions):
            for word in one.always:
                found.setdefault(word, []).append(place)
        weights = {word: self.rarity(word) for word in found}
        # where no word of a question is rare all of them count alike
        return {
            word: (
                np.array(places, dtype=np.int64),
                np.array([weights[word] if self._raw_totals[at] else 1.0 for at in places], np.float32),
            )
            for word, places in found.items()
        }

    @cached_property
    def _raw_totals(self) -> list[float]:
        return [sum(map(self.rarity, one.always)) for one in self.questions]

    @cached_property
    def _totals(self) -> Float32s:
        found = [
            total or max(len(one.always), 1)
            for total, one in zip(self._raw_totals, self.questions, strict=True)
        ]
        return np.array(found, dtype=np.float32)
