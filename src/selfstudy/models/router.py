"""Which adapter answers a prompt, or none: by the questions that each was taught (methods-more I).

    nearest      the most similar stored question of each adapter that asks for the same by its words
    centroid     the mean of each adapter's questions (LoRAuter, Dhasade et al. 2026, arXiv 2601.21795)
    classifier   a linear classifier over embeddings

An adapter answers iff its score reaches its threshold and exceeds the base model's score by the margin; what
is empty, without words, too long for a question, as near to the base, or has a page in it goes to the base
model.  Both were calibrated by teach/router.py; this file only applies them.  Knows no model that answers.
"""

from __future__ import annotations

import string
from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from selfstudy.errors import ModelError
from selfstudy.models import embedder as embedders
from selfstudy.models import router_file
from selfstudy.models.base import Embedder, HasFingerprint, Route
from selfstudy.models.nearest_questions import DIGITS, Sought, StoredQuestions
from selfstudy.models.question_words import Float32s, QuestionWords, Worded
from selfstudy.models.router_file import RoutedQuestion, RouterData
from selfstudy.prompts import Prompts
from selfstudy.prompts.templates import SEPARATOR
from selfstudy.records import Chat

AT_ONCE = 256
"""Texts that are embedded at once."""
BASE = Route(None)


def routing_text(chat: Chat, around: tuple[str, str] | None = None, page: str | None = None) -> str:
    """What a chat is routed by: its last user turn, without what the prompt `answer` puts around a question.

    A turn with a page in it, as the prompt `read` makes it, gives "": with the page at hand the base model
    needs no adapter.

    Args:
        around, page: see `frame`; None: of the built-in prompts.
    """
    own_around, own_page = frame(Prompts()) if around is None or page is None else (around, page)
    before, behind = own_around if around is None else around
    page = own_page if page is None else page
    turn = next((one.content for one in reversed(chat) if one.role == "user"), "").strip()
    if page and turn.startswith(page):
        return ""
    if len(turn) >= len(before) + len(behind) and turn.startswith(before) and turn.endswith(behind):
        turn = turn[len(before) : len(turn) - len(behind)]
    return turn.strip()


def frame(prompts: Prompts) -> tuple[tuple[str, str], str]:
    """What the prompt `answer` puts before and behind a question, and how `read` begins; "" if it varies."""
    asked = _literal(prompts.bare("answer").rpartition(SEPARATOR)[2])
    before, mark, behind = asked.partition(_MARK)
    reading = _literal(prompts.bare("read").rpartition(SEPARATOR)[2])
    return (before.lstrip(), behind.rstrip()) if mark else ("", ""), reading.partition(_MARK)[0].lstrip()


_MARK = "\0"


def _literal(template: str) -> str:
    """A template with a mark in the place of each placeholder."""
    names = dict.fromkeys(string.Template(template).get_identifiers(), _MARK)
    return string.Template(template).safe_substitute(names)


def embedded(embedder: Embedder, texts: Sequence[str]) -> Float32s:
    """Shape (texts, dimension); the embedder sees `AT_ONCE` texts at once."""
    parts = [embedder.encode(texts[at : at + AT_ONCE]) for at in range(0, max(len(texts), 1), AT_ONCE)]
    return np.concatenate(parts).astype(np.float32, copy=False)


def fingerprint(embedder: Embedder) -> str:
    """By which an embedder is known again."""
    return embedder.fingerprint if isinstance(embedder, HasFingerprint) else embedder.name


class Router:
    """Picks an adapter for each text, or the base model.

    Attributes:
        data: all but the vectors.
        vectors: of the stored questions (nearest), or a row for the base and each adapter.
    """

    def __init__(
        self, data: RouterData, vectors: npt.NDArray[np.float32], embedder: Embedder | None = None
    ) -> None:
        self.data = data
        self.vectors = vectors
        self._given = embedder

    @property
    def adapters(self) -> tuple[str, ...]:
        """Their names, the newest last."""
        return self.data.adapters

    def routing_text(self, chat: Chat) -> str:
        """As `routing_text`, by the prompts of the run that made this router."""
        return routing_text(chat, self.data.around, self.data.page)

    def route(self, texts: Sequence[str]) -> list[Route]:
        """Of each text (`routing_text`), in order; what one gets does not depend on the others.

        Raises:
            ModelError: the embedder is not the one by which the router was calibrated.
        """
        found = [BASE] * len(texts)
        places = [at for at, one in enumerate(texts) if one.strip() and len(one) <= self.data.longest]
        if not places or not self.adapters:
            return found
        asked = [texts[at] for at in places]
        vectors = embedded(self._embedder, asked)
        if vectors.shape[1] != self.data.dimension:
            raise self._changed(f"vectors of {vectors.shape[1]} numbers")
        scores, nearest = self._scores(Sought.of(asked, vectors))
        for at, score, rows in zip(places, scores, nearest, strict=True):
            found[at] = self._decided(score, rows)
        return found

    def _scores(self, sought: Sought) -> tuple[Float32s, npt.NDArray[np.int64]]:
        """Of each text with each class, the base first; and the row that decided, -1 where there is none."""
        count, classes = len(sought.words), len(self.adapters) + 1
        if self.data.method == "nearest":
            pairs = self.stored.pairs(sought, self.data.cover)
            pairs = pairs.passing(self.data.cover, names=self.data.names)
            return self.stored.scores(pairs, count, classes, self.data.neighbours)
        scores = class_scores(self.data.method, self.vectors, sought.vectors)
        scores[~sought.vectors.any(axis=1)] = 0.0
        return scores, np.full((count, classes), -1, dtype=np.int64)

    def _decided(self, scores: Float32s, rows: npt.NDArray[np.int64]) -> Route:
        base, own = round(float(scores[0]), DIGITS), scores[1:]
        best = len(own) - 1 - int(np.argmax(own[::-1]))  # of equals the newest
        score, row = round(float(own[best]), DIGITS), int(rows[best + 1])
        name = self.adapters[best]
        taken = activates(score, base, self.data.thresholds[name], self.data.margin)
        question = self.data.questions[self.data.rows[row]].id if row >= 0 else ""
        return Route(name if taken else None, score, base, question)

    def without(self, names: Collection[str], forgotten: Collection[str] = ()) -> Router:
        """The same without adapters: nothing of what they were taught is left in it, no word and no vector.

        Args:
            forgotten: ids of questions that go too, of the base model or of an adapter that stays; a centroid
                or a classifier, which stores none, stays as it is.

        Raises:
            ModelError: it has no such adapter.
        """
        if unknown := sorted(set(names) - set(self.adapters)):
            raise ModelError(
                f"the router has no adapter {unknown[0]!r}", f"it has {', '.join(self.adapters) or 'none'}"
            )
        old = self.data
        kept = [at for at, name in enumerate(self.adapters) if name not in names]
        places = {at: place for place, at in enumerate(kept)}
        stay = [
            at
            for at, one in enumerate(old.questions)
            if one.id not in forgotten and (one.adapter is None or one.adapter in places)
        ]
        if old.method == "nearest":
            numbers = {at: place for place, at in enumerate(stay)}
            rows = [row for row, question in enumerate(old.rows) if question in numbers]
            new_rows = tuple(numbers[old.rows[row]] for row in rows)
        else:
            rows, new_rows = [0, *(at + 1 for at in kept)], ()
        staying = [
            (one.id, None if one.adapter is None else places[one.adapter], self._worded(one))
            for one in (old.questions[at] for at in stay)
        ]
        words, questions = numbered(staying)
        left = tuple(self.adapters[at] for at in kept)
        data = old.model_copy(
            update={
                "adapters": left,
                "thresholds": {name: old.thresholds[name] for name in left},
                "words": words,
                "questions": questions,
                "rows": new_rows,
            }
        )
        return Router(data, self.vectors[rows], self._given)

    def save(self, folder: Path) -> None:
        """Writes router.json and router.npy into `folder`.

        Raises:
            RunError: they cannot be written.
        """
        router_file.write(folder, self.data, self.vectors)

    @classmethod
    def load(cls, folder: Path, embedder: Embedder | None = None) -> Router:
        """The router in `folder`.

        Args:
            embedder: None: the one that it names, loaded when something is routed.

        Raises:
            ModelError: it is damaged.
        """
        return cls(*router_file.read(folder), embedder)

    @cached_property
    def stored(self) -> StoredQuestions:
        """The questions by which `nearest` routes."""
        owner = [0 if one.adapter is None else one.adapter + 1 for one in self.data.questions]
        return StoredQuestions(
            self.vectors,
            np.array(self.data.rows, dtype=np.int64),
            np.array(owner, dtype=np.int64),
            QuestionWords([self._worded(one) for one in self.data.questions]),
        )

    def _worded(self, one: RoutedQuestion) -> Worded:
        words = self.data.words
        return Worded(frozenset(words[at] for at in one.always), frozenset(words[at] for at in one.sometimes))

    @cached_property
    def _embedder(self) -> Embedder:
        embedder = embedders.load(self.data.embedder) if self._given is None else self._given
        if fingerprint(embedder) != self.data.fingerprint:
            raise self._changed(f"{embedder.name} ({fingerprint(embedder)[:16]})")
        return embedder

    def _changed(self, found: str) -> ModelError:
        before = f"{self.data.embedder.path} ({self.data.fingerprint[:16]}), {self.data.dimension} numbers"
        return ModelError(
            f"the router was calibrated by the embedder {before}, and now there is {found}",
            "set deploy.router.embedder (or embedder) back, or teach again with the new one",
        )


def activates(
    score: npt.ArrayLike, base: npt.ArrayLike, threshold: npt.ArrayLike, margin: float
) -> npt.NDArray[np.bool_]:
    """Whether an adapter answers; what is as near to the base model's questions is the base model's.

    Scores in float32 are taken as they are written: 0.7 is 0.7.
    """
    near, known = (np.round(np.asarray(one, dtype=np.float64), DIGITS) for one in (score, base))
    ahead = np.round(near - known, DIGITS) >= margin
    return np.asarray((near > 0) & (near > known) & ahead & (near >= np.asarray(threshold)))


def class_scores(method: str, rows: Float32s, vectors: Float32s) -> Float32s:
    """Of each text with each class: cosine with its centroid, or the classifier's probability.

    Args:
        rows: (classes, dimension); of a classifier the last column is the bias.
    """
    if method == "centroid":
        return np.asarray(np.round(vectors @ rows.T, DIGITS), dtype=np.float32)
    logits = vectors @ rows[:, :-1].T + rows[:, -1]
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(np.round(weights / weights.sum(axis=1, keepdims=True), DIGITS), dtype=np.float32)


def numbered(
    questions: Sequence[tuple[str, int | None, Worded]],
) -> tuple[tuple[str, ...], tuple[RoutedQuestion, ...]]:
    """The words of all questions, sorted, and the questions (id, adapter, words) by their numbers."""
    words = sorted({word for _, _, one in questions for word in one.all})
    number = {word: at for at, word in enumerate(words)}
    return tuple(words), tuple(
        RoutedQuestion(
            id=name,
            adapter=adapter,
            always=tuple(sorted(number[word] for word in one.always)),
            sometimes=tuple(sorted(number[word] for word in one.sometimes)),
        )
        for name, adapter, one in questions
    )
