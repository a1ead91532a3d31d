"""Numbers and outcomes in plain words."""

from __future__ import annotations

from typing import Any

import pytest

from selfstudy.progress import duration
from selfstudy.show.words import headline, percent, points_of_percent, story
from selfstudy.summary import Summary

from .test_terminal import SUMMARY


def test_words() -> None:
    assert [duration(s) for s in (0.04, 9.99, 59.4, 61, 3700)] == [
        "0.0 s",
        "10.0 s",
        "59 s",
        "1 min 1 s",
        "1 h 1 min",
    ]
    assert percent(None) == "–"
    assert percent(0.0834) == "8.3%"
    assert points_of_percent(-0.0834) == "−8.3"


def test_the_story_tells_what_was_measured() -> None:
    hallucination = {"before": {"gap_hallucination": 0.8}, "after": {"gap_hallucination": 0.1}}
    assert story(Summary.model_validate(SUMMARY)).endswith(
        "After teaching, correct answers to what it already knew went from 99.0% to 98.0%."
    )
    assert story(Summary.model_validate(SUMMARY | hallucination)).endswith(
        "After teaching, the hallucination score on gaps went from 0.80 to 0.10."
    )
    both = {side: {**SUMMARY[side], **figures} for side, figures in hallucination.items()}
    assert "0.80 to 0.10, and correct answers" in story(Summary.model_validate(SUMMARY | both))
    general = {arm: {"general_correct": share} for arm, share in (("before", 0.5), ("after", 0.51))}
    assert "general questions went from 50.0% to 51.0%" in story(Summary.model_validate(SUMMARY | general))
    assert "several times each" not in story(Summary.model_validate(SUMMARY | {"samples_drawn": 0}))
    assert "several times each" in story(Summary.model_validate(SUMMARY | {"samples_drawn": 10}))
    assert "After teaching" not in story(Summary.model_validate(SUMMARY | {"after": {}}))


def test_the_headline_names_the_round_if_there_are_several() -> None:
    assert headline(Summary.model_validate(SUMMARY | {"rounds": 3, "round": 2})).startswith(
        "In round 2, correct answers"
    )
    assert headline(Summary.model_validate(SUMMARY | {"rounds": 1, "round": 1})).startswith("Correct answers")


def test_the_headline_says_when_chance_explains_it() -> None:
    gain = {"before": 0.0, "after": 0.1, "difference": 0.1, "low": 0.0, "high": 0.3}
    gain |= {"p": 1.0, "lost": 0, "won": 1, "n": 11, "facts": 11}
    said = SUMMARY | {"before": {"gap_correct": 0.0}, "after": {"gap_correct": 0.1}, "gains": {"gap": gain}}
    assert headline(Summary.model_validate(said)).endswith("to 10.0%; it may be no change at all.")
    said["gains"] = {"gap": gain | {"low": 0.05, "p": 0.001}}
    assert headline(Summary.model_validate(said)).endswith("to 10.0%.")


@pytest.mark.parametrize(
    ("summary", "sentence"),
    [
        ({"questions": 9, "samples_drawn": 90, "inconsistent": 0}, "answered all 9 questions consistently"),
        ({"questions": 9, "samples_drawn": 90, "inconsistent": 4}, "cannot answer 4 of them"),
        ({"questions": 9, "inconsistent": 0}, "was sure of its answers"),
        ({"questions": 9, "inconsistent": 4}, "is not sure of its answers to 4 of them"),
        (
            {"questions": 9, "gaps": 4, "before": {"gap_correct": 0.5}, "after": {"gap_correct": 0.2}},
            "fell from",
        ),
        (
            {"questions": 9, "gaps": 4, "before": {"gap_correct": 0.5}, "after": {"gap_correct": 0.5}},
            "stayed at",
        ),
    ],
)
def test_the_headline_fits_how_far_the_run_got(summary: dict[str, Any], sentence: str) -> None:
    assert sentence in headline(Summary.model_validate(summary))
