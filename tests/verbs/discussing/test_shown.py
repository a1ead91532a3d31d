"""What a person reads."""

from __future__ import annotations

from selfstudy.verbs.discussing.measures import measured
from selfstudy.verbs.discussing.shown import by_model, of_both
from selfstudy.verbs.intervals import NOT_MEASURED
from tests.verbs.discussing.experts import broken, ended


def test_a_cell_for_each_model() -> None:
    found = measured([ended(0, 7, None), broken()], seed=0)
    lines = dict(by_model(found))
    assert lines["rating from the other, 1 to 10"] == ["7.000 (7.000 to 7.000)", NOT_MEASURED]
    assert lines["    rating not readable"] == ["0", "1"]
    assert dict(of_both(found))["discussions, broke off"] == "2, 1"
    assert dict(of_both(found))["ties in reward"] == NOT_MEASURED
