"""Adapters and their router as texts."""

from __future__ import annotations

from selfstudy.show.routing import HEADINGS, calibrated, context, shown_adapters
from selfstudy.summary.model import RoutedAdapter, Routing
from selfstudy.verify.routes import RoutedShares

SHARES = RoutedShares(asked=4, own=0.75, other=0.25, others_asked=10, false_activation=0.1)
ROUTING = Routing(
    method="nearest",
    calibration={"calibrating": 40, "false_activation": 0.02, "false_activation_upper": 0.09, "bound": 0.05},
    adapters=(
        RoutedAdapter(name="eu-1", group="eu", round=2, questions=1200, sources=3, shares=SHARES),
        RoutedAdapter(name="am-2", group="am", round=1, questions=1, sources=1, threshold=0.5),
    ),
)


def test_a_figure_for_each_heading_and_a_dash_where_nothing_was_measured() -> None:
    first, second = shown_adapters(ROUTING)
    assert len(first.figures) == len(second.figures) == len(HEADINGS) - 1
    assert first.figures == ("2", "1,200", "3", "–", "75.0%", "–", "25.0%", "10.0%")
    assert second.figures == ("1", "1", "1", "0.500", "–", "–", "–", "–")


def test_what_a_page_is_given() -> None:
    found = context(ROUTING)
    assert (found["routed_gaps"], found["routed_others"]) == (4, 10)
    assert context(None) == {"adapters": []}


def test_calibration_in_words_with_what_it_cannot_prove() -> None:
    assert calibrated(ROUTING) == [
        "of 40 known and unrelated questions adapters answered 2.0% (at most 9.0%, allowed 5.0%; too few to "
        "be sure)"
    ]
    assert calibrated(ROUTING.model_copy(update={"calibration": {}})) == []
