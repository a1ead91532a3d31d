"""The stored questions that are near to texts, and by them how near each class of questions is.

A stored question counts for a text only if the text covers its words (question_words.py): similarity is asked
of few rows then, and vectors of a thousand texts against twenty thousand rows take a fraction of a second.
Class 0 is the base model's, class k + 1 adapter k's.  Knows nothing of thresholds or files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from selfstudy.models.question_words import Bools, Float32s, QuestionWords, names, words

Ints = npt.NDArray[np.int64]

BLOCK = 64
"""Texts that are compared at once."""
DIGITS = 4
"""Of a similarity: what a text gets must not depend on the others of its batch, whose sums differ in the
last bits."""
_SLACK = 1e-4


@dataclass(frozen=True)
class Sought:
    """Texts as they are compared: their vectors, words and names."""

    vectors: Float32s
    words: Sequence[frozenset[str]]
    names: Sequence[frozenset[str]]

    @classmethod
    def of(cls, texts: Sequence[str], vectors: Float32s) -> Sought:
        return cls(vectors, [words(one) for one in texts], [names(one) for one in texts])


@dataclass(frozen=True)
class Pairs:
    """A text and a stored row each, side by side: how similar, how far covered, whether foreign."""

    text: Ints
    row: Ints
    similarity: Float32s
    cover: Float32s
    foreign: Bools

    def where(self, kept: Bools) -> Pairs:
        return Pairs(
            self.text[kept], self.row[kept], self.similarity[kept], self.cover[kept], self.foreign[kept]
        )

    def passing(self, cover: float, *, names: bool) -> Pairs:
        """Those that count: covered so far, and, if `names`, without a foreign name."""
        kept = self.cover >= cover - _SLACK
        return self.where(kept & ~self.foreign if names else kept)


@dataclass(frozen=True)
class StoredQuestions:
    """The questions that were stored.

    Attributes:
        vectors: (rows, dimension), of Euclidean length 1.
        question: of each row, by number.
        owner: of each question, its class.
        words: of the questions.
    """

    vectors: Float32s
    question: Ints
    owner: Ints
    words: QuestionWords

    def pairs(self, sought: Sought, cover: float) -> Pairs:
        """Each text with the rows of questions that it covers so far at least; texts in order."""
        parts = [self._block(sought, start, cover) for start in range(0, len(sought.words), BLOCK)] or [
            self._none()
        ]
        return Pairs(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def _block(
        self, sought: Sought, start: int, cover: float
    ) -> tuple[Ints, Ints, Float32s, Float32s, Bools]:
        some = slice(start, start + BLOCK)
        covers = self.words.covers(sought.words[some])
        counts = covers >= cover - _SLACK
        counts &= np.any(sought.vectors[some], axis=1, keepdims=True)
        text, row = np.nonzero(counts[:, self.question])
        if not len(text):
            return self._none()
        used = np.unique(row)
        rows = self.vectors if 2 * len(used) > len(self.vectors) else self.vectors[used]
        at = row if rows is self.vectors else np.searchsorted(used, row)
        similar = np.round((sought.vectors[some] @ rows.T)[text, at], DIGITS)
        question = self.question[row]
        foreign = self.words.foreign(sought.names[some])
        return text + start, row, similar, covers[text, question], foreign[text, question]

    def _none(self) -> tuple[Ints, Ints, Float32s, Float32s, Bools]:
        none = np.zeros(0, dtype=np.int64)
        return none, none, np.zeros(0, np.float32), np.zeros(0, np.float32), np.zeros(0, dtype=bool)

    def scores(self, pairs: Pairs, texts: int, classes: int, neighbours: int = 1) -> tuple[Float32s, Ints]:
        """How near each class is to each text, and its nearest row: both of shape (texts, classes).

        The mean similarity of a class's nearest rows, of as many as there are up to `neighbours`; 0, and row
        -1, where it has none.
        """
        score = np.zeros((texts, classes), dtype=np.float32)
        nearest = np.full((texts, classes), -1, dtype=np.int64)
        if not len(pairs.text):
            return score, nearest
        group = pairs.text * classes + self.owner[self.question[pairs.row]]
        order = np.lexsort((pairs.row, -pairs.similarity, group))
        group, similar = group[order], pairs.similarity[order].astype(np.float64)
        starts = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])
        sizes = np.diff(np.r_[starts, len(group)])
        taken = np.arange(len(group)) - np.repeat(starts, sizes) < neighbours
        sums = np.add.reduceat(np.where(taken, similar, 0.0), starts)
        score.flat[group[starts]] = np.round(sums / np.minimum(sizes, neighbours), DIGITS)
        nearest.flat[group[starts]] = pairs.row[order][starts]
        return score, nearest
