"""Where topics come from: the model itself, a random place in a vocabulary, a file (METHODS 1).

A source hands out topic sets by number, so that any stretch of them can be made again after a kill.
Knows nothing of questions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from selfstudy.errors import DataError
from selfstudy.models.base import Embedder, LanguageModel, Sampling
from selfstudy.prompts import Prompts
from selfstudy.recipe import Ask
from selfstudy.records import digest
from selfstudy.text import clean, contains

PER_SET = 3
"""Topics of one set."""

NEAREST = 10
"""Vocabulary entries around a random point of which PER_SET are taken."""

_MARK = re.compile(r"^\s*(?:[-*•·]+|\(?\d{1,2}[.):]+)\s+")
_QUOTES = " \t\"'`*_“”‘’.,;:"


class TopicSource(Protocol):
    """Topic sets, numbered from 0."""

    def topics(self, start: int, count: int) -> list[tuple[str, ...]]:
        """Sets start .. start + count: fewer when the source has no more, an empty one where it failed."""


def seed_for(*parts: object) -> int:
    """A seed in [0, 2^31) that depends on all `parts` alone."""
    return int(digest(*map(str, parts)), 16) % 2**31


def parse_topics(completion: str) -> tuple[str, ...]:
    """Up to three topics of a completion: one a line (bare, numbered or bulleted), or a line with commas."""
    lines = [line for line in clean(completion).splitlines() if line.strip()]
    if len(lines) == 1:
        lines = re.split(r"[,;]", lines[0])
    topics = (_MARK.sub("", line).strip(_QUOTES) for line in lines)
    return tuple(dict.fromkeys(topic for topic in topics if topic))[:PER_SET]


class ModelTopics:
    """Topics the model says it knows little about (open and induced)."""

    def __init__(self, model: LanguageModel, prompts: Prompts, ask: Ask, seed: int) -> None:
        self._model = model
        self._chat = prompts.chat("topics")
        self._ask = ask
        self._seed = seed

    def topics(self, start: int, count: int) -> list[tuple[str, ...]]:
        sampling = Sampling(
            n=count,
            temperature=self._ask.topic_temperature,
            max_new_tokens=self._ask.max_new_tokens,
            seed=seed_for(self._seed, "topics", start),
        )
        (completions,) = self._model.generate([self._chat], sampling)
        return [parse_topics(completion.text) for completion in completions]


class FileTopics:
    """One set of one topic per line of a text file (external)."""

    def __init__(self, path: Path | None) -> None:
        """Raises DataError: there is no readable file, or no topic in it."""
        if path is None:
            raise DataError(
                "method external: no source given", "set `source` to a text file, one topic a line"
            )
        self._topics: list[tuple[str, ...]] = [(line,) for line in _lines(path)]

    def topics(self, start: int, count: int) -> list[tuple[str, ...]]:
        return self._topics[start : start + count]


class OracleTopics:
    """Three of the ten entries nearest to a random point of the embedded vocabulary (oracle-selected)."""

    def __init__(self, path: Path | None, embedder: Embedder, seed: int) -> None:
        """Raises DataError: there is no vocabulary, or too few entries in it."""
        if path is None:
            # WordNet's own data.noun goes here once it can be read.
            raise DataError(
                "method oracle: no vocabulary given",
                "set `source` to a file of nouns, one a line as lemma<TAB>definition "
                "(the paper took the nouns of WordNet 3.0)",
            )
        self._entries = [_entry(line, path) for line in _lines(path)]
        if len(self._entries) < NEAREST:
            raise DataError(
                f"{path}: a vocabulary of {len(self._entries)} entries",
                f"give at least {NEAREST} lines of lemma<TAB>definition",
            )
        self._embedder = embedder
        self._seed = seed
        self._vectors: npt.NDArray[np.float64] | None = None

    def topics(self, start: int, count: int) -> list[tuple[str, ...]]:
        if self._vectors is None:
            texts = [f"{lemma} ### {definition}" for lemma, definition in self._entries]
            self._vectors = l1_normalise(np.asarray(self._embedder.encode(texts), dtype=np.float64))
        return [self._draw(self._vectors, number) for number in range(start, start + count)]

    def _draw(self, vectors: npt.NDArray[np.float64], number: int) -> tuple[str, ...]:
        rng = np.random.default_rng(seed_for(self._seed, "oracle", number))
        point = l1_normalise(rng.standard_normal((1, vectors.shape[1])))[0]
        near = nearest(vectors, point, NEAREST)
        return tuple(self._entries[i][0] for i in rng.choice(near, PER_SET, replace=False))


def l1_normalise(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Rows divided by their sum of absolute values; a zero row stays zero."""
    sums = np.abs(rows).sum(axis=1, keepdims=True)
    result: npt.NDArray[np.float64] = np.divide(rows, sums, out=np.zeros_like(rows), where=sums > 0)
    return result


def nearest(vectors: npt.NDArray[np.float64], point: npt.NDArray[np.float64], k: int) -> npt.NDArray[np.intp]:
    """Indices of the k rows of `vectors` nearest to `point` (Euclidean), nearest first, ties by index."""
    distance = np.einsum("ij,ij->i", vectors, vectors) - 2 * (vectors @ point)
    return np.argsort(distance, kind="stable")[:k]


def topic_of(question: str, topics: Sequence[str]) -> str:
    """The topic that a question names, or all of the set if it names none."""
    return next((topic for topic in topics if contains(question, topic)), ", ".join(topics))


def _lines(path: Path) -> list[str]:
    """The lines of a text file without blank ones and # comments, in order."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}", "give a UTF-8 text file") from None
    kept = [line for line in map(str.strip, map(clean, lines)) if line and not line.startswith("#")]
    if not kept:
        raise DataError(
            f"{path}: no line to use", "write one entry a line; blank lines and # comments are skipped"
        )
    return kept


def _entry(line: str, path: Path) -> tuple[str, str]:
    lemma, tab, definition = line.partition("\t")
    if not (tab and lemma.strip() and definition.strip()):
        raise DataError(f"{path}: {line[:60]!r} has no definition", "write lemma<TAB>definition")
    return lemma.strip().replace("_", " "), definition.strip()
