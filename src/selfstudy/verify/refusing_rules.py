"""What refusing must show for promotion, where it was taught, each in a sentence.

The refusal F1 falls by no more than the margin, on questions never trained: it has the halves that could be
gamed, always answering and always refusing, in one number.  And no more known questions are refused than the
margin lets be lost: a refused one is wrong, so that the rule of known questions sees it too; here it is told
apart from forgetting.  Knows comparisons; nothing of models or files.
"""

from __future__ import annotations

from selfstudy.verify.gains import FigureGain
from selfstudy.verify.refusing_figures import RefusalComparisons
from selfstudy.verify.rules import MISSING, Reason, Rules

_WHAT = "Questions without evidence, held out of training"
NOT_TAUGHT = Reason(
    "not asked",
    "Refusing: no question without evidence was taught in this round, and none was there to ask, so it was "
    "not measured.",
    "refusing",
)


def refuses(found: RefusalComparisons, rules: Rules) -> list[Reason]:
    """Whether it refuses what it should, and no more than that."""
    missing = found.unmeasured.get("taught")
    if missing is not None:
        why = f"none of {missing.asked} was answered by both models (most often: {missing.error})"
        return [Reason("refused", f"{_WHAT}: {why}, so refusing was not measured.", "refusing")]
    gain, asked = found.taught.get("refusal_f1"), found.taught.get("unanswerable_answered")
    if gain is None or asked is None:
        if not rules.refusals_taught:
            return [NOT_TAUGHT]
        none = (
            f"{_WHAT}: there are none to ask, or nothing beside them that has an answer, so refusing was not "
            "measured (teach.refusals.heldout sets their share)."
        )
        return [Reason("cannot tell", none, "refusing")]
    failed = [one for one in (gain, asked) if one.failed > MISSING * (one.n + one.failed)]
    if failed:
        one = failed[-1]
        said = f"Refusing: {one.failed} of {one.n + one.failed} failed, too many to judge by the rest."
        return [Reason("refused", said, "refusing")]
    return [_f1(gain, found, rules), *_known(found, rules)]


def _f1(gain: FigureGain, found: RefusalComparisons, rules: Rules) -> Reason:
    halves = ", ".join(
        f"{what} {found.taught[name].before:.3f} to {found.taught[name].after:.3f}"
        for what, name in (("refusing", "refusal_f1_ref"), ("answering", "refusal_f1_ans"))
    )
    figures = f"{gain.said(rules.resampling.confidence)}; its halves: {halves}"
    if gain.difference >= -rules.margin - 1e-9:
        verb = "rose" if gain.difference > 0 else f"was kept within the margin of {rules.margin:.3g}"
        return Reason("passed", f"Refusing: the refusal F1 {verb} {figures}.", "refusing")
    if gain.high < 0:
        return Reason("refused", f"Refusing: the refusal F1 fell {figures}.", "refusing")
    return Reason("cannot tell", f"Refusing: the refusal F1 fell, perhaps by chance {figures}.", "refusing")


def _known(found: RefusalComparisons, rules: Rules) -> list[Reason]:
    """A rise of refusals beyond the margin; where no known question was asked, their own rule says so."""
    gain = found.taught.get("known_refused")
    if gain is None:
        return []
    figures = gain.said(rules.resampling.confidence)
    if gain.difference > rules.margin + 1e-9:
        said = f"Known questions: more are refused than the margin of {rules.margin:.3g} allows {figures}"
        sure = gain.low > 0
        return [Reason("refused" if sure else "cannot tell", f"{said}.", "known refused")]
    said = f"Known questions: refused no more often than the margin of {rules.margin:.3g} allows {figures}."
    return [Reason("passed", said, "known refused")]
