"""How long a run will take is told before it, kept in it, and held against what it took."""

from __future__ import annotations

from pathlib import Path

from selfstudy import ScriptedLM
from selfstudy.errors import ModelError
from selfstudy.models.base import LanguageModel
from selfstudy.prompts import Prompts
from selfstudy.recipe import Ask, NoNLI, ProbeBlock, Recipe, ScriptedModel
from selfstudy.records import Document
from selfstudy.run import ESTIMATE, Run
from selfstudy.verbs.forecast import forecast, held_against

PAGES = [Document(source=str(i), text=f"Document {i} says something about Peru.") for i in range(5)]
HERE = Recipe(nli=NoNLI(), library="x", probe=ProbeBlock(ask=(Ask(method="documents", count=5),), samples=2))


def told(run: Run, lm: LanguageModel) -> list[str]:
    said: list[str] = []
    forecast(run, lambda: lm, PAGES, Prompts(), 0.05, said.append)
    return said


def test_it_is_told_once_and_kept(tmp_path: Path) -> None:
    lm = ScriptedLM({"Ask one question": ["What is it?"], ".": ["It is Peru."]})
    with Run.create_or_resume(tmp_path / "run", HERE) as run:
        assert held_against(run) == ""
        (said,) = told(run, lm)
        assert said.startswith("this will take about ")
        assert set(run.costs(0)[ESTIMATE]) == {"probe", "gather", "teach", "verify"}
        assert not run.usage_file.exists()  # nothing of it counts as asked
        assert run.seconds() == {}
        assert told(run, lm) == []
        with run.timed("probe"):
            pass
        assert held_against(run, ("probe",)).startswith("took 0.0 s, the estimate said ")
        assert held_against(run, ("gather",)) == ""


def test_it_costs_no_money_and_asks_no_script(tmp_path: Path) -> None:
    recipe = Recipe(model=ScriptedModel(path=tmp_path / "x.yaml"), probe=HERE.probe)
    with Run.create_or_resume(tmp_path / "run", recipe) as run:
        assert told(run, ScriptedLM({})) == []
        assert run.costs(0) == {}


def test_what_cannot_be_measured_stops_no_run(tmp_path: Path) -> None:
    said: list[str] = []

    def broken() -> LanguageModel:
        raise ModelError("no such model", "name another")

    with Run.create_or_resume(tmp_path / "run", HERE) as run:
        forecast(run, broken, PAGES, Prompts(), 0.05, said.append)
        assert run.costs(0) == {}
    assert "could not be measured: no such model" in said[0]
