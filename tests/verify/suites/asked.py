"""Runs of suites for tests: tools, all items of a run, and models that do one odd thing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from selfstudy import ScriptedLM
from selfstudy.judging.judge import PromptedJudge
from selfstudy.models.base import NoLogprobsError, Progress, Sampling
from selfstudy.prompts import Prompts
from selfstudy.records import Chat, Completion, SuiteItem
from selfstudy.verify.suites.base import Suite, SuiteTools

YES = PromptedJudge(ScriptedLM({"anything false": "no", ".": "yes"}), Prompts())
"""A judge who finds everything true and informative."""


def tools(**options: Any) -> SuiteTools:
    return SuiteTools(Prompts(), **options)


def run(suite: Suite, lm: Any, how: SuiteTools | None = None, **options: Any) -> list[SuiteItem]:
    """All items of a run, base unless told otherwise."""
    arm = options.pop("arm", "base")
    return [one for block in suite.run(lm, how or tools(), arm, **options) for one in block]


def mean(items: Sequence[SuiteItem], part: str) -> float:
    """A figure, as `Measure` says: over the items that have the part."""
    values = [one.parts[part] for one in items if part in one.parts]
    return sum(values) / len(values)


def jsonl(path: Path, rows: Sequence[dict[str, Any]]) -> str:
    """A file of the rows; a lone surrogate stands in it as JSON allows it."""
    lines = [json.dumps(row, ensure_ascii="\\ud83c" in json.dumps(row)) + "\n" for row in rows]
    path.write_text("".join(lines), encoding="utf-8")
    return str(path)


class Server(ScriptedLM):
    """A model that answers, and says no log-probabilities of anything."""

    def logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[float]]:
        raise NoLogprobsError("the server has no log-probabilities")

    def text_logprobs(self, befores: Sequence[str], texts: Sequence[str]) -> list[list[float]]:
        raise NoLogprobsError("the server has no log-probabilities")


class Likely(ScriptedLM):
    """Log-probabilities of given texts by their words: those of a table, else -5 a word; counts batches."""

    def __init__(self, answers: dict[str, str], table: dict[str, float] | None = None) -> None:
        super().__init__(answers)
        self.table = table or {}
        self.texts: list[int] = []
        self.chats: list[int] = []

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, progress: Progress | None = None
    ) -> list[list[Completion]]:
        self.chats.append(len(chats))
        return super().generate(chats, sampling, progress)

    def text_logprobs(self, befores: Sequence[str], texts: Sequence[str]) -> list[list[float]]:
        self.texts.append(len(texts))
        return [[self.table[text]] if text in self.table else [-5.0] * len(text.split()) for text in texts]
