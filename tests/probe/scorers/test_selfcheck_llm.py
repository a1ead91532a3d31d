"""SelfCheck by a judge that is asked whether a sample supports a sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from selfstudy.models import Models
from selfstudy.models.scripted import ScriptedLM
from selfstudy.records import SentenceScore

from .scoring import LM, answer, loaded, scores_of


def judged_by(script: dict[str, Any]) -> tuple[Models, list[str]]:
    """Models with a judge that answers by a script, and what it is asked."""
    asked: list[str] = []

    def listen(reply: str) -> Callable[[Any, int], str]:
        def answer(chat: Any, number: int) -> str:
            asked.append(chat[-1].content)
            return reply

        return answer

    return loaded(own_judge=ScriptedLM({pattern: listen(reply) for pattern, reply in script.items()})), asked


def test_the_judge_of_each_pair_by_hand() -> None:
    models, asked = judged_by(
        {
            "Graz.*Sentence: Vienna": "no",
            "Sentence: Vienna": "Yes.",
            "Graz.*Sentence: It": "yes",
            ".": "No, not at all.",
        }
    )
    (found,) = scores_of(
        "selfcheck-llm", answer("Vienna. It is old.", "Vienna.", "Graz.", "Vienna."), models=models
    )
    assert found.sentences == (
        SentenceScore(text="Vienna.", value=1 / 3, per_sample=(0.0, 1.0, 0.0)),
        SentenceScore(text="It is old.", value=2 / 3, per_sample=(1.0, 0.0, 1.0)),
    )
    assert (found.value, found.parts) == (0.5, {"unjudged": 0})
    assert len(asked) == 4  # two sentences, two distinct samples
    assert "Context: Graz.\nSentence: Vienna." in "\n".join(asked)


def test_a_pair_without_a_verdict_does_not_count() -> None:
    models, _ = judged_by({"Context: Graz": "maybe", "Sentence: It is old": "no", ".": "yes"})
    (found,) = scores_of("selfcheck-llm", answer("Vienna. It is old.", "Vienna.", "Graz."), models=models)
    assert [s.per_sample for s in found.sentences] == [(0.0, None), (1.0, None)]
    assert (found.value, found.parts) == (0.5, {"unjudged": 2})


def test_a_sentence_that_was_never_judged_is_left_out() -> None:
    models, _ = judged_by({"Sentence: It is old": "Hm.", ".": "no"})
    (found,) = scores_of("selfcheck-llm", answer("Vienna. It is old.", "Vienna.", "Graz."), models=models)
    assert [s.text for s in found.sentences] == ["Vienna."]
    assert found.value == 1.0


@pytest.mark.parametrize(("reply", "shown"), [("Hm.", "'Hm.'"), (None, "no scripted answer")])
def test_no_verdict_at_all_is_an_error(reply: str | None, shown: str) -> None:
    models, _ = judged_by({} if reply is None else {".": reply})
    (found,) = scores_of("selfcheck-llm", answer("Vienna.", "Vienna."), models=models)
    assert found.value is None
    assert "neither yes nor no" in str(found.error)
    assert shown in str(found.error)


def test_without_a_judge_the_model_judges_itself() -> None:
    (found,) = scores_of("selfcheck-llm", answer("Vienna.", "Graz."), models=loaded(lm=LM))
    assert found.value == 0.0
