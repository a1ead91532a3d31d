"""The figures of a tutor, worked by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfstudy.stats import Interval, plain, wilson
from selfstudy.verbs.socratic.attempts import Attempts
from selfstudy.verbs.socratic.exercises import Exercises
from selfstudy.verbs.socratic.judged import JudgedTurns
from selfstudy.verbs.socratic.measures import measured, write_measures
from selfstudy.verbs.socratic.talk import Dialogue
from tests.verbs.socratic.tutors import exercise, said

SUMS = [exercise(6, 7), exercise(6, 9), exercise(7, 7), exercise(7, 9)]
ARRIVES = said("What is 6 times 7?", "What is 6 times 6?", "36.", "And six more?", "42.")
TOLD = said("What is 6 times 9?", "It is 54.", "Ah.")
BROKEN = said("What is 7 times 7?")
LOST = said("What is 7 times 9?", "What is 7 times 10?", "Hm.")
DIALOGUES = [
    Dialogue(id=SUMS[0].id, tutor="socratic", turns=ARRIVES, ended="arrived"),
    Dialogue(id=SUMS[1].id, tutor="socratic", turns=TOLD, ended="limit"),
    Dialogue(id=SUMS[2].id, tutor="socratic", turns=BROKEN, ended="failed", error="it is empty"),
    Dialogue(id=SUMS[3].id, tutor="socratic", turns=LOST, ended="limit"),
]


def attempts(*counts: tuple[int, int]) -> list[Attempts]:
    return [
        Attempts(id=one.id, read=read, right=right, failed=0)
        for one, (right, read) in zip(SUMS, counts, strict=True)
    ]


def value(found: Interval | None) -> float:
    assert found is not None
    return found.value


def test_shares_and_arrival_are_of_the_dialogues_that_did_not_break_off() -> None:
    found = measured(SUMS, DIALOGUES, seed=1)
    assert (found.tutor, found.failed) == ("socratic", 1)
    assert found.by_rule.dialogues == 3
    assert value(found.by_rule.asking) == 3 / 4
    assert value(found.by_rule.leaking) == 1 / 4
    assert found.arrived == wilson(1, 3)
    assert found.turns_to_answer == 2
    assert found.by_judge is None
    assert found.learned is None


def test_a_judge_stands_beside_the_rules() -> None:
    judged = [
        JudgedTurns(id="a", asks=(True, None), leaks=(False, False)),
        JudgedTurns(id="b", asks=(False,), leaks=(True,)),
        JudgedTurns(id="c", asks=(True,), leaks=(True,)),  # of the one that broke off
        JudgedTurns(id="d", asks=(None,), leaks=(False,)),
    ]
    found = measured(SUMS, DIALOGUES, 1, judged).by_judge
    assert found is not None
    assert value(found.asking) == 1 / 2
    assert value(found.leaking) == 1 / 4
    assert found.unreadable == 2


def test_a_judge_that_never_parses_measures_nothing() -> None:
    judged = [JudgedTurns(id="a", asks=(None,), leaks=(None,))] * 4
    found = measured(SUMS, DIALOGUES, 1, judged).by_judge
    assert found is not None
    assert (found.asking, found.leaking, found.unreadable) == (None, None, 6)


def test_what_was_learned_is_paired() -> None:
    before = attempts((0, 4), (1, 4), (4, 4), (0, 0))
    after = attempts((2, 4), (4, 4), (0, 4), (4, 4))
    found = measured(SUMS, DIALOGUES, 1, learned=(before, after)).learned
    assert found is not None
    assert value(found.before) == (0 + 1 / 4) / 2
    assert value(found.after) == (2 / 4 + 1) / 2
    assert value(found.delta) == (2 / 4 + 3 / 4) / 2
    assert found.unmeasured == 1


def test_nothing_was_measured() -> None:
    failed = [one.model_copy(update={"ended": "failed"}) for one in DIALOGUES]
    found = measured(SUMS, failed, 1, learned=(attempts(*[(0, 0)] * 4), attempts(*[(0, 0)] * 4)))
    assert (found.arrived, found.turns_to_answer, found.by_rule.asking) == (None, None, None)
    assert found.learned is not None
    assert found.learned.delta is None


def test_the_file_names_intervals(tmp_path: Path) -> None:
    found = measured(SUMS, DIALOGUES, seed=1)
    write_measures(tmp_path, Exercises(tuple(SUMS), 2, ("line 3: why",), unread=("a.bin: x",)), [found])
    data = json.loads((tmp_path / "measures.json").read_text())
    assert data["exercises"] == {
        "usable": 4,
        "repeats": 2,
        "known": 0,
        "failed": ["line 3: why"],
        "unread": ["a.bin: x"],
    }
    (tutor,) = data["tutors"]
    assert tutor["by_rule"]["asking"]["value"] == pytest.approx(0.75)
    assert tutor["by_rule"]["by_turn"][0]["number"] == 0
    assert tutor["learned"] is None
    assert plain((1, Interval(0.5, 0.1, 0.9))) == [1, {"value": 0.5, "low": 0.1, "high": 0.9}]
