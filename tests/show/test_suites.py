"""Suites as rows of texts: what was not measured says nothing, what failed is said."""

from __future__ import annotations

from selfstudy.show.suites import between, number, shown_suite, shown_suites, signed
from selfstudy.verify.suites.figures import SuiteFigure, SuiteResult

RESULT = SuiteResult(
    figures={
        "mc1": SuiteFigure(
            better="higher",
            main=True,
            explanation="the one <true> answer",
            before=0.25,
            after=0.5,
            before_interval=(0.1, 0.4),
            after_interval=(0.3, 0.7),
            difference=0.25,
            low=0.05,
            high=0.45,
            n=40,
            units=40,
            failed_after=2,
            missing_before=1,
            missing_after=1,
        ),
        "truthful": SuiteFigure(
            better="neither", before=1.0, after=0.5, difference=-0.5, low=-0.6, high=-0.4
        ),
        "none": SuiteFigure(better="higher"),
    },
    asked_before=42,
    asked_after=42,
    failed_after=2,
    error="gone",
    margin=0.02,
    notes=("Judge: somebody.",),
)


def test_a_figure_says_both_arms_the_difference_and_what_was_left_out() -> None:
    shown = shown_suite("truthfulqa", RESULT)
    mc1, truthful, none = shown.figures
    assert (mc1.before, mc1.after, mc1.difference, mc1.interval) == (
        "0.250",
        "0.500",
        "+0.250",
        "+0.050 to +0.450",
    )
    assert (mc1.before_interval, mc1.word, mc1.n) == ("0.100 to 0.400", "better", "40")
    assert mc1.left_out == "0 and 2 failed, 1 missing"
    assert (truthful.word, truthful.judged, truthful.difference) == ("", False, "−0.500")
    assert (none.before, none.after, none.difference, none.interval, none.left_out) == ("–", "–", "", "", "")
    assert shown.decides == "Promotion asks that mc1 gets worse by at most 0.02"
    assert shown.trouble == "2 of 42 items failed, most of them like this: gone"
    assert shown.both


def test_one_model_alone_and_one_that_could_not_be_asked() -> None:
    alone = RESULT.model_copy(update={"asked_after": 0, "margin": None, "failed_after": 0})
    shown = shown_suite("x", alone)
    assert (shown.both, shown.decides, shown.trouble) == (False, "", "")
    failed = SuiteResult(figures={"f1": SuiteFigure(better="higher", failed_before=3)}, asked_before=3)
    assert shown_suite("x", failed).figures[0].left_out == "3 failed"  # nobody else was asked
    missing = shown_suite("x", SuiteResult(unmeasured="no log-probabilities"))
    assert missing.trouble == "not measured: no log-probabilities"
    assert shown_suites({}) == []


def test_numbers_of_any_size() -> None:
    assert (number(None), number(0.12345), number(1732.4), number(1e300)) == ("–", "0.123", "1732", "1e+300")
    assert (signed(-0.5), signed(None), signed(-12345.6)) == ("−0.500", "–", "−1.235e+04")
    assert between((0.0, 1.0)) == "0.000 to 1.000"
    assert between(None) == ""
