"""A reference is what the reader finds in the evidence again when it is asked several times."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from selfstudy.gather.stage import run_gather
from selfstudy.library.index import Library
from selfstudy.models import Models
from selfstudy.models.base import Progress
from selfstudy.models.embedder import LexicalEmbedder
from selfstudy.models.scripted import ScriptedLM
from selfstudy.progress import Silent
from selfstudy.prompts import Prompts
from selfstudy.records import (
    Chat,
    Reference,
)

from .test_stage import REFUSAL, ByCapital, models, question, read, recipe, start


def test_without_samples_every_answer_is_accepted(tmp_path: Path, library: Library) -> None:
    turn = start(tmp_path / "run", recipe(samples=0, accept="consistency"))
    run_gather(turn, models(), Prompts(), library, Silent())
    cuba = next(r for r in turn.read(Reference) if r.question_id == question("Cuba").id)
    assert (cuba.text, cuba.inconsistency, cuba.accepted) == ("It is Bamako.", None, True)


def test_an_answer_that_does_not_stand_in_the_page_is_refused(tmp_path: Path, library: Library) -> None:
    turn = start(tmp_path / "run", recipe(samples=0))
    run_gather(turn, models(), Prompts(), library, Silent())
    said = {r.question_id: (r.accepted, r.explanation) for r in turn.read(Reference)}
    assert said[question("Cuba").id] == (False, "'Bamako' does not stand in the page")
    alone = "1 of 1 answers rest on the passage and say this, 0 say something else"
    assert said[question("Mali").id] == (True, alone)


def test_samples_that_find_no_answer_count_against_the_reference(tmp_path: Path, library: Library) -> None:
    def wavering(chat: Chat, number: int) -> str:
        return read(chat, number) if number < 2 else REFUSAL if number < 5 else ""

    turn = start(tmp_path / "run", recipe(samples=5, accept="consistency"))
    run_gather(turn, models(ScriptedLM({"Document:": wavering})), Prompts(), library, Silent())
    mali = next(r for r in turn.read(Reference) if r.question_id == question("Mali").id)
    assert mali.inconsistency == pytest.approx((0.05 + 3 * 1.0) / 4)  # the empty sample is left out
    assert not mali.accepted


def test_a_reference_of_a_broken_attempt_does_not_stand(tmp_path: Path, library: Library) -> None:
    class Stopping(ByCapital):
        def classes(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
            raise KeyboardInterrupt

        def probabilities(
            self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None
        ) -> npt.NDArray[np.float64]:
            if any("seat of government" in text for pair in pairs for text in pair):
                raise KeyboardInterrupt  # in the verdicts
            return super().probabilities(pairs)

    turn = start(tmp_path / "run", recipe(samples=0, accept="consistency"))
    wrong = ScriptedLM({"Document:": "The capital of Mali is Lima."})
    with pytest.raises(KeyboardInterrupt):
        run_gather(turn, Models(wrong, Stopping(), LexicalEmbedder()), Prompts(), library, Silent())
    assert turn.read(Reference) == []
    run_gather(turn, models(), Prompts(), library, Silent())
    mali = next(r for r in turn.read(Reference) if r.question_id == question("Mali").id)
    assert mali.text == "The capital of Mali is Bamako."
