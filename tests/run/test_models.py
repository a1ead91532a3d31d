"""Which stage asks which model."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.recipe import (
    GatherBlock,
    LocalModel,
    ModelBlock,
    ProbeBlock,
    Recipe,
    RemoteModel,
    ScriptedModel,
    ServerModel,
)
from selfstudy.run.models import block_of, with_adapter

STUDENT = LocalModel(path="student")
SERVED = ServerModel(engine="vllm", model="student")
READER, JUDGE, TEACHER = (RemoteModel(model=name) for name in ("reader", "judge", "teacher"))
STAGES = ("probe", "gather", "judge", "teach", "verify", "report")


def asked(recipe: Recipe) -> dict[str, ModelBlock]:
    return {stage: block_of(recipe, stage) for stage in STAGES}


def test_a_stage_without_a_model_of_its_own_asks_the_recipe_s() -> None:
    assert asked(Recipe(model=STUDENT)) == dict.fromkeys(STAGES, STUDENT)


def test_a_teacher_reads_and_judges() -> None:
    found = asked(Recipe(model=STUDENT, teacher=TEACHER))
    assert {stage for stage, block in found.items() if block == TEACHER} == {"gather", "judge"}
    assert {stage for stage, block in found.items() if block == STUDENT} == {*STAGES} - {"gather", "judge"}


def test_a_model_of_its_own_comes_before_the_teacher() -> None:
    recipe = Recipe(
        model=STUDENT,
        teacher=TEACHER,
        judge=JUDGE,
        probe=ProbeBlock(model=SERVED),
        gather=GatherBlock(reader=READER),
    )
    found = asked(recipe)
    assert (found["probe"], found["gather"], found["judge"]) == (SERVED, READER, JUDGE)
    assert found["teach"] == found["verify"] == STUDENT


@pytest.mark.parametrize(
    ("model", "taught"),
    [
        (SERVED, LocalModel(path="student")),
        (
            ServerModel(engine="llama-cpp", model="s.gguf", weights="org/s", revision="2"),
            LocalModel(path="org/s", revision="2"),
        ),
    ],
)
def test_what_is_taught_are_the_weights_behind_the_model(model: ServerModel, taught: LocalModel) -> None:
    recipe = Recipe(model=model)
    assert block_of(recipe, "teach") == taught
    assert block_of(recipe, "verify") == model


def test_only_a_model_with_weights_gets_an_adapter(tmp_path: Path) -> None:
    for block in (STUDENT, SERVED):
        assert with_adapter(block, tmp_path) == block.model_copy(update={"adapter": tmp_path})
        assert with_adapter(block, None) == block
    for other in (TEACHER, ScriptedModel(path=tmp_path)):
        assert with_adapter(other, tmp_path) == other
