"""What a suite with a margin must show for promotion: that its main figure did not get worse by more.

Non-inferiority by the paired interval: the worst that it leaves open lies above -margin, in the direction of
better.  Where every item is right or wrong, or few of them changed, Wilson's interval of how much was lost
counts too, for a bootstrap of items that are all alike sees no doubt.  What a judge says that is not shown to
be better than length decides nothing (methods-more G), so it does not pass either.  Knows figures; nothing of
models or files.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist

from selfstudy.stats import wilson
from selfstudy.verify.rules import MANY, MISSING, Reason, Rules
from selfstudy.verify.suites.figures import FEWEST, SuiteFigure, SuiteResult

_ROUNDING = 1e-9


def not_worse(results: Mapping[str, SuiteResult], rules: Rules) -> list[Reason]:
    """What every suite that decides says; one without a margin says nothing."""
    return [
        not_worse_in(name, one, one.margin, rules) for name, one in results.items() if one.margin is not None
    ]


def not_worse_in(name: str, result: SuiteResult, margin: float, rules: Rules) -> Reason:
    """Whether the main figure of a suite was kept within its margin."""
    what = f"Suite {name}"
    if result.unmeasured:
        return Reason("cannot tell", f"{what}: it was not measured: {result.unmeasured}", name)
    if result.main is None:
        return Reason("cannot tell", f"{what}: it has no figure to go by, so nothing was measured.", name)
    figure_name, one = result.main
    gain = one.gain
    if gain is None:
        failed = max(result.failed_before, result.failed_after)
        why = f" ({failed} failed, most often: {result.error})" if result.error else ""
        return Reason(
            "refused" if failed else "cannot tell",
            f"{what}: no item gave {figure_name} before and after{why}, so nothing was measured.",
            name,
        )
    failed = max(one.failed_before, one.failed_after)
    if failed > MISSING * (one.n + failed):
        said = f"{what}: {failed} of {one.n + failed} items failed, too many to judge by the rest"
        return Reason("refused", f"{said} (most often: {result.error}).", name)
    figures = _figures(figure_name, one, rules)
    if one.missing_after > MISSING * (one.n + one.missing_after):
        said = (
            f"{what}: of {one.missing_after} of {one.n + one.missing_after} items that gave {figure_name} "
            f"before there is none after, so the rest says little {figures}."
        )
        return Reason("cannot tell", said, name)
    if result.may_not_decide:
        return Reason("cannot tell", f"{what}: not measured: {result.may_not_decide} {figures}.", name)
    return _judged(what, name, one, margin, figures, rules)


def _judged(what: str, name: str, one: SuiteFigure, margin: float, figures: str, rules: Rules) -> Reason:
    value, low, high = one.gain or (0.0, 0.0, 0.0)
    worst = _worst(one, low, rules)
    few = one.units < FEWEST
    if value < -margin - _ROUNDING:
        said = f"{what}: it got worse by more than the margin of {margin:.3g} {figures}"
        by_chance = one.p >= 1 - rules.resampling.confidence if one.p is not None else few
        if high < 0 and not by_chance:
            return Reason("refused", f"{said}.", name, remain=_may_remain(one, value, worst, margin, rules))
        return _open(name, one, _needed(one, value, -margin - value, rules), f"{said}, perhaps by chance")
    few = few and (one.p is None or _lost_at_most(one, rules) >= margin)  # a few that were won say little
    if worst > -margin and not few:
        return Reason("passed", f"{what}: kept within the margin of {margin:.3g} {figures}.", name)
    said = f"{what}: too few items to exclude a loss of more than the margin of {margin:.3g} {figures}"
    return _open(name, one, max(FEWEST if few else 1, _needed(one, value, value + margin, rules)), said)


def _worst(one: SuiteFigure, low: float, rules: Rules) -> float:
    """The worst difference that is not excluded."""
    if (changed := _changed(one)) is None:
        return low
    return min(low, changed[0] / one.units - _lost_at_most(one, rules))


def _changed(one: SuiteFigure) -> tuple[float, float] | None:
    """How much units got better and worse in all, of a figure of shares; None where that is not counted."""
    won, lost = (one.rose, one.fell) if one.won is None else (one.won, one.lost)
    if won is None or lost is None or not one.units:
        return None
    return (won, lost) if one.better != "lower" else (lost, won)


def _lost_at_most(one: SuiteFigure, rules: Rules) -> float:
    """The largest share lost that is not excluded, whatever was won."""
    _, lost = _changed(one) or (0.0, 0.0)
    return wilson(lost, one.units, rules.resampling.confidence).high


def _may_remain(one: SuiteFigure, value: float, worst: float, margin: float, rules: Rules) -> float | None:
    """The share of a fall that a smaller strength may leave, if the worst shrinks as the fall does."""
    if margin <= 0:
        return None
    counted = _changed(one) is not None
    least = wilson(0, one.units, rules.resampling.confidence).high if counted else 0.0
    if least >= margin or one.units < FEWEST:
        return None
    return max(0.0, min(1.0, (margin - least) / (-worst - least))) or None


def _needed(one: SuiteFigure, value: float, distance: float, rules: Rules) -> int:
    """About how many units show, with a chance of 0.8, that the difference is `distance` from a bound.

    Their spread is that of the units measured, from the interval; of right and wrong at least so many that no
    loss at all among them would show it.
    """
    confidence = rules.resampling.confidence
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    least = 1
    if _changed(one) is not None:
        step = 1
        while least < MANY and wilson(0, least, confidence).high >= max(distance, 1e-6):
            least += step
            step = 1 + least // 50
    if distance <= 0 or one.low is None or one.high is None:
        return MANY
    deviation = (one.high - one.low) / (2 * z) * one.units**0.5
    power = z + NormalDist().inv_cdf(0.8)
    return max(least, min(MANY, int((power * deviation / distance) ** 2) + 1))


def _open(name: str, one: SuiteFigure, least: int, said: str) -> Reason:
    if least >= MANY:
        return Reason("cannot tell", f"{said}; more than {MANY:,} would be needed.", name)
    more = max(1, least - one.units)
    return Reason("cannot tell", f"{said}; about {more:,} more would tell.", name, more)


def _figures(name: str, one: SuiteFigure, rules: Rules) -> str:
    """The comparison in brackets."""
    asked = f"{one.n} items" if one.units == one.n else f"{one.n} items about {one.units} things"
    failed = max(one.failed_before, one.failed_after)
    asked += f", {failed} more failed" if failed else ""
    change = (
        _number(one.after) if one.before is None else f"from {_number(one.before)} to {_number(one.after)}"
    )
    test = "" if one.p is None else f", McNemar p {one.p:.2g}; {one.lost} lost, {one.won} won"
    return (
        f"({name} {change} on {asked}: {_number(one.difference, '+')}, {rules.resampling.confidence:.0%} "
        f"interval {_number(one.low, '+')} to {_number(one.high, '+')}{test})"
    )


def _number(value: float | None, sign: str = "") -> str:
    """A figure; a perplexity may have hundreds of digits."""
    return "-" if value is None else f"{value:{sign}.3f}" if abs(value) < 1e4 else f"{value:{sign}.4g}"
