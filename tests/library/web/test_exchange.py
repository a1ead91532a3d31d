from __future__ import annotations

import ssl
import time
from collections.abc import Iterator

import pytest

from selfstudy.library.web.exchange import Clock, HTTPGet, Limits, Reply
from selfstudy.library.web.fetched import RefusedError
from selfstudy.library.web.web_url import WebURL

from ..site import HERE, Internet, html


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Internet]:
    net = Internet(tmp_path_factory.mktemp("site"))
    yield net
    net.close()


def ask(
    net: Internet, url: str, *addresses: str, seconds: float = 5.0, most: int = 100_000, cut: bool = False
) -> Reply:
    limits = Limits(Clock(seconds), most, cut, lambda kind: "png" not in kind)
    return HTTPGet(WebURL.of(url), addresses or (HERE,), "me", limits, net.trust, net).reply()


def why(net: Internet, url: str, *addresses: str, seconds: float = 5.0) -> str:
    with pytest.raises(RefusedError) as error:
        ask(net, url, *addresses, seconds=seconds)
    return error.value.why


def test_a_page(net: Internet) -> None:
    for path in ("page", "bare", "chunked", "gzip"):
        reply = ask(net, f"http://a.test/{path}/7")
        assert (reply.status, reply.body) == (200, html("7"))
        assert reply.header("content-type").startswith("text/html")
        assert (
            abs(time.mktime(time.strptime(reply.at, "%Y-%m-%dT%H:%M:%SZ")) - time.mktime(time.gmtime())) < 60
        )


def test_what_is_sent(net: Internet, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{net.canary}")
    lines = ask(net, "http://a.test/echo/x?y=1").body.decode().splitlines()
    names = {line.partition(":")[0].lower() for line in lines[2:] if line}
    assert lines[:2] == ["/echo/x?y=1", "GET /echo/x?y=1 HTTP/1.1"]
    assert names == {"host", "user-agent", "accept-encoding", "connection"}
    assert net.canary_saw == 0


def test_no_cookie_is_kept_of_a_reply(net: Internet) -> None:
    assert "set-cookie" not in dict(ask(net, "http://a.test/tagged/1").headers)


def test_the_next_address_where_one_does_not_answer(net: Internet) -> None:
    assert ask(net, "http://a.test/page/1", "93.184.216.99", HERE).status == 200
    assert why(net, "http://a.test/page/1", "93.184.216.99") == "connection"


def test_only_addresses_that_were_given_are_connected_to(net: Internet) -> None:
    before = len(net.connected)
    ask(net, "http://localhost/page/1")  # the name is never looked up
    assert net.connected[before:] == [(HERE, 80)]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        *(
            ("half", "connection"),
            ("badchunk", "connection"),
            ("nothing", "connection"),
            ("noise", "connection"),
        ),
        *(("huge", "connection"), ("injected", "connection"), ("two-lengths", "connection")),
        *(("torn", "connection"), ("twice", "type"), ("brotli", "type"), ("image", "type")),
        *(("endless", "size"), ("stream", "size"), ("bomb", "size")),
    ],
)
def test_traps(net: Internet, path: str, reason: str) -> None:
    assert why(net, f"http://a.test/{path}/1") == reason


@pytest.mark.parametrize("path", ["drip", "drip-head", "silent", "continues"])
def test_a_byte_now_and_then_does_not_help(net: Internet, path: str) -> None:
    start = time.monotonic()
    assert why(net, f"http://a.test/{path}/1", seconds=0.4) == "time"
    assert time.monotonic() - start < 10


def test_a_clock_runs_while_something_is_asked(net: Internet) -> None:
    limits = Limits(Clock(5.0), 1000)
    for _ in range(2):
        HTTPGet(WebURL.of("http://a.test/page/1"), (HERE,), "me", limits, net.trust, net).reply()
    assert 0 < limits.clock.left < 5.0


def test_the_start_of_a_long_one(net: Internet) -> None:
    assert len(ask(net, "http://a.test/stream/1", most=1000, cut=True).body) == 1000


def test_certificates_are_checked(net: Internet) -> None:
    if not net.has_tls:
        pytest.skip("needs openssl, which makes the certificates")
    assert ask(net, "https://secure.test/page/1").status == 200
    assert why(net, "https://other.test/page/1") == "tls"  # a certificate for another name
    assert why(net, "https://self-signed.test/page/1", "93.184.216.35") == "tls"
    limits = Limits(Clock(5.0), 1000)
    url = WebURL.of("https://secure.test/page/1")
    with pytest.raises(RefusedError, match=r"secure\.test"):  # unknown to whoever trusts nobody
        HTTPGet(url, (HERE,), "me", limits, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), net).reply()
