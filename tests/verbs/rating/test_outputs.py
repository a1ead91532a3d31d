"""What is written is ours, and what is somebody's is left alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfstudy.errors import RunError
from selfstudy.files.cache import Cache
from selfstudy.verbs.rating import outputs
from selfstudy.verbs.rating.given import Given

from .given import prompt, rewards


def test_every_answer_and_every_failure_is_a_row() -> None:
    given = Given((prompt("a", "b", correct="r"),), (("line 3", "not JSON"),))
    first, second, bad = outputs.judged_rows(given, {"missing": [rewards(0.5, None)]})
    assert first["selfstudy"] == {"missing": {"value": 0.5, "why": ""}}
    assert (first["completion"], first["correct"], second["correct"]) == ("a", True, None)
    assert second["selfstudy"] == {"missing": {"problem": "nothing was said"}}
    assert (bad["place"], bad["error"]) == ("line 3", "not JSON")


def test_ours_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "out.jsonl"
    for value in (1, 2):
        outputs.require_free(path, tmp_path / "in.jsonl")
        outputs.write(path, outputs.lines([{"selfstudy": value}]))
    assert json.loads(path.read_text()) == {"selfstudy": 2}
    assert [one.name for one in path.parent.iterdir()] == ["out.jsonl"]


@pytest.mark.parametrize("content", ["my thesis", '{"prompt": "Who?"}\n', "[1]", ""])
def test_a_file_of_somebody_is_not(content: str, tmp_path: Path) -> None:
    path = tmp_path / "mine"
    path.write_text(content)
    with pytest.raises(RunError, match="is no output of selfstudy rate"):
        outputs.require_free(path, tmp_path / "in.jsonl")


def test_a_cache_is_no_other_file(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    others = (tmp_path / "in.jsonl", out, outputs.judged_beside(out))
    outputs.require_apart(tmp_path / "cache", *others)
    for path in others:
        with pytest.raises(RunError, match="also an input or an output"):
            outputs.require_apart(path.parent / "." / path.name, *others)


def test_nor_is_the_input_or_a_link(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"selfstudy": 1}\n')
    with pytest.raises(RunError, match="is the input itself"):
        outputs.require_free(path, path)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(RunError, match="is no output"):
        outputs.require_free(tmp_path / "link", path)


def test_a_sheet_may_be_judged_already(tmp_path: Path) -> None:
    outputs.require_absent(tmp_path / "sheet.csv")
    (tmp_path / "sheet.csv").write_text("id\n")
    with pytest.raises(RunError, match="may be judged"):
        outputs.require_absent(tmp_path / "sheet.csv")


def test_a_cache_is_told_from_a_file_of_somebody(tmp_path: Path) -> None:
    Cache(tmp_path / "c.sqlite", shared=False).close()
    outputs.require_cache(tmp_path / "c.sqlite")
    outputs.require_cache(tmp_path / "none.sqlite")
    (tmp_path / "mine").write_text("my thesis")
    with pytest.raises(RunError, match="is no cache"):
        outputs.require_cache(tmp_path / "mine")
    assert (tmp_path / "mine").read_text() == "my thesis"


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write"):
        outputs.write(tmp_path / "file" / "out.jsonl", b"")
