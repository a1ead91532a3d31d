"""What the model is to be asked for: a chat for each question that is wanted, by number (methods 1 and 2).

Knows nothing of what the model then says.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from selfstudy import text
from selfstudy.probe import chunks
from selfstudy.probe.topics import TopicSource
from selfstudy.prompts import Prompts
from selfstudy.records import Chat, QuestionMethod

WORDS = ("WHAT", "WHO", "WHY", "WHERE", "WHEN", "HOW")
"""Question words of the induced method, one each per topic set."""


@dataclass(frozen=True)
class Slot:
    """One question to be proposed: the chats that ask for it, or `question`, the question itself.

    With neither it cannot be asked, and `error` says why.  Of several chats each proposal has the next.
    """

    chats: tuple[Chat, ...] = ()
    topics: tuple[str, ...] = ()
    chunk: chunks.Chunk | None = None
    question: str = ""
    error: str = "the model proposed nothing"


class Slots(Protocol):
    """Slots by number, from 0."""

    def take(self, start: int, count: int) -> list[Slot]:
        """Slots start .. start + count: fewer when there are no more."""


class TopicSlots:
    """One slot per topic set; the induced method has six, one per question word."""

    def __init__(self, source: TopicSource, prompts: Prompts, method: QuestionMethod) -> None:
        self._source = source
        self._prompts = prompts
        self._words = WORDS if method == "induced" else ("",)

    def take(self, start: int, count: int) -> list[Slot]:
        each = len(self._words)
        first, last = start // each, -(-(start + count) // each)
        slots = [
            self._slot(topics, word)
            for topics in self._source.topics(first, last - first)
            for word in self._words
        ]
        return slots[start - first * each :][:count]

    def _slot(self, topics: tuple[str, ...], word: str) -> Slot:
        if not topics:
            return Slot(error=self._source.trouble or "the model named no topic")
        joined = "; ".join(topics)  # a topic may hold a comma
        if word:
            return Slot((self._prompts.chat("question_induced", topics=joined, word=word),), topics)
        return Slot((self._prompts.chat("question_open", topics=joined),), topics)


class QuestionSlots:
    """One slot per question that came from outside; the model is not asked for any."""

    def __init__(self, questions: Sequence[str]) -> None:
        self._questions = questions

    def take(self, start: int, count: int) -> list[Slot]:
        return [Slot(question=question) for question in self._questions[start : start + count]]


class DocumentSlots:
    """One slot per chunk and repetition."""

    def __init__(
        self, stream: Iterator[chunks.Chunk], prompts: Prompts, seed: int, *, by_sentence: bool
    ) -> None:
        """
        Args:
            seed: of the order in which sentences are taken.
            by_sentence: each proposal is asked for by the next sentence of the chunk in that order, under its
                title: what a small model asks about a whole page is seldom what the page says.
        """
        self._stream = stream
        self._prompts = prompts
        self._seed = seed
        self._by_sentence = by_sentence
        self._at = 0

    def take(self, start: int, count: int) -> list[Slot]:
        """As `Slots.take`, but only forwards: `start` never falls."""
        found = islice(self._stream, start - self._at, start - self._at + count)
        slots = [Slot(self._chats(chunk, start + i), chunk=chunk) for i, chunk in enumerate(found)]
        self._at = start + count
        return slots

    def _chats(self, chunk: chunks.Chunk, number: int) -> tuple[Chat, ...]:
        parts = [chunk.text]
        if self._by_sentence:
            parts = [text.under_title(chunk.title, one) for one in text.sentences(chunk.text)]
            random.Random(f"{self._seed}:{number}:{chunk.document_id}").shuffle(parts)
        return tuple(self._prompts.chat("question_document", document=part) for part in parts)
