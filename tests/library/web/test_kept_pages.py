from __future__ import annotations

import hashlib
import json
import stat
from pathlib import Path

import pytest

from selfstudy.errors import RunError
from selfstudy.library.web.fetched import Fetched, NotFetched
from selfstudy.library.web.kept_pages import BODIES, LINES, KeptPages, take_over

AT = "2026-11-28T17:20:00Z"


def page(url: str = "http://a.test/", body: bytes = bytes(range(256))) -> Fetched:
    return Fetched(url, f"{url}end", 203, "text/html; x=ü", body, hashlib.sha256(body).hexdigest(), AT)


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    kept = KeptPages(tmp_path / "pages")
    none = NotFetched("http://b.test/", "robots", "robots.txt of b.test forbids it")
    kept.keep(page(), "page", AT)
    kept.keep(none, "page", AT)
    for again in (kept, KeptPages(tmp_path / "pages")):
        assert again.find("http://a.test/", "page") == page()
        assert again.find("http://b.test/", "page") == none
        assert again.find("http://a.test/", "ask") is None
        assert again.find("http://c.test/", "page") is None


def test_a_folder_that_is_not_there_is_made_when_it_is_needed(tmp_path: Path) -> None:
    folder = tmp_path / "run" / "pages"
    kept = KeptPages(folder)
    assert not folder.exists()
    kept.keep(page(), "page", AT)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) == 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_dir()} == {0o700}


def test_lines_are_appended_and_bodies_kept_once(tmp_path: Path) -> None:
    kept = KeptPages(tmp_path)
    kept.keep(page(), "page", AT)
    kept.keep(page("http://b.test/"), "page", AT)
    kept.keep(page(body=b"newer"), "page", AT)
    kept.keep(NotFetched("http://a.test/", "time", "slow"), "page", AT)
    assert len((tmp_path / LINES).read_text().splitlines()) == 4
    assert len(list((tmp_path / BODIES).rglob("*/*"))) == 2
    assert KeptPages(tmp_path).find("http://a.test/", "page") == page(
        body=b"newer"
    )  # a page rather than none


def test_a_flipped_byte_is_noticed(tmp_path: Path) -> None:
    kept = KeptPages(tmp_path)
    kept.keep(page(), "page", AT)
    (body,) = (tmp_path / BODIES).rglob("*/*")
    data = bytearray(body.read_bytes())
    data[7] ^= 1
    body.write_bytes(data)
    found = kept.find("http://a.test/", "page")
    assert isinstance(found, NotFetched)
    assert found.why == "not kept"
    assert "SHA-256" in found.detail
    kept.keep(page(), "page", AT)  # fetched again
    assert kept.find("http://a.test/", "page") == page()
    body.unlink()
    gone = kept.find("http://a.test/", "page")
    assert isinstance(gone, NotFetched)


def test_a_torn_last_line_is_cut_off(tmp_path: Path) -> None:
    kept = KeptPages(tmp_path)
    for number in range(3):
        kept.keep(page(f"http://a.test/{number}"), "page", AT)
    whole = (tmp_path / LINES).read_bytes()
    for cut in (1, 20, 60):
        (tmp_path / LINES).write_bytes(whole[:-cut])
        again = KeptPages(tmp_path)
        assert again.find("http://a.test/1", "page") is not None
        assert again.find("http://a.test/2", "page") is None
        again.keep(page("http://a.test/2"), "page", AT)
        assert (tmp_path / LINES).read_bytes() == whole


@pytest.mark.parametrize(
    "line",
    [
        {"of": "page", "url": "x", "at": AT, "why": "no reason"},
        {"of": "page"},
        {"of": "page", "url": "x", "at": AT, "more": 1},
        {"of": "page", "url": 3, "at": AT, "why": "time"},
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: dict[str, object]) -> None:
    good = json.dumps({"of": "page", "url": "y", "at": AT, "why": "time"})
    (tmp_path / LINES).write_text(f"{json.dumps(line)}\n{good}\n")
    with pytest.raises(RunError, match="line 1 is damaged"):
        KeptPages(tmp_path)


def test_a_line_names_no_file_outside(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    for name in ("../secret", "a" * 63 + "/", "", "../" * 21 + "x"):
        line = {"of": "page", "url": "x", "at": AT, "final_url": "x", "status": 200, "sha256": name}
        (tmp_path / LINES).write_text(json.dumps(line) + "\n")
        found = KeptPages(tmp_path).find("x", "page")
        assert isinstance(found, NotFetched)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / LINES).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunError):
        KeptPages(tmp_path / "pages")
    (tmp_path / "elsewhere").write_text("")
    with pytest.raises(RunError):
        KeptPages(tmp_path / "pages").keep(page(), "page", AT)


def test_a_folder_that_cannot_be_made() -> None:
    with pytest.raises(RunError, match="cannot write"):
        KeptPages(Path("/proc/pages")).keep(page(), "page", AT)


def test_what_another_folder_keeps_is_taken_over_once(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    take_over(source, target, None)  # neither is there
    assert not target.exists()
    KeptPages(source).keep(page(), "page", AT)
    KeptPages(source).keep(NotFetched("http://b.test/", "robots", "forbidden"), "page", AT)
    KeptPages(target).keep(page("http://c.test/", b"c"), "page", AT)
    for _ in range(2):
        take_over(source, target, None)
        found = KeptPages(target)
        assert found.find("http://a.test/", "page") == page()
        assert found.find("http://c.test/", "page") == page("http://c.test/", b"c")
        assert len((target / LINES).read_bytes().splitlines()) == 3


def test_a_line_of_a_stranger_leads_nowhere_else(tmp_path: Path) -> None:
    KeptPages(tmp_path / "source").keep(page(), "page", AT)
    lines = tmp_path / "source" / LINES
    entry = json.loads(lines.read_text())
    lines.write_text(json.dumps(entry | {"sha256": "../../outside"}) + "\n")
    take_over(tmp_path / "source", tmp_path / "target", None)
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()].count("outside") == 0
    assert not (tmp_path / "target" / BODIES).exists()
