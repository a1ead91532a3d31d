"""The text of a web page, whatever the page is."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from selfstudy.library.folder import read_documents
from selfstudy.library.parsing.pages import main_text


@pytest.mark.parametrize(
    "page", ["", "<", "<p>", "</p></p>", "<title>x", "<![", "<!--", "&#xd800;", "<p>\0</p>"]
)
def test_any_page_is_survived(page: str) -> None:
    assert all(isinstance(part, str) for part in main_text(page))


def test_a_page_that_breaks_pythons_parser_is_read_by_the_other() -> None:
    title, text = main_text(
        "<html><head><title>Peru</title></head><body><p>A land.</p><![foo[x]]>"
        "<article><p>Lima is the capital of Peru, and it is a very large city by the sea.</p></article>"
    )
    assert title == "Peru"
    assert "Lima is the capital" in text


def test_visible_text_of_a_page_without_an_article() -> None:
    title, text = main_text("<title>T</title><div>Menu <b>one</b></div><div>two</div><script>no</script>")
    assert title == "T"
    assert text.split() == ["Menu", "one", "two"]


@pytest.mark.parametrize(
    ("page", "title"),
    [
        ("---\n# a comment\ndate: 2024-05-01\n---\n\n# The Quay\n\nText.", "The Quay"),
        ("---\n# a comment\ntitle: \"The Quay\"\n---\n\n# Other\n", "The Quay"),
        ("+++\n# a comment\ntitle = 'The Quay'\n+++\nText.", "The Quay"),
        ("```sh\n# install it\nmake\n```\n\n## The Quay ##\n", "The Quay"),
        ("~~~~\n~~~\n# not here\n~~~~\n# The Quay\n", "The Quay"),
        ("````md\n```\n# not here\n```\n````\n# The Quay\n", "The Quay"),
        ("    # indented code\n\n# The Quay\n", "The Quay"),
        ("<!--\n# a note\n-->\n# The Quay\n", "The Quay"),
        ("The Quay\n========\n\n# Below\n", "The Quay"),
        ("#hashtag\n\n# The Quay", "The Quay"),
        ("---\n\n# The Quay\n", "The Quay"),
        ("Only text.\n\n```\n# never closed\n", "page"),
    ],
)  # fmt: skip
def test_the_title_of_a_page_is_a_heading(tmp_path: Path, page: str, title: str) -> None:
    for name, encoding in (("page.md", "utf-8"), ("page.md", "utf-8-sig"), ("page.md", "utf-16")):
        (tmp_path / name).write_text(page, encoding=encoding)
        assert [d.title for d in read_documents(tmp_path).documents] == [title]


def test_titles_take_no_time(tmp_path: Path) -> None:
    start = time.process_time()
    for i, page in enumerate(
        ("---\n" * 60_000, "<!--" * 60_000, "```\n" * 60_000, "# " * 100_000, "=\n" * 100_000)
    ):
        (tmp_path / f"{i}.md").write_text(page)
    read_documents(tmp_path)
    assert time.process_time() - start < 10
