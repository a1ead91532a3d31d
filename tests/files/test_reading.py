"""Files that a person names: whole and within a bound, or a reason in a few words."""

from __future__ import annotations

import io
import os
import tracemalloc
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


def test_what_a_shell_hands_over_is_read_as_often_as_one_likes() -> None:
    ends = [os.pipe() for _ in range(2)]
    for _, end in ends:
        os.write(end, b"one\ntwo\n")
        os.close(end)
    (theirs, _), (ours, _) = ends
    os.set_inheritable(theirs, True)
    try:
        for path in (Path(f"/dev/fd/{theirs}"), Path(f"/proc/self/fd/{theirs}")):
            assert reading.text(path) == "one\ntwo\n"
            assert reading.readable(path).read_bytes() == b"one\ntwo\n"
        for name in (f"/dev/fd/{ours}", f"/dev/fd/../fd/{theirs}", f"/dev/fd/{theirs}/../{theirs}"):
            with pytest.raises(OSError):  # it may never end; another name
                reading.content(Path(name))
    finally:
        os.close(theirs)
        os.close(ours)


def test_a_pipe_that_gives_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_MOST_PIPED", 10)
    theirs, end = os.pipe()
    os.set_inheritable(theirs, True)
    os.write(end, b"x" * 11)
    os.close(end)
    with pytest.raises(OSError) as caught:
        reading.readable(Path(f"/dev/fd/{theirs}"))
    os.close(theirs)
    assert caught.value.strerror == "it gives more than 10 bytes: save them as a file"


def test_a_small_file_takes_a_small_room(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 1000)
    tracemalloc.start()
    try:
        assert len(reading.content(path, 10**9)) == 1000
        assert tracemalloc.get_traced_memory()[1] < 10**6
    finally:
        tracemalloc.stop()


def test_what_json_becomes_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_MEMORY", 100_000)
    text = rb', [{ \\\" \\" '.removesuffix(b'" ')
    for fine in (
        b'["' + text * 5000 + b'"]',
        b'["' + b"," * 99_990 + b'"]',
        b'["\\' + b'"'.join([b"", b"," * 50_000, b"]"]),
        b"[" + b"1," * 2000 + b"1]",
    ):
        reading.check_values(fine)
    for large in (
        b"[" + b"1," * 2100 + b"1]",
        b'["\\\\"' + b"," * 2100 + b"]",
        b"[]," * 1500,
        b'{"a":0},' * 400,
        b'["' + b"x" * 66_000 + b'",' + b"[]," * 900 + b"0]",
    ):
        with pytest.raises(reading.TooLargeError, match="may hold more than"):
            reading.check_values(large)
    with pytest.raises(reading.TooLargeError):  # one such character makes all of them wide
        reading.check_values('["\U0001f989'.encode() + b"x" * 40_000 + b'"]')


def test_how_a_file_begins(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"GGUF and more")
    assert reading.begins(tmp_path / "a", b"GGUF")
    assert not reading.begins(tmp_path / "a", b"GGUF and more than that")
    assert not any(reading.begins(path, b"") for path in (tmp_path, tmp_path / "b", Path("/dev/zero")))
