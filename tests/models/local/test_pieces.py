"""The pieces of a text are the text."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfstudy.models.local.chat_format import ChatFormat
from selfstudy.models.local.pieces import Growing, alternative, pieces
from tests.conftest import TEMPLATE, make_tokenizer

FORMAT = ChatFormat(make_tokenizer(TEMPLATE))


@settings(max_examples=40)
@given(st.text(max_size=60))
def test_together_they_are_the_text(text: str) -> None:
    (tokens,) = FORMAT.encode_answers([text])
    found = pieces(FORMAT, tokens)
    assert len(found) == len(tokens)
    assert "".join(found) == FORMAT.decode(tokens).strip()


@settings(max_examples=40)
@given(st.text(max_size=60))
def test_a_growing_text_is_what_all_of_its_tokens_say(text: str) -> None:
    (tokens,) = FORMAT.encode_answers([text])
    read = 0

    def decode(some: Sequence[int]) -> str:
        nonlocal read
        read += len(some)
        return FORMAT.decode(some)

    growing = Growing(decode)
    for at in range(len(tokens) + 1):
        assert growing.of(tokens[:at]) == FORMAT.decode(tokens[:at])
    assert read <= 12 * len(tokens)
    assert growing.of(tokens[:1]) == FORMAT.decode(tokens[:1])


def test_a_character_of_several_tokens_comes_with_the_last() -> None:
    (tokens,) = FORMAT.encode_answers(["a 中b"])
    assert pieces(FORMAT, tokens)[-4:] == ["", "", "中", "b"]


def test_tokens_that_are_no_text_do_not_wait_for_ever() -> None:
    (tokens,) = FORMAT.encode_answers(["中"])
    found = pieces(FORMAT, tokens[:1] * 40)
    assert sum(map(len, found)) == 40
    assert found[-1]


@pytest.mark.parametrize(("text", "shown"), [(" is", " is"), ("<|end|>", "<|end|>")])
def test_another_token_behind_one(text: str, shown: str) -> None:
    before, token = (FORMAT.encode_answers([one])[0][-1] for one in ("Paris", text))
    assert alternative(FORMAT, before, token) == shown
