"""Verdicts of passages that share words with the reference and mean something else, or that say nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from selfstudy.gather.verdicts import by_entailment, by_judge, judge
from selfstudy.judging.judge import PromptedJudge
from selfstudy.models.base import Progress
from selfstudy.models.scripted import ScriptedLM
from selfstudy.prompts import Prompts
from selfstudy.records import Failure, Question, Reference, Verdict


class Agreeing:
    """An entailment model that sees no difference, as weak ones do."""

    name = "agreeing"

    def probabilities(
        self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None
    ) -> npt.NDArray[np.float64]:
        return np.tile([0.9, 0.1], (len(pairs), 1))

    def classes(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        return ["entailment"] * len(pairs)


@pytest.mark.parametrize(
    ("passage", "reference", "kind"),
    [
        ("41 degrees", "41 degrees", "known"),
        ("-41 degrees", "41 degrees", "misbelief"),
        ("41 degrees", "−41 degrees", "misbelief"),
        ("−41 degrees", "-41 degrees", "known"),
        ("It is not true that it was 41 degrees.", "It was 41 degrees.", "misbelief"),
        ("It was 40, 41, 42 degrees.", "It was 41 degrees.", "misbelief"),
        ("I don't know.", "It was 41 degrees.", "unknown"),  # a consistent refusal is no belief
        ("首都是罗马。", "罗马", "known"),
    ],
)
def test_consistent_passages(passage: str, reference: str, kind: str) -> None:
    question = Question(text="How cold was it in the valley?", topic="cold", method="external")
    told = Reference(
        question_id=question.id, evidence_id="e", text=reference, inconsistency=0.0, accepted=True
    )
    (verdict,) = judge([question], [passage], [0.0], [told], by_entailment(Agreeing()), 0.5)
    assert isinstance(verdict, Verdict)
    assert verdict.kind == kind


@pytest.mark.parametrize(
    ("label", "score", "kind"),
    [
        ("yes", 0.0, "known"),
        ("yes", 0.9, "unsure"),
        ("partly", 0.9, "unknown"),  # 0.5 is not above 0.5: it did not know
        ("partly", 0.0, "misbelief"),
        ("no", 0.9, "unknown"),
    ],
)
def test_the_published_labels(label: str, score: float, kind: str) -> None:
    asked = by_judge(PromptedJudge(ScriptedLM({"Given answer:": label}), Prompts()))
    question = Question(text="How cold was it?")
    told = Reference(
        question_id=question.id, evidence_id="e", text="It was 4 degrees.", inconsistency=0.0, accepted=True
    )
    (verdict,) = judge([question], ["Four."], [score], [told], asked, 0.5)
    assert isinstance(verdict, Verdict)
    assert (verdict.kind, verdict.label, verdict.agrees) == (kind, label, label == "yes")
    assert verdict.contradiction is None


def test_a_label_that_cannot_be_read_is_a_failure() -> None:
    asked = by_judge(PromptedJudge(ScriptedLM({"Given answer:": "perhaps"}), Prompts()))
    question = Question(text="How cold was it?")
    told = Reference(
        question_id=question.id, evidence_id="e", text="It was 4 degrees.", inconsistency=0.0, accepted=True
    )
    (failed,) = judge([question], ["Four."], [0.1], [told], asked, 0.5)
    assert isinstance(failed, Failure)
    assert "label cannot be read" in failed.message
