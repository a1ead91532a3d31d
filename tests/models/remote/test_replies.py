"""What replies of servers say: texts, why they end, and thinking that is no answer."""

from __future__ import annotations

import math
from typing import Any

import pytest

from selfstudy.models.remote.replies import completions
from selfstudy.records import Completion

from .faulty_server import choice, reply

THOUGHT = "The user asks about Mali.\n\nBamako, I think."


def read(*arguments: Any, **message: Any) -> Completion:
    [found] = completions(reply(choice(*arguments, **message)))
    return found


@pytest.mark.parametrize(
    "reason",
    [
        None,
        "",
        "stop",
        "STOP",
        "eos",
        "eos_token",
        "end_turn",
        "stop_sequence",
        "COMPLETE",
        "completed",
        "FinishReason.STOP",
        "FINISH_REASON_STOP",
        "endoftext",
        "finished",
    ],
)
def test_reasons_of_a_text_that_ended_by_itself(reason: str | None) -> None:
    assert read("Bamako.", finish=reason).finish == "stop"


@pytest.mark.parametrize(
    "reason",
    [
        "length",
        "LENGTH",
        "max_tokens",
        "MAX_TOKENS",
        "model_length",
        "max_length",
        "FINISH_REASON_MAX_TOKENS",
        "FinishReason.LENGTH",
        "model_context_window_exceeded",
        "token_limit",
    ],
)
def test_reasons_of_a_text_that_was_cut(reason: str) -> None:
    assert read("Bama", finish=reason).finish == "length"


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("content_filter", "content filter"),
        ("SAFETY", "content filter"),
        ("RECITATION", "content filter"),
        ("PROHIBITED_CONTENT", "content filter"),
        ("tool_calls", "no text: it ended with 'tool_calls'"),
        ("function_call", "no text"),
        ("abort", "broke the answer off: it ended with 'abort'"),
        ("error", "broke the answer off"),
        ("OTHER", "ended with 'OTHER'"),
    ],
)
def test_reasons_of_what_is_no_answer(reason: str, said: str) -> None:
    found = read("Bamako.", finish=reason)
    assert (found.finish, found.text) == ("error", "")
    assert said in (found.error or "")


@pytest.mark.parametrize(
    "content",
    [
        f"<think>{THOUGHT}</think>Bamako.",
        f"{THOUGHT}\n</think>\n\nBamako.",
        f"[THINK]{THOUGHT}[/THINK]Bamako.",
    ],
)
def test_an_answer_comes_without_its_thinking(content: str) -> None:
    part = {"token": "a", "logprob": -1.0}
    [found] = completions(reply({**choice(content), "logprobs": {"content": [part] * 9}}))
    assert (found.text, found.finish, found.tokens) == ("Bamako.", "stop", 9)
    assert math.isnan(found.logprob)  # that of the thinking is in it
    [alone] = completions(reply({**choice("Bamako."), "logprobs": {"content": [part] * 2}}))
    assert alone.logprob == -2.0


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning", "thinking"])
def test_thinking_in_a_field_of_its_own(field: str) -> None:
    assert read("Bamako.", **{field: THOUGHT}).text == "Bamako."
    for empty in (None, ""):
        found = read(empty, finish="stop", **{field: THOUGHT})
        assert "all tokens went into reasoning" in (found.error or "")


def test_thinking_as_a_part_of_its_own() -> None:
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": THOUGHT}]}]
    parts += [{"type": "reasoning", "text": THOUGHT}, {"type": "text", "text": "Bamako."}]
    message = {"role": "assistant", "content": parts}
    [found] = completions(reply({"index": 0, "message": message, "finish_reason": "stop"}))
    assert found.text == "Bamako."


@pytest.mark.parametrize("content", [f"<think>{THOUGHT}", f"<|begin_of_thought|>{THOUGHT}", ""])
def test_thinking_that_uses_up_all_tokens_is_an_error(content: str) -> None:
    found = read(content, finish="length")
    assert (found.finish, found.text) == ("error", "")
    assert "raise max_new_tokens, or switch thinking off" in (found.error or "")


def test_a_stop_string_inside_the_thinking_cuts_no_answer() -> None:
    [found] = completions(reply(choice("<think>Hm.\nYes.</think>Bamako.\nNo.")), stop=("\n",))
    assert found.text == "Bamako."
