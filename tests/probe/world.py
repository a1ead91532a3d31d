"""A deterministic language model, entailment model and embedder that need no weights."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from selfstudy.models import Models
from selfstudy.models.base import Progress, Sampling
from selfstudy.recipe import Ask
from selfstudy.records import Chat, Completion, Document, digest

COUNTRIES = (
    "Austria",
    "Belgium",
    "Chile",
    "Denmark",
    "Estonia",
    "Fiji",
    "Ghana",
    "Hungary",
    "Iceland",
    "Japan",
)
ATTRIBUTES = ("capital", "currency", "area", "language", "anthem")


asking = partial(Ask, check="none", proposals=1)
"""As published: what the student asks is not read in any page."""


class Student:
    """Asks about countries; knows half of them. What it says depends on seed, chat and number alone."""

    name = "student"

    def __init__(self, broken: str = "") -> None:
        self.broken = broken
        """Chats with this text fail."""
        self.calls = 0

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, progress: Progress | None = None
    ) -> list[list[Completion]]:
        self.calls += 1
        result = []
        for chat in chats:
            prompt = chat[-1].content
            row = []
            for number in sampling.numbers:
                greedy = sampling.temperature == 0 or (sampling.greedy_first and number == 0)
                key = digest(prompt) if greedy else digest(prompt, str(sampling.seed), str(number))
                row.append(self._one(prompt, random.Random(key)))
            result.append(row)
            if progress:
                progress(1)
        return result

    def _one(self, prompt: str, rng: random.Random) -> Completion:
        if self.broken and self.broken in prompt:
            return Completion(text="", finish="error", error="out of luck")
        return Completion(text=self._say(prompt, rng), tokens=5)

    def _say(self, prompt: str, rng: random.Random) -> str:
        if prompt.startswith("Name three topics"):
            return "\n".join(f"{i}. {name}" for i, name in enumerate(rng.sample(COUNTRIES, 3), 1))
        if prompt.startswith(("Topics:", "Document:")):
            names = [name for name in COUNTRIES if name in prompt.split("\nAsk")[0]] or [prompt.split()[1]]
            if prompt.startswith("Document:") and rng.random() < 0.2:
                return "What does the document say?"
            return f"Sure. What is the {rng.choice(ATTRIBUTES)} of {rng.choice(names)}? I wonder."
        known = re.search(r"of [A-E]", prompt)
        return f"It is {'certain' if known else rng.choice(('red', 'blue', 'green'))}."

    def logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[float]]:
        raise NotImplementedError


class Judge:
    """Equal texts entail each other (0.05 contradiction), different ones contradict (0.95)."""

    name = "judge"

    def __init__(self) -> None:
        self.pairs: list[tuple[str, str]] = []

    def probabilities(self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None) -> Any:
        self.pairs += pairs
        contradiction = np.array([0.05 if a == b else 0.95 for a, b in pairs], dtype=np.float64)
        return np.stack([1 - contradiction, contradiction], axis=1)

    def classes(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        return ["entailment" if a == b else "contradiction" for a, b in pairs]


class Spots:
    """A random unit vector per text, the same for the same text."""

    name = "spots"

    def __init__(self, dimension: int = 16) -> None:
        self.dimension = dimension

    def encode(self, texts: Sequence[str]) -> Any:
        rows = [np.random.default_rng(int(digest(t), 16)).standard_normal(self.dimension) for t in texts]
        vectors = np.array(rows, dtype=np.float32).reshape(len(texts), self.dimension)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def models(student: Student | None = None) -> Models:
    return Models(lm=student or Student(), nli=Judge(), embedder=Spots())


def pages(sentences: int = 6) -> list[Document]:
    texts = {
        name: " ".join(f"The {ATTRIBUTES[i % 5]} of {name} is item {i}." for i in range(sentences))
        for name in COUNTRIES
    }
    return [Document(source=f"{name}.txt", title=name, text=text) for name, text in texts.items()]
