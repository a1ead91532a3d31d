"""Data sets by the library that reads the Hub's, from a folder of the same layout; and the Hub not there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from selfstudy.errors import DataError
from selfstudy.verify.suites import hub

from .asked import jsonl
from .test_truthfulqa_data import TARGETS


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def test_the_split_that_nobody_trains_on(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    jsonl(folder / "train.jsonl", [TARGETS | {"question": "Trained?"}])
    jsonl(folder / "validation.jsonl", [TARGETS, TARGETS | {"question": "名前は?"}])
    rows = list(hub.rows(str(folder), "", "suite truthfulqa"))
    assert [row.place for row in rows] == ["row 1 of validation", "row 2 of validation"]
    assert rows[0].value == TARGETS
    assert rows[1].value is not None
    assert rows[1].value["question"] == "名前は?"
    assert "split" not in capfd.readouterr().err


def test_what_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    jsonl(folder / "test.jsonl", [TARGETS])
    assert len(list(hub.rows(str(folder), "", "suite x"))) == 1

    class Large:
        class info:  # noqa: N801
            download_size = 3_000_000_000

    monkeypatch.setattr(hub, "_builder", lambda *named: Large)
    with pytest.raises(DataError, match="3,000,000,000 bytes, more than"):
        list(hub.rows("a/b", "", "suite x"))


def test_a_script_in_a_data_set_is_not_run(tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / "odd.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(DataError, match="cannot be read"):
        list(hub.rows(str(folder), "", "suite x"))
    assert not (tmp_path / "ran").exists()


def test_without_a_net_it_says_what_to_do(tmp_path: Path) -> None:
    """In a process of its own: the library reads the setting when it is imported."""
    code = (
        "from selfstudy.errors import DataError\n"
        "from selfstudy.recipe.suites import TruthfulQABlock\n"
        "from selfstudy.verify.suites.truthfulqa import truthfulqa\n"
        "try:\n    truthfulqa(TruthfulQABlock(data='nobody/nothing'), 0)\n"
        "except DataError as error:\n    print(error)\n"
    )
    import os

    where = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=where, check=True
    ).stdout
    assert "no file is called 'nobody/nothing', and the data set 'nobody/nothing:multiple_choice'" in said
    assert "without a net give a file" in said
