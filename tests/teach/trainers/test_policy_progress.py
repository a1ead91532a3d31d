"""What a person is told of a training on rewarded answers."""

from __future__ import annotations

import pytest

from selfstudy.teach.trainers.policy_progress import PolicyProgress

SECONDS = {"generating": 1.0, "updating": 2.25}


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "8 answers; generating 1.0 s, updating 2.2 s"),
        (
            {"lost": 2, "problem": "too long"},
            "8 answers, 2 lost (too long); generating 1.0 s, updating 2.2 s",
        ),
        (
            {"start": 0.1, "best": 0.25, "best_step": 4},
            "8 answers; generating 1.0 s, updating 2.2 s; best weights: after step 4, mean reward +0.250; "
            "at the start +0.100",
        ),
        (
            {"best": -0.5},
            "8 answers; generating 1.0 s, updating 2.2 s; best weights: those it began with, "
            "mean reward -0.500",
        ),
    ],
)
def test_it_is_told_in_one_line(fields: dict[str, object], told: str) -> None:
    one = PolicyProgress.model_validate({"answers": 8, "seconds": SECONDS} | fields)
    assert one.told == told
    assert PolicyProgress.model_validate_json(one.model_dump_json()) == one
