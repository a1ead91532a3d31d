"""The body of a request: what is read, what is refused, and that nothing of it comes back."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfstudy.records import Message
from selfstudy.serve import asked
from selfstudy.serve.api_error import ApiError
from selfstudy.serve.limits import RequestLimits

LIMITS = RequestLimits(messages=4, new_tokens=100, n=4, stops=2, stop=10, top=5)
HELLO = [{"role": "user", "content": "hello"}]


def read(**fields: Any) -> asked.AskedChat:
    return asked.read(json.dumps({"messages": HELLO, **fields}).encode(), LIMITS)


def refused(**fields: Any) -> ApiError:
    with pytest.raises(ApiError) as told:
        read(**fields)
    assert told.value.status == 400
    return told.value


def test_a_plain_request_has_the_defaults_of_openai() -> None:
    found = read()
    assert found.chat == (Message(role="user", content="hello"),)
    assert (found.n, found.temperature, found.top_p, found.stop, found.seed) == (1, 1.0, 1.0, (), None)
    assert (found.model, found.new_tokens, found.streams, found.logprobs) == ("", 100, False, False)


def test_all_fields_are_read() -> None:
    found = read(
        model="routed",
        messages=[
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "What"}, {"type": "text", "text": "now?"}]},
        ],
        n=2,
        temperature=0,
        top_p=0.5,
        max_tokens=7,
        max_completion_tokens=9,
        stop="end",
        seed=-3,
        stream=True,
        stream_options={"include_usage": True},
        logprobs=True,
        top_logprobs=2,
        user="somebody",
        metadata={"any": "thing"},
        presence_penalty=0,
        response_format={"type": "text"},
        selfstudy=True,
    )
    assert found == asked.AskedChat(
        model="routed",
        chat=(Message(role="system", content="Be brief."), Message(role="user", content="What\nnow?")),
        n=2,
        temperature=0.0,
        top_p=0.5,
        new_tokens=9,
        stop=("end",),
        seed=-3,
        streams=True,
        includes_usage=True,
        logprobs=True,
        top=2,
        explains=True,
    )
    assert found.question == "What\nnow?"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": HELLO * 5}, "messages"),
        ({"messages": [{"role": "assistant", "content": "hi"}]}, "messages"),
        ({"messages": [*HELLO, {"role": "assistant", "content": "hi"}]}, "messages"),
        ({"messages": [{"role": "tool", "content": "hi"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": None}]}, "messages.0.content.str"),
        ({"n": 0}, "n"),
        ({"n": 5}, "n"),
        ({"n": "2"}, "n"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": 2.1}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"max_tokens": 101}, "max_tokens"),
        ({"max_completion_tokens": 101}, "max_completion_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stop": ["a", "b", "c"]}, "stop"),
        ({"stop": [""]}, "stop"),
        ({"stop": "x" * 11}, "stop"),
        ({"seed": 2**63}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 6}, "top_logprobs"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"logit_bias": {"5": 1}}, "logit_bias"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"response_format": {"type": "json_object"}}, "response_format.type"),
        ({"functions": []}, "functions"),
        ({"model": "x" * 301}, "model"),
    ],
)
def test_what_cannot_be_done_is_refused_by_its_name(fields: dict[str, Any], param: str) -> None:
    error = refused(**fields)
    assert error.param == param
    assert error.code is not None or param == "messages"


def test_a_temperature_by_which_nothing_can_be_divided_is_greedy() -> None:
    assert read(temperature=1e-320).temperature == 0
    assert read(temperature=0.001).temperature == 0.001


def test_a_picture_is_refused() -> None:
    parts = [{"type": "image_url", "image_url": {"url": "https://example.com/secret.png"}}]
    error = refused(messages=[{"role": "user", "content": parts}])
    assert "secret.png" not in json.dumps(error.body)


@pytest.mark.parametrize(
    "body",
    [
        '{"messages": [' + ",".join(["{}"] * 150_000) + "]}",
        '{"messages": [{"role": "user", "content": [' + ",".join(["1"] * 150_000) + "]}]}",
        '{"messages": [{"role": "user", "content": "x"}], "stop": [' + ",".join(["1"] * 150_000) + "]}",
        '{"messages": [{"role": "user", "content": "x"}], '
        + ",".join(f'"{at}":0' for at in range(60_000))
        + "}",
        '{"messages": [{"role": "user", ' + ",".join(f'"{at}":0' for at in range(60_000)) + "}]}",
        '{"messages": [{"role": "user", "content": "x"}], "logit_bias": {'
        + ",".join(f'"{at}":""' for at in range(60_000))
        + "}}",
    ],
    ids=["turns", "parts", "stops", "fields", "fields of a turn", "bias"],
)
def test_a_body_that_is_wrong_in_thousands_of_places_is_refused_at_once(body: str) -> None:
    began = time.process_time()
    with pytest.raises(ApiError):
        asked.read(body.encode(), LIMITS)
    assert time.process_time() - began < 2.0  # it was minutes, in which nobody else was answered


def test_no_message_repeats_what_was_sent() -> None:
    error = refused(temperature="sk-0123456789abcdef0123", **{"x" * 5000: 1})
    assert len(json.dumps(error.body)) < 400
    assert "sk-0123456789" not in json.dumps(error.body)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_refused(body: bytes) -> None:
    with pytest.raises(ApiError):
        asked.read(body, LIMITS)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(sorted(asked.ChatRequest.model_fields)), VALUES, max_size=4))
def test_any_values_are_a_request_or_refused(fields: dict[str, Any]) -> None:
    try:
        found = read(**fields)
    except ApiError:
        return
    assert found.n <= LIMITS.n
    assert found.new_tokens <= LIMITS.new_tokens
