"""What a round keeps of its suites beside their items: settings, measures, and what a person must know.

The figures are made of items again whenever they are read, so nothing here is a figure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from selfstudy.errors import RunError
from selfstudy.recipe.values import shown
from selfstudy.records import SuiteItem
from selfstudy.run import Round
from selfstudy.verify.gains import Resampling
from selfstudy.verify.suites.base import Measure
from selfstudy.verify.suites.figures import SuiteResult, compared
from selfstudy.verify.suites.pairwise import NAME as PAIRWISE
from selfstudy.verify.suites.pairwise_findings import may_not_decide

BEFORE, TAUGHT, WEAKER = "base", "taught", "weaker"


class KeptSuite(BaseModel):
    """A suite as it was asked in a round.

    Attributes:
        settings: of its block, without what only decides or names it.
        margin: None: it decides nothing.
        findings: by arm, what no figure of single items says.
        unmeasured: by arm, why the model could not be asked it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    settings: dict[str, Any] = {}
    margin: float | None = None
    measures: tuple[Measure, ...] = ()
    notes: tuple[str, ...] = ()
    findings: dict[str, tuple[str, ...]] = {}
    unmeasured: dict[str, str] = {}


class KeptSuites(BaseModel):
    """The suites of a round, by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    suites: dict[str, KeptSuite] = {}


def kept_suites(round_: Round) -> dict[str, KeptSuite]:
    """Those that were asked in a round."""
    return dict((round_.run.read_as(round_.suites_file, KeptSuites) or KeptSuites()).suites)


def require_same(round_: Round, name: str, settings: Mapping[str, Any]) -> None:
    """Refuses to put items beside others that were asked otherwise.

    Raises:
        RunError: they were; it lists what differs.
    """
    before = kept_suites(round_).get(name)
    if before is None:
        return
    told = {**settings, **before.settings}
    changed = [key for key in told if before.settings.get(key) != settings.get(key)]
    if changed:
        lines = "".join(
            f"\n    {key}: {shown(before.settings.get(key))} -> {shown(settings.get(key))}" for key in changed
        )
        raise RunError(
            f"the suite {name} was asked in {round_.run.path} with other settings:{lines}",
            "undo the change, or keep these items apart from the run: selfstudy suite RUN ... --out FILE",
        )


def keep_suite(round_: Round, name: str, suite: KeptSuite) -> None:
    """Writes one down in the place of what was kept by its name."""
    suites = KeptSuites(suites={**kept_suites(round_), name: suite})
    round_.run.write_json(round_.suites_file, suites.model_dump(mode="json"))


def results(round_: Round, how: Resampling, after: str = TAUGHT) -> dict[str, SuiteResult]:
    """The figures of every suite of a round, before and after.

    Args:
        after: the arm that is compared with the model before.
    """
    suites = kept_suites(round_)
    arms: dict[str, dict[str, list[SuiteItem]]] = {name: {} for name in suites}
    for item in round_.iter(SuiteItem) if suites else ():
        if item.suite in arms:
            arms[item.suite].setdefault(item.arm, []).append(item)
    return {name: _result(name, suite, arms[name], how, after) for name, suite in suites.items()}


def _result(
    name: str, suite: KeptSuite, arms: Mapping[str, list[SuiteItem]], how: Resampling, after: str
) -> SuiteResult:
    found = compared(
        arms.get(BEFORE, []),
        arms.get(after, []),
        suite.measures,
        how,
        margin=suite.margin,
        notes=(*suite.notes, *suite.findings.get(BEFORE, ()), *suite.findings.get(after, ())),
    )
    why = suite.unmeasured.get(BEFORE) or suite.unmeasured.get(after) or ""
    untrusted = may_not_decide(arms.get(after, []), how.seed) if name == PAIRWISE else ""
    return found.model_copy(update={"unmeasured": why, "may_not_decide": untrusted})
