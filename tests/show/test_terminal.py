"""The terminal summary says what the run says, whatever the run got to."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from selfstudy.show.terminal import print_summary
from selfstudy.summary import Summary

SUMMARY: dict[str, Any] = {
    "questions": 1200,
    "inconsistent": 310,
    "gaps": 300,
    "auroc": 0.987,
    "slc": 0.5,
    "before": {"gap_correct": 0.05, "known_correct": 0.99},
    "after": {"gap_correct": 0.95, "known_correct": 0.98},
    "verdicts": {"known": 900, "unknown": 300, "unsure": 0},
    "promoted": True,
    "reasons": ["Gaps rose [bold]a lot[/bold]."],
    "seconds": {"probe": 62.0, "teach": 5.04},
    "errors": {"probe": 3, "gather": 0},
    "skipped": 2,
}


def printed(summary: dict[str, Any]) -> str:
    console = Console(width=100, record=True, force_terminal=False)
    print_summary(Summary.model_validate(summary), console)
    return console.export_text()


def test_everything_important_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    seen = printed(SUMMARY)
    for part in (
        "rose from 5.0% to 95.0%",
        "1,200 questions · 310 inconsistent · 300 gaps",
        "AUROC 0.987",
        "900 known",
        "+90.0",
        "−1.0",
        "promoted",
        "[bold]a lot[/bold]",  # markup of others is text
        "probe 3",
        "library files not used: 2",
        "1 min 7 s (probe 1 min 2 s, teach 5.0 s)",
    ):
        assert part in seen
    assert "gather 0" not in seen


def test_a_run_that_was_not_promoted_and_one_that_is_empty() -> None:
    assert "not promoted" in printed(SUMMARY | {"promoted": False})
    assert "cannot tell, not promoted" in printed(SUMMARY | {"promoted": False, "verdict": "cannot tell"})
    assert "Nothing has been asked yet." in printed({})


def test_curiosity_of_a_sample_says_so() -> None:
    assert "curiosity 0.400 · brevity" in printed(SUMMARY | {"curiosity": 0.4, "brevity": 1.0})
    assert "curiosity 0.400 (of a sample of 5,000)" in printed(
        SUMMARY | {"curiosity": 0.4, "curiosity_of": 5000}
    )


def test_suites_are_shown_by_what_is_better_or_worse() -> None:
    from .test_suites import RESULT

    seen = printed(SUMMARY | {"suites": {"[b]qa": RESULT.model_dump(mode="json")}})
    assert "suite [b]qa" in seen
    assert "0.250  0.500  +0.250 (+0.050 to +0.450)  better  40" in seen
    assert "truthful " not in seen  # alone it says nothing
