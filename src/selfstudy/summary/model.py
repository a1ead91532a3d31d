"""What a summary holds: read by the report, the terminal, the charts and the words; written as summary.json.

What was not measured is None; counts are then 0.  A value is read as an attribute or by its name:
`summary.before.gap_correct` is `summary["before"]["gap_correct"]`.  Knows nothing of where figures come from.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from selfstudy.records import Settled, Target, Unit, VerdictKind, VerdictLabel
from selfstudy.verify.gains import FigureGain, Gain
from selfstudy.verify.gate import GateVerdict, SecondLook
from selfstudy.verify.noise import Noise
from selfstudy.verify.routes import RoutedShares
from selfstudy.verify.suites.figures import SuiteResult

CAPABILITY = ("curiosity", "awareness", "brevity", "slc")
VERIFY_SCORER = "selfcheck-nli"
"""What verify scores with, whatever scorer found the gaps: before and after can be compared."""


class Part(BaseModel):
    """Frozen; its fields can be read by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def __getitem__(self, name: str) -> Any:
        if name not in type(self).model_fields:
            raise KeyError(name)
        return getattr(self, name)


def _is_none(value: object) -> bool:
    return value is None


class Figures(Part):
    """Shares of right answers and means of one arm of verify, in [0, 1] (`verify.figures`).

    From citation_recall on six are of questions with documents, where teach trains to cite
    (`verify.citing_figures`); the last seven of refusing, where that is taught (`verify.refusing_figures`).
    """

    gap_correct: Unit | None = None
    gap_correct_reworded: Unit | None = None
    gap_correct_novel: Unit | None = None
    known_correct: Unit | None = None
    general_correct: Unit | None = None
    reading_correct: Unit | None = None
    gap_hallucination: Unit | None = None
    gap_token_f1: Unit | None = None
    gap_entailment: Unit | None = None
    citation_recall: Unit | None = Field(default=None, exclude_if=_is_none)
    citation_precision: Unit | None = Field(default=None, exclude_if=_is_none)
    claim_recall: Unit | None = Field(default=None, exclude_if=_is_none)
    trust_score: Unit | None = Field(default=None, exclude_if=_is_none)
    f1_ref: Unit | None = Field(default=None, exclude_if=_is_none)
    f1_ans: Unit | None = Field(default=None, exclude_if=_is_none)
    refusal_f1: Unit | None = Field(default=None, exclude_if=_is_none)
    refusal_f1_ref: Unit | None = Field(default=None, exclude_if=_is_none)
    refusal_f1_ans: Unit | None = Field(default=None, exclude_if=_is_none)
    unanswerable_answered: Unit | None = Field(default=None, exclude_if=_is_none)
    known_refused: Unit | None = Field(default=None, exclude_if=_is_none)
    gap_refused: Unit | None = Field(default=None, exclude_if=_is_none)
    answered_right: Unit | None = Field(default=None, exclude_if=_is_none)


class Detail(Part):
    """What one figure rests on: checks counted, facts they are about, how they were judged, checks failed."""

    n: int = 0
    facts: int = 0
    judged_by: dict[str, int] = {}
    failed: int = 0
    low: float | None = None
    high: float | None = None


class Details(Part):
    """The details of every arm, by figure."""

    before: dict[str, Detail] = {}
    after: dict[str, Detail] = {}
    control: dict[str, Detail] = {}
    original: dict[str, Detail] = {}
    full: dict[str, Detail] = Field(default={}, exclude_if=lambda value: not value)


class LearningCapability(Part):
    """Methods 1, each in [0, 1], over the questions that the model proposed."""

    curiosity: Unit | None = None
    awareness: Unit | None = None
    brevity: Unit | None = None
    slc: Unit | None = None


class Method(LearningCapability):
    """One way of asking.  A method whose questions the model did not propose has no capability.

    Attributes:
        proposals: what the model said when it was asked for a question; refused: of it, by reason.
    """

    questions: int = 0
    proposals: int = 0
    refused: dict[str, int] = {}
    inconsistent: int = 0
    gaps: int | None = None


class Curation(Part):
    """What the references of a round rest on, in counts.

    Attributes:
        conflicts: questions whose sources disagree, by what decided.
        stale, excluded: documents that were found and may not be evidence.
        one_source, more_sources: accepted references, where sources were counted.
        by_teacher: accepted ones that a stronger model gave, without evidence.
        labels: of the model's own passages against their references.
    """

    conflicts: dict[Settled, int] = {}
    stale: int = 0
    excluded: int = 0
    one_source: int = 0
    more_sources: int = 0
    by_teacher: int = 0
    labels: dict[VerdictLabel, int] = {}


class RoutedAdapter(Part):
    """An adapter of which the router says when it answers (`deploy: dynamic`).

    Attributes:
        round: that trained it.
        questions, sources: it was taught these many.
        threshold: least similarity with which it answers; None: the router has none of its own.
        shares: of what verify asked, in the round that the figures are of.
    """

    name: str
    group: str
    round: int
    questions: int
    sources: int
    threshold: float | None = None
    shares: RoutedShares = RoutedShares()


class Routing(Part):
    """The router, and its adapters.

    Attributes:
        method: by which it decides.
        calibration: its own figures, of questions kept apart for it when it was made.
    """

    method: str
    calibration: dict[str, float | int | str | bool | None] = {}
    adapters: tuple[RoutedAdapter, ...] = ()


class RoundFigures(Part):
    """The headline figures of a round."""

    round: int
    questions: int = 0
    inconsistent: int = 0
    gaps: int | None = None
    before: Figures = Figures()
    after: Figures = Figures()
    promoted: bool | None = None
    verdict: GateVerdict | None = None


class Summary(LearningCapability):
    """The figures of a run.

    Attributes:
        round: the round that the figures describe; None for an empty run. rounds: how many there are.
        questions, unscored: counts.
        inconsistent: questions whose score is above the threshold.
        gaps: questions with the verdict unsure, unknown or misbelief; None before gather has judged any.
        scorer: decides what is inconsistent. adaptive: it had unequal numbers of samples.
        methods: per way of asking, its counts and its capability.
        threshold, threshold_source, threshold_note, calibrated: the threshold; recipe, calibration or
            default; in words; whether it was measured for this model and scorer.
        calibrations: what `selfstudy calibrate` found, per scorer.
        samples_drawn, samples_saved: over all answers; the share that adaptive sampling did not draw.
        auroc, auroc_interval, auroc_questions: how well the score of round 1 tells questions that the key
            calls unknown from those it calls known; [low, high]; how many questions have both.
        comparison: the scorers of round 1 side by side (`probe.comparison`); None if there is one alone.
        curiosity, awareness, brevity, slc: over all questions that the model proposed.
        curiosity_of: how many questions curiosity was computed from; None: from all.
        published: the four metrics as stored in an imported result file, else None.
        before, after: of the round; control: taught on random pairs; original: the model before round 1, in
            later rounds; full: at full strength, where after is at a smaller one.  details: what each of
            their figures rests on.
        promoted, verdict, reasons, notes, gains: the gate's decision; None if verify has not decided.
        more, noise, margins: about how many more questions would let the gate tell where it cannot, how far
            the unchanged model differs from itself, and the margins that were used (`verify.gate.Gate`).
        weaker: the strength that was decided on, and what was found at full strength, which forgot; None if
            no smaller one was tried.
        known_trained: share of the facts of questions held out that were trained on; above 0, forgetting was
            not tested.
        cited, cited_control: paired comparisons of cited answers, before and after teaching and against the
            control, where teach trains to cite.
        refusing, refusing_control: the same of refusing, where teach teaches to refuse.
        suites: what suites of others' questions came to before and after, by name (`verify.suites`).
        routing: adapters and their router, where there is one (`deploy: dynamic`).
        verdicts: count per verdict.
        curation: what their references rest on.
        seconds, usage, errors: per stage, over all rounds. estimated: seconds per stage, as told before the
            run. skipped: library files or parts not used.
        rounds_detail, models, versions, seed, confidence: where the figures come from.
    """

    round: int | None = None
    rounds: int = 0
    questions: int = 0
    inconsistent: int = 0
    gaps: int | None = None
    unscored: int = 0
    scorer: str = ""
    adaptive: bool = False
    methods: dict[str, Method] = {}
    threshold: Unit = 0.0
    threshold_source: str = ""
    threshold_note: str = ""
    calibrated: bool = False
    calibrations: dict[str, dict[str, Any]] = {}
    samples_drawn: int = 0
    samples_saved: float | None = None
    auroc: Unit | None = None
    auroc_interval: tuple[float, float] | None = None
    auroc_questions: int = 0
    comparison: dict[str, Any] | None = None
    curiosity_of: int | None = None
    published: dict[str, float] | None = None
    before: Figures = Figures()
    after: Figures = Figures()
    control: Figures | None = None
    original: Figures | None = None
    full: Figures | None = None
    details: Details = Details()
    promoted: bool | None = None
    verdict: GateVerdict | None = None
    reasons: tuple[str, ...] = ()
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
    weaker: SecondLook | None = None
    routing: Routing | None = Field(default=None, exclude_if=_is_none)
    verdicts: dict[VerdictKind, int] = {}
    curation: Curation = Field(default=Curation(), exclude_if=lambda value: value == Curation())
    seconds: dict[str, float] = {}
    estimated: dict[str, float] = {}
    usage: dict[str, dict[str, Any]] = {}
    errors: dict[str, int] = {}
    skipped: int = 0
    rounds_detail: tuple[RoundFigures, ...] = ()
    models: dict[str, str] = {}
    versions: dict[str, str] = {}
    seed: int = 0
    confidence: float = Field(default=0.95, gt=0, lt=1)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; an arm that was not asked is left out."""
        found = self.model_dump(mode="json")
        may_lack = ("control", "original", "full", "weaker")
        return {k: v for k, v in found.items() if v is not None or k not in may_lack}
