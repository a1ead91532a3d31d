"""Suites asked of one model, or of two in turn, outside of any run.

Each model is loaded when it is needed, and let go of before the next.  Knows nothing of files, nor of how
figures are shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from selfstudy.errors import DataError
from selfstudy.models.base import LanguageModel, NoLogprobsError
from selfstudy.verbs.suite.items import SuiteItems
from selfstudy.verify.gains import Resampling
from selfstudy.verify.suites.asking import Advancing, PlannedSuite, SuiteArm, asked
from selfstudy.verify.suites.base import SuiteTools
from selfstudy.verify.suites.figures import SuiteResult, compared

if TYPE_CHECKING:
    from selfstudy.progress import Reporter


def ask_models(
    models: Mapping[SuiteArm, Callable[[], LanguageModel]],
    suites: Sequence[PlannedSuite],
    tools: Callable[[], SuiteTools],
    kept: SuiteItems,
    how: Resampling,
    report: Reporter,
) -> dict[str, SuiteResult]:
    """The figures of every suite, of the items that were kept and those that are asked for now.

    Args:
        models: "base", or it and "taught", which is compared with it; what loads each.
    """
    unmeasured: dict[str, str] = {}
    for arm, load in models.items():
        _ask(arm, load, suites, tools, kept, report, unmeasured)
    kept.close()
    found = {}
    for planned in suites:
        suite = planned.suite
        before = kept.of(suite.name, "base")
        after = kept.of(suite.name, "taught") if "taught" in models else []
        notes = [*suite.notes, *(said for arm in (before, after) if arm for said in planned.findings(arm))]
        result = compared(before, after, suite.measures, how, notes=list(dict.fromkeys(notes)))
        found[suite.name] = result.model_copy(update={"unmeasured": unmeasured.get(suite.name, "")})
    return found


def _ask(
    arm: SuiteArm,
    load: Callable[[], LanguageModel],
    suites: Sequence[PlannedSuite],
    tools: Callable[[], SuiteTools],
    kept: SuiteItems,
    report: Reporter,
    unmeasured: dict[str, str],
) -> None:
    lm: LanguageModel | None = None
    for suite in (one.suite for one in suites):
        done = frozenset(one.item for one in kept.of(suite.name, arm) if one.error is None)
        if len(done) >= len(suite) or suite.name in unmeasured:
            continue
        lm = load() if lm is None else lm
        with report.task(f"suite {suite.name}: {arm}", len(suite)) as advance:
            advance(len(done))
            told = Advancing(advance, len(suite) - len(done))
            try:
                for block in asked(suite, lm, tools(), arm, kept.of(suite.name, "base"), done, told):
                    kept.add(block)
                    told.block(sum(one.item not in done for one in block))
            except NoLogprobsError as error:
                unmeasured[suite.name] = error.what
                report.note(f"suite {suite.name} was not measured: {error.what}")


def require_measured(results: Mapping[str, SuiteResult]) -> None:
    """Refuses to end well where nothing was measured.

    Raises:
        DataError: every item of every suite failed.
    """
    whole = [one for one in results.values() if one.failed_before < one.asked_before]
    if results and not whole:
        errors = Counter(one.unmeasured or one.error for one in results.values())
        raise DataError(
            f"nothing was measured: {errors.most_common(1)[0][0] or 'there was nothing to ask'}",
            "try the model (selfstudy doctor --model MODEL), or name other suites (selfstudy suite --list)",
        )
