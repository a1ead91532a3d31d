"""The contract of all scorers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from selfstudy.records import Answer, Question, Score


class Scorer(Protocol):
    """Judges answers by their own samples."""

    @property
    def name(self) -> str:
        """What its scores are called in records: its key in SCORERS."""

    def score(self, questions: Sequence[Question], answers: Sequence[Answer]) -> list[Score]:
        """One score per answer, in order; questions[i] is what answers[i] answers.

        A value is in [0, 1], higher = less consistent; an answer that cannot be judged gets value None and an
        error. Failed samples are left out.
        """
