"""The figures of one round as numbers by name: what a tracker gets of it, and no text.

Names have one `/` for each level; an interval stands beside its figure as `_low` and `_high`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from selfstudy.summary.summarise import counts_of, decision_of, verdicts_of, verified

if TYPE_CHECKING:
    from selfstudy.run import Round

ARMS = ("before", "after", "control", "original", "full")
COUNTS = ("questions", "inconsistent", "gaps", "unscored")
OF_DETAIL = ("low", "high", "n")
OF_GAIN = ("difference", "low", "high", "p", "n")
GAINS = ("gains", "cited", "cited_control", "refusing", "refusing_control")


def round_numbers(part: Round) -> dict[str, float]:
    """Counts, shares of right answers by arm with their intervals, and what the gate compared and decided.

    Shares and means lie in [0, 1], differences in [-1, 1]; `gate/promoted` is 1 or 0.  What was not measured
    is left out.  Suites are too: what they are called is the user's own.
    """
    found = {"number": part.number, **dict(_counted(part)), **dict(_by_arm(part)), **dict(_of_gate(part))}
    numbers = {name: float(value) for name, value in found.items() if value is not None}
    return {f"round/{name}": value for name, value in numbers.items() if math.isfinite(value)}


def _counted(part: Round) -> Iterator[tuple[str, Any]]:
    counts = counts_of(part)
    yield from ((name, counts[name]) for name in COUNTS)
    yield from ((f"verdicts/{kind}", count) for kind, count in verdicts_of(part).items())


def _by_arm(part: Round) -> Iterator[tuple[str, Any]]:
    figures = verified(part, part.run.recipe)
    for arm in ARMS:
        details = figures["details"].get(arm, {})
        for name, value in figures.get(arm, {}).items():
            if value is not None:
                yield f"{arm}/{name}", value
                yield from ((f"{arm}/{name}_{of}", details.get(name, {}).get(of)) for of in OF_DETAIL)


def _of_gate(part: Round) -> Iterator[tuple[str, Any]]:
    gate = decision_of(part)
    yield "gate/promoted", gate.get("promoted")
    yield "gate/known_trained", gate.get("known_trained")
    yield from ((f"gate/margins/{name}", value) for name, value in gate.get("margins", {}).items())
    for name, noise in gate.get("noise", {}).items():
        yield f"gate/noise/{name}_flip_rate", noise.flip_rate
        yield f"gate/noise/{name}_spread", noise.spread
    for group in GAINS:
        for name, gain in gate.get(group, {}).items():
            yield from ((f"gate/{group}/{name}_{of}", getattr(gain, of, None)) for of in OF_GAIN)
