"""Suites asked of the arms of a round: what is written, what is gone on with, what the gate makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from selfstudy.errors import ModelError
from selfstudy.models.base import LanguageModel, NoLogprobsError
from selfstudy.progress import Silent
from selfstudy.prompts import Prompts
from selfstudy.records import Arm, Failure, SuiteItem
from selfstudy.run import Round, Run
from selfstudy.verify.gains import Resampling
from selfstudy.verify.gate import Gate
from selfstudy.verify.stage import run_verify
from selfstudy.verify.strengths import Chosen
from selfstudy.verify.suites.asking import Advancing, PlannedSuite, SuitePlan, ask_suites
from selfstudy.verify.suites.kept import kept_suites, results

from ..towns import EVERYTHING, GAPS, KNOWN, MODELS_KNOWN, Oracle, WordNLI, fill, recipe
from .towns_suite import TownsSuite

TOWNS = range(GAPS + KNOWN)
HOW = Resampling(resamples=200)


@pytest.fixture
def towns(tmp_path: Path) -> Iterator[Round]:
    with Run.create_or_resume(tmp_path / "run", recipe(suites=[{"name": "qa"}])) as run:
        fill(run.round(1))
        yield run.round(1)


class NamedSuite(TownsSuite):
    """By the name of a suite that a recipe knows."""

    name = "qa"


def loader(lm: LanguageModel) -> Callable[[], LanguageModel]:
    return lambda: lm


def ask(round_: Round, arm: Arm, lm: LanguageModel, suite: Any, **planned: Any) -> None:
    plan = SuitePlan([PlannedSuite(suite, **planned)])
    ask_suites(round_, arm, loader(lm), plan, Silent())


def test_every_arm_is_asked_and_compared(towns: Round) -> None:
    suite = TownsSuite([0, 1, 30, 31])
    ask(towns, "base", Oracle(MODELS_KNOWN), suite, settings={"data": None}, margin=0.1)
    ask(towns, "control", Oracle(set()), suite)
    ask(towns, "taught", Oracle(EVERYTHING), suite, settings={"data": None}, margin=0.1)
    assert {one.arm for one in towns.iter(SuiteItem)} == {"base", "taught"}
    assert suite.seen_before == [0, 4]
    found = results(towns, HOW)["towns"]
    assert (found.figures["right"].before, found.figures["right"].after) == (0.5, 1.0)
    assert (found.margin, found.notes) == (0.1, suite.notes)
    assert kept_suites(towns)["towns"].settings == {"data": None}


def test_a_kill_loses_nothing_and_blocks_stay_whole(towns: Round) -> None:
    class Killed(TownsSuite):
        def run(self, *arguments: Any, **more: Any) -> Iterator[list[SuiteItem]]:
            for number, block in enumerate(super().run(*arguments, **more)):
                if number == 2:
                    raise KeyboardInterrupt
                yield block

    towns_asked = list(range(24, 44))
    with pytest.raises(KeyboardInterrupt):
        ask(towns, "base", Oracle(MODELS_KNOWN), Killed(towns_asked))
    assert len(towns.read(SuiteItem)) == 10
    torn = towns.read(SuiteItem)[:8]
    towns.rewrite(SuiteItem, torn)
    again = TownsSuite(towns_asked)
    ask(towns, "base", Oracle(MODELS_KNOWN), again)
    assert again.asked == [("base", 5), ("base", 10), ("base", 15)]
    whole = towns.read(SuiteItem)
    assert [one.item for one in whole] == [str(n) for n in towns_asked]
    third = TownsSuite(towns_asked)
    ask(towns, "base", Oracle(MODELS_KNOWN), third)
    assert third.asked == []


def test_a_suite_of_which_nothing_comes_stops_the_stage_and_counts_as_not_asked(towns: Round) -> None:
    broken = Oracle(set(), fails=frozenset(TOWNS))
    with pytest.raises(ModelError, match="out of memory"):
        ask(towns, "base", broken, TownsSuite(range(30)))
    assert not towns.read(SuiteItem)
    ask(towns, "base", Oracle(MODELS_KNOWN), TownsSuite(range(30)))
    ask(towns, "taught", broken, TownsSuite(range(30)))  # what training broke is a result
    found = results(towns, HOW)["towns"]
    assert (found.failed_after, found.error, found.figures["right"].n) == (30, "out of memory", 0)
    assert len([one for one in towns.iter(Failure) if one.stage == "verify"]) == 30


def test_what_is_no_number_is_an_error_and_no_score(towns: Round) -> None:
    class Endless(TownsSuite):
        def run(self, *arguments: Any, **more: Any) -> Iterator[list[SuiteItem]]:
            for block in super().run(*arguments, **more):
                yield [
                    one.model_copy(update={"parts": {"right": float("inf")}}) for one in block[:1]
                ] + block[1:]

    ask(towns, "base", Oracle(MODELS_KNOWN), Endless(range(5)))
    first, *others = towns.read(SuiteItem)
    assert (first.error, first.parts) == ("right: NaN or inf", {})
    assert all(one.error is None for one in others)


def test_a_model_that_cannot_be_asked_is_told_and_stops_nothing(towns: Round) -> None:
    class Wanting(TownsSuite):
        def run(self, *arguments: Any, **more: Any) -> Iterator[list[SuiteItem]]:
            raise NoLogprobsError("it tells no log-probabilities")

    ask(towns, "base", Oracle(MODELS_KNOWN), Wanting(range(5)), margin=0.02)
    assert results(towns, HOW)["towns"].unmeasured == "it tells no log-probabilities"


def test_a_bar_moves_to_its_end_whenever_it_is_told() -> None:
    for calls in (["told", "block"] * 2, ["block", "told"] * 2, ["block"] * 2, ["told", "told", "block"] * 2):
        moved: list[int] = []
        bar = Advancing(moved.append, 10)
        for call in calls:
            (bar if call == "told" else bar.block)(5)
        assert sum(moved) == 10
        assert min(moved) >= 0


def verified(round_: Round, suite: Any, margin: float | None, **arms: Oracle) -> Gate:
    plan = SuitePlan([PlannedSuite(suite, margin=margin)])
    loaders = {name: partial(_same, lm) for name, lm in arms.items()}
    return run_verify(round_, loaders, WordNLI(), Prompts(), None, Silent(), plan)  # type: ignore[arg-type]


def _same(lm: Oracle) -> Oracle:
    return lm


class Forgets(Oracle):
    """Knows everything, but not what the suite asks about known towns."""

    def _answer(self, prompt: str, k: int) -> Any:
        if "Who is the mayor" in prompt:
            return super()._answer(prompt.replace("Town", "Town9"), k)
        return super()._answer(prompt, k)


@pytest.mark.parametrize("margin", [0.05, None])
def test_a_suite_that_got_worse_shuts_the_gate_if_it_has_a_margin(towns: Round, margin: float | None) -> None:
    suite = NamedSuite(range(GAPS, GAPS + 100))
    gate = verified(towns, suite, margin, base=Oracle(MODELS_KNOWN), taught=Forgets(EVERYTHING))
    assert gate.promoted == (margin is None)
    assert gate.suites["qa"].figures["right"].after == 0.0
    assert any("Suite qa: it got worse" in one for one in gate.reasons) == (margin is not None)
    again = verified(
        towns, NamedSuite(range(GAPS, GAPS + 100)), margin, base=Oracle(set()), taught=Oracle(set())
    )
    assert again == gate


def test_at_a_smaller_strength_the_suite_is_asked_again(towns: Round) -> None:
    suite = NamedSuite(range(GAPS, GAPS + 100))
    arms = {"base": Oracle(MODELS_KNOWN), "taught": Forgets(EVERYTHING)}
    first = verified(towns, suite, 0.05, **arms)
    assert first.remain is not None
    towns.run.write_json(
        towns.weaker_file,
        Chosen(strength=0.5, remain=first.remain, taught=1, rehearsed=1, curve=()).model_dump(mode="json"),
    )
    gate = verified(towns, suite, 0.05, **arms, weaker=Oracle(EVERYTHING))
    assert gate.promoted, gate.reasons
    assert gate.suites["qa"].figures["right"].after == 1.0
    assert {one.arm for one in towns.iter(SuiteItem)} == {"base", "taught", "weaker"}
