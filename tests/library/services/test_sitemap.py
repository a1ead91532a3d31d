"""Addresses of pages, from lists, files and sitemaps of a site of our own."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfstudy.errors import DataError
from selfstudy.library.parsing.xml_stream import XmlError
from selfstudy.library.services import sitemap
from selfstudy.library.services.sitemap import addresses, read_sitemap
from selfstudy.library.web.fetch import Fetcher
from selfstudy.recipe.library import UrlsSource

from ..apis import Reply, Service, running

SPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:image="http://a.example/image"'


@pytest.fixture
def site() -> Iterator[tuple[Service, Fetcher]]:
    with running() as found:
        yield found


def pages(*urls: str) -> bytes:
    parts = "".join(f"<url><loc>\n {url} </loc><lastmod>2024-01-01</lastmod></url>" for url in urls)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset {SPACE}>{parts}</urlset>'.encode()


def index(*urls: str) -> bytes:
    parts = "".join(f"<sitemap><loc>{url}</loc></sitemap>" for url in urls)
    return f"<sitemapindex {SPACE}>{parts}</sitemapindex>".encode()


XML = "application/xml"


def test_a_sitemap_an_index_a_packed_one_and_a_list(site: tuple[Service, Fetcher]) -> None:
    service, fetcher = site
    at = service.url
    service.answers |= {
        "/sitemap.xml": Reply(
            index(f"{at}/1.xml", f"{at}/2.xml.gz", f"{at}/3.txt", f"{at}/sitemap.xml"), XML
        ),
        "/1.xml": Reply(pages(f"{at}/a?x=1&amp;y=2", f"{at}/b#c", f"{at}/b"), "text/xml"),
        "/2.xml.gz": Reply(gzip.compress(pages(f"{at}/d")), "application/x-gzip"),
        "/3.txt": Reply(f"\ufeff{at}/e\n{at}/a?x=1&y=2\n".encode(), "text/plain"),
    }
    found = addresses(UrlsSource(sitemap=f"{at}/sitemap.xml"), fetcher)
    assert found.urls == [f"{at}/{name}" for name in ("a?x=1&y=2", "b", "d", "e")]
    assert (found.left_out, found.skipped, found.notes) == (0, [], [])


def test_addresses_of_other_hosts_are_counted_and_not_followed(site: tuple[Service, Fetcher]) -> None:
    service, fetcher = site
    at = service.url
    service.answers |= {
        "/sitemap.xml": Reply(
            index(f"{at}/1.xml", "http://169.254.169.254/latest", "https://b.example/s.xml"), XML
        ),
        "/1.xml": Reply(
            pages(f"{at}/a", "https://b.example/x", "file:///etc/passwd", "http://localhost/"), XML
        ),
    }
    found = addresses(UrlsSource(sitemap=f"{at}/sitemap.xml"), fetcher)
    assert found.urls == [f"{at}/a"]
    assert [one.reason for one in found.skipped] == [
        "no address of http or https",
        "4 addresses of other hosts (b.example, 169.254.169.254, localhost): list them in urls",
    ]
    assert [one.path for one in service.asked] == ["/sitemap.xml", "/1.xml"]


def test_lists_and_files_and_the_bound(tmp_path: Path, site: tuple[Service, Fetcher]) -> None:
    service, fetcher = site
    file = tmp_path / "urls.txt"
    file.write_text("# pages\nhttps://a.example/1\n\nhttps://a.example/2\nno address\n", encoding="utf-8-sig")
    service.answers["/s.xml"] = Reply(pages(*(f"{service.url}/{i}" for i in range(10))), XML)
    block = UrlsSource(urls=("https://a.example/1",), file=str(file), sitemap=f"{service.url}/s.xml", most=5)
    found = addresses(block, fetcher)
    assert found.urls == [
        "https://a.example/1",
        "https://a.example/2",
        *(f"{service.url}/{i}" for i in range(3)),
    ]
    assert found.left_out == 7
    assert found.notes == ["library: 7 addresses beyond the first 5 are left out"]
    assert [one.source for one in found.skipped] == ["no address"]
    with pytest.raises(DataError, match="cannot be read"):
        addresses(UrlsSource(file=str(tmp_path / "absent")), fetcher)
    file.write_text("# none\n")
    with pytest.raises(DataError, match="names no page"):
        addresses(UrlsSource(file=str(file)), fetcher)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(b"no", "text/plain", 404), "HTTP 404"),
        (Reply(b"<!doctype html><title>Home</title>", "text/html"), "is no sitemap"),
        (Reply(b"<html><body/></html>", "text/html"), "a file of <html>"),
        (Reply(b"Please log in", "text/plain"), "neither XML"),
        (Reply(b"\x1f\x8b\x08broken", "application/gzip"), "damaged"),
    ],
)
def test_what_is_no_sitemap_is_said(reply: Reply, said: str, site: tuple[Service, Fetcher]) -> None:
    service, fetcher = site
    service.answers["/s.xml"] = reply
    with pytest.raises(DataError, match=said):
        addresses(UrlsSource(sitemap=f"{service.url}/s.xml"), fetcher)


def test_a_part_that_is_broken_is_skipped_and_endless_indexes_end(
    site: tuple[Service, Fetcher], monkeypatch: pytest.MonkeyPatch
) -> None:
    service, fetcher = site
    at = service.url
    monkeypatch.setattr(sitemap, "MOST_SITEMAPS", 4)
    service.answers |= {
        "/s.xml": Reply(index(f"{at}/1.xml", f"{at}/2.xml", *(f"{at}/{i}.xml" for i in range(3, 9))), XML),
        "/1.xml": Reply(b"<urlset><url>", XML),
        "/2.xml": Reply(pages(f"{at}/a"), XML),
    }
    found = addresses(UrlsSource(sitemap=f"{at}/s.xml"), fetcher)
    assert found.urls == [f"{at}/a"]
    assert [one.source for one in found.skipped] == [f"{at}/1.xml", f"{at}/3.xml"]
    assert found.notes == [f"library: 5 sitemaps below {at}/s.xml were not read"]


def test_hostile_sitemaps_take_neither_time_nor_memory() -> None:
    start = time.process_time()
    assert len(read_sitemap(pages(*(f"https://a.example/{i}" for i in range(60_000))))[1]) == 50_000
    for body, said in (
        (b'<!DOCTYPE x [<!ENTITY a "b">]><urlset/>', "document type"),
        (gzip.compress(b"<urlset>" + b" " * 60_000_000), "unpacked"),
        (b"<urlset>" * 1000, "deep"),
        (b"<urlset>" + b"x" * 50_000_000, "more than"),
    ):
        with pytest.raises(XmlError, match=said):
            read_sitemap(body)
    kind, urls = read_sitemap(
        f"<urlset {SPACE}><url><loc>https://a/</loc><image:image><image:loc>https://b/</image:loc></image:image>"
        "</url></urlset>".encode()
    )
    assert (kind, urls) == ("pages", ["https://a/"])
    assert time.process_time() - start < 10


def test_comments_may_be_indented_and_a_host_may_be_written_in_any_letters(tmp_path: Path) -> None:
    file = tmp_path / "urls.txt"
    file.write_text("  # pages\n  https://a.example/1\n")
    assert sitemap.listed(UrlsSource(file=str(file))) == ["https://a.example/1"]
    reader = sitemap._Sitemaps("https://B\u00fccher.example/s.xml", None, sitemap.Addresses(), 5)  # type: ignore[arg-type]
    assert list(reader._own(["https://b\u00fccher.example/a"])) == ["https://xn--bcher-kva.example/a"]


def test_a_sitemap_of_nonsense_is_counted_not_listed(site: tuple[Service, Fetcher]) -> None:
    service, fetcher = site
    service.answers["/s.xml"] = Reply(pages(f"{service.url}/a", *["nonsense"] * 5_000), XML)
    found = addresses(UrlsSource(sitemap=f"{service.url}/s.xml"), fetcher)
    assert found.urls == [f"{service.url}/a"]
    assert len(found.skipped) < 500
    assert (
        found.skipped[-1].reason
        == f"{5_000 - len(found.skipped) + 1:,} more of what it names: no address of http or https"
    )
