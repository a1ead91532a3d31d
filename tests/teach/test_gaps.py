"""Which questions are taught."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from selfstudy.teach.gaps import gaps_to_teach, judged_questions

from .lessons import KINDS, make_round


def test_gaps_that_say_the_same_are_taught_once(tmp_path: Path) -> None:
    everything = judged_questions(make_round(tmp_path / "run", KINDS))
    first = everything[0]
    twin = replace(first, question=first.question.model_copy(update={"id": "x"}))
    assert len(gaps_to_teach([*everything, twin])) == len(gaps_to_teach(everything)) == 3
