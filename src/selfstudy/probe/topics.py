"""Where topics come from: the model itself, a random place in a vocabulary, or outside (methods 1).

A source hands out topic sets by number, so that any stretch of them can be made again after a kill.
Knows nothing of questions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np

from selfstudy.errors import DataError
from selfstudy.models.base import Embedder, LanguageModel, Sampling
from selfstudy.models.unwrapping import entries
from selfstudy.probe import vocabulary
from selfstudy.progress import Reporter, Silent
from selfstudy.prompts import Prompts
from selfstudy.recipe import Ask
from selfstudy.records import digest
from selfstudy.text import contains

PER_SET = 3
"""Topics of one set."""

NEAREST = 10
"""Vocabulary entries around a random point of which PER_SET are taken."""

_POINTS = 64
"""Random points of one product with the vocabulary (for WordNet 40 MB)."""

_COMMA = re.compile("[,;，、；،]")
_QUOTES = " \t\"'`*_“”‘’「」.,;:。，；："


class TopicSource(Protocol):
    """Topic sets, numbered from 0; `trouble` is why one of the newest failed, if it is known."""

    trouble: str

    def topics(self, start: int, count: int) -> list[tuple[str, ...]]:
        """Sets start .. start + count: fewer when the source has no more, an empty one where it failed."""


def seed_for(*parts: object) -> int:
    """A seed in [0, 2^31) that depends on all `parts` alone."""
    return int(digest(*map(str, parts)), 16) % 2**31


def parse_topics(completion: str) -> tuple[str, ...]:
    """Up to three topics of a completion: one a line (bare, numbered or bulleted), or a line with commas."""
    found = entries(completion, "topic")
    if len(found) == 1:
        found = _COMMA.split(found[0])
    topics = (topic.strip(_QUOTES) for topic in found)
    return tuple(dict.fromkeys(topic for topic in topics if topic))[:PER_SET]


class ModelTopics:
    """Topics the model says it knows little about (open and induced)."""

    def __init__(self, model: LanguageModel, prompts: Prompts, ask: Ask, seed: int) -> None:
        self._model = model
        self._chat = prompts.chat("topics")
        self._ask = ask
        self._seed = seed
        self.trouble = ""

    def topics(self, start: int, count: int) -> list[tuple[str, ...]]:
        sampling = Sampling(
            n=count,
            temperature=self._ask.topic_temperature,
            max_new_tokens=self._ask.max_new_tokens,
            seed=seed_for(self._seed, "topics", start),
        )
        (completions,) = self._model.generate([self._chat], sampling)
        self.trouble = next((f"no topic: {one.error}" for one in completions if one.error is not None), "")
        return [parse_topics(completion.text) for completion in completions]


class ListTopics:
    """One set of one topic per line (external)."""

    trouble = ""

    def __init__(self, lines: Sequence[str]) -> None:
        self._topics: list[tuple[str, ...]] = [(line,) for line in lines]

    def topics(self, start: int, count: int) -> list[tuple[str, ...]]:
        return self._topics[start : start + count]


class OracleTopics:
    """Three of the ten entries nearest to a random point of the embedded vocabulary (oracle-selected).

    Of a lemma that is near with several of its senses only one is taken.
    """

    trouble = ""

    def __init__(
        self, source: Path | None, embedder: Embedder, seed: int, report: Reporter | None = None
    ) -> None:
        """Reads the vocabulary; it is embedded when the first set is asked for.

        Raises:
            DataError: there is no vocabulary, or too few entries in it.
        """
        self._entries = vocabulary.read_vocabulary(source)
        if len(self._entries) < NEAREST:
            raise DataError(
                f"{source}: a vocabulary of {len(self._entries)} entries",
                f"give at least {NEAREST} lines of lemma<TAB>definition",
            )
        self._embedder = embedder
        self._seed = seed
        self._report = report or Silent()

    def topics(self, start: int, count: int) -> list[tuple[str, ...]]:
        sets: list[tuple[str, ...]] = []
        for first in range(start, start + count, _POINTS):
            numbers = range(first, min(first + _POINTS, start + count))
            sets += self._draw(numbers)
        return sets

    @cached_property
    def _rows(self) -> vocabulary.Vectors:
        with self._report.task("embedding the vocabulary", len(self._entries)) as advance:
            return vocabulary.embedded(self._entries, self._embedder, progress=advance)

    @cached_property
    def _squares(self) -> vocabulary.Vectors:
        return vocabulary.square_norms(self._rows)

    def _draw(self, numbers: Sequence[int]) -> list[tuple[str, ...]]:
        rngs = [np.random.default_rng(seed_for(self._seed, "oracle", number)) for number in numbers]
        points = np.stack([rng.standard_normal(self._rows.shape[1]) for rng in rngs]).astype(np.float32)
        near = vocabulary.nearest(self._rows, self._squares, vocabulary.l1_normalise(points), NEAREST)
        sets = []
        for rng, row in zip(rngs, near, strict=True):
            lemmas = list(dict.fromkeys(self._entries[i][0] for i in row))
            chosen = rng.choice(len(lemmas), min(PER_SET, len(lemmas)), replace=False)
            sets.append(tuple(lemmas[i] for i in chosen))
        return sets


def topic_of(question: str, topics: Sequence[str]) -> str:
    """The topic that a question names, or all of the set if it names none."""
    return next((topic for topic in topics if contains(question, topic)), ", ".join(topics))
