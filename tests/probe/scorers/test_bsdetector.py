"""BSDetector: observed consistency and the gradings of a judge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from selfstudy.models.base import Sampling
from selfstudy.models.scripted import ScriptedLM
from selfstudy.records import Chat

from .scoring import answer, loaded, scores_of


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
    assert "NaN or inf" in str(unjudged.error)
    assert partly.value == pytest.approx(1 - (0.7 * 0.5 + 0.3))
    assert partly.sentences[0].per_sample == (0.5, None)
