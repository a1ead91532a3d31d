"""The page's publications: names that lead nowhere else, and what is on the disk is what is told."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from selfstudy.errors import DataError, RunError
from selfstudy.ui import handing_over
from selfstudy.ui.desk import Desk
from selfstudy.ui.views import publish
from tests.verbs.publishing.test_card import HOSTILE, chosen_of


@pytest.mark.parametrize("name", ["", "..", "a/b", "../out", "/etc", "-x", "a\0b", "a" * 97])
def test_names_of_folders(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError):
        handing_over.start(tmp_path, tmp_path, name, [], to_hub=False)


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / handing_over.FOLDER).write_text("of others", encoding="utf-8")
    with pytest.raises(DataError, match="cannot make"):
        handing_over.start(tmp_path, tmp_path, "mine", [], to_hub=False)


def test_what_is_on_the_disk_is_told_as_text(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert publish.look(desk, publish.HERE, "mine") == publish.look(desk, publish.HERE, "../x")
    handing_over.start(tmp_path, tmp_path / HOSTILE.replace("/", ""), "mine", [], to_hub=False)
    assert "It is being published" in publish.look(desk, publish.HERE, "mine")
    with pytest.raises(RunError, match="still at work"):
        handing_over.start(tmp_path, tmp_path, "mine", [], to_hub=False)
    until = time.monotonic() + 60
    while (running := publish.look(desk, publish.HERE, "mine")).count("It is being published"):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert "<script" not in running
    assert "&lt;script&gt;" in running
    folder = tmp_path / handing_over.FOLDER / "mine"
    folder.mkdir()
    (folder / "README.md").write_text(HOSTILE)
    ended = publish.look(desk, publish.HERE, "mine")
    assert "It is published, in the folder published/mine" in ended
    assert "<script" not in ended
    (folder / "README.md").unlink()
    (folder / "README.md").symlink_to("/etc/passwd")
    assert "root:" not in publish.look(desk, publish.HERE, "mine")


def test_the_plan_says_what_the_gate_said(tmp_path: Path) -> None:
    chosen_of(tmp_path, {"promoted": False, "reasons": [HOSTILE]})
    html = publish.plan(Desk(tmp_path), "run")
    assert "did not promote it" in html
    assert "<script" not in html
    assert "one adapter" in html
    assert "there is no run" in publish.plan(Desk(tmp_path), "../run")
