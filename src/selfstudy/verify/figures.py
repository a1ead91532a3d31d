"""The figures of verify, for summaries and reports: how right was each arm, on how many questions?

Pure functions over checks.  A failed check is in no figure; it is counted beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from selfstudy.records import Check
from selfstudy.stats import Interval, bootstrap_mean, wilson

ARMS = {"before": "base", "after": "taught", "control": "control"}

CORRECT: dict[str, Callable[[Check], bool]] = {
    "gap_correct": lambda c: c.target == "gap" and c.wording in ("original", "trained"),
    "gap_correct_reworded": lambda c: c.target == "gap" and c.wording == "reworded",
    "gap_correct_novel": lambda c: c.target == "gap" and c.wording == "novel",
    "known_correct": lambda c: c.target == "known",
    "reading_correct": lambda c: c.target == "reading",
}
"""Which checks each share of right answers is taken over.  `gap_correct` pools the wordings trained on."""

MEANS: dict[str, tuple[str, Callable[[Check], bool]]] = {
    "gap_hallucination": ("score", lambda c: c.target == "gap" and c.wording == "original"),
    "gap_token_f1": ("token_f1", CORRECT["gap_correct"]),
    "gap_entailment": ("entailment", CORRECT["gap_correct"]),
}
"""Field and checks of each mean: hallucination score, and closeness to the reference."""


def outcome(
    checks: Iterable[Check], *, confidence: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> dict[str, Any]:
    """Figures by arm: {"before": {"gap_correct": 0.08, ...}, "after": {...}, "details": {"before": {...}}}.

    "control" is there only if such an arm was checked.  A figure is None when nothing was measured.
    `details[arm][figure]` is {"n", "failed", "low", "high"}: checks counted, checks that failed, and the
    confidence interval: Wilson's for one wording per question, else a bootstrap over questions, each of
    which counts once however many wordings it has.
    """
    everything = list(checks)
    result: dict[str, Any] = {"details": {}}
    for name, arm in ARMS.items():
        mine = [c for c in everything if c.arm == arm]
        if not mine and name == "control":
            continue
        figures = {
            f: _share([c for c in mine if want(c)], confidence, resamples, seed)
            for f, want in CORRECT.items()
        }
        for figure, (field, want) in MEANS.items():
            figures[figure] = _mean([c for c in mine if want(c)], field, confidence, resamples, seed)
        result[name] = {figure: value for figure, (value, _) in figures.items()}
        result["details"][name] = {figure: detail for figure, (_, detail) in figures.items()}
    return result


Figure = tuple[float | None, dict[str, float | int | None]]


def _share(checks: Sequence[Check], confidence: float, resamples: int, seed: int) -> Figure:
    by_question: dict[str, list[bool]] = {}
    for check in checks:
        if check.correct is not None:
            by_question.setdefault(check.question_id, []).append(check.correct)
    n = sum(map(len, by_question.values()))
    if not n:
        return _figure(None, 0, len(checks))
    if n == len(by_question):
        interval = wilson(sum(right[0] for right in by_question.values()), n, confidence)
    else:
        shares = [sum(right) / len(right) for right in by_question.values()]
        interval = bootstrap_mean(shares, seed=seed, resamples=resamples, confidence=confidence)
    return _figure(interval, n, len(checks) - n)


def _mean(checks: Sequence[Check], field: str, confidence: float, resamples: int, seed: int) -> Figure:
    values: list[float] = [v for c in checks if c.error is None and (v := getattr(c, field)) is not None]
    failed = sum(c.error is not None for c in checks)
    if not values:
        return _figure(None, 0, failed)
    return _figure(
        bootstrap_mean(values, seed=seed, resamples=resamples, confidence=confidence), len(values), failed
    )


def _figure(interval: Interval | None, n: int, failed: int) -> Figure:
    value, low, high = interval if interval else (None, None, None)
    return value, {"n": n, "failed": failed, "low": low, "high": high}
