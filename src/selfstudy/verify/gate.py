"""The promotion gate: an adapter is promoted only if it learned and did not forget, with figures to show it.

The rules, each over the questions that both arms answered:

1. It learned: correctness on gaps rises.  The paired interval of the difference lies above 0, and McNemar's
   exact test agrees, for the questions as first asked and, where wordings were held out of training, for
   those too: what counts is the fact, not the sentence.
2. It did not forget: correctness on known questions and on reading from a page each fall by at most `margin`,
   and a fall of more than `margin + SLACK` is excluded, by the paired interval and by Wilson's interval of
   how many were lost (where all pairs are alike, a bootstrap of few questions sees no doubt).  The first half
   is the promise; the second refuses what is measured on too few questions to support it.  A strict test of
   non-inferiority (interval above -margin) would need thousands of questions to see a fall of 0.01.
3. With a control arm: the taught arm beats it on gaps, by the same paired interval.
4. It can be judged: at most `MISSING` of the questions of a target failed in either arm.

It decides over checks; it knows nothing of models or files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from selfstudy.records import Check, Wording
from selfstudy.stats import mcnemar, paired_bootstrap, wilson

SLACK = 0.05
"""What noise of sampling may add to the margin before a fall can no longer be excluded."""
MISSING = 0.05
"""Largest share of failed questions with which a comparison still counts."""


class Gain(BaseModel):
    """One comparison: shares right `before` and `after`, paired by question.

    `difference` = after - before, with its paired bootstrap interval [low, high]; `p` is the exact McNemar
    test; `n` questions were answered by both arms, `failed` by not both; `won` turned right, `lost` wrong.
    In `control`, before is that arm.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    before: float
    after: float
    difference: float
    low: float
    high: float
    p: float
    n: int
    won: int
    lost: int
    failed: int = 0


class Gate(BaseModel):
    """The decision, the sentences that explain it, and the comparisons by name.

    Names of `gains`: gap, gap_trained, gap_reworded, gap_novel, known, reading, control; those measured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    promoted: bool
    reasons: tuple[str, ...]
    gains: dict[str, Gain] = {}


@dataclass(frozen=True, slots=True)
class Rules:
    """What the gate asks for: see `recipe.VerifyBlock`. `control`: a control arm was ordered."""

    margin: float
    confidence: float
    resamples: int
    seed: int
    control: bool = False


def refuse(reason: str) -> Gate:
    """A gate that stays shut without a comparison, for example because training failed."""
    return Gate(promoted=False, reasons=(reason,))


def decide(checks: Iterable[Check], rules: Rules) -> Gate:
    """Promote or not, from all checks of a round."""
    gains = compare(checks, rules)
    judged = [_learned(gains, rules), *_kept(gains, rules)]
    if "gap_reworded" in gains:
        judged.insert(1, _rise(gains["gap_reworded"], "Gaps in wordings held out of training", rules))
    if rules.control:
        judged.append(_beats_control(gains, rules))
    shut = [sentence for passed, sentence in judged if not passed]
    opened = [sentence for passed, sentence in judged if passed]
    return Gate(promoted=not shut, reasons=tuple(shut or opened), gains=gains)


def compare(checks: Iterable[Check], rules: Rules) -> dict[str, Gain]:
    """Every comparison for which there is at least one question that both arms answered."""
    groups: dict[str, dict[str, dict[tuple[str, str], bool | None]]] = {}
    for check in checks:
        name = _NAMES[check.wording] if check.target == "gap" else check.target
        groups.setdefault(name, {}).setdefault(check.arm, {})[check.question_id, check.asked] = check.correct
    gains = {
        name: _gain(arms.get("base", {}), arms.get("taught", {}), rules) for name, arms in groups.items()
    }
    gap = groups.get("gap", {})
    if rules.control:
        gains["control"] = _gain(gap.get("control", {}), gap.get("taught", {}), rules)
    return {name: gain for name in _ORDER if (gain := gains.get(name)) is not None}


_NAMES: dict[Wording, str] = {
    "original": "gap",
    "trained": "gap_trained",
    "reworded": "gap_reworded",
    "novel": "gap_novel",
}
_ORDER = (*_NAMES.values(), "known", "reading", "control")
Answers = Mapping[tuple[str, str], bool | None]


def _gain(before: Answers, after: Answers, rules: Rules) -> Gain | None:
    asked = sorted({*before, *after})
    pairs = [(b, a) for q in asked if (b := before.get(q)) is not None and (a := after.get(q)) is not None]
    if not pairs:
        return None
    first, second = [b for b, _ in pairs], [a for _, a in pairs]
    interval = paired_bootstrap(
        first, second, seed=rules.seed, resamples=rules.resamples, confidence=rules.confidence
    )
    n = len(pairs)
    return Gain(
        before=sum(first) / n,
        after=sum(second) / n,
        difference=interval.value,
        low=interval.low,
        high=interval.high,
        p=mcnemar(first, second),
        n=n,
        won=sum(a > b for b, a in pairs),
        lost=sum(b > a for b, a in pairs),
        failed=len(asked) - n,
    )


Judged = tuple[bool, str]


def _learned(gains: Mapping[str, Gain], rules: Rules) -> Judged:
    if "gap" not in gains:
        return False, "There is no gap question that both arms answered, so nothing can have been learned."
    return _rise(gains["gap"], "Gaps as first asked", rules)


def _rise(gain: Gain, what: str, rules: Rules) -> Judged:
    if not _enough(gain):
        return False, _too_many_failed(gain, what)
    if _rose(gain, rules):
        return True, f"{what}: correctness rose {_figures(gain, rules)}."
    verb = "did not rise" if gain.difference <= 0 else "rose, but no rise at all cannot be excluded:"
    return False, f"{what}: correctness {verb} {_figures(gain, rules)}."


def _kept(gains: Mapping[str, Gain], rules: Rules) -> Sequence[Judged]:
    labels = {"known": "Known questions held out of training", "reading": "Reading from a page"}
    if not any(name in gains for name in labels):
        return [(False, "No known question and no reading was checked, so forgetting cannot be excluded.")]
    return [
        _no_fall(gains[name], label, rules)
        if name in gains
        else (True, f"{label}: none was there to check, so this kind of forgetting was not measured.")
        for name, label in labels.items()
    ]


def _no_fall(gain: Gain, what: str, rules: Rules) -> Judged:
    if not _enough(gain):
        return False, _too_many_failed(gain, what)
    figures = _figures(gain, rules)
    # Shares of n carry rounding errors: 6 of 300 must not exceed a margin of 0.02.
    if -gain.difference > rules.margin + 1e-9:
        return False, f"{what}: correctness fell by more than the margin of {rules.margin:.3g} {figures}."
    if _worst(gain, rules) < -(rules.margin + SLACK) - 1e-9:
        return False, (
            f"{what}: too few questions to exclude a fall of more than {rules.margin + SLACK:.3g} {figures}."
        )
    return True, f"{what}: correctness was kept within the margin of {rules.margin:.3g} {figures}."


def _beats_control(gains: Mapping[str, Gain], rules: Rules) -> Judged:
    if "control" not in gains:
        return (
            False,
            "A control was ordered but none answered, so the gain cannot be told from that of any training.",
        )
    gain = gains["control"]
    if not _enough(gain):
        return False, _too_many_failed(gain, "Against the control")
    figures = _figures(gain, rules)
    if _rose(gain, rules):
        return True, f"Against the control trained on random pairs: better on gaps {figures}."
    return False, f"Against the control trained on random pairs: not better on gaps {figures}."


def _rose(gain: Gain, rules: Rules) -> bool:
    return gain.low > 0 and gain.p < 1 - rules.confidence


def _worst(gain: Gain, rules: Rules) -> float:
    """The lowest difference that is not excluded."""
    lost = wilson(gain.lost, gain.n, rules.confidence).high
    return min(gain.low, gain.won / gain.n - lost)


def _enough(gain: Gain) -> bool:
    return gain.failed <= MISSING * (gain.n + gain.failed)


def _too_many_failed(gain: Gain, what: str) -> str:
    return f"{what}: {gain.failed} of {gain.n + gain.failed} questions failed, too many to judge by the rest."


def _figures(gain: Gain, rules: Rules) -> str:
    return (
        f"from {gain.before:.3f} to {gain.after:.3f} on {gain.n} questions "
        f"({gain.difference:+.3f}, {rules.confidence:.0%} interval {gain.low:+.3f} to {gain.high:+.3f}, "
        f"McNemar p {gain.p:.2g})"
    )
