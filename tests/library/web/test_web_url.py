from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfstudy.library.web.fetched import RefusedError
from selfstudy.library.web.web_url import WebURL, shown


@pytest.mark.parametrize(
    ("text", "whole", "host", "port", "target"),
    [
        ("http://a.test", "http://a.test/", "a.test", 80, b"/"),
        ("HTTPS://A.Test:443/x?y=1#z", "https://a.test/x?y=1", "a.test", 443, b"/x?y=1"),
        ("http://a.test.:8080/ä b", "http://a.test:8080/%C3%A4%20b", "a.test", 8080, b"/%C3%A4%20b"),
        ("http://bücher.test/", "http://xn--bcher-kva.test/", "xn--bcher-kva.test", 80, b"/"),
        ("http://[2606:4700::1]:81/", "http://[2606:4700::1]:81/", "2606:4700::1", 81, b"/"),
        (" http://a.test/../b ", "http://a.test/b", "a.test", 80, b"/b"),
    ],
)
def test_what_is_asked_is_what_was_read(text: str, whole: str, host: str, port: int, target: bytes) -> None:
    url = WebURL.of(text)
    assert (url.text, url.host, url.port, url.target) == (whole, host, port, target)
    assert WebURL.of(url.text) == url


@pytest.mark.parametrize(
    "text",
    [
        *("", "a.test", "//a.test/", "file:///etc/passwd", "ftp://a.test/", "javascript:alert(1)", "data:,x"),
        *(
            "http://",
            "http:///x",
            "http://a..test/",
            "http://-a.test/",
            "http://a b.test/",
            "http://a%00.test/",
        ),
        *(
            "http://a.test:0/",
            "http://a.test:65536/",
            "http://a.test:x/",
            "http://a\\@b.test/",
            "http://a\n.test/",
        ),
        *(
            "http://u:p@a.test/",
            "http://u@a.test/",
            "http://a.test/" + "x" * 8000,
            "http://" + "a." * 200 + "test/",
        ),
        *(
            "http://[::1/",
            "http://[v1.x]/",
            "http://１２７.0.0.1/",
            "http://xn--a.test\x7f/",
            "http://a.test\t/",
        ),
    ],
)
def test_what_is_no_page(text: str) -> None:
    with pytest.raises(RefusedError) as error:
        WebURL.of(text)
    assert error.value.why == "scheme"


@pytest.mark.parametrize(
    "host",
    ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0x7f.1", "1.2.3.4.5", "256.1.1.1", "a.0x1", "08"],
)
def test_an_address_has_one_spelling(host: str) -> None:
    with pytest.raises(RefusedError):
        WebURL.of(f"http://{host}/")


def test_a_redirect_is_read_like_a_url() -> None:
    url = WebURL.of("https://a.test/b/c?d")
    assert url.join("../e").text == "https://a.test/e"
    assert url.join("//b.test/").text == "https://b.test/"
    assert url.join("?x").text == "https://a.test/b/c?x"
    for location in ("file:///x", "javascript:x", "https://u:p@b.test/", "http://[::1"):
        with pytest.raises(RefusedError):
            url.join(location)


def test_messages_hold_no_password() -> None:
    with pytest.raises(RefusedError) as error:
        WebURL.of("http://user:swordfish@a.test/")
    assert "swordfish" not in error.value.detail
    assert len(shown("http://a.test/" + "x" * 100_000)) < 300


@settings(max_examples=50)
@given(st.text(max_size=60))
def test_any_text_is_a_url_or_refused(text: str) -> None:
    for one in (text, f"http://{text}", f"http://a.test/{text}"):
        try:
            url = WebURL.of(one)
        except RefusedError:
            continue
        assert url.scheme in ("http", "https")
        assert url.text.isascii()
        assert WebURL.of(url.text) == url
