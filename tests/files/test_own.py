"""Which folders are ours, and that no other is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.errors import RunError
from selfstudy.files import own, private


def test_a_folder_of_ours_is_made_and_removed(tmp_path: Path) -> None:
    folder = tmp_path / "a/index"
    assert not own.check(folder)
    own.make(folder)
    own.make(folder)
    (folder / "deep").mkdir()
    (folder / "deep/file").touch()
    (folder / "link").symlink_to(tmp_path)
    assert own.is_marked(folder)
    assert own.check(folder)
    own.clear(folder, keep=("deep",))
    assert sorted(path.name for path in folder.iterdir()) == [own.MARK, "deep"]
    assert (folder / "deep/file").is_file()
    own.remove(folder)
    own.remove(folder)
    assert list((tmp_path / "a").iterdir()) == []


@pytest.mark.parametrize("mark", [None, "", "Notes of mine.\n", "folder", "link"])
def test_a_folder_without_our_mark_is_left_alone(mark: str | None, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    place = folder / own.MARK
    if mark == "folder":
        place.mkdir()
    elif mark == "link":
        own.make(tmp_path / "ours")
        place.symlink_to(tmp_path / "ours" / own.MARK)
    elif mark is not None:
        place.write_text(mark)
    if mark in (None, "", "link"):
        (folder / "thesis.txt").write_text("precious")
    before = sorted(folder.rglob("*"))
    for attempt in (own.remove, own.check, own.make):
        with pytest.raises(RunError, match=r"mine holds what selfstudy did not put there .*left as it is"):
            attempt(folder)
    assert sorted(folder.rglob("*")) == before


def test_a_mark_does_not_cover_what_we_never_put_there(tmp_path: Path) -> None:
    own.make(tmp_path / "index")
    for name in ("table", "a.txt", "b.txt", "c.txt", "d.txt"):
        (tmp_path / "index" / name).touch()
    with pytest.raises(RunError, match=r"\(a\.txt, b\.txt, c\.txt and 1 more\)"):
        own.remove(tmp_path / "index", ["table"])
    assert len(list((tmp_path / "index").iterdir())) == 6


def test_links_and_files_are_no_folders_of_ours(tmp_path: Path) -> None:
    own.make(tmp_path / "ours")
    (tmp_path / "link").symlink_to("ours")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "file").touch()
    for name in ("link", "dangling", "file"):
        for attempt in (own.remove, own.make):
            with pytest.raises(RunError, match="left as it is"):
                attempt(tmp_path / name)
    assert own.is_marked(tmp_path / "ours")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    ("content", "is_one"),
    [
        ('{\n  "kind": "selfstudy run",\n  "selfst', True),
        ('{"selfstudy": "0.1.0", "recipe_digest": "1"}', True),
        ('{"kind": "selfstudy run", "selfstudy": "0.1.0", "recipe_digest": "1"}', True),
        ('{"kind": "another", "selfstudy": "0.1.0", "recipe_digest": "1"}', False),
        ('{"name": "selfstudy run"}', False),
        ("[1]", False),
        ("", False),
        ("[" * 100_000, False),
    ],
)
def test_a_run_is_told_by_what_its_file_says(content: str, is_one: bool, tmp_path: Path) -> None:
    (tmp_path / own.RUN_FILE).write_text(content)
    assert own.is_run(tmp_path) == is_one
    assert not own.is_run(tmp_path / own.RUN_FILE)
    assert not own.is_run(tmp_path / "nowhere")


def test_a_folder_that_another_process_is_making_is_ours(tmp_path: Path) -> None:
    """Jobs of an array begin at the same moment: the mark of the first is not in its place yet."""
    folder = tmp_path / "shards"
    folder.mkdir()
    with private.replacing(folder / own.MARK) as mark:
        mark.write(b"selfstudy made this folder")
        own.make(folder)
    assert own.is_marked(folder)
