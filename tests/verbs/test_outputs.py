"""A verb replaces what carries its mark, in both shapes, and nothing of another verb."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfstudy.errors import RunError
from selfstudy.verbs.outputs import require_free


@pytest.mark.parametrize("mark", ["discuss", {"verb": "discuss", "chosen": 0.5}])
def test_both_marks_are_known(mark: object, tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps({"prompt": [], "selfstudy": mark}) + "\n")
    require_free(path, None, "move it", "discuss")
    with pytest.raises(RunError, match="is no output of selfstudy socratic"):
        require_free(path, None, "move it", "socratic")


@pytest.mark.parametrize("mark", [None, [], 1, {"reward": "missing"}, {"verb": ["discuss"]}])
def test_other_marks_are_somebodys(mark: object, tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps({"selfstudy": mark}) + "\n")
    with pytest.raises(RunError, match="left as it is"):
        require_free(path, None, "move it", "discuss")
