from __future__ import annotations

import hashlib

import pytest

from selfstudy.library.web.exchange import AT, Reply
from selfstudy.library.web.fetched import RefusedError
from selfstudy.library.web.request import WebRequest
from selfstudy.library.web.web_url import WebURL

KEY = "k3y-of-a-search-engine"


def asked(url: str = "https://api.test/search?lang=en") -> WebRequest:
    return WebRequest.of(url, {"q": "a b&c", "api_key": KEY}, {"Accept": "application/json"})


def reply(body: bytes = b"{}", kind: str = "application/json", status: int = 200) -> Reply:
    return Reply(status, [("content-type", kind), (AT, "2026-11-28T17:20:00Z")], body)


def test_what_is_sent_and_what_is_said() -> None:
    question = asked()
    assert question.url.text == f"https://api.test/search?lang=en&q=a+b%26c&api_key={KEY}"
    assert question.public == "https://api.test/search?lang=en&q=a+b%26c"
    assert question.keyed
    assert KEY not in repr(question.headers)
    plain = WebRequest.of("http://a.test", {}, {"Accept": "x"})
    assert (plain.url.text, plain.public, plain.keyed) == ("http://a.test/", "http://a.test/", False)
    assert WebRequest.of(f"http://a.test?key={KEY}", {}, {}).public == "http://a.test/"


def test_a_reply_is_rid_of_the_key() -> None:
    in_header = WebRequest.of("https://api.test/", {}, {"Authorization": f"Bearer {KEY}"})
    for question in (asked(), in_header):
        body = f"you are {KEY}, größer".encode()
        found = question.answered(question.url, reply(body, f"application/json; key={KEY}"))
        assert found.body == "you are [key], größer".encode()
        assert KEY not in found.content_type
        assert found.sha256 == hashlib.sha256(found.body).hexdigest()
        assert found.at == "2026-11-28T17:20:00Z"
        assert KEY not in question.answered(WebURL.of(f"https://b.test/{KEY}"), reply()).final_url


def test_any_byte_of_a_reply_stays() -> None:
    body = bytes(range(1, 256)) * 3
    assert asked().answered(asked().url, reply(body)).body == body


@pytest.mark.parametrize(
    ("status", "kind", "body", "why"),
    [
        (404, "text/html", b"", "status"),
        (304, "", b"", "status"),
        (200, "image/png", b"", "type"),
        (200, "", b"\0\1", "type"),
    ],
)
def test_replies_that_are_no_page(status: int, kind: str, body: bytes, why: str) -> None:
    with pytest.raises(RefusedError) as error:
        asked().answered(asked().url, reply(body, kind, status))
    assert error.value.why == why


def test_a_key_stays_at_its_origin() -> None:
    question = WebRequest.of("https://api.test/", {}, {"X-Subscription-Token": KEY})
    assert question.redirected("/v2").headers == question.headers
    for place in ("https://other.test/", "https://api.test:444/"):
        moved = question.redirected(place)
        assert moved.headers == ()
        assert moved.keyed  # so that no cache has what comes of it
    for place in (f"https://other.test/?token={KEY}", f"https://other.test/{KEY.replace('-', '%2D')}"):
        with pytest.raises(RefusedError) as error:
            question.redirected(place)
        assert error.value.why == "redirects"
        assert KEY not in error.value.detail


@pytest.mark.parametrize(
    ("place", "why"), [("", "redirects"), ("http://api.test/", "redirects"), ("file:///etc/passwd", "scheme")]
)
def test_where_no_redirect_leads(place: str, why: str) -> None:
    with pytest.raises(RefusedError) as error:
        asked().redirected(place)
    assert error.value.why == why


@pytest.mark.parametrize(
    "headers", [{"Host": "b.test"}, {"Cookie": "a"}, {"X": f"{KEY}\r\nHost: b"}, {"X Y": "z"}, {"X": "ä"}]
)
def test_headers_that_nobody_sets(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError) as error:
        WebRequest.of("https://api.test/", {}, headers)
    assert KEY not in str(error.value)
