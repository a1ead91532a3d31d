"""A line of the log of requests: what writes it and what reads it agree."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from selfstudy.run.request_log import RequestLine

LINE = RequestLine(
    time=1.5,
    model="routed",
    adapter="fiji-0123abcd",
    question="What?",
    answer="That.",
    finish="stop",
    prompt_tokens=3,
    completion_tokens=2,
)


def test_a_line_comes_back_as_it_was_written() -> None:
    assert RequestLine.model_validate_json(LINE.model_dump_json()) == LINE


def test_fields_of_a_later_version_are_left_alone_and_missing_ones_are_not_made_up() -> None:
    later = LINE.model_dump() | {"rating": 5}
    assert RequestLine.model_validate(later) == LINE
    with pytest.raises(ValidationError, match="question"):
        RequestLine.model_validate({key: value for key, value in later.items() if key != "question"})


@pytest.mark.parametrize("time", [-1.0, float("nan"), float("inf")])
def test_a_time_is_one(time: float) -> None:
    with pytest.raises(ValidationError, match="time"):
        RequestLine.model_validate(LINE.model_dump() | {"time": time})
