"""Fetching from an internet of our own (site.py): each page is had, or there is a reason; nothing gets in."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from selfstudy.errors import MissingExtraError, RecipeError
from selfstudy.library.web import fetch
from selfstudy.library.web.addresses import why_closed
from selfstudy.library.web.fetch import Fetcher, agent, open_fetcher, retry_after
from selfstudy.library.web.fetched import Fetched, NotFetched
from selfstudy.library.web.kept_pages import LINES
from selfstudy.recipe.library import FetchBlock
from selfstudy.version import __version__

from ..site import HERE, OK, Internet, html

Open = Callable[..., Fetcher]
KEY = "k3y-of-a-search-engine"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture
def net(certificates: Path) -> Iterator[Internet]:
    net = Internet(certificates)
    yield net
    net.close()


@pytest.fixture
def opened(net: Internet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """`open_fetcher` in that internet, with a cache of its own."""
    monkeypatch.setenv("SELFSTUDY_HOME", str(tmp_path / "home"))
    fetchers: list[Fetcher] = []

    def open_(kept: Path | None = None, *, cache: bool = False, **block: Any) -> Fetcher:
        settings = {"delay": 0.0, "timeout": 5.0, "max_bytes": 200_000, "patience": 1.0, **block}
        fetcher = open_fetcher(
            FetchBlock(**settings), kept, resolve=net.resolve, trust=net.trust, network=net, cache=cache
        )
        fetchers.append(fetcher)
        return fetcher

    yield open_
    for fetcher in fetchers:
        fetcher.close()


def ending(found: Fetched | NotFetched) -> str:
    return OK if isinstance(found, Fetched) else found.why


def test_a_site_full_of_traps(net: Internet, opened: Open, tmp_path: Path) -> None:
    pages = net.pages(each=1, ordinary=20)
    pages += [page for page in net.pages(each=10, ordinary=0) if page.kind.startswith("private")]
    done: list[int] = []
    pages.sort(key=lambda page: page.expected != "time")
    slow = sum(page.expected == "time" for page in pages)
    start = time.monotonic()
    urls = [page.url for page in pages]
    found = opened(tmp_path / "kept", timeout=1.0).pages(urls[:slow], done.append)
    found += opened(tmp_path / "kept", timeout=60.0).pages(urls[slow:], done.append)
    assert time.monotonic() - start < 120
    wrong = [
        (page.kind, page.url[:100], page.expected, one)
        for page, one in zip(pages, found, strict=True)
        if ending(one) != page.expected
    ]
    assert not wrong
    assert sum(done) == len(pages)
    assert net.canary_saw == 0
    assert not {address for address, _ in net.connected if why_closed(address)}
    assert {port for _, port in net.connected} <= {80, 443}
    assert net.most_in_flight == 1
    assert "swordfish" not in (tmp_path / "kept" / LINES).read_text()
    for page, one in zip(pages, found, strict=True):
        if page.kind == "ordinary" and isinstance(one, Fetched) and "/text/" not in page.url:
            assert one.body == html(page.url.rpartition("/")[2])


def test_the_canary_would_see_a_request(net: Internet) -> None:
    """Without the check of addresses it is reached, so that its silence means something."""
    net.connect_tcp("127.0.0.1", net.canary).close()
    deadline = time.monotonic() + 5
    while not net.canary_saw and time.monotonic() < deadline:
        time.sleep(0.01)
    assert net.canary_saw == 1


def test_hosts_that_are_allowed_may_be_private(net: Internet, opened: Open) -> None:
    inside = f"inside1.test:{net.port}"
    fetcher = opened(allow_hosts=(inside,))
    (one, other) = fetcher.pages([f"http://{inside}/page/1", f"http://inside2.test:{net.port}/page/1"])
    assert (ending(one), ending(other)) == (OK, "address")
    assert ending(fetcher.pages([f"http://inside1.test:{net.canary}/"])[0]) == "address"  # another port


def test_a_stranger_does_not_lead_to_an_allowed_host(net: Internet, opened: Open) -> None:
    """Its pages may do things at a GET; only who the user asks may be redirected there."""
    number = net.targets().index(f"http://inside1.test:{net.canary}/")
    fetcher = opened(allow_hosts=("inside1.test",))
    assert ending(fetcher.pages([f"http://led.test/to/{number}"])[0]) == "address"
    assert net.canary_saw == 0
    (found,) = fetcher.pages([f"http://inside1.test:{net.port}/to/{number}"])
    assert isinstance(found, Fetched)
    assert found.final_url == f"http://inside1.test:{net.canary}/"


def test_a_search_does_not_name_an_allowed_host_unless_it_is_one(net: Internet, opened: Open) -> None:
    """What a search engine finds are strangers' words, addresses included."""
    inside = f"http://inside1.test:{net.port}/page/1"
    fetcher = opened(allow_hosts=("inside1.test", "engine.test"))
    assert [ending(fetcher.pages([inside], named_by=by)[0]) for by in ("", "http://led.test/s")] == [
        "address"
    ] * 2
    assert ending(fetcher.pages([inside], named_by="http://engine.test/search")[0]) == OK


def test_pages_and_where_they_were(net: Internet, opened: Open) -> None:
    url = "http://moved.test/moved/3"
    first, again, other = opened().pages([f"{url}#a", url, "http://pages1.test/page/4"])
    assert isinstance(first, Fetched)
    assert isinstance(again, Fetched)
    assert (first.url, again.url) == (f"{url}#a", url)
    assert first.final_url == "http://pages1.test/page/3"
    assert first.body == again.body == html("3")
    assert net.seen.count(("moved.test", "/moved/3")) == 1
    assert ending(other) == OK


def test_who_asks(net: Internet, opened: Open) -> None:
    (found,) = opened(contact="me@example.org").pages(["http://a.test/echo/1"])
    assert isinstance(found, Fetched)
    sent = found.body.decode().lower()
    assert f"user-agent: selfstudy/{__version__} (+me@example.org)" in sent
    assert not any(f"\n{name}:" in sent for name in ("cookie", "referer", "authorization", "from"))
    assert agent(None) == f"selfstudy/{__version__}"
    for contact in ("a\r\nHost: b", "ä", "x)", "x" * 300):
        with pytest.raises(RecipeError):
            agent(contact)


def test_the_delay_that_a_robots_txt_wants(net: Internet, opened: Open) -> None:
    found = opened().pages([f"http://slow1.test/page/{n}" for n in range(3)])
    assert [ending(one) for one in found] == [OK] * 3
    _, *pages = net.at["slow1.test"]
    assert pages[-1] - pages[0] > 0.4
    found = opened().pages([f"http://hours1.test/page/{n}" for n in range(3)])
    assert [ending(one) for one in found] == [OK, "limit", "limit"]


def test_a_robots_txt_for_us(net: Internet, opened: Open) -> None:
    found = opened().pages([f"http://partly.test/page/{n}" for n in (1, 2, 3)])
    assert [ending(one) for one in found] == [OK, "robots", OK]
    assert net.seen.count(("partly.test", "/robots.txt")) == 1
    assert ("partly.test", "/page/2") not in net.seen


def test_the_robots_txt_of_where_a_redirect_leads(net: Internet, opened: Open) -> None:
    """The fetcher asks it, not only that of where it came from."""
    net.targets = lambda: ["http://forbidden1.test/page/1"]  # type: ignore[method-assign]
    assert ending(opened().pages(["http://led.test/to/0"])[0]) == "robots"
    assert ("forbidden1.test", "/page/1") not in net.seen


def test_hosts_side_by_side(net: Internet, opened: Open) -> None:
    start = time.monotonic()
    found = opened(delay=1.0).pages([f"http://pages{n}.test/page/1" for n in range(8)])
    assert {ending(one) for one in found} == {OK}
    assert time.monotonic() - start < 6  # 8 s one after another


def test_a_host_that_is_slow_each_time_is_given_up(net: Internet, opened: Open) -> None:
    start = time.monotonic()
    found = opened(timeout=0.3).pages([f"http://drip1.test/drip/{n}" for n in range(50)])
    assert Counter(map(ending, found)) == {"time": 3, "limit": 47}
    assert time.monotonic() - start < 12  # 15 s for all of them


def test_pages_of_one_call_fit_into_memory(
    net: Internet, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("selfstudy.library.web.fetch.MOST_TOGETHER", 300)
    found = opened().pages([f"http://pages1.test/page/{n}" for n in range(5)])
    assert Counter(map(ending, found)) == {OK: 3, "size": 2}


def test_what_is_kept_is_not_fetched_again(net: Internet, opened: Open, tmp_path: Path) -> None:
    urls = ["http://pages1.test/page/1", "http://moved.test/moved/2", "http://forbidden1.test/page/1"]
    first = opened(tmp_path / "kept").pages(urls)
    asked = len(net.seen)
    assert opened(tmp_path / "kept").pages(urls[:2]) == first[:2]
    assert len(net.seen) == asked
    offline = opened(tmp_path / "kept", offline=True)
    assert offline.pages(urls) == first  # also why there was no page
    (other,) = offline.pages(["http://pages1.test/page/99"])
    assert ending(other) == "not kept"
    assert len(net.seen) == asked


def test_a_damaged_page_is_fetched_again_or_not_kept(net: Internet, opened: Open, tmp_path: Path) -> None:
    url = "http://pages1.test/page/1"
    opened(tmp_path / "kept").pages([url])
    (body,) = (tmp_path / "kept" / "bodies").rglob("*/*")
    body.write_bytes(body.read_bytes().replace(b"miles", b"yards"))
    assert ending(opened(tmp_path / "kept", offline=True).pages([url])[0]) == "not kept"
    (again,) = opened(tmp_path / "kept").pages([url])
    assert isinstance(again, Fetched)
    assert again.body == html("1")


def test_the_cache_is_shared_by_runs(net: Internet, opened: Open, tmp_path: Path) -> None:
    url, tagged = "http://cached.test/cached/1", "http://cached.test/tagged/1"
    first = opened(tmp_path / "one", cache=True).pages([url, tagged])
    second = opened(tmp_path / "two", cache=True).pages([url, tagged])
    assert [ending(one) for one in (*first, *second)] == [OK] * 4
    assert [one.body for one in first if isinstance(one, Fetched)] == [
        one.body for one in second if isinstance(one, Fetched)
    ]
    assert net.seen.count(("cached.test", "/cached/1")) == 1
    assert net.seen.count(("cached.test", "/tagged/1")) == 2  # asked whether it has changed
    asked = len(net.seen)
    (found,) = opened(cache=True, offline=True).pages([url])
    assert ending(found) == OK
    assert len(net.seen) == asked


def test_a_service_is_asked(net: Internet, opened: Open, tmp_path: Path) -> None:
    fetcher = opened(tmp_path / "kept", cache=True)
    url = "https://secure.test/echo/1" if net.has_tls else f"http://inside1.test:{net.port}/echo/1"
    if not net.has_tls:
        fetcher = opened(tmp_path / "kept", cache=True, allow_hosts=("inside1.test",))
    found = fetcher.ask(url, {"q": "x y", "api_key": KEY}, {"Accept": "text/plain", "X-Token": KEY})
    assert isinstance(found, Fetched)
    assert found.url == found.final_url == f"{url}?q=x+y"
    host = url.split("/")[2]
    assert (host, f"/echo/1?q=x+y&api_key={KEY}") in net.seen
    sent = found.body.decode().lower()
    assert "x-token: [key]" in sent
    assert "accept: text/plain" in sent
    asked = len(net.seen)
    assert fetcher.ask(url, {"q": "x y", "api_key": "another-k3y"}) == found  # kept
    assert len(net.seen) == asked
    assert opened(tmp_path / "kept", offline=True).ask(url, {"q": "x y"}) == found
    assert ending(opened(tmp_path / "kept", offline=True).ask(url, {"q": "z"})) == "not kept"
    for path in [*(tmp_path / "kept").rglob("*"), *(tmp_path / "home").rglob("*")]:
        assert path.is_dir() or KEY.encode() not in path.read_bytes()


def test_no_robots_txt_for_services(net: Internet, opened: Open) -> None:
    assert ending(opened().ask("http://forbidden1.test/page/1", {})) == OK
    assert ("forbidden1.test", "/robots.txt") not in net.seen


def test_a_key_goes_to_its_host_alone(net: Internet, opened: Open) -> None:
    fetcher = opened(allow_hosts=("inside1.test",))
    host = f"http://inside1.test:{net.port}"
    found = fetcher.ask(f"{host}/elsewhere/none", {"q": "x"}, {"X-Token": KEY})
    assert ending(found) == "tls"  # what comes next is not encrypted
    found = fetcher.ask(f"{host}/elsewhere/all", {"api_key": KEY})
    assert isinstance(found, NotFetched)
    assert found.why == "redirects"
    assert KEY not in found.detail
    plain = opened().ask("http://a.test/echo/1", {"api_key": KEY})
    assert isinstance(plain, NotFetched)
    assert (plain.why, plain.url) == ("tls", "http://a.test/echo/1")
    assert not [path for name, path in net.seen if name in ("other.test", "a.test")]


def test_without_a_key_a_service_may_redirect(net: Internet, opened: Open) -> None:
    found = opened().ask("http://a.test/elsewhere/all", {"q": "x"})
    assert isinstance(found, Fetched)
    assert found.final_url == "http://other.test/echo/1?q=x"


def test_the_limits_of_services_are_those_of_pages(net: Internet, opened: Open) -> None:
    fetcher = opened(timeout=0.5)
    endings = {
        path: ending(fetcher.ask(f"http://{path}.test/{path}/1", {"q": "x"}))
        for path in ("stream", "image", "tired", "half", "drip", "error")
    }
    assert endings == {
        **{"stream": "size", "image": "type", "tired": "limit"},
        **{"half": "connection", "drip": "time", "error": "status"},
    }
    assert ending(fetcher.ask(f"http://127.0.0.1:{net.canary}/", {"q": "x"})) == "address"
    assert ending(fetcher.ask("ftp://a.test/", {"q": "x"})) == "scheme"
    assert net.canary_saw == 0


def test_a_closed_fetcher_waits_for_nobody(net: Internet, opened: Open) -> None:
    fetcher = opened(delay=30.0, patience=60.0)
    threading.Timer(0.3, fetcher.close).start()
    start = time.monotonic()
    found = fetcher.pages([f"http://pages1.test/page/{n}" for n in range(3)])
    assert time.monotonic() - start < 10
    assert "limit" in map(ending, found)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("5", 5.0),
        ("0.2", 0.2),
        ("-3", 0.0),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("1e400", float("inf")),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    assert retry_after(value) == seconds


def test_retry_after_a_date() -> None:
    later = retry_after(formatdate(time.time() + 100, usegmt=True))
    assert later is not None
    assert 95 < later < 101
    assert retry_after("Sat, 28 Nov 2020 17:00:00 GMT") == 0.0
    assert retry_after("Sat, 28 Nov 99999999 17:00:00 GMT") is None


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("protego", "hishel"):
        monkeypatch.setattr(
            fetch, "find_spec", lambda name, missing=package: None if name == missing else name
        )
        with pytest.raises(MissingExtraError, match=f"'{package}'.*not installed") as error:
            open_fetcher(FetchBlock())
        assert "pip install 'selfstudy[web]'" in str(error.value)


def test_a_line_for_each_request(net: Internet, opened: Open, tmp_path: Path) -> None:
    opened(tmp_path).pages(["http://pages1.test/page/1", "http://forbidden1.test/x", "ftp://a.test/"])
    lines = [json.loads(line) for line in (tmp_path / LINES).read_text().splitlines()]
    by_url = {line["url"]: line for line in lines}
    assert {line.get("why", OK) for line in lines} == {OK, "robots", "scheme"}
    page = by_url["http://pages1.test/page/1"]
    assert page["status"] == 200
    assert (tmp_path / "bodies" / page["sha256"][:2] / page["sha256"]).read_bytes() == html("1")
    assert {address for address, _ in net.connected} == {HERE}
