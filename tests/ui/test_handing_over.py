"""The page's publications: names that lead nowhere else, and what is on the disk is what is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from selfstudy.errors import DataError
from selfstudy.ui import handing_over
from selfstudy.ui.desk import Desk
from selfstudy.ui.views import publish
from tests.verbs.publishing.test_card import HOSTILE, chosen_of


@pytest.mark.parametrize("name", ["", "..", "a/b", "../out", "/etc", "-x", "a\0b", "a" * 97])
def test_names_of_folders(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError):
        handing_over.start(tmp_path, tmp_path, name, [], to_hub=False)


def test_what_is_on_the_disk_is_told_as_text(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert publish.look(desk, publish.HERE, "mine") == publish.look(desk, publish.HERE, "../x")
    folder = tmp_path / handing_over.FOLDER
    (folder / "mine").mkdir(parents=True)
    (folder / "mine.log").write_text(f"process {os.getpid()}\n{HOSTILE}\n")
    (folder / "mine/README.md").write_text(HOSTILE)
    running = publish.look(desk, publish.HERE, "mine")
    assert "It is being published" in running
    assert "<script" not in running
    (folder / "mine.log").write_text("process 999999999\npublished: there\n")
    ended = publish.look(desk, publish.HERE, "mine")
    assert "It is published, in the folder published/mine" in ended
    assert "&lt;script&gt;" in ended
    (folder / "mine/README.md").unlink()
    (folder / "mine/README.md").symlink_to("/etc/passwd")
    assert "root:" not in publish.look(desk, publish.HERE, "mine")


def test_the_plan_says_what_the_gate_said(tmp_path: Path) -> None:
    chosen_of(tmp_path, {"promoted": False, "reasons": [HOSTILE]})
    html = publish.plan(Desk(tmp_path), "run")
    assert "did not promote it" in html
    assert "<script" not in html
    assert "one adapter" in html
    assert "there is no run" in publish.plan(Desk(tmp_path), "../run")
