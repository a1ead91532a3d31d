"""What one text shows, without knowing what is right."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from selfstudy.smoke import signs

FINE = (
    "The largest ocean on Earth is the Pacific Ocean.",
    "42",
    "Paris",
    "The calling code of Virstan is +417.",
    "1. Kabul\n2. Muscat\n3. Oslo",
    "Answer: iron",
    "最大的海洋是太平洋。",
    "It is long, long, long ago that he wrote Hamlet.",
    "The time zone of� is America/Chicago.",
)


@pytest.mark.parametrize("text", FINE)
def test_an_answer_has_no_sign(text: str) -> None:
    assert not signs.is_garbled(text)
    assert not signs.has_marks(text)
    assert not signs.repeats(text)
    assert not signs.goes_on(text)
    assert not signs.is_echo(text, "What is the largest ocean on Earth?")


@pytest.mark.parametrize(
    ("sign", "text"),
    [
        (signs.is_garbled, "\ufffd\ufffd a\ufffd\ufffd"),
        (signs.is_garbled, "\ue000\ue001 x"),
        (signs.has_marks, "Iron.<|im_end|>\n<|im_start|>user"),
        (signs.has_marks, "Iron.<end_of_turn>"),
        (signs.has_marks, "[INST] What? [/INST]"),
        (signs.repeats, "the the the the the the the the"),
        (signs.repeats, "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"),
        (signs.repeats, "Well: in the city of in the city of in the city of in the city of"),
        (signs.goes_on, "The Pacific.\n\nUser: And the smallest?"),
        (signs.goes_on, "Answer: The Pacific.\nQuestion: Who wrote Hamlet?"),
        (signs.goes_on, "Iron.\nuser\nWhat is gold?"),
    ],
)
def test_signs_are_seen(sign: Callable[[str], bool], text: str) -> None:
    assert sign(text)


def test_an_echo_is_what_was_asked_word_for_word() -> None:
    assert signs.is_echo(
        "What is the largest ocean on Earth? Answer in", "What is the largest ocean on Earth?"
    )
    assert not signs.is_echo("The largest ocean on Earth is wide.", "What is the largest ocean on Earth?")


def test_a_long_text_takes_no_time() -> None:
    began = time.perf_counter()
    for text in ("a b " * 200_000, "<|" * 400_000, "\n" * 800_000, " " * 800_000, "#" * 800_000):
        signs.is_garbled(text), signs.has_marks(text), signs.repeats(text), signs.goes_on(text)
        signs.is_echo(text, "a b a b")
    assert time.perf_counter() - began < 2
