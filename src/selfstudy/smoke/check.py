"""The smoke check: asks a model a few things, and says whether it can be worked with."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from selfstudy.models.base import LanguageModel
from selfstudy.prompts import Prompts
from selfstudy.recipe import AnsweringBlock, ModelBlock
from selfstudy.smoke.advice import to_try
from selfstudy.smoke.asking import Told, ask, vary
from selfstudy.smoke.diagnosis import Symptom, constant, diagnose, is_right, never_vary
from selfstudy.text import clean, shortened

_SHOWN = 160
"""Characters of what the model said."""
_MOST = 3
"""Symptoms that are told."""


class Exchange(BaseModel):
    """One thing that it was asked, and said."""

    model_config = ConfigDict(frozen=True)
    asked: str
    said: str
    right: bool
    finish: str


class Smoke(BaseModel):
    """Whether a model can be worked with, and what it said.

    Attributes:
        refused: no run can be built on it.
        problems: what is wrong, with an answer that shows it, most severe first; none of it need be refused.
        hints: what to try.
    """

    model_config = ConfigDict(frozen=True)
    model: str
    refused: bool
    problems: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    lines: tuple[Exchange, ...] = ()
    known: int
    questions: int
    read: int
    pages: int

    @property
    def counts(self) -> str:
        """What it got right, in words."""
        trivial = f"answers {self.known} of {self.questions} trivial questions and " if self.questions else ""
        return f"{trivial}reads {self.read} of {self.pages} pages of one line"

    @property
    def verdict(self) -> str:
        """In a line, of a model that is refused."""
        return f"{self.model} cannot be worked with; asked to see whether it can, it {self.counts}:"

    @property
    def notes(self) -> list[str]:
        """What a person is told of a model that is not refused, a line each."""
        said = [f"smoke check: {self.model} {self.counts}"]
        said += [f"smoke check, warning: {problem}" for problem in self.problems]
        return [*said, *(f"  -> {hint}" for hint in self.hints if self.problems)]


def check(
    lm: LanguageModel,
    block: ModelBlock,
    prompts: Prompts,
    answering: AnsweringBlock,
    seed: int = 0,
    *,
    sampled: bool = True,
) -> Smoke:
    """Asks `lm`, the model of `block`, in two to four small batches.

    Args:
        answering: how the run will ask.
        sampled: whether its scores are made of samples, so that these have to differ.
    """
    told = ask(lm, prompts, answering, seed)
    symptoms = diagnose(told, answering.temperature)
    if not any(one.severe for one in symptoms) and never_vary(told):
        same = constant(vary(lm, prompts, answering, seed), answering.temperature, sampled)
        symptoms = [*([same] if same else []), *symptoms]
    questions = [one for one in told if one.trial.kind == "question"]
    pages = [one for one in told if one.trial.kind == "page"]
    return Smoke(
        model=lm.name,
        refused=any(one.severe for one in symptoms),
        problems=tuple(map(_told, symptoms[:_MOST])),
        hints=tuple(to_try((one.cause for one in symptoms), block)),
        lines=tuple(map(_line, told)),
        known=_count(questions),
        questions=len(questions),
        read=_count(pages),
        pages=len(pages),
    )


def _count(told: Sequence[Told]) -> int:
    return sum(map(is_right, told))


def _line(told: Told) -> Exchange:
    greedy = told.greedy
    said = greedy.error or "" if greedy.finish == "error" else greedy.text
    return Exchange(asked=told.trial.asked, said=said, right=is_right(told), finish=greedy.finish)


def _told(one: Symptom) -> str:
    shown = f"\n    asked: {_quoted(one.asked)}\n    said:  {_quoted(one.said)}" if one.asked else ""
    return f"{one.found}{shown}"


def _quoted(text: str) -> str:
    """On one line, whatever is in it."""
    return shortened(json.dumps(clean(text), ensure_ascii=False), _SHOWN)
