"""How long a run will take is told before it, kept in it, and held against what it took."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from selfstudy import ScriptedLM
from selfstudy.errors import ModelError
from selfstudy.models.base import LanguageModel, Sampling
from selfstudy.recipe import Ask, NoNLI, ProbeBlock, Recipe, ScriptedModel
from selfstudy.records import Document
from selfstudy.run import ESTIMATE, Run
from selfstudy.verbs.forecast import forecast, held_against, is_due
from tests.stories.small import cli, refusal

PAGES = [Document(source=str(i), text=f"Document {i} says something about Peru.") for i in range(5)]
HERE = Recipe(nli=NoNLI(), library="x", probe=ProbeBlock(ask=(Ask(method="documents", count=5),), samples=2))


def told(run: Run, lm: LanguageModel) -> list[str]:
    said: list[str] = []
    if is_due(run):
        forecast(run, lm, 0.0, PAGES, 0.05, said.append)
    return said


def test_it_is_told_once_and_kept(tmp_path: Path) -> None:
    lm = ScriptedLM({"Ask one question": ["What is it?"], ".": ["It is Peru."]})
    with Run.create_or_resume(tmp_path / "run", HERE) as run:
        assert held_against(run) == ""
        (said,) = told(run, lm)
        assert said.startswith("this will take about ")
        assert "teach not measured" in said  # a script cannot be trained
        assert set(run.costs(0)[ESTIMATE]) == {"probe", "gather", "verify"}
        assert not run.usage_file.exists()  # nothing of it counts as asked
        assert run.seconds() == {}
        assert told(run, lm) == []
        with run.timed("probe"):
            pass
        assert held_against(run, ("probe",)).startswith("took 0.0 s, the estimate said ")
        assert held_against(run, ("gather",)) == ""
        with run.timed("teach"):
            pass
        assert held_against(run, ("teach",)) == ""


def test_it_costs_no_money_and_asks_no_script(tmp_path: Path) -> None:
    recipe = Recipe(model=ScriptedModel(path=tmp_path / "x.yaml"), probe=HERE.probe)
    with Run.create_or_resume(tmp_path / "run", recipe) as run:
        assert told(run, ScriptedLM({})) == []
        assert run.costs(0) == {}


@pytest.mark.parametrize("error", [ModelError("no such model", "name another"), ValueError("of any kind")])
def test_what_cannot_be_measured_stops_no_run(tmp_path: Path, error: Exception) -> None:
    class Broken(ScriptedLM):
        def generate(self, chats: Any, sampling: Sampling, progress: Any = None) -> Any:
            raise error

    with Run.create_or_resume(tmp_path / "run", HERE) as run:
        (said,) = told(run, Broken({}))
        assert run.costs(0) == {}
    assert "could not be measured: " in said
    assert str(error.args[0]) in said


@pytest.fixture
def llama(tmp_path: Path, tiny_llama: Path) -> Path:
    """A recipe of a model that can be loaded and not worked with."""
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages/a.txt").write_text("Lima is the capital of Peru.")
    path = tmp_path / "my.yaml"
    path.write_text(
        f"model: {{path: {tiny_llama}, device: cpu}}\n"
        "nli: {type: none}\nlibrary: pages\nanswering: {max_new_tokens: 4, reading_tokens: 4}\n"
        "probe: {samples: 2, scorer: agreement, ask: [{method: documents, count: 2, max_new_tokens: 4}]}\n"
    )
    return path


def test_a_model_that_cannot_be_worked_with_is_not_measured(llama: Path, tmp_path: Path) -> None:
    said = refusal(cli("probe", llama, "--run", tmp_path / "run"))
    assert "cannot be worked with" in said
    assert "measured" not in said


def test_a_resumed_run_does_not_open_its_library_to_tell_nothing(llama: Path, tmp_path: Path) -> None:
    run = ("--run", str(tmp_path / "run"), "--no-measure", "--set", "smoke=skip")
    cli("probe", llama, *run)
    with Run.open(tmp_path / "run") as opened:
        opened.round(1).finish("probe")
    (tmp_path / "pages/a.txt").unlink()
    code, _, said = cli("probe", llama, "--run", tmp_path / "run", "--set", "smoke=skip")
    assert code == 0, said
    assert "probe is done already" in said


def test_who_only_probes_trains_nothing(llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[object] = []
    monkeypatch.setattr("selfstudy.teach.trainers.shared.training_copy", copied.append)
    _, _, said = cli("probe", llama, "--run", tmp_path / "run", "--set", "smoke=warn")
    assert "teach not measured" in said
    assert said.count("smoke check:") == 1
    assert copied == []
