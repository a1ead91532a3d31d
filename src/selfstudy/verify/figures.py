"""The figures of verify, for summaries and reports: how right was each arm, on how many questions?

Pure functions over checks.  A failed check is in no figure; it is counted beside them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from selfstudy.records import Arm, Check, CitedCheck, RefusalCheck
from selfstudy.stats import Interval, bootstrap_mean, wilson
from selfstudy.verify import citing_figures, refusing_figures
from selfstudy.verify.gains import Resampling, by_fact

ARMS: dict[str, Arm] = {"before": "base", "after": "taught", "control": "control", "original": "original"}
WEAKER: dict[str, Arm] = {"after": "weaker", "full": "taught"}
"""Where an adapter that forgot was asked again at a smaller strength, that is what comes after."""

CORRECT: dict[str, Callable[[Check], bool]] = {
    "gap_correct": lambda c: c.target == "gap" and c.wording in ("original", "trained"),
    "gap_correct_reworded": lambda c: c.target == "gap" and c.wording == "reworded",
    "gap_correct_novel": lambda c: c.target == "gap" and c.wording == "novel",
    "known_correct": lambda c: c.target == "known",
    "general_correct": lambda c: c.target == "general",
    "reading_correct": lambda c: c.target == "reading",
}
"""Which checks each share of right answers is taken over.  `gap_correct` pools the wordings trained on."""

MEANS: dict[str, tuple[Callable[[Check], float | None], Callable[[Check], bool]]] = {
    "gap_hallucination": (lambda c: c.score, lambda c: c.target == "gap" and c.wording == "original"),
    "gap_token_f1": (lambda c: c.parts.get("token_f1"), CORRECT["gap_correct"]),
    "gap_entailment": (lambda c: c.parts.get("entailment"), CORRECT["gap_correct"]),
}
"""Value and checks of each mean: hallucination score, and closeness to the reference."""


def outcome(
    checks: Iterable[Check],
    cited: Iterable[CitedCheck] = (),
    refusals: Iterable[RefusalCheck] = (),
    *,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> dict[str, Any]:
    """Figures by arm: {"before": {"gap_correct": 0.08, ...}, "after": {...}, "details": {"before": {...}}}.

    "control" (taught on random pairs) and "original" (the model before round 1, asked from round 2 on) are
    there only if such an arm was checked, and so is "full": at full strength, where "after" is at a smaller
    one.  A figure is None when nothing was measured.

    Each fact counts once, however many questions ask about it (`Check.fact`): the value is the mean over
    facts, and so does the interval.

    `details[arm][figure]` is {"n", "facts", "judged_by", "failed", "low", "high"}: checks counted, facts they
    are about, how many of the checks were judged by what ({"key": 40, "reference": 60}; "page" for reading),
    checks that failed, and the confidence interval.  Of shares it is Wilson's over facts: a fact of which
    some questions are right varies less than one that is right or wrong, so it is wide enough, and it does
    not vanish where all are right, as a bootstrap's would.  Of other means it is a bootstrap over facts.

    Of an arm that was asked with documents (`cited`) there are the figures of citing_figures.py too, and of
    one that was asked without evidence (`refusals`) those of refusing_figures.py.
    """
    everything, with_documents, without_evidence = list(checks), list(cited), list(refusals)
    how = Resampling(confidence, resamples, seed)
    result: dict[str, Any] = {"details": {}}
    weaker = any(check.arm == "weaker" for check in everything)
    for name, arm in {**ARMS, **(WEAKER if weaker else {})}.items():
        mine = [c for c in everything if c.arm == arm]
        if not mine and name in ("control", "original"):
            continue
        figures = {f: _share([c for c in mine if want(c)], how) for f, want in CORRECT.items()}
        for figure, (value, want) in MEANS.items():
            figures[figure] = _mean([c for c in mine if want(c)], value, how)
        figures |= citing_figures.figures([c for c in with_documents if c.arm == arm], how)
        figures |= refusing_figures.figures(mine, [c for c in without_evidence if c.arm == arm], how)
        result[name] = {figure: value for figure, (value, _) in figures.items()}
        result["details"][name] = {figure: detail for figure, (_, detail) in figures.items()}
    return result


Figure = tuple[float | None, dict[str, Any]]


def _share(checks: Sequence[Check], how: Resampling) -> Figure:
    counted = [check for check in checks if check.correct is not None]
    values = [float(check.correct or 0) for check in counted]
    interval = None
    if counted:
        shares = by_fact(counted, values)
        interval = wilson(float(sum(shares)), len(shares), how.confidence)
    return _figure(counted, values, len(checks) - len(counted), how, interval)


def _mean(checks: Sequence[Check], value: Callable[[Check], float | None], how: Resampling) -> Figure:
    counted = [check for check in checks if check.error is None and value(check) is not None]
    values = [found for check in counted if (found := value(check)) is not None]
    return _figure(counted, values, sum(check.error is not None for check in checks), how)


def _figure(
    counted: Sequence[Check],
    values: Sequence[float],
    failed: int,
    how: Resampling,
    interval: Interval | None = None,
) -> Figure:
    """The mean over facts with its interval, and what it rests on."""
    if counted and interval is None:
        interval = bootstrap_mean(
            by_fact(counted, values), seed=how.seed, resamples=how.resamples, confidence=how.confidence
        )
    value, low, high = interval or (None, None, None)
    return value, {
        "n": len(counted),
        "facts": len({check.unit for check in counted}),
        "judged_by": dict(Counter(check.judged_by for check in counted)),
        "failed": failed,
        "low": low,
        "high": high,
    }
