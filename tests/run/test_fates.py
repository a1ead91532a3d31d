"""What became of adapters: which hold a question, which stand, and which are gone."""

from __future__ import annotations

import shutil
from pathlib import Path

from selfstudy.recipe import Recipe
from selfstudy.run import Run, forgotten
from selfstudy.run.curriculum import Curriculum
from selfstudy.run.fates import AdapterFate, Fates
from selfstudy.run.forgotten import Tombstone

from ..verbs.lineages import decide, make_adapter, make_routed

EU, AM, ASIA = "eu-11111111", "am-22222222", "asia-33333333"


def states(found: list[AdapterFate]) -> list[tuple[str, str, str]]:
    return [(one.name, one.held, one.state) for one in found]


def routed(folder: Path) -> Run:
    """Round 1 taught two groups; round 2 a third, and left one of the others out."""
    run = Run.create_or_resume(folder, Recipe())
    first, second = run.round(1), run.round(2)
    eu = Curriculum(round=1, group="eu", questions=("q-eu",), replayed=("q-known",))
    am = Curriculum(round=1, group="am", questions=("q-am",), replayed=("q-known",))
    asia = Curriculum(round=2, group="asia", questions=("q-asia", "q-am"))
    make_routed(first.adapter(), {EU: eu, AM: am})
    make_routed(second.adapter(), {EU: eu, ASIA: asia})
    decide(first, True)
    decide(second, True)
    return run


def test_of_adapters_beside_a_router_each_has_a_fate_of_its_own(tmp_path: Path) -> None:
    with routed(tmp_path / "run") as run:
        fates, (first, second) = Fates(run), run.rounds
        assert states(fates.of(first, "q-eu", {"eu"}, held=True)) == [(EU, "taught", "stands")]
        assert states(fates.of(first, "q-am", {"am"}, held=True)) == [(AM, "taught", "replaced")]
        assert states(fates.of(second, "q-am", {"asia"}, held=True)) == [(ASIA, "taught", "stands")]
        both = states(fates.of(first, "q-known", (), held=False))
        assert both == [(AM, "replayed", "replaced"), (EU, "replayed", "stands")]
        assert fates.of(second, "q-eu", (), held=False) == []  # it stood before that round
        assert [(one.name, n) for one, n in fates.holding(first, {"q-eu", "q-am"})] == [(AM, 1), (EU, 1)]
        assert fates.router == second.adapter()


def test_what_was_forgotten_is_told_from_what_is_only_missing(tmp_path: Path) -> None:
    with routed(tmp_path / "run") as run:
        for turn in run.rounds:
            shutil.rmtree(turn.adapter() / EU)
        first = run.round(1)
        assert states(Fates(run).of(first, "q-eu", {"eu"}, held=True)) == [("eu", "taught", "gone")]
        forgotten.keep(run, [Tombstone(pattern="eu/*", adapters=(EU,), questions=("q-eu",))])
        fates = Fates(run)
        (found,) = fates.of(first, "q-eu", {"eu"}, held=True)
        assert (found.name, found.state, found.why, found.folder) == (EU, "forgotten", ("eu/*",), "")
        assert [one.pattern for one in fates.forgotten("q-eu")] == ["eu/*"]
        assert fates.forgotten("q-am") == []


def test_a_training_that_failed_is_told_by_its_failure(tmp_path: Path) -> None:
    with routed(tmp_path / "run") as run:
        first = run.round(1)
        first.fail("teach", "taught/asia", "the loss became nan")
        first.fail("teach", "control/am", "the control's")
        (found,) = Fates(run).of(first, "q-new", {"asia"}, held=True)
        assert (found.name, found.state, found.why) == ("asia", "failed", ("the loss became nan",))
    with Run.create_or_resume(tmp_path / "other", Recipe()) as run:
        turn = run.round(1)
        make_adapter(turn.adapter(), Curriculum(round=1, questions=("q",)))
        turn.fail("teach", "taught", "weights are NaN or inf")
        assert [one.state for one in Fates(run).of(turn, "q", {""}, held=True)] == ["failed"]


def test_rounds_that_train_on_one_adapter_build_on_each_other(tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "run", Recipe()) as run:
        for number, promoted in ((1, True), (2, True), (3, False), (4, None)):
            turn = run.round(number)
            make_adapter(turn.adapter(), None if number == 1 else Curriculum(round=number, questions=("q",)))
            if promoted is not None:
                decide(turn, promoted, "worse")
        fates = Fates(run)
        found = [fates.of(turn, "q", {""}, held=True)[0] for turn in run.rounds]
        assert [one.state for one in found] == ["built on", "stands", "rejected", "undecided"]
        assert found[2].why == ("worse",)
        assert fates.of(run.round(1), "other", (), held=False) == []
        assert found[0].told.startswith("promoted; what stands")
