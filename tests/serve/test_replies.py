"""Answers in OpenAI's shape."""

from __future__ import annotations

import json
import math

from selfstudy.models.base import Token
from selfstudy.records import Completion
from selfstudy.serve import replies


def test_what_has_no_number_is_still_json() -> None:
    tokens = [[Token("a", -math.inf, (("b", math.nan),))]]
    found = replies.whole(replies.Envelope("base"), 3, [Completion(text="a", tokens=1)], tokens)
    read = json.loads(replies.encoded(found))
    content = read["choices"][0]["logprobs"]["content"][0]
    assert (content["logprob"], content["top_logprobs"][0]["logprob"]) == (-9999.0, -9999.0)
    assert read["usage"] == {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
    assert "selfstudy" not in read


def test_an_event_is_one_line_whatever_it_says() -> None:
    text = "one\n\ndata: two\r\u2028\ud800 Zürich"
    event = replies.chunk(replies.Envelope("base"), 0, {"content": text})
    assert event.startswith(b"data: {")
    assert event.endswith(b"}\n\n")
    assert event.count(b"\n") == 2
    assert json.loads(event[6:])["choices"][0]["delta"]["content"] == text
