"""Replies that are no answer."""

from __future__ import annotations

import pytest

from selfstudy.library.services.replies import NoReply, object_in
from selfstudy.library.web.fetched import NotFetched, WhyNot


@pytest.mark.parametrize(
    ("why", "detail", "kind", "hint"),
    [
        ("status", "HTTP 404", "refused", "url"),
        ("status", "HTTP 402", "quota", "plan"),
        ("status", "HTTP 503", "broken", "later"),
        ("limit", "HTTP 429: a.example still asks to wait", "quota", "wait"),
        ("time", "no time was left for a.example", "unreachable", "network"),
        ("connection", "a.example: connection refused", "unreachable", "network"),
        ("address", "a.example is at 10.0.0.1", "refused", "allow_hosts"),
        ("not kept", "nothing is fetched offline", "refused", "offline"),
        ("tls", "no trust", "refused", "url"),
        ("size", "more than 10 bytes", "refused", "url"),
    ],
)
def test_why_nothing_was_fetched_and_what_to_do(why: WhyNot, detail: str, kind: str, hint: str) -> None:
    found = object_in("brave", NotFetched("https://a.example/", why, detail))
    assert isinstance(found, NoReply)
    assert (found.kind, hint in found.hint) == (kind, True)
    assert found.message.startswith("brave: ")
    assert found.lasting == (kind in ("quota", "refused"))
    assert found.message.count("HTTP") <= 1
