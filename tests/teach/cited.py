"""Exercises with citations for tests: a small world, a judge that reads, and a writer of sentences."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from selfstudy.judging.cited_items import CitedItem, CitedKind, asked
from selfstudy.models.base import Progress, Sampling
from selfstudy.prompts import Prompts
from selfstudy.records import Chat, Completion
from selfstudy.teach.cited_practice import CitationRewards, CitedExercise, RewardLevel
from selfstudy.teach.rewards import DEFAULTS
from tests.judging.test_citations import Entails

SAID = ("Rome is old", "Rome is big", "Rome is warm", "Rome is loud", "Rome is far", "Rome is new")
"""The first three are true, and gold."""
DOCUMENTS = tuple(f"Title: Rome\n{one}." for one in SAID[:3])
SUPPORTED = tuple(f"{one} [{number}]." for number, one in enumerate(SAID[:3], 1))
WRONG = ("Rome is loud [1].", "Rome is far.", "Rome is new [7].", "Rome is old [2].")


def exercise(name: str = "q", kind: CitedKind = "asqa", **fields: Any) -> CitedExercise:
    gold = tuple((one.removeprefix("Rome is "),) for one in SAID[:3])
    item = CitedItem(
        **{"question": f"What is Rome ({name})?", "documents": DOCUMENTS, "kind": kind, "gold": gold} | fields
    )
    return CitedExercise(asked(item, Prompts()), item, name)


def reads(premise: str, hypothesis: str) -> bool:
    """Whether a document has the sentence, or what a list says of Rome."""
    said = hypothesis.rsplit("? ", 1)[-1].strip().rstrip(".")
    return bool(said) and said in premise


def rewards(
    level: RewardLevel = "fine", entails: Callable[[str, str], bool] = reads
) -> tuple[CitationRewards, Entails]:
    judge = Entails(entails)
    return CitationRewards(judge, DEFAULTS, level), judge


class Writer:
    """A model that writes sentences of a pool, word by word; its chance goes by what was said.

    Attributes:
        calls: (beginnings, how many completions of each) of every call.
    """

    name = "writer"

    def __init__(self, pool: Sequence[str], between: str = " ", most: int = 6) -> None:
        self._pool, self._between, self._most = list(pool), between, most
        self.calls: list[tuple[list[str], int]] = []

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, progress: Progress | None = None
    ) -> list[list[Completion]]:
        return self.continued(chats, [""] * len(chats), sampling)

    def logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[float]]:
        raise AssertionError("nothing is scored")

    def continued(
        self,
        chats: Sequence[Chat],
        begun: Sequence[str],
        sampling: Sampling,
        enough: Callable[[str], bool] | None = None,
        progress: Progress | None = None,
    ) -> list[list[Completion]]:
        self.calls.append((list(begun), sampling.n))
        return [
            [
                self._write(f"{chat}{text}{sampling.seed}{number}", text, sampling, enough)
                for number in range(sampling.n)
            ]
            for chat, text in zip(chats, begun, strict=True)
        ]

    def _write(
        self, stream: str, before: str, sampling: Sampling, enough: Callable[[str], bool] | None
    ) -> Completion:
        chance = random.Random(stream)
        said = sum(before.count(one) for one in self._pool)
        sentences = [
            chance.choice(self._pool) for _ in range(chance.randrange(self._most) + 1 - min(said, 1))
        ]
        rest = self._between.join(["" if before else None, *sentences][not before :]) if sentences else ""  # type: ignore[list-item]
        words = rest.split(" ")
        for count in range(1, len(words) + 1):
            text = " ".join(words[:count])
            if count < len(words) and enough is not None and enough(text):
                return Completion(text=text, tokens=count, logprob=-float(count), finish="length")
            if count == sampling.max_new_tokens and count < len(words):
                return Completion(text=text, tokens=count, logprob=-float(count), finish="length")
        return Completion(text=rest, tokens=len(words), logprob=-float(len(words)))
