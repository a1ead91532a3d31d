"""Which sources are never evidence, however their addresses are written."""

from __future__ import annotations

import time

import pytest

from selfstudy.library.excluded import Excluded

HOST = "bench.example"


@pytest.mark.parametrize(
    ("entry", "source", "is_excluded"),
    [
        (HOST, "https://bench.example/a", True),
        (HOST, "http://BENCH.example.:443/a", True),
        (HOST, "https://data.bench.example/", True),
        (HOST, "https://user:pw@bench.example/", True),
        (HOST, "https://mybench.example/", False),
        (HOST, "https://other.example/bench.example", False),
        (HOST, "bench.example.txt", False),
        ("https://bench.example/data", "http://bench.example/data/test.json", True),
        ("https://bench.example/data", "http://bench.example/data?page=2", True),
        ("https://bench.example/data", "https://bench.example/%64ata/x", True),
        ("https://bench.example/data", "https://bench.example/a/../data/x", True),
        ("https://bench.example/data", "https://bench.example/a/../../data/x", True),
        ("https://bench.example/data", "https://bench.example//data/x", True),
        ("https://bench.example/data", "https://bench.example/database", False),
        ("bench.example/data", "https://bench.example/data/1", True),
        ("*.example/*/key*", "https://bench.example/v1/keys.html", True),
        ("https://*.example/key", "http://bench.example/key", True),
        ("*/key", "https://bench.example/monkey", False),
        ("docs/answers", "docs/answers/one.txt", True),
        ("docs/answers", "docs/answers.txt", False),
        ("key.jsonl", "key.jsonl#line 7", True),
        ("key.jsonl", "monkey.jsonl#line 7", False),
        ("", "anything", False),
        ("https://bench.example/*", "https://bench.example/", True),
        ("*.bench.example/*", "https://data.bench.example", True),
        ("*.bench.example", "https://data.bench.example/page", True),
        ("https://bench.example/?q=1", "https://bench.example/?q=1", True),
        ("https://bench.example/p?q=a%20b", "https://bench.example/p?q=a%20b&page=2", True),
        ("https://bench.example/p?q=1", "https://bench.example/p?q=12", False),
        ("https://bench.example:8080/*", "https://bench.example:8080/x", True),
        ("bench.example:8080", "https://bench.example/x", True),
        ("bench.example:8080/data", "https://bench.example:8080/data/x", True),
        ("bench.example.", "https://bench.example/x", True),
        ("bench.example./data", "https://bench.example/data", True),
        ("user:pw@bench.example", "https://bench.example/", True),
        (".bench.example", "https://data.bench.example/", True),
        ("bench.example/", "https://data.bench.example/a", True),
        ("b\u00fccher.example", "https://xn--bcher-kva.example/x", True),
        ("https://B\u00dcCHER.example/a", "https://xn--bcher-kva.example/a/b", True),
        ("*b\u00fccher.example/*", "https://xn--bcher-kva.example/a", True),
        ("xn--bcher-kva.example", "https://xn--bcher-kva.example/x", True),
        ("http://[2001:DB8::1]/*", "http://[2001:db8::1]/x", True),
        ("[2001:db8::1]", "http://[2001:db8::1]:8080/x", True),
        ("*/a%20b*", "https://bench.example/a%20b", True),
        ("docs/[old]*", "docs/[old]/x", True),
        ("docs/[old]*", "docs/o/x", False),
        ("atlas:*", "atlas:Peru", True),
        ("atlas:*", "atlasX", False),
        ("atlas:P*", "atlas:Peru", True),
        ("bench.example:*", "https://bench.example:8080/x", True),
        ("https://bench.example:*", "bench.example:x", False),
    ],
)
def test_entries(entry: str, source: str, is_excluded: bool) -> None:
    assert (source in Excluded([entry])) is is_excluded


def test_nothing_is_excluded_by_nothing() -> None:
    assert not Excluded([])
    assert "https://bench.example" not in Excluded([])
    assert Excluded([HOST])


def test_hostile_sources_take_no_time() -> None:
    excluded = Excluded(["*a*a*a*a*a*b", "https://[::1", HOST])
    begin = time.monotonic()
    for source in ("a" * 100_000, "https://" + "a/../" * 50_000, "https://[" * 1000, "%25" * 50_000):
        assert source not in excluded
    assert time.monotonic() - begin < 2


@pytest.mark.parametrize(
    "entry",
    [
        "b\u00fccher.example",
        "https://B\u00dcCHER.example",
        "b\u00fccher.example/a",
        "https://b\u00fccher.example/a",
    ],
)
def test_a_host_in_any_letters(entry: str) -> None:
    assert "https://xn--bcher-kva.example/a/b" in Excluded([entry])
    assert "https://b\u00fccher.example/a/b" in Excluded([entry])
    assert "https://bucher.example/a/b" not in Excluded([entry])
    assert "d\u00f6cs/answers/1.txt" in Excluded(["d\u00f6cs/answers"])


def test_one_record_of_a_file_is_not_all_of_them() -> None:
    excluded = Excluded(["data/facts.jsonl#3", "bench.example/a#part"])
    assert "data/facts.jsonl#3" in excluded
    for other in ("data/facts.jsonl#4", "data/facts.jsonl#30", "data/facts.jsonl"):
        assert other not in excluded
    assert "https://bench.example/a#other" in excluded  # a page is one page


def test_accents_in_one_sign_or_in_two() -> None:
    one, two = "docs/caf\u00e9/menu.md", "docs/cafe\u0301/menu.md"
    for entry in (one, two, "docs/caf\u00e9", "docs/cafe\u0301/*", "docs/caf?/*"):
        assert one in Excluded([entry])
        assert two in Excluded([entry])
