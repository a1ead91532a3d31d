from __future__ import annotations

from typing import Any

import pytest

from selfstudy.files.rows import MalformedError, list_in_text
from selfstudy.judging.rubric_columns import claims_in


@pytest.mark.parametrize(
    ("row", "claims"),
    [
        ({"gold": ["So.", " "], "claims": None}, [["So."], [], []]),
        ({"reference": "So. And then."}, [["So.", "And then."], [], []]),
        (
            {"gold": "So.", "reference": ["Then."], "evidence": '["a", "b"]'},
            [["So.", "Then."], ["a", "b"], []],
        ),
        ({"contradictions": ["No."], "other": 3}, [[], [], ["No."]]),
        ({}, [[], [], []]),
    ],
)
def test_claims_of_each_kind(row: dict[str, Any], claims: list[list[str]]) -> None:
    assert claims_in(row) == claims


@pytest.mark.parametrize("value", [3, ["So.", 3], {"a": "b"}])
def test_what_is_no_text_is_refused_by_name(value: object) -> None:
    with pytest.raises(MalformedError, match="gold"):
        claims_in({"gold": value})


def test_a_list_in_a_table() -> None:
    assert list_in_text('["a"]') == ["a"]
    assert list_in_text("[a") == "[a"
    assert list_in_text("[" * 100_000) == "[" * 100_000
    assert list_in_text(3) == 3
