"""Ensembles: equal and learned weights, members shared with the same scorers alone, refusals."""

from __future__ import annotations

from math import exp
from typing import Any

import numpy as np
import pytest

from selfstudy.errors import DataError, RecipeError
from selfstudy.probe.scorers import SCORERS, Tools, Weights, fit_weights, make_scorer
from selfstudy.probe.scorers.sample_agreement import SampleAgreement
from selfstudy.recipe import ProbeBlock
from selfstudy.recipe.file import parse_recipe
from selfstudy.records import Question

from .scoring import answer, loaded

MEMBERS = ("selfcheck-ngram", "agreement")
ANSWERS = [answer("Vienna.", "Vienna.", "Graz."), answer("Graz.", "Graz.", "graz")]
QUESTIONS = [Question(text="?")] * 2


def tools(**changes: Any) -> Tools:
    return Tools(loaded(), block=ProbeBlock(ensemble=MEMBERS), **changes)


def test_equal_weights_are_the_mean() -> None:
    kit = tools()
    alone = [make_scorer(name, kit).score(QUESTIONS, ANSWERS) for name in MEMBERS]
    found = make_scorer("ensemble", kit).score(QUESTIONS, ANSWERS)
    for score, first, second in zip(found, *alone, strict=True):
        assert score.value == pytest.approx((first.value + second.value) / 2)  # type: ignore[operator]
        assert score.parts == {MEMBERS[0]: first.value, MEMBERS[1]: second.value}
    assert found[0].value != found[1].value


def test_learned_weights_by_hand() -> None:
    weights = Weights(-1.0, {"agreement": 2.0, "selfcheck-ngram": 4.0})
    found = make_scorer("ensemble", tools(weights=weights)).score(QUESTIONS, ANSWERS)
    parts = found[0].parts
    z = -1 + 2 * parts["agreement"] + 4 * parts["selfcheck-ngram"]
    assert found[0].value == pytest.approx(1 / (1 + exp(-z)))
    assert Weights(-1e6, {}).value({}) == 0.0
    assert Weights(1e6, {}).value({}) == 1.0


def test_members_are_computed_once_also_when_asked_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    class Counting:
        name = "agreement"

        def score(self, questions: Any, answers: Any) -> Any:
            calls.append(len(answers))
            return SampleAgreement().score(questions, answers)

    monkeypatch.setitem(SCORERS, "agreement", lambda kit: Counting())
    kit = tools()
    scorers = [make_scorer(name, kit) for name in ("agreement", "ensemble", "selfcheck-ngram")]
    for block in (ANSWERS, ANSWERS[:1]):  # block by block, each scorer in turn: as the probe does
        for scorer in scorers:
            scorer.score(QUESTIONS[: len(block)], block)
    assert calls == [2, 1]


def test_an_answer_without_a_members_value_names_the_member() -> None:
    kit = Tools(loaded(), block=ProbeBlock(ensemble=("agreement", "semantic-entropy")))
    bad, good = make_scorer("ensemble", kit).score(
        QUESTIONS, [answer("Vienna.", "Vienna."), answer("Vienna.", "Vienna.", "Vienna.")]
    )
    assert (bad.value, bad.error) == (None, "no semantic-entropy score: it needs 2 samples, there is 1")
    assert good.value == 0.0


@pytest.mark.parametrize("members", [[], ["ensemble"], ["agreement", "ensemble"]])
def test_no_members_or_itself_is_refused(members: list[str]) -> None:
    with pytest.raises(RecipeError, match="other than itself"):
        parse_recipe({"probe": {"ensemble": members}}, "the recipe")


def test_weights_of_other_members_are_refused() -> None:
    with pytest.raises(RecipeError, match="selfcheck-nli"):
        make_scorer("ensemble", tools(weights=Weights(0.0, {"agreement": 1.0, "selfcheck-nli": 1.0})))


def test_a_member_named_twice_counts_once() -> None:
    kit = Tools(loaded(), block=ProbeBlock(ensemble=("agreement", "agreement", "selfcheck-ngram")))
    twice, once = (make_scorer("ensemble", k).score(QUESTIONS, ANSWERS) for k in (kit, tools()))
    assert [s.value for s in twice] == pytest.approx([s.value for s in once])


def test_weights_are_learned_from_labels() -> None:
    rng = np.random.default_rng(0)
    wrong = rng.random(400) < 0.5
    good = np.clip(wrong * 0.6 + rng.random(400) * 0.5, 0, 1)
    noise = rng.random(400)
    weights = fit_weights({"good": good.tolist(), "noise": noise.tolist()}, wrong.tolist())
    assert weights.weights["good"] > 5 * abs(weights.weights["noise"])
    values = [weights.value({"good": g, "noise": n}) for g, n in zip(good, noise, strict=True)]
    assert np.mean((np.array(values) > 0.5) == wrong) > 0.95
    assert fit_weights({"good": good.tolist(), "noise": noise.tolist()}, wrong.tolist()) == weights
    # the condition of an optimum: the penalised gradient vanishes, for the bias and for each weight
    error = np.array(values) - wrong
    assert error.sum() == pytest.approx(0, abs=0.05)
    assert (error * good).sum() + weights.weights["good"] == pytest.approx(0, abs=0.05)
    assert (error * noise).sum() + weights.weights["noise"] == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("wrong", [[], [True, True], [False]])
def test_labels_of_one_kind_teach_nothing(wrong: list[bool]) -> None:
    with pytest.raises(DataError, match="cannot learn weights"):
        fit_weights({"a": [0.5] * len(wrong)}, wrong)
