"""P(True): how probable the model finds that its answer is correct."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import Any

import pytest

from selfstudy.models.base import NoLogprobsError
from selfstudy.models.scripted import ScriptedLM
from selfstudy.records import Chat

from .scoring import answer, loaded, scores_of


class Believing(ScriptedLM):
    """Gives each reply the probability of its tokens."""

    def __init__(self, **tokens: list[float]) -> None:
        super().__init__({})
        self.tokens = tokens

    def logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[float]]:
        assert all("Is the answer correct?" in chat[-1].content for chat in chats)
        return [[log(p) for p in self.tokens[text]] for text in texts]


def test_p_true_by_hand() -> None:
    lm = Believing(correct=[0.5, 0.6], incorrect=[0.2, 0.5], unsure=[0.1])
    (found,) = scores_of("p-true", answer("Vienna."), models=loaded(lm=lm))
    assert found.value == pytest.approx(1 - 0.3 / 0.5)
    assert found.parts == pytest.approx({"correct": 0.6, "incorrect": 0.2, "unsure": 0.2})


def test_p_true_asks_the_model_itself() -> None:
    lm = Believing(correct=[0.9], incorrect=[0.1], unsure=[1e-9])
    (found,) = scores_of("p-true", answer("Vienna."), models=loaded(lm=lm, own_judge=ScriptedLM({})))
    assert found.value == pytest.approx(0.1)


def test_p_true_of_tiny_probabilities() -> None:
    lm = Believing(correct=[1e-300, 1e-300], incorrect=[1e-300, 1e-300], unsure=[1e-300, 1e-300, 1e-300])
    (found,) = scores_of("p-true", answer("Vienna."), models=loaded(lm=lm))
    assert found.value == pytest.approx(0.5)


def test_a_model_without_log_probabilities_says_so() -> None:
    class Remote(ScriptedLM):
        def logprobs(self, chats: Any, texts: Any) -> Any:
            raise NoLogprobsError(f"{self.name} gives no log-probabilities", "use another scorer")

    class Mute(ScriptedLM):
        def logprobs(self, chats: Any, texts: Any) -> Any:
            return [[] for _ in texts]

    for lm, said in (
        (Remote({}, "remote"), "remote gives no log-prob"),
        (Mute({}, "mute"), "mute gave no prob"),
    ):
        empty, found = scores_of("p-true", answer(""), answer("Vienna."), models=loaded(lm=lm))
        assert (empty.value, empty.error) == (None, "the passage is empty")
        assert found.value is None
        assert said in str(found.error)


def test_a_failed_grading_is_shown() -> None:
    (found,) = scores_of("bsdetector", answer("Vienna.", "Vienna."), models=loaded(own_judge=ScriptedLM({})))
    assert found.value is None
    assert "no scripted answer" in str(found.error)
