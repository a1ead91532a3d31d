from __future__ import annotations

import stat
from pathlib import Path

import pytest

from selfstudy.library.web.exchange import AT, Clock, Limits, Reply
from selfstudy.library.web.fetched import RefusedError
from selfstudy.library.web.page_cache import PageCache, open_cache
from selfstudy.library.web.web_url import WebURL

WHEN = (AT, "2026-11-28T17:20:00Z")
FRESH = [("content-type", "text/html"), ("cache-control", "max-age=1000"), WHEN]
TAGGED = [("content-type", "text/html"), ("cache-control", "no-cache"), ("etag", '"7"'), WHEN]


class Server:
    """Replies as it is told, and counts; to a condition that holds it says that nothing has changed."""

    def __init__(self, *headers: tuple[str, str], status: int = 200, body: bytes = b"a page") -> None:
        self.reply = Reply(status, list(headers), body)
        self.asked: list[list[tuple[str, str]]] = []

    def __call__(self, conditions: list[tuple[str, str]]) -> Reply:
        self.asked.append(conditions)
        if ("if-none-match", self.reply.header("etag")) in conditions:
            later = [(AT, "2026-11-29T00:00:00Z"), ("etag", '"7"'), ("cache-control", "no-cache")]
            return Reply(304, later, b"")
        return self.reply


def opened(tmp_path: Path, *, stale: bool = False) -> PageCache:
    cache = open_cache(stale=stale, path=tmp_path / "cache" / "pages.sqlite")
    assert cache is not None
    return cache


def asked(
    cache: PageCache, server: Server, url: str = "http://a.test/", most: int = 1000, trusted: bool = False
) -> Reply:
    return cache.reply(WebURL.of(url), Limits(Clock(5), most), server, trusted=trusted)


def test_what_is_fresh_is_not_asked_for_again(tmp_path: Path) -> None:
    server = Server(*FRESH)
    first = asked(opened(tmp_path), server)
    second = asked(opened(tmp_path), server)
    assert first.body == second.body == b"a page"
    assert (second.header("content-type"), second.at) == ("text/html", "2026-11-28T17:20:00Z")
    assert len(server.asked) == 1
    asked(opened(tmp_path), server, "http://a.test/other")
    assert len(server.asked) == 2


def test_what_may_be_old_is_asked_about(tmp_path: Path) -> None:
    cache, server = opened(tmp_path), Server(*TAGGED)
    asked(cache, server)
    again = asked(cache, server)
    assert server.asked == [[], [("if-none-match", '"7"')]]
    assert (again.status, again.body, again.at) == (200, b"a page", "2026-11-29T00:00:00Z")


@pytest.mark.parametrize(
    "server",
    [
        Server(("cache-control", "no-store"), WHEN),
        Server(("cache-control", "max-age=0"), WHEN),
        Server(("cache-control", "max-age=1000"), WHEN, status=500),
        Server(("cache-control", "max-age=1000"), ("vary", "*"), WHEN),
    ],
)
def test_what_is_asked_for_each_time(tmp_path: Path, server: Server) -> None:
    cache = opened(tmp_path)
    for _ in range(3):
        asked(cache, server)
    if server.reply.status == 200:
        assert len(server.asked) == 3


def test_what_an_allowed_host_said_is_for_those_who_allow_it(tmp_path: Path) -> None:
    cache, server = opened(tmp_path), Server(*FRESH)
    asked(cache, server, trusted=True)
    asked(cache, server, trusted=True)
    assert len(server.asked) == 1
    asked(cache, server, trusted=False)
    assert len(server.asked) == 2


def test_what_depends_on_headers_is_for_those_headers(tmp_path: Path) -> None:
    cache, server = opened(tmp_path), Server(*FRESH, ("vary", "Accept"))
    for kind, times in (("text/html", 1), ("application/json", 2), ("text/html", 2), ("application/json", 2)):
        limits, headers = Limits(Clock(5), 1000), [("Accept", kind)]
        cache.reply(WebURL.of("http://a.test/"), limits, server, trusted=False, headers=headers)
        assert len(server.asked) == times


def test_what_is_refused_is_not_kept(tmp_path: Path) -> None:
    cache = opened(tmp_path)

    def refuse(conditions: list[tuple[str, str]]) -> Reply:
        raise RefusedError("size", "too large")

    for _ in range(2):
        with pytest.raises(RefusedError):
            cache.reply(WebURL.of("http://a.test/"), Limits(Clock(5), 1000), refuse, trusted=False)
    server = Server(*FRESH)
    asked(cache, server)
    assert len(server.asked) == 1


def test_the_start_of_a_long_one_is_not_kept(tmp_path: Path) -> None:
    cache, server = opened(tmp_path), Server(*FRESH)
    for most, times in ((3, 1), (3, 2), (7, 3), (7, 3)):
        reply = cache.reply(
            WebURL.of("http://a.test/"), Limits(Clock(5), most, cut=True), server, trusted=False
        )
        assert reply.body == b"a page"[:most]
        assert len(server.asked) == times


def test_limits_hold_for_what_is_kept(tmp_path: Path) -> None:
    cache, server = opened(tmp_path), Server(*FRESH)
    asked(cache, server)
    with pytest.raises(RefusedError) as error:
        asked(cache, server, most=3)
    assert error.value.why == "size"


def test_without_a_network_what_is_old_is_better_than_nothing(tmp_path: Path) -> None:
    old = [
        ("content-type", "text/html"),
        ("cache-control", "max-age=1"),
        ("date", "Sat, 28 Nov 2020 17:00:00 GMT"),
        WHEN,
    ]
    asked(opened(tmp_path), Server(*old))
    again = Server(*old)
    assert asked(opened(tmp_path, stale=True), again).body == b"a page"
    assert again.asked == []


def test_the_file_is_for_its_owner(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    asked(cache, Server(*FRESH))
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "cache").iterdir()}
    assert modes == {0o600}
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700
    cache.close()


def test_a_closed_cache_asks_once(tmp_path: Path) -> None:
    cache, server = opened(tmp_path), Server(*FRESH)
    cache.close()
    assert asked(cache, server).body == b"a page"
    assert len(server.asked) == 1


def test_a_file_that_is_no_cache_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "pages.sqlite"
    path.write_bytes(b"this is no database, and longer than its header would be. " * 20)
    before = path.read_bytes()
    assert open_cache(stale=False, path=path) is None
    assert "cannot be used" in caplog.text
    assert path.read_bytes() == before
    (tmp_path / "link").symlink_to(tmp_path / "x")
    assert open_cache(stale=False, path=tmp_path / "link") is None
    assert not (tmp_path / "x").exists()
