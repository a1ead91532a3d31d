"""What a library never reads: what a link outside leads to, selfstudy's own records, and what is no file."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from selfstudy.errors import DataError
from selfstudy.files.cache import Cache, cache_folder
from selfstudy.library.folder import Contents, read_documents
from selfstudy.loop import Study
from selfstudy.recipe.file import load_recipe
from selfstudy.records import Skipped
from selfstudy.run import Run

from ..stories.small import cli


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    (folder / "pages").mkdir(parents=True)
    (folder / "pages/ferry.txt").write_text("The ferry began in 1908.")
    return folder


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file outside of the library."""
    folder = tmp_path / "home/.ssh"
    folder.mkdir(parents=True)
    (folder / "id_rsa").write_text("PRIVATE KEY")
    return folder / "id_rsa"


def texts(contents: Contents) -> str:
    return " ".join(document.text for document in contents.documents)


def reasons(contents: Contents) -> dict[str, str]:
    return {item.source: item.reason for item in contents.skipped}


def test_a_link_out_is_listed_and_not_read_but_by_option(docs: Path, secret: Path) -> None:
    (docs / "key.txt").symlink_to(secret)
    (docs / "pages/home").symlink_to(secret.parent.parent)
    (docs / "deep.txt").symlink_to("key.txt")  # a link to a link
    contents = read_documents(docs)
    assert texts(contents) == "The ferry began in 1908."
    for name in ("key.txt", "pages/home", "deep.txt"):
        assert reasons(contents)[name].startswith("a link that leaves the library, to ")
        assert "gather.follow_links" in reasons(contents)[name]
    followed = read_documents(docs, follow_links=True)
    assert "PRIVATE KEY" in texts(followed)
    assert reasons(followed)["pages/home/.ssh"].startswith("hidden"), "the other rules still hold"


def test_a_link_to_what_is_hidden_is_one_that_leaves(docs: Path) -> None:
    (docs / ".git").mkdir()
    (docs / ".git/object.txt").write_text("A page that git-annex keeps.")
    (docs / "page.txt").symlink_to(".git/object.txt")
    contents = read_documents(docs)
    assert "git-annex" not in texts(contents)
    assert "hidden in the library" in reasons(contents)["page.txt"]
    assert "gather.follow_links" in reasons(contents)["page.txt"]
    assert "git-annex" in texts(read_documents(docs, follow_links=True))


def test_the_option_is_a_key_of_the_recipe_and_what_is_skipped_is_a_record(docs: Path, secret: Path) -> None:
    (docs / "key.txt").symlink_to(secret)
    for number, follow in enumerate((False, True)):
        recipe = load_recipe(None, [f"library={docs}", f"gather.follow_links={str(follow).lower()}"])
        with Run.create_or_resume(docs.parent / f"run{number}", recipe) as run:
            found = " ".join(document.text for document in Study(run).documents)
            skipped = [item.source for item in run.round(1).iter(Skipped)]
        assert ("PRIVATE KEY" in found) == follow
        assert ("key.txt" in skipped) != follow


def test_links_in_circles_end_and_no_folder_is_read_twice(docs: Path, tmp_path: Path) -> None:
    outside = [tmp_path / f"outside{n}" for n in range(8)]
    for folder in outside:
        folder.mkdir()
        (folder / "page.txt").write_text(f"A page of {folder.name}.")
        for other in outside:  # all ways through them would be 8! many
            (folder / f"to {other.name}").symlink_to(other)
        (folder / "back").symlink_to(docs)
    (docs / "outside").symlink_to(outside[0])
    (docs / "up").symlink_to(tmp_path)
    (docs / "loop").symlink_to("loop")
    contents = read_documents(docs, follow_links=True)
    assert len(contents.documents) == 9
    assert reasons(contents)["loop"].startswith("a link that cannot be followed")


@pytest.mark.parametrize("follow", [False, True])
def test_the_records_of_a_run_are_no_documents(
    docs: Path, follow: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = docs / "rows.csv"
    rows.write_text("question,answer\nWhat is the capital of Peru?,Lima\n")
    monkeypatch.chdir(docs)
    assert cli("import", rows)[0] == 0
    assert cli("report", "runs/rows")[0] == 0
    (docs / "old/rounds/1").mkdir(parents=True)  # of before the mark
    (docs / "old/run.json").write_text('{"selfstudy": "0.1.0", "recipe_digest": "1"}')
    (docs / "old/rounds/1/questions.jsonl").write_text('{"text": "Lima?"}\n')
    (docs / "damaged").mkdir()
    (docs / "damaged/run.json").write_text('{\n  "kind": "selfstudy run",\n  "se')
    (docs / "damaged/questions.jsonl").write_text('{"text": "Lima?"}\n')
    (docs / "adapter").mkdir()
    (docs / "adapter/.selfstudy").write_text("selfstudy made this folder, and ...")
    (docs / "adapter/README.md").write_text("Lima.")
    (docs / "answers.jsonl").symlink_to("runs/rows/rounds/1/examples.jsonl")
    (docs.parent / "elsewhere").mkdir()
    (docs / "runs/rows").rename(docs.parent / "elsewhere/run")
    (docs / "away").symlink_to(docs.parent / "elsewhere/run/rounds")
    contents = read_documents(Path(), follow_links=follow)
    assert "Lima" not in texts(contents)
    found = reasons(contents)
    assert found["old"] == found["damaged"] == "a run directory of selfstudy"
    assert found["adapter"] == "a folder that selfstudy made"
    assert found["away"].startswith("a link that leaves the library")
    with pytest.raises(DataError, match="is a run directory"):
        read_documents(docs.parent / "elsewhere/run")


def test_pages_and_caches_of_ours_are_no_documents(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFSTUDY_HOME", str(docs))
    Cache(cache_folder() / "nli.sqlite").close()
    (cache_folder() / "left.txt").write_text("An answer.")
    page = '<!doctype html><html><head><meta charset="utf-8">\n<meta name="generator" content="selfstudy">'
    (docs / "compare.html").write_text(f"{page}</head><body><p>An answer.</p></body></html>")
    contents = read_documents(docs)
    assert texts(contents) == "The ferry began in 1908."
    assert reasons(contents) == {
        "cache": "a folder that selfstudy made",
        "compare.html": "a page that selfstudy made",
    }


@pytest.mark.parametrize("follow", [False, True])
def test_what_is_no_file_is_never_opened(docs: Path, follow: bool) -> None:
    os.mkfifo(docs / "pipe.txt")
    os.mkfifo(docs / "pipe.html")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(docs / "socket.md"))
    targets = ("/dev/zero", "/dev/stdin", "/proc/self/environ", "/proc/kmsg", "/proc", "/sys")
    for number, target in enumerate(targets):
        (docs / f"{number}.txt").symlink_to(target)
    contents = read_documents(docs, follow_links=follow)
    assert texts(contents) == "The ferry began in 1908."
    assert len(contents.skipped) == 9
    with pytest.raises(DataError, match="a folder of the kernel"):
        read_documents(Path("/proc/self"))
