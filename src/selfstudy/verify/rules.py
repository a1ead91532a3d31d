"""What a comparison must show: each rule of the gate, with the sentence that explains what it found.

A rule passes, refuses, or cannot tell: what was measured leaves open whether it would hold, and how many more
questions would settle it is said.  Knows comparisons and noise; nothing of models or files.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from selfstudy.records import Target
from selfstudy.stats import pairs_needed, wilson
from selfstudy.verify.gains import Comparisons, Gain, Resampling
from selfstudy.verify.noise import Noise

SLACK = 0.05
"""What noise of sampling may add to the margin before a fall can no longer be excluded."""
MISSING = 0.05
"""Largest share of failed questions with which a comparison still counts."""
KNOWN = 1 / 3
"""Least share of general questions that are right before: among fewer a fall of what is known is lost."""
MANY = 100_000
"""More questions than these are not counted out."""

NAMES: dict[Target, str] = {
    "known": "known questions",
    "general": "general questions",
    "gap": "gaps",
    "reading": "reading",
}
RuleVerdict = Literal["passed", "refused", "cannot tell", "not asked"]
OF: dict[str, tuple[Target, ...]] = {
    "gap": ("gap",),
    "gap_reworded": ("gap",),
    "control": ("gap",),
    "known": ("known",),
    "known_original": ("known",),
    "general": ("general",),
    "general_original": ("general",),
    "held_out": ("known", "general"),
    "held_out_original": ("known", "general"),
    "reading": ("reading",),
    "reading_original": ("reading",),
}
"""Whose noise a comparison has: that of its targets."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the gate asks for: see `recipe.VerifyBlock`.

    Attributes:
        control: a control arm was ordered.
        original: the model before round 1 is asked too.
        reworded: wordings were to be held out of training.
        noise: how far the unchanged model differs from itself; {}: not measured.
        cites: some phase trains to cite, so cited answers have to become better.
        recalls: some phase trains anything else, so gaps have to be answered from memory.
        refuses: teach teaches to refuse, so the refusal F1 is held to; refusals_taught: in this round too.
    """

    margin: float
    resampling: Resampling = field(default_factory=Resampling)
    control: bool = False
    original: bool = False
    reworded: bool = True
    noise: Mapping[Target, Noise] = field(default_factory=dict)
    cites: bool = False
    recalls: bool = True
    refuses: bool = False
    refusals_taught: bool = False

    def floor(self, name: str, gain: Gain) -> float:
        """How far noise alone moves a comparison; 0 where it was not measured or was not seen."""
        noise = self.noise_of(name, gain)
        return noise.floor(gain.facts, self.resampling.confidence) if noise else 0.0

    def noise_of(self, name: str, gain: Gain) -> Noise | None:
        """That of its targets, of two the larger."""
        there = [self.noise[target] for target in OF.get(name, ("gap",)) if target in self.noise]
        return max(there, key=lambda one: one.floor(gain.facts, self.resampling.confidence), default=None)

    @property
    def fewest_won(self) -> int:
        """Fewest facts won with which the gate can open, if not one is lost: McNemar's exact test sees it."""
        n = 1
        while 2 * 0.5**n >= 1 - self.resampling.confidence:
            n += 1
        return n

    @property
    def fewest(self) -> int:
        """Fewest known questions with which the gate can open, if not one of them is lost."""
        n, excluded = 1, self.margin + SLACK
        if excluded >= 1:
            return n
        while wilson(0, n, self.resampling.confidence).high > excluded:
            n += 1
        return n


@dataclass(frozen=True, slots=True)
class Reason:
    """What one rule found.

    Attributes:
        name: of the comparison (`gains.Comparisons`).
        more: where it cannot tell, about how many more questions would; None: no number of them.
        remain: what share of a fall may remain for the rule to pass; None: it is no fall, or the questions
            are too few or too noisy for any fall to pass.
    """

    found: RuleVerdict
    sentence: str
    name: str = ""
    more: int | None = None
    remain: float | None = None


def learned(found: Comparisons, rules: Rules) -> Reason:
    what = "Gaps as first asked"
    return silent(found, "gap", what) or (
        _rise("gap", found.gains["gap"], what, rules)
        if "gap" in found.gains
        else Reason("refused", "There is no gap question to ask, so nothing can have been learned.", "gap")
    )


def reworded(found: Comparisons, rules: Rules) -> Reason:
    what = "Gaps in wordings held out of training"
    if "gap_reworded" in found.gains:
        return _rise("gap_reworded", found.gains["gap_reworded"], what, rules)
    why = "no usable one was written" if rules.reworded else "teach.heldout_wordings is 0"
    return silent(found, "gap_reworded", what) or Reason(
        "not asked",
        f"{what}: none was there to check ({why}), so a sentence learned by heart would not be noticed.",
        "gap_reworded",
    )


def kept(found: Comparisons, rules: Rules) -> list[Reason]:
    reading = "Reading from a page"
    findings = [
        *_remembered(found, rules),
        _no_fall(found, "reading", reading, rules)
        or Reason(
            "not asked",
            f"{reading}: none was there to check, so this kind of forgetting was not measured.",
            "reading",
        ),
    ]
    if rules.original:
        findings += _remembered(found, rules, "_original", ", against the model before round 1")
        over_rounds = _no_fall(
            found, "reading_original", f"{reading}, against the model before round 1", rules
        )
        findings += [over_rounds] if over_rounds else []
    return findings


def _remembered(found: Comparisons, rules: Rules, suffix: str = "", against: str = "") -> list[Reason]:
    """The run's own known questions, together with general ones where those were asked.

    Of either alone only a fall that chance does not explain counts.  What was not known cannot be forgotten:
    general questions of which the model knew few tell nothing, and the known ones decide.
    """
    what = "questions held out of training" + against
    own = _no_fall(found, f"known{suffix}", f"Known {what}", rules)
    general = _no_fall(found, f"general{suffix}", f"General {what}", rules)
    if general is None:
        nothing = (
            f"There is no known question held out of training to ask{against}, so forgetting "
            f"{'over the rounds ' if against else ''}was not measured; {rules.fewest} would be needed "
            "(teach.known_heldout sets their share, verify.known_questions gives some)."
        )
        return [own or Reason("cannot tell", nothing, f"known{suffix}", rules.fewest)]
    forgot = [one for one in (general, own) if one and one.found == "refused"]
    if general.found == "refused":
        return forgot
    gain = found.gains[f"general{suffix}"]
    if gain.before < KNOWN - 1e-9:
        said = (
            f"General {what}: {gain.before * gain.facts:.0f} of {gain.facts} were right before, too small a "
            "share to see in it what is forgotten."
        )
        if own is None:
            return [Reason("cannot tell", said, general.name)]
        return [own, Reason("not asked", f"{said} The known questions decide.", general.name)]
    name, what = f"held_out{suffix}", f"Known and general {what}"
    together = _few_right(found, name, what, rules) or _no_fall(found, name, what, rules)
    return [together, *forgot] if together else forgot


def _few_right(found: Comparisons, name: str, what: str, rules: Rules) -> Reason | None:
    gain = found.gains[name]
    right = gain.before * gain.facts
    if right >= rules.fewest - 1e-9:
        return None
    said = f"{what}: {math.floor(right + 1e-9)} of {gain.facts} were right before, too few to see a fall"
    return _open(name, gain, math.ceil(rules.fewest / gain.before), said)


def beats_control(found: Comparisons, rules: Rules) -> Reason:
    if "control" not in found.gains:
        return silent(found, "control", "Against the control trained on random pairs") or Reason(
            "refused",
            "A control was ordered but none answered, so the gain cannot be told from that of any training.",
            "control",
        )
    gain = found.gains["control"]
    if not _enough(gain):
        return _too_many_failed("control", gain, "Against the control")
    figures = _figures(gain, rules)
    alone = found.gains.get("control_gain")
    beside = f"; the control alone changed by {alone.difference:+.3f}" if alone else ""
    verb = "better" if _rose("control", gain, rules) else "not better"
    return Reason(
        "passed" if _rose("control", gain, rules) else "refused",
        f"Against the control trained on random pairs: {verb} on gaps {figures}{beside}.",
        "control",
    )


def noise_unknown(rules: Rules) -> list[Reason]:
    """What leaves open how far noise moves a target: it was asked again, and no question was answered."""
    return [
        Reason(
            "cannot tell",
            f"{one.told(NAMES[target]).capitalize()}, so how far noise moves them is not known.",
            target,
        )
        for target, one in rules.noise.items()
        if not one.questions
    ]


def silent(found: Comparisons, name: str, what: str) -> Reason | None:
    """Refusal where something was asked and nothing came back."""
    missing = found.unmeasured.get(name)
    if missing is None:
        return None
    return Reason(
        "refused",
        f"{what}: none of {missing.asked} questions was answered by both models, so nothing was measured "
        f"(most often: {missing.error}).",
        name,
    )


def _rise(name: str, gain: Gain, what: str, rules: Rules) -> Reason:
    if not _enough(gain):
        return _too_many_failed(name, gain, what)
    figures = _figures(gain, rules)
    if _rose(name, gain, rules):
        return Reason("passed", f"{what}: correctness rose {figures}.", name)
    if gain.difference <= 0:
        return Reason("refused", f"{what}: correctness did not rise {figures}.", name)
    floor = rules.floor(name, gain)
    if gain.difference <= floor:
        least = _quiet(name, gain, gain.difference, rules)
        said = f"{what}: correctness rose, but by no more than noise alone can move it ({floor:.3g})"
        return _open(name, gain, least, f"{said} {figures}")
    changed = _discordance(gain)
    least = max(
        pairs_needed(changed, gain.difference, gain.difference, rules.resampling.confidence),
        math.ceil(rules.fewest_won / changed - 1e-9),  # where all were won their spread is 0
    )
    return _open(
        name, gain, least, f"{what}: correctness rose, but no rise at all cannot be excluded: {figures}"
    )


def _no_fall(found: Comparisons, name: str, what: str, rules: Rules) -> Reason | None:
    """Whether the fall of a comparison stays within the margin; None if there was nothing to ask."""
    if name not in found.gains:
        return silent(found, name, what)
    gain = found.gains[name]
    if not _enough(gain):
        return _too_many_failed(name, gain, what)
    confidence, figures, floor = rules.resampling.confidence, _figures(gain, rules), rules.floor(name, gain)
    margin = max(rules.margin, floor)
    # Shares of n carry rounding errors: 6 of 300 must not exceed a margin of 0.02.
    fall = max(0.0, -gain.difference)
    remain = _may_remain(gain, rules) if fall and floor <= rules.margin else None
    if fall > margin + 1e-9:
        noisy = " (which noise alone can bring)" if floor > rules.margin else ""
        said = f"{what}: correctness fell by more than the margin of {margin:.3g}{noisy} {figures}"
        if _surely_fell(gain, margin, rules):
            return Reason("refused", f"{said}.", name, remain=remain)
        least = pairs_needed(_discordance(gain), fall, fall - margin, confidence)
        chance = _open(name, gain, least, f"{said}, which so few questions do by chance")
        return replace(chance, remain=remain)
    if floor > rules.margin:
        least = _quiet(name, gain, rules.margin, rules)
        said = f"{what}: noise alone moves correctness by up to {floor:.3g}, more than the margin"
        return _open(name, gain, least, f"{said} of {rules.margin:.3g} {figures}")
    if _worst(gain, rules) < -(margin + SLACK) - 1e-9:
        excluded = f"a fall of more than {margin + SLACK:.3g}"
        least = max(
            _enough_of_such(gain, rules),
            pairs_needed(_discordance(gain), fall, margin + SLACK - fall, confidence),
        )
        few = _open(name, gain, least, f"{what}: too few questions to exclude {excluded} {figures}")
        return replace(few, remain=remain)
    return Reason(
        "passed", f"{what}: correctness was kept within the margin of {margin:.3g} {figures}.", name
    )


def _quiet(name: str, gain: Gain, margin: float, rules: Rules) -> int:
    """How many questions bring the noise of a comparison down to `margin`."""
    noise = rules.noise_of(name, gain)
    return noise.questions_for(margin, rules.resampling.confidence) if noise else 0


def _open(name: str, gain: Gain, least: int, said: str) -> Reason:
    """A rule that cannot tell; `least`: how many questions would."""
    more = max(1, least - gain.facts)
    if least >= MANY:
        return Reason("cannot tell", f"{said}; more than {MANY:,} questions would be needed.", name)
    questions = "question" if more == 1 else "questions"
    return Reason("cannot tell", f"{said}; about {more:,} more {questions} would tell.", name, more)


def _rose(name: str, gain: Gain, rules: Rules) -> bool:
    return (
        gain.low > 0
        and not gain.within_noise(rules.resampling.confidence)
        and gain.difference > rules.floor(name, gain)
    )


def _surely_fell(gain: Gain, margin: float, rules: Rules) -> bool:
    """Whether a fall is there, or a fall within the margin is excluded: chance alone does not explain it.

    The second by the exact binomial test: Wilson's lower bound is too high where few are lost.
    """
    if not gain.within_noise(rules.resampling.confidence):
        return True
    from scipy.stats import binom

    allowed = min(1.0, margin + gain.rose / gain.facts)
    # a part of a fact is left out, so as not to refuse by it; rounding takes no whole one away
    chance = float(binom.sf(math.floor(gain.fell + 1e-9) - 1, gain.facts, allowed))
    return chance < (1 - rules.resampling.confidence) / 2


def _may_remain(gain: Gain, rules: Rules) -> float | None:
    """The share of a fall with which it would be within the margin, and a larger one excluded.

    The worst that is not excluded is taken to shrink as the fall does, down to what no loss at all leaves.
    """
    least = wilson(0, gain.facts, rules.resampling.confidence).high
    worst, limit = -_worst(gain, rules), rules.margin + SLACK
    if least > limit:
        return None
    excluded = (limit - least) / (worst - least) if worst > limit else 1.0
    return min(1.0, rules.margin / -gain.difference, excluded)


def _worst(gain: Gain, rules: Rules) -> float:
    """The lowest difference that is not excluded: what failed may all have been lost."""
    lost = wilson(gain.fell, gain.facts, rules.resampling.confidence).high
    measured = min(gain.low, gain.rose / gain.facts - lost)
    return (measured * gain.n - gain.failed) / (gain.n + gain.failed)


def _enough_of_such(gain: Gain, rules: Rules) -> int:
    """How many questions exclude the fall if of them the same shares are won and lost as of these."""
    n = max(gain.facts, rules.fewest)
    won, lost = gain.rose / gain.facts, gain.fell / gain.facts
    while n < MANY and wilson(lost * n, n, rules.resampling.confidence).high - won > rules.margin + SLACK:
        n += 1 + n // 50
    return n


def _discordance(gain: Gain) -> float:
    """Mean square of what changed of a fact: with a question each, the share of the facts that changed."""
    return gain.moved / gain.facts


def _enough(gain: Gain) -> bool:
    return gain.failed <= MISSING * (gain.n + gain.failed)


def _too_many_failed(name: str, gain: Gain, what: str) -> Reason:
    of = gain.n + gain.failed
    said = f"{what}: {gain.failed} of {of} questions failed, too many to judge by the rest."
    return Reason("refused", said, name)


def _figures(gain: Gain, rules: Rules) -> str:
    asked = f"{gain.n} questions" if gain.facts == gain.n else f"{gain.n} answers about {gain.facts} facts"
    asked += f", {gain.failed} more failed" if gain.failed else ""
    changed = f"{gain.lost} lost, {gain.won} won"
    if abs(gain.fell - gain.lost) + abs(gain.rose - gain.won) > 1e-6:
        changed = f"{gain.fell:.1f} lost, {gain.rose:.1f} won, in parts of {gain.lost} and {gain.won} facts"
    ways = [f"{count} judged by the {way}" for way, count in sorted(gain.judged_by.items())]
    return (
        f"from {gain.before:.3f} to {gain.after:.3f} on {asked} "
        f"({gain.difference:+.3f}, {rules.resampling.confidence:.0%} interval "
        f"{gain.low:+.3f} to {gain.high:+.3f}, McNemar p {gain.p:.2g}; {changed}"
        + ("; " + ", ".join(ways) if len(ways) > 1 else "")
        + ")"
    )
