from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from selfstudy.models import Models
from selfstudy.models.scripted import ScriptedLM
from selfstudy.probe.stage import run_probe
from selfstudy.progress import Silent
from selfstudy.prompts import Prompts
from selfstudy.recipe import AdaptiveBlock, AnsweringBlock, ProbeBlock, Recipe
from selfstudy.records import Answer
from selfstudy.run import SCORING, Run

from .world import Judge, Spots, Student, asking, models, pages


def test_what_waves_cost_is_the_deciding_scorers_too(tmp_path: Path) -> None:
    probe = ProbeBlock(
        ask=(asking(method="documents", count=20),),
        samples=6,
        scorer="selfcheck-nli",
        compare=("agreement",),
        adaptive=AdaptiveBlock(first=4, wave=2),
    )
    judge = Judge()
    with Run.create_or_resume(
        tmp_path / "run", Recipe(library="atlas", answering=AnsweringBlock(block_size=8), probe=probe)
    ) as run:
        run_probe(run.round(1), Models(Student(), judge, Spots()), Prompts(), pages(), Silent())
        answers = run.round(1).read(Answer)
        costs = run.costs()
    samples = sum(len(a.samples) for a in answers)
    nli, agreement = costs[SCORING + "selfcheck-nli"], costs[SCORING + "agreement"]
    assert nli["questions"] == agreement["questions"] == len(answers)
    assert samples < nli["pairs"] == len(judge.pairs) <= 2 * samples, "in their waves, and once more for good"
    assert agreement["pairs"] == 0


def test_each_scorer_costs_what_it_asks_of_models_and_stages_cost_what_they_did(tmp_path: Path) -> None:
    probe = ProbeBlock(
        ask=(asking(method="documents", count=20),),
        samples=4,
        scorer="selfcheck-nli",
        compare=("agreement", "selfcheck-llm", "ensemble"),
        ensemble=("selfcheck-nli", "agreement"),
    )
    judge = ScriptedLM({".": "No"})
    with Run.create_or_resume(
        tmp_path / "run", Recipe(library="atlas", answering=AnsweringBlock(block_size=8), probe=probe)
    ) as run:
        with run.timed("probe"):
            run_probe(run.round(1), replace(models(), own_judge=judge), Prompts(), pages(), Silent())
        answers = len(run.round(1).read(Answer))
        costs = run.costs()
        assert list(costs) == [SCORING + name for name in ("selfcheck-nli", *probe.compare)]
        assert {cost["questions"] for cost in costs.values()} == {answers}
        assert all(cost["seconds"] > 0 for cost in costs.values())
        # answers have one sentence
        assert costs[SCORING + "selfcheck-nli"]["pairs"] == answers * 4
        assert costs[SCORING + "selfcheck-nli"]["calls"] == 0
        assert answers <= costs[SCORING + "selfcheck-llm"]["calls"] < answers * 4, (
            "equal samples are asked about once"
        )
        assert costs[SCORING + "agreement"]["pairs"] == costs[SCORING + "ensemble"]["pairs"] == 0
        assert list(run.seconds()) == ["probe"]
        assert run.costs(2) == {}
