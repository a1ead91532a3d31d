"""Which model speaks as whom."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.errors import RecipeError
from selfstudy.recipe.file import make_recipe
from selfstudy.verbs.socratic.voices import Voices


def scripted(folder: Path, **names: str) -> list[str]:
    changes = []
    for key, name in names.items():
        (folder / name).write_text("x: y\n")
        changes += [f"{key}.type=scripted", f"{key}.path={folder / name}"]
    return changes


def test_a_teacher_alone_plays_all_and_judges_nothing(tmp_path: Path) -> None:
    voices = Voices(make_recipe({}, scripted(tmp_path, teacher="t.yaml")))
    assert voices.teacher.lm.name.endswith("t.yaml")
    assert voices.student is voices.teacher
    assert voices.weak is voices.teacher
    assert voices.judge is None


def test_each_of_its_own(tmp_path: Path) -> None:
    recipe = make_recipe({}, scripted(tmp_path, teacher="t.yaml", model="s.yaml", judge="j.yaml"))
    voices = Voices(recipe)
    assert voices.student.lm.name.endswith("s.yaml")
    assert voices.weak is voices.student
    assert voices.judge is not None
    assert voices.judge.lm.name.endswith("j.yaml")


def test_nobody_tutors() -> None:
    with pytest.raises(RecipeError, match="--teacher MODEL"):
        Voices(make_recipe({}, []))
