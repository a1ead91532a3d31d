"""Which stage asks which model."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.models.base import HasWeights
from selfstudy.models.server.servers import Servers
from selfstudy.models.workers import ModelSpec
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
from selfstudy.run import Run
from selfstudy.run.models import StageModels, as_taught, block_of, whole_block
from tests.models.in_process import InProcess

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
        assert as_taught(block, tmp_path) == block.model_copy(update={"adapter": tmp_path})
        assert as_taught(block, None) == block
    for other in (TEACHER, ScriptedModel(path=tmp_path)):
        assert as_taught(other, tmp_path) == other


def test_a_model_that_was_trained_as_a_whole_answers_by_itself(tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).touch()
    given = STUDENT.model_copy(update={"adapter": tmp_path / "old", "revision": "r"})
    assert as_taught(given, tmp_path) == whole_block(STUDENT, tmp_path)
    assert as_taught(TEACHER, tmp_path) == TEACHER
    held = STUDENT.model_copy(update={"load_in_4bit": True})
    assert as_taught(held, tmp_path) == whole_block(STUDENT, tmp_path)


def test_a_merged_model_answers_in_the_number_type_in_which_it_is_saved(tmp_path: Path) -> None:
    """Read in bfloat16 it would be rounded: what is measured would not be what was taught."""
    local = LocalModel(path="student", revision="r", adapter=tmp_path / "a", dtype="bfloat16", device="cpu")
    found = whole_block(local, tmp_path / "merged")
    assert found == LocalModel(path=str(tmp_path / "merged"), dtype="float32", device="cpu")


def test_a_merged_model_is_served_by_the_engine_if_that_loads_folders(tmp_path: Path) -> None:
    folder = tmp_path / "merged"
    served = whole_block(
        ServerModel(engine="vllm", model="student", weights="w", adapter=tmp_path, args={"max-model-len": 1}),
        folder,
    )
    assert served == ServerModel(engine="vllm", model=str(folder), args={"max-model-len": 1})
    here = LocalModel(path=str(folder), dtype="float32")
    assert whole_block(ServerModel(engine="ollama", model="student", weights="w"), folder) == here
    running = ServerModel(engine="vllm", model="student", url="http://127.0.0.1:8000")
    assert whole_block(running, folder) == here
    assert whole_block(READER, folder) == READER


def test_what_is_trained_is_here_and_all_else_in_workers(tiny_llama: Path, tmp_path: Path) -> None:
    student = LocalModel(path=str(tiny_llama), device="cpu")
    workers = InProcess(2)
    with Run.create_or_resume(tmp_path / "run", Recipe(model=student)) as run:
        models = StageModels(run, Servers(), lambda: workers)
        asked, trained = models.get(student), models.get(student, here=True)
        assert isinstance(trained, HasWeights)
        assert not isinstance(asked, HasWeights)
        assert models.get(student) is asked
        assert models.get(student, here=True) is trained
        assert models.apart(student) is asked
        models.make_room()
        assert workers.forgotten == [ModelSpec("lm", student.model_dump_json())]
        models.forget(student)
        models.forget(student)  # it is not there any more
        assert len(workers.forgotten) == 2
        assert models.get(student) is not asked


def test_one_that_picks_adapters_stays_here_and_says_so_once(
    tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    routed = LocalModel(path=str(tiny_llama), device="cpu", adapter=tmp_path)
    monkeypatch.setattr("selfstudy.run.models.is_routed", lambda folder: folder == tmp_path)
    monkeypatch.setattr("selfstudy.models.load_lm", lambda block, **how: (block, how["servers"].say))
    with Run.create_or_resume(tmp_path / "run", Recipe(model=routed)) as run:
        models = StageModels(run, Servers(say=said.append), lambda: InProcess(1))
        monkeypatch.setattr("selfstudy.run.models.metered", lambda lm, ledger: lm)
        assert models.get(routed)[0] == routed  # type: ignore[index]
        models.forget(routed)
        models.get(routed)
    assert len(said) == 1
    assert "in this process alone" in said[0]
