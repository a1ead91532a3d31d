"""Tutorials do what they say, word for word; the runner itself finds what does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from .pages import ROOT, TUTORIALS
from .running import follow, missing

QUICK = {"cluster", "ratings"}
"""Tutorials of a few seconds; the others are slow tests."""


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("page", [page for page in TUTORIALS if page.stem not in QUICK], ids=lambda p: p.stem)
def test_a_tutorial_gets_its_result(page: Path, tmp_path: Path) -> None:
    assert follow(page, tmp_path) < 15 * 60


@pytest.mark.parametrize("page", [page for page in TUTORIALS if page.stem in QUICK], ids=lambda p: p.stem)
def test_a_quick_tutorial_gets_its_result(page: Path, tmp_path: Path) -> None:
    assert follow(page, tmp_path) > 0


def written(folder: Path, *parts: str) -> Path:
    page = folder / "page.md"
    page.write_text("\n\n".join(parts) + "\n")
    return page


def fenced(language: str, text: str, title: str = "") -> str:
    titled = f' title="{title}"' if title else ""
    return f"```{language}{titled}\n{text}\n```"


def test_blocks_share_a_shell_and_files(tmp_path: Path) -> None:
    page = written(
        tmp_path,
        fenced("bash", "mkdir deep && cd deep\nname=Peru"),
        fenced("text", "Lima", "capital.txt"),
        fenced("bash", 'echo "$name: $(cat capital.txt) in 3.1 s"'),
        fenced("text", "Peru: Lima in ... s", "prints"),
        fenced("python", "print(open('capital.txt').read())"),
        fenced("text", "Lima", "prints"),
    )
    follow(page, tmp_path)
    assert (tmp_path / "deep/capital.txt").read_text() == "Lima\n"


@pytest.mark.parametrize(
    "wrong",
    [
        [fenced("bash", "echo Lima"), fenced("text", "Quito", "prints")],
        [fenced("bash", "false\necho went on")],
        [fenced("bash", "exit 3")],
        [fenced("python", "raise SystemExit(1)")],
    ],
)
def test_a_tutorial_that_does_not_work_fails(wrong: list[str], tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        follow(written(tmp_path, *wrong), tmp_path)


def test_promised_lines_come_in_order() -> None:
    printed = "one\n  two   2 \nthree\n"
    assert not missing("one\ntwo ...\nthree", printed)
    assert missing("two 2\none", printed) == "one"
    assert missing("tw", printed) == "tw"


def test_the_first_tutorial_is_there() -> None:
    assert ROOT / "docs/tutorials/own-documents.md" in TUTORIALS
