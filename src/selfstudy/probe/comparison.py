"""Scorers and ways of asking, side by side: how well each finds what the model does not know, and its cost.

Reads the records of round 1 of one or several runs, and the notes of what scoring cost; loads no model.  An
imported run is a run like any other.  Knows nothing of tables or pages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from selfstudy.errors import DataError, RunError
from selfstudy.judging.answer_key import load_answer_key
from selfstudy.judging.labels import Labels, find_labels
from selfstudy.recipe import NEED_ENTAILMENT
from selfstudy.records import Answer, Question, Score
from selfstudy.run import SCORING, Round, Run, threshold
from selfstudy.run.entailment import entailment_cautions
from selfstudy.stats import auroc, auroc_interval

MAX_SCORERS = 50
UNEQUAL_SAMPLES = (
    "samples were drawn adaptively, so the scores rest on unequal numbers of them: just enough for the "
    "threshold in use, too few to rank questions well by, and this AUROC is not that of all samples"
)
"""What is said wherever an AUROC of an adaptive run is shown."""


class _Asked(NamedTuple):
    """What counts of a question here: there may be a million."""

    id: str
    method: str
    topic: str


class _Area(NamedTuple):
    labelled: int
    value: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class ScorerFigures:
    """One scorer of one run.

    Attributes:
        run: what the run is called here.
        decides: whether its score decides what is inconsistent in that run.
        answers: answers of the run.
        scored: of these, how many have a score; the others have an error.
        threshold: a score above it is inconsistent.
        inconsistent: share of the scored above it; None if none is scored.
        mean: mean score.
        labelled: scored questions with a label.
        auroc: chance that what the model does not know scores higher than what it knows; None without labels
            of both kinds.
        interval: its confidence interval; None with fewer than stats.FEWEST questions of a kind.
        seconds: per question scored; None where the cost was not noted.  Work that several scorers share
            counts at the first of them.
        calls: completions asked of a language model per question.
        pairs: pairs given to the entailment model per question, equal ones included.
    """

    run: str
    scorer: str
    decides: bool
    answers: int
    scored: int
    threshold: float
    inconsistent: float | None
    mean: float | None
    labelled: int
    auroc: float | None
    interval: tuple[float, float] | None
    seconds: float | None
    calls: float | None
    pairs: float | None


@dataclass(frozen=True)
class ScorerAgreement:
    """Two scorers on the questions that both have scored.

    Attributes:
        left, right: positions in `Comparison.scorers`.
        across: whether they are of different runs (and then the same scorer).
        same: share of equal verdicts (inconsistent or not, each by its own threshold).
        spearman: rank correlation of the scores in [-1, 1]; None where one of them is constant.
    """

    left: int
    right: int
    across: bool
    questions: int
    same: float
    spearman: float | None


@dataclass(frozen=True)
class MethodFigures:
    """One way of asking in one run, judged by the scorer that decides there."""

    run: str
    method: str
    questions: int
    topics: int
    scored: int
    inconsistent: float | None
    labelled: int
    auroc: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Comparison:
    """Everything `selfstudy compare` tells.

    Attributes:
        labels: for each run where its labels come from, if it has any.
        caveats: for each run what must be said wherever its AUROC is shown, if anything.
    """

    scorers: tuple[ScorerFigures, ...]
    agreements: tuple[ScorerAgreement, ...]
    methods: tuple[MethodFigures, ...]
    labels: Mapping[str, str]
    caveats: Mapping[str, tuple[str, ...]]
    confidence: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class _Probed:
    """What one run has found, as far as it is compared."""

    name: str
    round: Round
    questions: list[_Asked]
    answers: int
    scores: dict[str, dict[str, float]]
    """scorer -> question id -> score"""
    left_out: int
    """How many more scorers the records name: each is compared with each, so `MAX_SCORERS` at most are."""
    thresholds: dict[str, float]
    labels: Labels | None

    @property
    def decides(self) -> str:
        return str(self.round.run.recipe.probe.scorer)

    def verdicts(self, scorer: str) -> dict[str, bool]:
        """Question id -> whether it is inconsistent by this scorer."""
        return {
            key: threshold.is_inconsistent(value, self.thresholds[scorer])
            for key, value in self.scores[scorer].items()
        }

    def caveats(self) -> Iterator[str]:
        if self.labels is not None and self.labels.caveat:
            yield self.labels.caveat
        if self.labels is not None and self.round.run.recipe.probe.adaptive is not None:
            yield UNEQUAL_SAMPLES
        if set(self.scores) & {*NEED_ENTAILMENT, "ensemble"}:
            yield from entailment_cautions(self.round.run)
        if self.left_out:
            yield f"{MAX_SCORERS} scorers are compared, {self.left_out:,} more are left out"

    def auroc(self, ids: Iterable[str], scorer: str, confidence: float) -> _Area:
        """How many of the questions have score and label, and how well one tells the other."""
        known = self.labels.known if self.labels else {}
        values = self.scores.get(scorer, {})
        pairs = [(values[key], not known[key]) for key in ids if key in values and key in known]
        scores, unknown = [value for value, _ in pairs], [label for _, label in pairs]
        found = auroc_interval(scores, unknown, confidence=confidence)
        return _Area(len(pairs), auroc(scores, unknown), found and (found.low, found.high))


def compare(runs: Sequence[Run], labels: Path | None = None, confidence: float = 0.95) -> Comparison:
    """The scorers and ways of asking of `runs`, each in its first round.

    Args:
        runs: opened for reading or writing; models are not needed.
        labels: a file of labels (`judging.labels`) for all of them.  Without it a run's labels come from
            its answer key, else from what verify checked; without any there is no AUROC.

    Raises:
        RunError: a run has not been probed.
        DataError: the labels cannot be used.
    """
    probed = [
        _read(run, name, labels) for run, name in zip(runs, _names([run.path for run in runs]), strict=True)
    ]
    columns = [(one, scorer) for one in probed for scorer in one.scores]
    return Comparison(
        scorers=tuple(_scorer(one, scorer, confidence) for one, scorer in columns),
        agreements=tuple(_agreements(columns)),
        methods=tuple(figures for one in probed for figures in _methods(one, confidence)),
        labels={one.name: one.labels.source for one in probed if one.labels},
        caveats={one.name: found for one in probed if (found := tuple(one.caveats()))},
        confidence=confidence,
    )


def _names(paths: Sequence[Path]) -> list[str]:
    """The runs' folder names, with as many of the folders above as tell them apart."""
    depth = 1
    while depth < max(len(path.parts) for path in paths):
        names = ["/".join(path.parts[-depth:]) for path in paths]
        if len(set(names)) == len(names):
            return names
        depth += 1
    return [str(path) for path in paths]


def _read(run: Run, name: str, labels: Path | None) -> _Probed:
    if not run.rounds:
        raise RunError(f"{run.path} has not been probed", f"selfstudy probe RECIPE --run {run.path}")
    first = run.rounds[0]
    scores: dict[str, dict[str, float]] = {}
    left_out = set()
    for score in first.iter(Score):
        if len(scores) >= MAX_SCORERS and score.scorer not in scores:
            left_out.add(score.scorer)
            continue
        values = scores.setdefault(score.scorer, {})
        if score.value is not None:
            values[score.question_id] = score.value
    if not scores:
        raise RunError(f"{run.path} has no scores", f"selfstudy probe RECIPE --run {run.path}")
    return _Probed(
        name=name,
        round=first,
        questions=[_Asked(one.id, one.method, one.topic) for one in first.iter(Question)],
        answers=first.count(Answer),
        scores=scores,
        left_out=len(left_out),
        thresholds={scorer: threshold.in_use(run, scorer) for scorer in scores},
        labels=_labels(first, labels),
    )


def _labels(round_: Round, file: Path | None) -> Labels | None:
    if file is not None:
        return find_labels(round_, None, file)
    try:
        key = load_answer_key(round_.run.recipe.answer_key)
    except DataError:  # the run may have come here without its key
        key = None
    try:
        return find_labels(round_, key)
    except DataError:
        return None


def _scorer(one: _Probed, scorer: str, confidence: float) -> ScorerFigures:
    values = list(one.scores[scorer].values())
    area = one.auroc(one.scores[scorer], scorer, confidence)
    cost = one.round.run.costs(one.round.number).get(SCORING + scorer) or {}

    def each(name: str) -> float | None:
        return cost[name] / cost["questions"] if cost.get("questions") and name in cost else None

    return ScorerFigures(
        run=one.name,
        scorer=scorer,
        decides=scorer == one.decides,
        answers=one.answers,
        scored=len(values),
        threshold=one.thresholds[scorer],
        inconsistent=_share(one.verdicts(scorer).values()),
        mean=float(np.mean(values)) if values else None,
        labelled=area.labelled,
        auroc=area.value,
        interval=area.interval,
        seconds=each("seconds"),
        calls=each("calls"),
        pairs=each("pairs"),
    )


def _methods(one: _Probed, confidence: float) -> Iterator[MethodFigures]:
    scorer = one.decides if one.decides in one.scores else next(iter(one.scores))
    verdicts = one.verdicts(scorer)
    for method in dict.fromkeys(question.method for question in one.questions):
        asked = [question for question in one.questions if question.method == method]
        area = one.auroc((question.id for question in asked), scorer, confidence)
        scored = [verdicts[question.id] for question in asked if question.id in verdicts]
        yield MethodFigures(
            run=one.name,
            method=method,
            questions=len(asked),
            topics=len({question.topic for question in asked if question.topic}),
            scored=len(scored),
            inconsistent=_share(scored),
            labelled=area.labelled,
            auroc=area.value,
            interval=area.interval,
        )


def _agreements(columns: Sequence[tuple[_Probed, str]]) -> Iterator[ScorerAgreement]:
    """Of all scorers of a run with each other, and of a scorer with itself in another run."""
    for (left, (one, scorer)), (right, (other, rival)) in combinations(enumerate(columns), 2):
        if one is not other and scorer != rival:
            continue
        mine, theirs = one.scores[scorer], other.scores[rival]
        both = [key for key in mine if key in theirs]
        if both:
            above, theirs_above = one.verdicts(scorer), other.verdicts(rival)
            yield ScorerAgreement(
                left=left,
                right=right,
                across=one is not other,
                questions=len(both),
                same=sum(above[key] == theirs_above[key] for key in both) / len(both),
                spearman=spearman([mine[key] for key in both], [theirs[key] for key in both]),
            )


def spearman(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Rank correlation of two lists of equal length, ties with their mean rank; None if one is constant.

    Raises:
        ValueError: lengths differ.
    """
    if len(a) != len(b):
        raise ValueError(f"a rank correlation needs equal lengths, found {len(a)} and {len(b)}")
    first, second = _ranks(a), _ranks(b)
    if len(a) < 2 or not first.any() or not second.any():
        return None
    value = float(first @ second / np.sqrt((first @ first) * (second @ second)))
    return max(-1.0, min(1.0, value))


def _ranks(values: Sequence[float]) -> npt.NDArray[np.float64]:
    """Ranks around their mean."""
    _, where, counts = np.unique(
        np.asarray(values, dtype=np.float64), return_inverse=True, return_counts=True
    )
    middle = np.cumsum(counts) - (counts + 1) / 2
    ranks: npt.NDArray[np.float64] = middle[where] - (len(values) - 1) / 2
    return ranks


def _share(verdicts: Iterable[bool]) -> float | None:
    found = list(verdicts)
    return sum(found) / len(found) if found else None
