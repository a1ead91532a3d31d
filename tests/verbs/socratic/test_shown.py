"""What a person reads of measures."""

from __future__ import annotations

from dataclasses import replace

from selfstudy.verbs.intervals import NOT_MEASURED
from selfstudy.verbs.socratic.measures import Learned, measured
from selfstudy.verbs.socratic.shown import by_rule, lines
from selfstudy.verify.dialogues import figures
from tests.verbs.socratic.test_measures import ARRIVES, DIALOGUES, SUMS


def test_what_was_not_measured_says_so() -> None:
    found = dict(by_rule(figures([ARRIVES], [None], 1)))
    assert found["leaking, share of turns"] == NOT_MEASURED
    assert found["    turn 1"] == f"1.000 ask, {NOT_MEASURED} (1 turns)"
    assert dict(by_rule(figures([], [], 1)))["asking, share of turns"] == NOT_MEASURED


def test_tutors_stand_side_by_side() -> None:
    one = measured(SUMS, DIALOGUES, 1)
    other = replace(one, tutor="silent", failed=3, learned=Learned(None, None, None, 4))
    table = dict(lines([one, other]))
    assert table["broke off"] == ["1", "3"]
    assert table["asking, share of turns"][0].startswith("0.750 (")
    assert table["delta"] == ["", NOT_MEASURED]
    assert table["    without attempts"] == ["", "4"]
