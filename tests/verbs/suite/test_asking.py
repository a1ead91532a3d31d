"""Models asked in turn: one at a time, what is kept is not asked again, what failed is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from selfstudy.errors import DataError
from selfstudy.models.base import LanguageModel, NoLogprobsError
from selfstudy.progress import Silent
from selfstudy.prompts import Prompts
from selfstudy.verbs.suite.asking import ask_models, require_measured
from selfstudy.verbs.suite.items import SuiteItems
from selfstudy.verify.gains import Resampling
from selfstudy.verify.suites.asking import PlannedSuite
from selfstudy.verify.suites.base import SuiteTools
from selfstudy.verify.suites.figures import SuiteResult

from ...verify.suites.towns_suite import TownsSuite
from ...verify.towns import Oracle

HOW = Resampling(resamples=100)


def loads(lm: Oracle, log: list[Oracle]) -> Callable[[], LanguageModel]:
    def load() -> LanguageModel:
        log.append(lm)
        return lm

    return load


def ask(kept: SuiteItems, suite: Any, *models: Oracle) -> tuple[dict[str, SuiteResult], list[Oracle]]:
    log: list[Oracle] = []
    arms: Any = {arm: loads(lm, log) for arm, lm in zip(("base", "taught"), models, strict=False)}
    plans = [PlannedSuite(suite, findings=lambda items: [f"{len(items)} items"])]
    return ask_models(arms, plans, lambda: SuiteTools(Prompts()), kept, HOW, Silent()), log


def test_two_models_side_by_side_and_then_nothing_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    before, after = Oracle({1, 2}), Oracle({1, 2, 3, 4})
    found, log = ask(SuiteItems(path), TownsSuite(range(1, 9)), before, after)
    figure = found["towns"].figures["right"]
    assert (figure.before, figure.after, figure.won, figure.lost) == (0.25, 0.5, 2, 0)
    assert found["towns"].notes == (*TownsSuite.notes, "8 items")
    assert log == [before, after]
    again, nobody = ask(SuiteItems(path), TownsSuite(range(1, 9)), before, after)
    assert (again, nobody) == (found, [])


def test_what_failed_is_asked_again_by_the_same_command(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    found, _ = ask(SuiteItems(path), TownsSuite(range(10)), Oracle(set(range(10)), fails=frozenset({3})))
    assert (found["towns"].failed_before, found["towns"].figures["right"].n) == (1, 9)
    suite = TownsSuite(range(10))
    found, _ = ask(SuiteItems(path), suite, Oracle(set(range(10))))
    assert suite.asked == [("base", 0)]  # its block, whole
    assert (found["towns"].failed_before, found["towns"].figures["right"].n) == (0, 10)


def test_nothing_measured_does_not_end_well() -> None:
    found, _ = ask(SuiteItems(), TownsSuite(range(5)), Oracle(set(), fails=frozenset(range(5))))
    with pytest.raises(DataError, match="out of memory"):
        require_measured(found)

    class Wanting(TownsSuite):
        def run(self, *arguments: Any, **more: Any) -> Any:
            raise NoLogprobsError("it tells no log-probabilities")

    found, _ = ask(SuiteItems(), Wanting(range(5)), Oracle(set()), Oracle(set()))
    assert found["towns"].unmeasured == "it tells no log-probabilities"
    with pytest.raises(DataError, match="no log-probabilities"):
        require_measured(found)
