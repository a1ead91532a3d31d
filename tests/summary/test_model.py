"""A summary is read by attribute or by name, cannot be changed, and comes back from its file."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from selfstudy.summary import Summary


def test_it_comes_back_from_json() -> None:
    summary = Summary.model_validate({"before": {"gap_correct": 0.1}, "auroc_interval": [0.8, 0.9]})
    data = json.dumps(summary.to_dict())
    assert Summary.model_validate_json(data) == summary
    assert "control" not in summary.to_dict()  # no such arm was asked
    assert summary.to_dict()["auroc"] is None  # what was not measured says so


def test_it_is_read_by_name_too_and_cannot_be_changed() -> None:
    summary = Summary(questions=3)
    assert summary["questions"] == summary.questions == 3
    assert summary["after"]["gap_correct"] is None
    with pytest.raises(KeyError):
        summary["gapz"]
    with pytest.raises(ValidationError):
        summary.questions = 4  # type: ignore[misc]
    with pytest.raises(ValidationError):
        Summary.model_validate({"gapz": 1})
