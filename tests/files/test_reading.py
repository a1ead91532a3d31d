"""Files that a person names: whole and within a bound, or a reason in a few words."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from selfstudy.files import reading


def test_a_text_comes_whole_without_its_mark_and_with_plain_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\rthree\n")
    assert reading.text(path) == "one\ntwo\nthree\n"
    assert reading.content(path, most=19) == path.read_bytes()


def test_what_is_larger_than_its_bound_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with path.open("wb") as file:
        file.truncate(10**12)  # a hole: no disk holds it
    with pytest.raises(OSError) as caught:
        reading.content(path, most=1000)
    assert caught.value.strerror == "it has more than 1,000 bytes"
    with pytest.raises(OSError):
        reading.content(Path("/dev/zero"), most=1000)


def test_a_folder_a_pipe_and_a_name_that_is_none_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, why in (
        (tmp_path, "folder"),
        (tmp_path / "pipe", "pipe"),
        (Path("/dev/zero"), "device"),
        (tmp_path / "a\0b", "NUL"),
    ):
        with pytest.raises(OSError) as caught:
            reading.content(path)
        assert why in (caught.value.strerror or "")


def test_nothing_is_where_nothing_can_be(tmp_path: Path) -> None:
    assert reading.exists(tmp_path)
    assert not any(reading.exists(tmp_path / name) for name in ("absent", "a" * 5000, "a\0b"))


def test_of_an_endless_line_the_beginning_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LONGEST_LINE", 10)
    found = list(reading.lines(io.StringIO("one\n" + "x" * 100 + "\ntwo")))
    assert found == ["one\n", "x" * 11, "two"]
    assert list(reading.lines(io.BytesIO(b"y" * 10 + b"\nz"))) == [b"y" * 10 + b"\n", b"z"]
