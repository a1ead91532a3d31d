"""Prompts with answers, made in a line."""

from __future__ import annotations

from selfstudy.judging.rewards import Reward
from selfstudy.judging.rubric import Criterion
from selfstudy.models.base import chat
from selfstudy.verbs.rating.given import GivenAnswer, PromptAnswers


def prompt(
    *texts: str,
    correct: str = "",
    asked: str = "Who?",
    repeats: int = 0,
    criteria: tuple[Criterion, ...] = (),
) -> PromptAnswers:
    """`correct`: a letter for each answer, r right, w wrong, else unknown."""
    keys = {"r": True, "w": False}
    answers = tuple(GivenAnswer(text, keys.get(correct[i : i + 1])) for i, text in enumerate(texts))
    return PromptAnswers(chat(asked), answers, repeats, criteria)


def rewards(*values: float | None) -> list[Reward]:
    """None is unscored."""
    return [Reward(value, problem="" if value is not None else "nothing was said") for value in values]
