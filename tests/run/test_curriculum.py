"""What an adapter was taught, beside its weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.errors import RunError
from selfstudy.run import curriculum
from selfstudy.run.curriculum import Curriculum


def test_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = Curriculum(round=2, group="europe", questions=("a", "b"), sources=("eu/fr.md",))
    curriculum.write(tmp_path, written)
    assert curriculum.read(tmp_path) == written


def test_an_adapter_of_before_has_none(tmp_path: Path) -> None:
    assert curriculum.read(tmp_path) is None


def test_damage_is_told_with_the_file(tmp_path: Path) -> None:
    (tmp_path / curriculum.CURRICULUM).write_text('{"round": "x"')
    with pytest.raises(RunError, match=r"curriculum\.json is damaged"):
        curriculum.read(tmp_path)
