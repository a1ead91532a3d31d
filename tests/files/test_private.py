"""Files for their owner alone; no link followed, nothing waited for, nothing left of a write that fails."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from selfstudy.files import private


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY | os.O_CREAT, os.O_RDWR | os.O_APPEND])
def test_only_regular_files_are_opened(flags: int, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "dangling", "pipe", "/dev/null"):
        with pytest.raises(OSError, match=r"link|regular file"):
            private.open_file(tmp_path / name, flags)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dangling", "file", "link", "pipe"]
    os.close(private.open_file(tmp_path / "file", flags))


def test_a_file_is_read_up_to_a_size(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert private.read(tmp_path / "file", 5) == b"12345"
    with pytest.raises(OSError, match="5 bytes, and at most 4"):
        private.read(tmp_path / "file", 4)


def test_a_write_takes_place_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def fail() -> None:
        with private.replacing(path) as file:
            file.write(b"new")
            assert path.read_text() == "old"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    with private.replacing(path) as file:
        file.write(b"new")
    assert (path.read_text(), mode(path)) == ("new", 0o600)
    assert list(tmp_path.iterdir()) == [path]


def test_folders_are_made_for_their_owner_and_what_is_there_stays(tmp_path: Path) -> None:
    private.make_folder(tmp_path / "a/b")
    assert (mode(tmp_path / "a"), mode(tmp_path / "a/b")) == (0o700, 0o700)
    (tmp_path / "wide").mkdir()
    (tmp_path / "wide").chmod(0o755)
    private.make_folder(tmp_path / "wide")
    assert mode(tmp_path / "wide") == 0o755
    (tmp_path / "file").touch()
    for place in ("file", "file/deeper"):
        with pytest.raises(OSError):
            private.make_folder(tmp_path / place)


def test_a_tree_is_closed_and_links_in_it_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.touch()
    outside.chmod(0o644)
    (tmp_path / "tree/deep").mkdir(parents=True)
    (tmp_path / "tree/deep/link").symlink_to(outside)
    (tmp_path / "tree/deep/file").touch()
    for path in ("tree", "tree/deep", "tree/deep/file"):
        (tmp_path / path).chmod(0o777)
    private.close_tree(tmp_path / "tree")
    assert {mode(tmp_path / path) for path in ("tree", "tree/deep", "tree/deep/file")} == {0o700}
    assert mode(outside) == 0o644


def test_what_a_kill_left_is_told_from_what_is_being_written(tmp_path: Path) -> None:
    def left(name: str, age: float = 0.0) -> bool:
        path = tmp_path / name
        path.touch()
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - age))
        return private.is_left_over(path, path.lstat())

    alive = os.getppid()
    assert left(f".selfstudy-{2**22 + 1}-0123456789abcdef.tmp")
    assert left(f".selfstudy-{os.getpid()}-0123456789abcdef.tmp"), "who asks has the lock, and writes nothing"
    assert not left(f".selfstudy-{alive}-0123456789abcdef.tmp")
    assert left(f".selfstudy-{alive}-0123456789abcdef.tmp", age=100_000)
    assert not left("notes.tmp")
    assert not left(".selfstudy-12-thesis.tmp")


def test_what_a_writer_takes_away_meanwhile_is_passed_over(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    found = []
    for path, _ in private.below(tmp_path):
        found.append(path.name)
        shutil.rmtree(tmp_path / "a", ignore_errors=True)
    assert "b" in found


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc")
def test_where_no_folder_can_be_made_says_so() -> None:
    with pytest.raises(OSError, match="no folder can be made here"):
        private.make_folder(Path("/proc/nothing/within"))
