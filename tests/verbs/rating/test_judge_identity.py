"""What tells one judge from another; that it decides what is asked again: tests/verbs/test_rate.py."""

from __future__ import annotations

import pytest

from selfstudy.recipe import RemoteModel
from selfstudy.verbs.rating.judge_identity import identity

JUDGE = RemoteModel(base_url="http://localhost:9/v1", model="m")


@pytest.mark.parametrize(
    "changed", [{"model": "n"}, {"base_url": "http://localhost:8/v1"}, {"base_url": "http://127.0.0.1:9/v1"}]
)
def test_another_model_or_place_is_another_judge(changed: dict[str, str]) -> None:
    assert identity(JUDGE) != identity(JUDGE.model_copy(update=changed))


@pytest.mark.parametrize("changed", [{"concurrency": 2}, {"read_timeout": 5.0}])
def test_how_it_is_reached_tells_nothing(changed: dict[str, float]) -> None:
    assert identity(JUDGE) == identity(JUDGE.model_copy(update=changed))
