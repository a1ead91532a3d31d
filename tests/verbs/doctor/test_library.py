"""What the doctor says of a library: what is missing, what would be fetched; nothing is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from selfstudy.recipe.file import make_recipe
from selfstudy.verbs.doctor import library as doctor
from selfstudy.verbs.doctor.finding import Finding


def found(*sources: Any, **fetch: Any) -> list[Finding]:
    library = make_recipe({"library": {"sources": list(sources), "fetch": fetch}}, []).library
    assert library is not None
    return list(doctor.of_library(library, follow_links=False))


def test_a_folder_needs_no_packages(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    assert [(one.state, one.found) for one in found("atlas", str(tmp_path))] == [
        ("ok", "atlas, the embedded one"),
        ("ok", f"1 files in {tmp_path}"),
    ]
    (bad,) = found(str(tmp_path / "none"))
    assert bad.state == "fail"


def test_a_key_that_is_not_set_and_one_that_is(monkeypatch: pytest.MonkeyPatch) -> None:
    brave = {"type": "web", "engine": "brave", "api_key_env": "BRAVE_API_KEY"}
    monkeypatch.delenv("BRAVE_API_KEY", raising=False)
    extra, missing = found(brave)
    assert extra.state == "ok"
    assert (missing.state, missing.found) == ("fail", "brave: $BRAVE_API_KEY is not set")
    monkeypatch.setenv("BRAVE_API_KEY", "a-key-for-brave-1234")
    _, key, search = found(brave)
    assert (key.state, key.found) == ("ok", "brave: $BRAVE_API_KEY is set")
    assert search.found == "brave: a search for each question, and up to 5 pages it finds"
    assert "a-key" not in f"{key}{search}"


def test_what_would_be_fetched(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("https://b.example/1\nhttps://b.example/2\n")
    pages = {"type": "urls", "urls": ["https://a.example/"], "file": str(tmp_path / "list.txt")}
    wiki = {"type": "wikipedia", "titles": ["Mali", "Chad"]}
    said = found(pages, wiki, {"type": "wikipedia"}, delay=30, contact="me@example.org", offline=True)
    assert [one.state for one in said] == ["ok"] * 5
    assert said[1].found == "3 pages of 2 hosts would be fetched: 1.0 minutes or more"
    assert said[2].found == "2 articles would be fetched from en.wikipedia.org"
    assert said[3].found == "3 articles a question would be fetched from en.wikipedia.org"
    assert said[4].found.startswith("offline")
    assert found(wiki)[1].state == "fail"  # nobody would know who asks
    site = {"type": "urls", "sitemap": "https://a.example/sitemap.xml", "most": 60}
    assert "up to 60: 1.0 minutes or more" in found(site)[1].found


def test_a_dump_and_the_packages_of_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dump = tmp_path / "w.xml"
    (absent,) = found({"type": "wikipedia", "dump": str(dump)})
    assert absent.state == "fail"
    dump.write_bytes(bytes(2**20))
    (there,) = found({"type": "wikipedia", "dump": str(dump)})
    assert there.found == f"{dump}: 1.0 MB, read where it is"
    monkeypatch.setattr(doctor, "PACKAGES", ("hishel", "no_such_package"))
    extra = found("https://a.example/")[0]
    assert (extra.state, extra.fix) == ("fail", "pip install 'selfstudy[web]'")
    assert "no_such_package" in extra.found


def test_offline_nobody_needs_a_key_or_a_contact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BRAVE_API_KEY", raising=False)
    brave = {"type": "web", "engine": "brave", "api_key_env": "BRAVE_API_KEY"}
    assert {one.state for one in found(brave, {"type": "wikipedia", "titles": ["Lima"]}, offline=True)} == {
        "ok"
    }


def test_a_long_list_with_odd_lines_is_counted_at_once(tmp_path: Path) -> None:
    file = tmp_path / "urls.txt"
    file.write_text("http://[::1/x\n" + "".join(f"https://h{n}.example/\n" for n in range(20_000)))
    (_, urls) = found({"type": "urls", "file": str(file), "most": 90_000})
    assert urls.found.startswith("20,001 pages of 20,001 hosts would be fetched")
