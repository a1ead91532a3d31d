"""Which model speaks as whom."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.errors import ModelError, RecipeError
from selfstudy.recipe import LocalModel
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


def test_a_weak_model_runs_as_the_student_does() -> None:
    changes = [
        "teacher.path=t",
        "model.path=s",
        "model.revision=v1",
        "model.device=cpu",
        "model.dtype=float32",
    ]
    weak = Voices(make_recipe({}, changes), weak="w")._weak
    assert isinstance(weak, LocalModel)
    assert (weak.path, weak.revision, weak.device, weak.dtype) == ("w", None, "cpu", "float32")


def test_a_host_that_is_not_allowed_is_refused_at_once(tmp_path: Path) -> None:
    judge = ["judge.type=remote", "judge.model=m", "judge.base_url=http://example.org/v1"]
    with pytest.raises(ModelError, match="plain http"):
        Voices(make_recipe({}, [*scripted(tmp_path, teacher="t.yaml"), *judge]))


def test_nobody_tutors() -> None:
    with pytest.raises(RecipeError, match="--teacher MODEL"):
        Voices(make_recipe({}, []))
