"""What the doctor finds of a recipe and the files that it names."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from tests.stories.small import cli
from tests.verbs.doctor.looking import findings, written


def test_a_recipe_that_cannot_be_used(tmp_path: Path) -> None:
    recipe = written(tmp_path, "library: ./nowhere\nprobe: {sampels: 3}\n")
    found = findings(recipe, tmp_path)
    assert found["recipe"].state == "fail"
    assert "did you mean probe.samples?" in found["recipe"].found
    assert "library" not in found
    code, shown, _ = cli("doctor", recipe)
    assert code == 1
    assert "fail  recipe" in shown


def test_a_library_without_files(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    recipe = written(tmp_path, "library: ./docs\n")
    assert findings(recipe, tmp_path)["library"].state == "fail"
    (tmp_path / "docs" / "a.md").write_text("# Fiji")
    assert findings(recipe, tmp_path)["library"].found.startswith("1 files")


def test_workers_need_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = metadata.version

    def without(name: str) -> str:
        if name == "ray":
            raise metadata.PackageNotFoundError(name)
        return version(name)

    recipe = written(tmp_path, "library: atlas\nscale: {workers: 3}\n")
    monkeypatch.setattr(metadata, "version", without)
    found = findings(recipe, tmp_path)["scale"]
    assert (found.state, found.found) == ("fail", "address local needs ray")
    assert found.fix == "pip install 'selfstudy[ray]'"


def test_the_files_of_questions_and_answers(tmp_path: Path) -> None:
    (tmp_path / "asked.txt").write_text("Who built Tolm?\n")
    (tmp_path / "key.jsonl").write_text('{"question": "Who built Tolm?", "answer": "Ann"}\n')
    (tmp_path / "facts.jsonl").write_text('{"question": "What is water?"}\n')
    recipe = tmp_path / "my.yaml"
    recipe.write_text(
        "probe: {ask: [{method: external, count: 1, source: asked.txt, questions: true}]}\n"
        "answer_key: key.jsonl\nverify: {known_questions: facts.jsonl}\n"
    )
    found = findings(recipe, tmp_path)
    assert [found[name].state for name in ("probe.ask.0.source", "answer_key", "verify.known_questions")] == [
        "ok",
        "ok",
        "fail",
    ]
    assert "line 1" in found["verify.known_questions"].found


def test_room_to_train_all_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = written(tmp_path, "library: atlas\nteach: {finetuning: full}\n")
    assert findings(recipe, tmp_path)["teach"].state == "ok"
    monkeypatch.setattr("selfstudy.models.local.loading.unused_memory", lambda device: 10**6)
    found = findings(recipe, tmp_path)["teach"]
    assert found.state == "fail"
    assert "free on cpu" in found.found
    assert "teach" not in findings(written(tmp_path, "library: atlas\n"), tmp_path)
    full = "library: atlas\nteach: {finetuning: full}\nmodel: "
    elsewhere = written(tmp_path, full + "{path: nobody/nothing}\n")
    monkeypatch.setattr("selfstudy.models.local.loading.hub_answers", lambda: True)
    assert "not here yet" in findings(elsewhere, tmp_path)["teach"].found
    absent = written(tmp_path, full + "{path: ./nothing}\n")
    assert "teach" not in findings(absent, tmp_path)  # said of the model


@pytest.mark.parametrize("kind", ["classifier", "seq2seq"])
def test_the_evaluator_of_verify_is_looked_at_whatever_its_kind(kind: str, tmp_path: Path) -> None:
    recipe = written(tmp_path, f"library: atlas\nverify: {{nli: {{type: {kind}, path: nobody/nothing}}}}\n")
    assert findings(recipe, tmp_path)["verify.nli"].state != "ok"


def test_a_tracker_is_named_with_where_it_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    recipe = written(tmp_path, "library: atlas\ntrack: mlflow\n")
    assert findings(recipe, tmp_path)["track"].state == "ok"
    assert findings(recipe, tmp_path)["track"].found.endswith("project selfstudy: a folder in the run")
    monkeypatch.setattr("selfstudy.tracking.access._installed", lambda name: False)
    assert findings(recipe, tmp_path)["track"].state == "fail"
    assert "pip install mlflow-skinny" in findings(recipe, tmp_path)["track"].fix
    assert "track" not in findings(written(tmp_path, "library: atlas\n"), tmp_path)
