"""The promotion gate: an adapter is promoted only if it learned and did not forget, with figures to show it.

The rules, each over the questions that both arms answered (`gains.py`: the unit is the fact):

1. It learned: correctness on gaps rises.  The paired interval of the difference lies above 0, and McNemar's
   exact test agrees, for the questions as first asked and, where wordings were held out of training, for
   those too: what counts is the fact, not the sentence.
2. It did not forget: correctness on known questions and on reading from a page each fall by at most `margin`,
   and a fall of more than `margin + SLACK` is excluded, by the paired interval and by Wilson's interval of
   how many were lost (where all pairs are alike, a bootstrap of few questions sees no doubt), even if all
   that failed were lost too.  The first half is the promise; the second refuses what is measured on too few
   questions to support it.  A strict test of non-inferiority (interval above -margin) would need thousands
   of questions to see a fall of 0.01.
3. In later rounds the same, with the same margin, against the model before round 1, on the known questions
   that are kept apart over all rounds: small falls must not add up.
4. With a control arm: the taught arm beats it on gaps, by the same paired interval.
5. It can be judged: what was asked was answered; at most `MISSING` of the questions of a target failed.
   A target that was asked and of which nothing came back refuses.  Without a gap or a known question there
   is nothing to decide by, which refuses too.  Without held-out wordings or pages the reasons say so.

It decides over checks; it knows nothing of models or files.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from selfstudy.records import Check
from selfstudy.stats import wilson
from selfstudy.verify.gains import Comparisons, Gain, Resampling, measure

SLACK = 0.05
"""What noise of sampling may add to the margin before a fall can no longer be excluded."""
MISSING = 0.05
"""Largest share of failed questions with which a comparison still counts."""

SELECTION = (
    "The questions were selected by the answers that the model gave before teaching: gaps because these "
    "were inconsistent or contradicted the reference, known questions because they agreed with it. A greedy "
    "answer is the same when it is asked for again, so known questions are right before by selection and can "
    "only fall, and some gaps were selected by chance and would be right another time without any teaching. "
    "The hallucination score before teaching rests on fresh samples, not on those that selected the gaps."
)
"""What selection does to the figures, for people."""
SELECTED_EARLIER = (
    "In this round most known questions are those that round 1 selected and kept apart, so against the model "
    "that this round began with they can rise as well as fall."
)
NO_CONTROL = (
    "No control was trained, so how much of the gain any training would bring was not measured "
    "(verify.control: true measures it)."
)


class Gate(BaseModel):
    """The decision, the sentences that explain it, and the comparisons by name.

    Names of `gains`, those that were measured: gap, gap_trained, gap_reworded, gap_novel, known, reading;
    known_original and reading_original, against the model before round 1; control, the taught model against
    the one that was trained on random pairs, and control_gain, that one against the model before.
    `notes` say how the figures are to be read.  `known_trained` is the share of the facts of known questions
    that stand in something this or an earlier round trained on: 0, or the test is none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    promoted: bool
    reasons: tuple[str, ...]
    notes: tuple[str, ...] = ()
    gains: dict[str, Gain] = {}
    known_trained: float | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """What the gate asks for: see `recipe.VerifyBlock`.

    Attributes:
        control: a control arm was ordered.
        original: the model before round 1 is asked too.
        reworded: wordings were to be held out of training.
    """

    margin: float
    resampling: Resampling = field(default_factory=Resampling)
    control: bool = False
    original: bool = False
    reworded: bool = True


class Reason(NamedTuple):
    """What one rule found: passed, not passed, or None where there was nothing to ask."""

    passed: bool | None
    sentence: str


def refuse(reason: str) -> Gate:
    """A gate that stays shut without a comparison, for example because training failed."""
    return Gate(promoted=False, reasons=(reason,))


def decide(checks: Iterable[Check], rules: Rules, known_trained: float | None = None) -> Gate:
    """Promote or not, from all checks of a round.

    Args:
        known_trained: see `Gate`.
    """
    found = measure(checks, rules.resampling)
    findings = [_learned(found, rules), _reworded(found, rules)]
    also = {"gap_trained": "Gaps in wordings trained on", "gap_novel": "Gaps in wordings of the answer key"}
    findings += [silent for name, what in also.items() if (silent := _silent(found, name, what))]
    findings += _kept(found, rules)
    if rules.control:
        findings.append(_beats_control(found, rules))
    if known_trained:
        why = "of the facts of known questions were trained on, so what was forgotten cannot be told."
        findings.append(Reason(False, f"Known questions: {known_trained:.1%} {why}"))
    shut = [finding for finding in findings if finding.passed is False]
    said = [finding for finding in findings if finding.passed is None]
    return Gate(
        promoted=not shut,
        reasons=tuple(finding.sentence for finding in ([*shut, *said] if shut else findings)),
        notes=_notes(rules),
        gains=dict(found.gains),
        known_trained=known_trained,
    )


def _notes(rules: Rules) -> tuple[str, ...]:
    later = (SELECTED_EARLIER,) if rules.original else ()
    return (SELECTION, *later) if rules.control else (SELECTION, *later, NO_CONTROL)


def _learned(found: Comparisons, rules: Rules) -> Reason:
    what = "Gaps as first asked"
    return _silent(found, "gap", what) or (
        _rise(found.gains["gap"], what, rules)
        if "gap" in found.gains
        else Reason(False, "There is no gap question to ask, so nothing can have been learned.")
    )


def _reworded(found: Comparisons, rules: Rules) -> Reason:
    what = "Gaps in wordings held out of training"
    if "gap_reworded" in found.gains:
        return _rise(found.gains["gap_reworded"], what, rules)
    why = "no usable one was written" if rules.reworded else "teach.heldout_wordings is 0"
    return _silent(found, "gap_reworded", what) or Reason(
        None, f"{what}: none was there to check ({why}), so a sentence learned by heart would not be noticed."
    )


def _kept(found: Comparisons, rules: Rules) -> list[Reason]:
    known, reading = "Known questions held out of training", "Reading from a page"
    findings = [
        _no_fall(found, "known", known, rules)
        or Reason(
            False,
            "There is no known question held out of training to ask, so forgetting was not measured "
            "(teach.known_heldout sets their share).",
        ),
        _no_fall(found, "reading", reading, rules)
        or Reason(None, f"{reading}: none was there to check, so this kind of forgetting was not measured."),
    ]
    if rules.original:
        before = "against the model before round 1"
        nothing = f"There is no known question to ask {before}: forgetting over the rounds was not measured."
        findings.append(
            _no_fall(found, "known_original", f"{known}, {before}", rules) or Reason(False, nothing)
        )
        over_rounds = _no_fall(found, "reading_original", f"{reading}, {before}", rules)
        findings += [over_rounds] if over_rounds else []
    return findings


def _silent(found: Comparisons, name: str, what: str) -> Reason | None:
    """Refusal where something was asked and nothing came back."""
    missing = found.unmeasured.get(name)
    if missing is None:
        return None
    return Reason(
        False,
        f"{what}: none of {missing.asked} questions was answered by both models, so nothing was measured "
        f"(most often: {missing.error}).",
    )


def _rise(gain: Gain, what: str, rules: Rules) -> Reason:
    if not _enough(gain):
        return _too_many_failed(gain, what)
    if _rose(gain, rules):
        return Reason(True, f"{what}: correctness rose {_figures(gain, rules)}.")
    verb = "did not rise" if gain.difference <= 0 else "rose, but no rise at all cannot be excluded:"
    return Reason(False, f"{what}: correctness {verb} {_figures(gain, rules)}.")


def _no_fall(found: Comparisons, name: str, what: str, rules: Rules) -> Reason | None:
    """Whether the fall of a comparison stays within the margin; None if there was nothing to ask."""
    if name not in found.gains:
        return _silent(found, name, what)
    gain = found.gains[name]
    if not _enough(gain):
        return _too_many_failed(gain, what)
    figures = _figures(gain, rules)
    # Shares of n carry rounding errors: 6 of 300 must not exceed a margin of 0.02.
    if -gain.difference > rules.margin + 1e-9:
        return Reason(
            False, f"{what}: correctness fell by more than the margin of {rules.margin:.3g} {figures}."
        )
    if _worst(gain, rules) < -(rules.margin + SLACK) - 1e-9:
        excluded = f"a fall of more than {rules.margin + SLACK:.3g}"
        return Reason(False, f"{what}: too few questions to exclude {excluded} {figures}.")
    return Reason(True, f"{what}: correctness was kept within the margin of {rules.margin:.3g} {figures}.")


def _beats_control(found: Comparisons, rules: Rules) -> Reason:
    if "control" not in found.gains:
        return _silent(found, "control", "Against the control trained on random pairs") or Reason(
            False,
            "A control was ordered but none answered, so the gain cannot be told from that of any training.",
        )
    gain = found.gains["control"]
    if not _enough(gain):
        return _too_many_failed(gain, "Against the control")
    figures = _figures(gain, rules)
    alone = found.gains.get("control_gain")
    beside = f"; the control alone changed by {alone.difference:+.3f}" if alone else ""
    verb = "better" if _rose(gain, rules) else "not better"
    return Reason(
        _rose(gain, rules),
        f"Against the control trained on random pairs: {verb} on gaps {figures}{beside}.",
    )


def _rose(gain: Gain, rules: Rules) -> bool:
    return gain.low > 0 and not gain.within_noise(rules.resampling.confidence)


def _worst(gain: Gain, rules: Rules) -> float:
    """The lowest difference that is not excluded: what failed may all have been lost."""
    lost = wilson(gain.lost, gain.facts, rules.resampling.confidence).high
    measured = min(gain.low, gain.won / gain.facts - lost)
    return (measured * gain.n - gain.failed) / (gain.n + gain.failed)


def _enough(gain: Gain) -> bool:
    return gain.failed <= MISSING * (gain.n + gain.failed)


def _too_many_failed(gain: Gain, what: str) -> Reason:
    of = gain.n + gain.failed
    return Reason(False, f"{what}: {gain.failed} of {of} questions failed, too many to judge by the rest.")


def _figures(gain: Gain, rules: Rules) -> str:
    facts = "" if gain.facts == gain.n else f" about {gain.facts} facts"
    facts += f", {gain.failed} more failed" if gain.failed else ""
    ways = [f"{count} judged by the {way}" for way, count in sorted(gain.judged_by.items())]
    return (
        f"from {gain.before:.3f} to {gain.after:.3f} on {gain.n} questions{facts} "
        f"({gain.difference:+.3f}, {rules.resampling.confidence:.0%} interval "
        f"{gain.low:+.3f} to {gain.high:+.3f}, McNemar p {gain.p:.2g}"
        + ("; " + ", ".join(ways) if len(ways) > 1 else "")
        + ")"
    )
