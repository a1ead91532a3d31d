"""The figures of a round as numbers: what was measured, with its interval, and no text."""

from __future__ import annotations

from pathlib import Path

from selfstudy.recipe import Recipe
from selfstudy.records import Question, Score, Verdict
from selfstudy.run import Run
from selfstudy.summary.numbers import round_numbers

from .test_summarise import GAIN, check


def test_numbers_of_a_round(tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "run", Recipe()) as run:
        part = run.round(1)
        first, second = (Question(text=text, method="open") for text in ("What is a?", "What is b?"))
        part.append([first, second])
        part.append([Score(question_id=first.id, scorer="selfcheck-nli", value=0.9)])
        part.append([Verdict(question_id=first.id, kind="unknown", score=0.9)])
        for arm, right in (("base", False), ("taught", True)):
            part.append([check(first, arm, "gap", "original", right)])
        gains = {"gap": {**GAIN, "n": 2}}
        decided = {"promoted": False, "reasons": ["too few"], "gains": gains, "margins": {"known": 0.05}}
        run.write_json(part.gate_file, decided)
        found = round_numbers(part)
    assert all(type(value) is float for value in found.values())
    assert found["round/number"] == 1
    assert (found["round/questions"], found["round/inconsistent"], found["round/unscored"]) == (2, 1, 1)
    assert (found["round/gaps"], found["round/verdicts/unknown"], found["round/verdicts/known"]) == (1, 1, 0)
    assert (found["round/before/gap_correct"], found["round/after/gap_correct"]) == (0, 1)
    assert 0 < found["round/after/gap_correct_low"] < 1 == found["round/after/gap_correct_high"]
    assert found["round/after/gap_correct_n"] == 1
    assert "round/after/known_correct" not in found  # nothing was asked
    assert found["round/gate/promoted"] == 0
    assert found["round/gate/margins/known"] == 0.05
    gain = {name: found[f"round/gate/gains/gap_{name}"] for name in ("difference", "low", "high", "p", "n")}
    assert gain == {"difference": 0.5, "low": 0.1, "high": 0.9, "p": 0.01, "n": 2}


def test_a_round_without_anything_is_counted_as_such(tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "run", Recipe()) as run:
        found = round_numbers(run.round(1))
    assert found["round/questions"] == 0
    assert not {"round/gaps", "round/gate/promoted"} & set(found)
