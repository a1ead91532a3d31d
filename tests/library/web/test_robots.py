from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfstudy.library.web.exchange import Reply
from selfstudy.library.web.fetched import RefusedError
from selfstudy.library.web.robots import LARGEST, Robots, parsed
from selfstudy.library.web.web_url import WebURL

RULES = b"""\xef\xbb\xbfUser-agent: *
Disallow: /private
Allow: /private/but-open
Disallow: /*.gif$
Crawl-delay: 7
"""


def why_not(path: str, answer: Reply | RefusedError, asked: list[str] | None = None) -> str:
    def fetch(url: WebURL, trusted: bool) -> Reply:
        if asked is not None:
            asked.append(url.text)
        if isinstance(answer, RefusedError):
            raise answer
        return answer

    robots = Robots(fetch, lambda *_: None)
    try:
        robots.check(WebURL.of(f"http://a.test{path}"), False)
        robots.check(WebURL.of(f"http://a.test{path}"), False)
    except RefusedError as error:
        return error.why
    return ""


def test_its_rules_are_kept() -> None:
    reply = Reply(200, [], RULES)
    assert why_not("/page", reply) == ""
    assert why_not("/private/x", reply) == "robots"
    assert why_not("/private/but-open/x", reply) == ""
    assert why_not("/x.gif", reply) == "robots"


def test_rules_for_us_go_before_those_for_all() -> None:
    reply = Reply(200, [], b"User-agent: Selfstudy\nDisallow: /a\n\nUser-agent: *\nDisallow: /\n")
    assert why_not("/b", reply) == ""
    assert why_not("/a", reply) == "robots"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Reply(404, [], b""), ""),
        (Reply(403, [], b""), ""),
        (Reply(204, [], b""), ""),
        (Reply(200, [], b"<html>no rules</html>"), ""),
        (Reply(429, [], b""), "robots"),
        (Reply(500, [], b""), "robots"),
        (Reply(503, [], b""), "robots"),
        (RefusedError("time", "slow"), "time"),
        (RefusedError("tls", "self-signed"), "tls"),
        (RefusedError("connection", "closed"), "connection"),
        (RefusedError("redirects", "a circle"), "robots"),
        (RefusedError("scheme", "file:"), "robots"),
    ],
)
def test_none_allows_and_one_that_cannot_be_had_forbids(answer: Reply | RefusedError, why: str) -> None:
    assert why_not("/page", answer) == why


def test_it_is_asked_for_once() -> None:
    asked: list[str] = []
    why_not("/page", Reply(200, [], RULES), asked)
    assert asked == ["http://a.test/robots.txt"]


def test_the_host_is_slowed_down() -> None:
    told: list[tuple[str, float]] = []
    robots = Robots(lambda *_: Reply(200, [], RULES), lambda *what: told.append(what))
    robots.check(WebURL.of("http://a.test/"), False)
    assert told == [("a.test", 7.0)]


def test_millions_of_rules_forbid_everything_at_once() -> None:
    agents = b"".join(b"User-agent: a%d\n" % number for number in range(9000))
    start = time.monotonic()
    assert why_not("/page", Reply(200, [], agents + b"Disallow: /x\n" * 9000)) == "robots"
    assert time.monotonic() - start < 5
    assert (
        why_not("/page", Reply(200, [], b"#" + b"x" * 2 * LARGEST + b"\nUser-agent: *\nDisallow: /\n")) == ""
    )


def test_not_all_that_were_ever_read_are_held() -> None:
    asked: list[str] = []

    def fetch(url: WebURL, trusted: bool) -> Reply:
        asked.append(url.host)
        return Reply(200, [], b"#" * LARGEST)

    robots = Robots(fetch, lambda *_: None)
    for _ in range(2):
        for number in range(20):
            robots.check(WebURL.of(f"http://a{number}.test/"), False)
            robots.check(WebURL.of(f"http://a{number}.test/"), False)
    assert len(asked) == 40
    robots.check(WebURL.of("http://a15.test/"), False)
    assert len(asked) == 40


@given(st.binary(max_size=300))
def test_any_bytes_are_rules(body: bytes) -> None:
    parsed(b"User-agent: *\n" + body).can_fetch("http://a.test/x", "selfstudy")
