"""What the verb may replace, and what it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfstudy.errors import RunError
from selfstudy.verbs.socratic.outputs import MARK, require_apart, require_free


def test_what_is_ours_or_nothing_is_replaced(tmp_path: Path) -> None:
    path, source = tmp_path / "rows.jsonl", tmp_path / "in.jsonl"
    require_free(path, source, "move it")
    for content in ("", json.dumps({**MARK, "prompt": []}) + "\n[", json.dumps({**MARK, "a": 1}, indent=1)):
        path.write_text(content)
        require_free(path, source, "move it")


@pytest.mark.parametrize("content", ["my thesis", '{"prompt": "Who?"}\n', "[1]", '{"selfstudy": 1}\n'])
def test_what_is_somebodys_is_not(content: str, tmp_path: Path) -> None:
    path = tmp_path / "mine"
    path.write_text(content)
    with pytest.raises(RunError, match="is no output of selfstudy socratic"):
        require_free(path, tmp_path / "in.jsonl", "move it")
    assert path.read_text() == content


def test_nor_is_the_input_a_link_or_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text(json.dumps(MARK) + "\n")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for refused, why in ((path, "the input itself"), (tmp_path / "link", "a link"), (tmp_path, "no output")):
        with pytest.raises(RunError, match=why):
            require_free(refused, path, "move it")


def test_rows_do_not_take_the_place_of_what_is_kept(tmp_path: Path) -> None:
    require_apart(tmp_path / "rows.jsonl", tmp_path)
    require_apart(tmp_path / "other" / "measures.json", tmp_path)
    with pytest.raises(RunError, match="keeps something else by that name"):
        require_apart(tmp_path / "dialogues.jsonl", tmp_path)
