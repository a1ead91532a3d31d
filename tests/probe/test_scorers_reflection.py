"""Scorers that ask whether an answer is correct: BSDetector and P(True)."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import Any

import numpy as np
import pytest

from selfstudy.models.base import NoLogprobsError, Sampling
from selfstudy.models.scripted import ScriptedLM
from selfstudy.records import Chat

from .test_scorers import answer, loaded, scores_of


class Entailed:
    """P(entailment) of a pair by its hypothesis."""

    name = "entailed"

    def __init__(self, **values: float) -> None:
        self.values = values
        self.pairs: list[tuple[str, str]] = []

    def probabilities(self, pairs: Sequence[tuple[str, str]], progress: Any = None) -> Any:
        self.pairs += pairs
        entailment = np.array([self.values[hypothesis] for _, hypothesis in pairs])
        return np.stack([entailment, 1 - entailment], axis=1)


def test_bsdetector_by_hand() -> None:
    nli = Entailed(x=0.9, y=0.3)
    judge = ScriptedLM({"Answer: Vienna": ["Correct.", "incorrect", "Unsure", "who knows?", "correct"]})
    (found,) = scores_of("bsdetector", answer("Vienna.", "x", "y"), models=loaded(nli=nli, own_judge=judge))
    # observed (.9 + .3) / 2; reflected (1 + 0 + .5 + 1) / 4
    assert found.parts == {"observed": pytest.approx(0.6), "reflected": 0.625}
    assert found.value == pytest.approx(1 - (0.7 * 0.6 + 0.3 * 0.625))
    assert found.sentences[0].per_sample == pytest.approx((0.1, 0.7))
    assert nli.pairs == [("Vienna.", "x"), ("Vienna.", "y")]


def test_bsdetector_samples_its_gradings_and_shows_question_and_answer() -> None:
    class Listening(ScriptedLM):
        asked: tuple[Sequence[Chat], Sampling]

        def generate(self, chats: Any, sampling: Sampling, progress: Any = None) -> Any:
            self.asked = (chats, sampling)
            return super().generate(chats, sampling, progress)

    judge = Listening({".": "correct"})
    scores_of("bsdetector", answer("Vienna", "Vienna"), models=loaded(own_judge=judge))
    (chat,), sampling = judge.asked
    assert "Question: Vienna?\nAnswer: Vienna\n" in chat[-1].content
    assert (sampling.n, sampling.temperature) == (5, 1.0)


def test_bsdetector_without_a_grading_or_a_number_is_an_error() -> None:
    judge = ScriptedLM({"Answer: Vienna": "As an AI", "Answer: Graz": "correct"})
    nli = Entailed(x=0.5, nan=float("nan"))
    ungraded, unjudged, partly = scores_of(
        "bsdetector",
        answer("Vienna.", "x"),
        answer("Graz.", "nan"),
        answer("Graz.", "x", "nan"),
        models=loaded(nli=nli, own_judge=judge),
    )
    assert (ungraded.value, unjudged.value) == (None, None)
    assert "'As an AI'" in str(ungraded.error)
    assert "no number" in str(unjudged.error)
    assert partly.value == pytest.approx(1 - (0.7 * 0.5 + 0.3))
    assert partly.sentences[0].per_sample == (0.5, None)


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
