"""Which word a reply chooses."""

from __future__ import annotations

import pytest

from selfstudy.judging.choices import chosen


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("yes", "yes"),
        ("No.", "no"),
        ("**Yes**, it does.", "yes"),
        ("The answer is: no", "no"),
        ("It is not supported, no", None),
        ("I cannot say yes", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_only_the_beginning_of_a_reply_counts(reply: str, expected: str | None) -> None:
    assert chosen(reply, {"yes", "no"}) == expected
