"""Verdicts of passages that share words with the reference and mean something else, or that say nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from selfstudy.gather.verdicts import by_entailment, judge
from selfstudy.models.base import Progress
from selfstudy.records import Question, Reference, Verdict


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
