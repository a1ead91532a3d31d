"""The promotion gate: an adapter is promoted only if it learned and did not forget, with figures to show it.

The rules (rules.py), each over the questions that both arms answered (`gains.py`: the unit is the fact):

1. It learned: correctness on gaps rises.  The paired interval of the difference lies above 0, McNemar's
   exact test agrees, and the rise is larger than noise alone can bring, for the questions as first asked and,
   where wordings were held out of training, for those too: what counts is the fact, not the sentence.
2. It did not forget: correctness on questions held out of training (its own known ones; where these are
   too few, together with general ones, which no answer selected) and on reading from a page falls by at most
   `margin`, and a fall of more than `margin + SLACK` is excluded, by the paired interval and by Wilson's
   interval of how many were lost (where all pairs are alike, a bootstrap of few questions sees no doubt),
   even if all that failed were lost too.  The first half is the promise; the second refuses what is measured
   on too few questions to support it.  A strict test of non-inferiority (interval above -margin) would need
   thousands of questions to see a fall of 0.01.  The margin is never below what noise alone can bring
   (noise.py).
3. In later rounds the same, with the same margin, against the model before round 1, on the questions that
   are kept apart over all rounds: small falls must not add up.
4. With a control arm: the taught arm beats it on gaps, by the same paired interval.
5. Where a phase trains to cite: the Trust-Score of questions with documents rises, and beats the control's.
   Where every phase does, gaps asked from memory do not decide, nor the control on them (citing_rules.py).
6. Where teach teaches to refuse what has no evidence: the refusal F1 does not fall, and no more known
   questions are refused than the margin allows (refusing_rules.py).
7. Where a suite of others' questions has a margin (verify.suites): its main figure did not get worse by more,
   by the paired interval (suites/rules.py).
8. It can be judged: what was asked was answered; at most `MISSING` of the questions of a target failed.
   A target that was asked and of which nothing came back refuses.  Without held-out wordings or pages the
   reasons say so.

Three verdicts: promoted, if every rule passes; refused, if one shows that it does not hold; else cannot tell:
what was measured leaves it open.  That promotes no more than a refusal does, but says how many more questions
would settle it.

An adapter that learned and only forgot may be asked once more at a smaller strength (strengths.py), by the
same rules.  It is a second look at the same questions, and the decision says so.

It decides over checks; it knows nothing of models or files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from selfstudy.records import Check, CitedCheck, RefusalCheck, Target
from selfstudy.verify import citing_rules as citing
from selfstudy.verify import refusing_figures
from selfstudy.verify import rules as rule
from selfstudy.verify.citing_figures import compared
from selfstudy.verify.gains import Comparisons, FigureGain, Gain, measure
from selfstudy.verify.noise import Noise
from selfstudy.verify.refusing_rules import refuses
from selfstudy.verify.rules import Reason, Rules
from selfstudy.verify.suites.figures import SuiteResult
from selfstudy.verify.suites.rules import not_worse

GateVerdict = Literal["promoted", "refused", "cannot tell"]

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
GENERAL = (
    "General questions were held out of training whatever was answered, and all of them are asked, right or "
    "wrong before: nothing selects them, so they can rise as well as fall. Where the model is shown "
    "demonstrations each is asked in several orders of these (verify.orders) and counts once, with the share "
    "that is right. The model's own known questions were too few to tell what it forgets, or "
    "verify.known_questions gave these."
)
SECOND_LOOK = (
    "The adapter was asked twice, at full strength and at {:g}: the second is a second look at the same "
    "questions, so by chance alone the gate may open up to twice as often as its intervals say. The strength "
    "was chosen by what teaching rehearsed, which is not asked; the first look told only how much had to go."
)
FEW_GAPS = "The round had too few gaps to tell, so nothing of it was promoted; "
AGAIN = FEW_GAPS + (
    "they are asked again in a later round (relearn), and what is still a gap counts together with its own."
)
NOT_AGAIN = FEW_GAPS + (
    "they do not come back. With relearn: {} in the recipe of a new run they would be asked again in a later "
    "round, and count together with its own."
)
NO_NOISE = (
    "The unchanged model was not asked again, so how far it differs from itself was not measured "
    "(verify.repeats)."
)


class SecondLook(BaseModel):
    """A decision about an adapter at a smaller strength: that strength, and what the first look had found."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    strength: float
    verdict: GateVerdict
    reasons: tuple[str, ...]
    gains: dict[str, Gain]


class Gate(BaseModel):
    """The decision, the sentences that explain it, and the comparisons by name.

    Names of `gains`, those that were measured: gap, gap_trained, gap_reworded, gap_novel, known, general,
    held_out (known and general together), reading; known_original, general_original, held_out_original and
    reading_original, against the model before round 1; control, the taught model against the one that was
    trained on random pairs, and control_gain, that one against the model before.
    `more`: by the same names, about how many more questions would let the gate tell where it cannot.
    `noise`: by target, how far the unchanged model differs from itself; `margins`: by name, the margin that
    was used, which is never below it.
    `notes` say how the figures are to be read.  `known_trained` is the share of the facts of known questions
    that stand in something this or an earlier round trained on: 0, or the test is none.
    `cited`: figures of cited answers before and after, by name (citing_figures.py), where teach trains to
    cite; `cited_control`: the same against the control.
    `refusing`: figures of refusing before and after, by name (refusing_figures.py), where teach teaches to
    refuse; `refusing_control`: the same against the control.
    `suites`: what suites of others' questions came to before and after, by name (suites/figures.py).
    `weaker`: all the rest is about the adapter at a smaller strength; what the gate found at full strength.
    `forgot`, not written: the reasons, if all that stands in the way are falls that a smaller strength may
    undo; `remain`: the share of these falls that may be left.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    promoted: bool
    verdict: GateVerdict
    reasons: tuple[str, ...]
    notes: tuple[str, ...] = ()
    gains: dict[str, Gain] = {}
    more: dict[str, int] = {}
    noise: dict[Target, Noise] = {}
    margins: dict[str, float] = {}
    known_trained: float | None = None
    cited: dict[str, FigureGain] = Field(default={}, exclude_if=lambda value: not value)
    cited_control: dict[str, FigureGain] = Field(default={}, exclude_if=lambda value: not value)
    refusing: dict[str, FigureGain] = Field(default={}, exclude_if=lambda value: not value)
    refusing_control: dict[str, FigureGain] = Field(default={}, exclude_if=lambda value: not value)
    suites: dict[str, SuiteResult] = Field(default={}, exclude_if=lambda value: not value)
    weaker: SecondLook | None = Field(default=None, exclude_if=lambda value: value is None)
    forgot: tuple[str, ...] = Field(default=(), exclude=True)
    remain: float | None = Field(default=None, exclude=True)

    @model_validator(mode="before")
    @classmethod
    def _verdict_of_an_older_gate(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and "promoted" in data and "verdict" not in data:
            return {**data, "verdict": "promoted" if data["promoted"] else "refused"}
        return data


SHOWN = tuple(name for name in Gate.model_fields if name not in ("forgot", "remain"))
"""What of a gate is written, and shown."""


def few_gaps(gate: Gate, *, relearns: bool) -> tuple[str, ...]:
    """What becomes of gaps that rose and were too few; () where that is not what stands in the way."""
    few = gate.verdict == "cannot tell" and bool(gate.more.keys() & {"gap", "gap_reworded"})
    return ((AGAIN if relearns else NOT_AGAIN),) if few else ()


def refuse(reason: str) -> Gate:
    """A gate that stays shut without a comparison, for example because training failed."""
    return Gate(promoted=False, verdict="refused", reasons=(reason,))


def decide(
    checks: Iterable[Check],
    rules: Rules,
    known_trained: float | None = None,
    cited: Iterable[CitedCheck] = (),
    suites: Mapping[str, SuiteResult] | None = None,
    refusals: Iterable[RefusalCheck] = (),
) -> Gate:
    """Promote or not, or say that it cannot be told, from all checks of a round.

    Args:
        known_trained, suites: see `Gate`.
    """
    checks = list(checks)
    found, with_documents = measure(checks, rules.resampling), compared(cited, rules.resampling)
    refusing = refusing_figures.compared(checks, refusals, rules.resampling)
    findings = [citing.cites(with_documents, rules)] if rules.cites else []
    findings += _recalled(found, rules) if rules.recalls else [citing.NOT_RECALLED]
    findings += rule.kept(found, rules)
    findings += rule.noise_unknown(rules)
    if rules.control and rules.recalls:
        findings.append(rule.beats_control(found, rules))
    if rules.control and rules.cites:
        findings.append(citing.cites_beyond_control(with_documents, rules))
    findings += refuses(refusing, rules) if rules.refuses else []
    findings += not_worse(suites or {}, rules)
    if known_trained:
        why = "of their facts were trained on, so what was forgotten cannot be told."
        findings.append(Reason("cannot tell", f"Questions held out of training: {known_trained:.1%} {why}"))
    verdict = _verdict(findings)
    falls = [f for f in findings if f.found in ("refused", "cannot tell")]
    remains = [f.remain for f in falls if f.remain is not None]
    only_forgot = bool(falls) and len(remains) == len(falls)
    order = ("refused", "cannot tell", "not asked")
    told = [f for kind in order for f in findings if f.found == kind] if verdict != "promoted" else findings
    margins = {
        name: max(rules.margin, rules.floor(name, gain))
        for name, gain in found.gains.items()
        if "gap" not in rule.OF.get(name, ("gap",))
    }
    return Gate(
        promoted=verdict == "promoted",
        verdict=verdict,
        reasons=tuple(finding.sentence for finding in told),
        notes=_notes(rules, "general" in found.gains),
        gains=dict(found.gains),
        more={f.name: f.more for f in findings if f.more is not None},
        noise=dict(rules.noise),
        margins=margins,
        known_trained=known_trained,
        cited=dict(with_documents.taught),
        cited_control=dict(with_documents.control),
        refusing=dict(refusing.taught),
        refusing_control=dict(refusing.control),
        suites=dict(suites or {}),
        forgot=tuple(f.sentence for f in falls) if only_forgot else (),
        remain=min(remains) if only_forgot else None,
    )


def _recalled(found: Comparisons, rules: Rules) -> list[Reason]:
    """Whether gaps are answered from memory now."""
    also = {"gap_trained": "Gaps in wordings trained on", "gap_novel": "Gaps in wordings of the answer key"}
    silent = [said for name, what in also.items() if (said := rule.silent(found, name, what))]
    return [rule.learned(found, rules), rule.reworded(found, rules), *silent]


def second_look(full: Gate, again: Gate, strength: float) -> Gate:
    """The decision about the adapter at a smaller strength, with what was found at full strength.

    Args:
        full, again: decided over the checks of the one and of the other.
    """
    found = {
        "promoted": "it is promoted",
        "refused": "it is refused too",
        "cannot tell": "it is not promoted either, for it cannot be told",
    }
    refused = "refused" if full.verdict == "refused" else "not promoted"
    forgot = " ".join(full.forgot or full.reasons)
    return again.model_copy(
        update={
            "reasons": (
                f"At full strength the adapter was {refused}, for it forgot: {forgot}",
                f"At strength {strength:g}, {found[again.verdict]}:",
                *again.reasons,
            ),
            "notes": (*again.notes, SECOND_LOOK.format(strength)),
            "weaker": SecondLook(
                strength=strength, verdict=full.verdict, reasons=full.reasons, gains=full.gains
            ),
        }
    )


def _verdict(findings: Iterable[Reason]) -> GateVerdict:
    kinds = {finding.found for finding in findings}
    return "refused" if "refused" in kinds else "cannot tell" if "cannot tell" in kinds else "promoted"


def _notes(rules: Rules, general_asked: bool) -> tuple[str, ...]:
    later = (SELECTED_EARLIER,) if rules.original else ()
    control = () if rules.control else (NO_CONTROL,)
    general = (GENERAL,) if general_asked else ()
    return (SELECTION, *later, *general, *control, _told(rules.noise))


def _told(noise: Mapping[Target, Noise]) -> str:
    if not noise:
        return NO_NOISE
    said = "; ".join(one.told(rule.NAMES[target]) for target, one in noise.items())
    return (
        f"Noise of the unchanged model, asked again in another order and in batches of another size: {said}."
    )
