"""What is a hallucination score worth? Measured on questions that the model is known to know, or not to know.

How well the score finds what is unknown (AUROC), what the threshold in use does, which threshold reaches a
wanted precision, and the chance that a question is unknown, given its score (isotonic regression; Zadrozny &
Elkan 2002), with the calibration error of score and map (Naeini et al. 2015).

Pure functions over numbers, and one over the scores of a round.  Where labels come from and where a
calibration is kept is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from selfstudy.errors import DataError
from selfstudy.records import Score
from selfstudy.run.threshold import in_use, is_inconsistent, picked
from selfstudy.stats import Floats, auroc, auroc_interval

if TYPE_CHECKING:
    from selfstudy.run import Round

UnknownMask = npt.NDArray[np.bool_]

FEWEST_LABELS = 20
"""Fewer labels than this say too little about anything."""
BINS = 10
FOLDS = 5


class Cut(BaseModel):
    """What a threshold does to labelled questions: those that are inconsistent by it are called unknown.

    `selected` of them are; `precision` is the share of those that is unknown indeed (None if there are none),
    `recall` the share of the unknown ones that is found.
    """

    model_config = ConfigDict(frozen=True)
    threshold: float
    selected: int
    precision: float | None
    recall: float
    f1: float


class Calibration(BaseModel):
    """What was measured of one scorer, on one model.

    Attributes:
        labels, unknown: questions with score and label, and how many of them the model does not know.
        unscored: labelled questions without a score; they are in no figure.
        source: where the labels come from.
        auroc, auroc_interval: chance that an unknown question scores above a known one; its interval (None
            with fewer than stats.FEWEST of a kind).
        in_use: what the threshold in use does to the scores that the run has.
        wanted: the precision asked for.
        cut: the smallest threshold that reaches it; None if none does.
        best: the highest precision that any threshold reaches.
        expected: precision of such a threshold on questions it was not chosen on (cross-fitted).
        knots: (score, P(unknown)): the isotonic map, linear between its knots, constant beyond them.
        error_of_score, error_of_map: expected calibration error over BINS bins of equal mass, of the score
            read as a probability, and of the map on questions that it was not fitted on (cross-fitted).
        weights: of the members of an ensemble, where they were learned.
    """

    model_config = ConfigDict(frozen=True)
    scorer: str
    source: str
    labels: int
    unknown: int
    unscored: int
    auroc: float
    auroc_interval: tuple[float, float] | None
    in_use: Cut
    wanted: float
    cut: Cut | None
    best: Cut
    expected: float | None
    knots: tuple[tuple[float, float], ...]
    error_of_score: float
    error_of_map: float | None
    weights: dict[str, Any] | None = None


def calibrate(
    scorer: str,
    scores: Mapping[str, float | None],
    known: Mapping[str, bool],
    *,
    source: str,
    wanted: float = 0.9,
    threshold: float = 0.5,
    seed: int = 0,
) -> Calibration:
    """Measures a scorer on the questions that have both a score and a label.

    Args:
        scores: by question id, in [0, 1], higher = less consistent; None is unscored.
        known: by question id.
        source: what to say of where the labels come from.
        wanted: the precision for "unknown" that a threshold should reach, in (0, 1].
        threshold: the one in use.
        seed: of the folds.

    Raises:
        DataError: fewer than FEWEST_LABELS labels with a score, or all of one class.
    """
    values, unknown = _labelled(scores, known)
    count = len(values)
    area = auroc(values.tolist(), unknown.tolist())
    if count < FEWEST_LABELS or area is None:
        raise DataError(
            f"{scorer} cannot be calibrated: {count} labelled questions have a score "
            f"({int(unknown.sum())} unknown, {int((~unknown).sum())} known)",
            f"label at least {FEWEST_LABELS} questions of the run, known and unknown ones, from {source}",
        )
    interval = auroc_interval(values.tolist(), unknown.tolist())
    fold = folds(unknown, seed)
    fitted = cross_fitted(values, unknown, fold)
    return Calibration(
        scorer=scorer,
        source=source,
        labels=count,
        unknown=int(unknown.sum()),
        unscored=sum(scores.get(key) is None for key in known),
        auroc=area,
        auroc_interval=interval and (interval.low, interval.high),
        in_use=cut_at(values, unknown, threshold),
        wanted=wanted,
        cut=smallest_cut(values, unknown, wanted),
        best=max(cuts(values, unknown), key=_precise, default=cut_at(values, unknown, 0.0)),
        expected=None if fold is None else expected_precision(values, unknown, wanted, fold),
        knots=tuple((float(x), float(y)) for x, y in zip(*isotonic(values, unknown), strict=True)),
        error_of_score=calibration_error(values, unknown),
        error_of_map=None if fitted is None else calibration_error(fitted, unknown),
    )


def calibrate_round(
    round_: Round, known: Mapping[str, bool], source: str, wanted: float = 0.9, only: str | None = None
) -> tuple[list[Calibration], list[DataError]]:
    """Calibrates every scorer of `round`, and the ensemble where its members have scores; or one of them.

    Args:
        known: by question id; source: what to say of where these labels come from.
        wanted: the precision for "unknown" that a threshold should reach, in (0, 1].
        only: the scorer, if not all.

    Returns:
        The calibrations, and why other scorers have none.

    Raises:
        DataError: there are no such scores, they were made to decide at one threshold, or none can be used.
    """
    recipe = round_.run.recipe
    if recipe.probe.adaptive is not None:
        raise DataError(
            f"{round_.run.path} drew its samples adaptively: just enough for the threshold it had, so its "
            "scores cannot be used to choose another",
            "probe with probe.adaptive=null and calibrate that run; adaptive runs then use its threshold",
        )
    scores, members = _scores(round_)
    if set(recipe.probe.ensemble) <= set(scores):
        members = members or {name: scores[name] for name in recipe.probe.ensemble}
    if members:
        scores.setdefault("ensemble", {})
    if not scores or (only is not None and only not in scores):
        raise DataError(
            f"{round_.run.path} has no scores"
            + (f" of {only}; it has {', '.join(scores)}" if scores else ""),
            "name the scorer in probe.scorer or probe.compare, and probe again",
        )
    made: list[Calibration] = []
    refused: list[DataError] = []
    for scorer in [only] if only else list(scores):
        weights = None
        try:
            values = scores[scorer]
            if scorer == "ensemble" and members:
                values, weights = learned(members, known, recipe.seed)
            threshold = in_use(round_.run, scorer)
            found = calibrate(
                scorer, values, known, source=source, wanted=wanted, threshold=threshold, seed=recipe.seed
            )
            own, unknown = _labelled(scores[scorer], known)
            if weights is not None and unknown.any():  # in use is what the run has, not what was learned now
                found = found.model_copy(update={"in_use": cut_at(own, unknown, threshold)})
            made.append(found.model_copy(update={"weights": weights}))
        except DataError as error:
            refused.append(error)
    if not made:
        raise refused[0]
    return made, refused


def learned(
    members: Mapping[str, Mapping[str, float | None]], known: Mapping[str, bool], seed: int
) -> tuple[dict[str, float | None], dict[str, Any] | None]:
    """An ensemble that learns its weights from labels: its scores by question id, and the weights.

    A labelled question is scored with weights learned on the other folds; the weights returned are learned
    on all.  Without enough labels to do so there are no weights, and questions are unscored.
    """
    from selfstudy.probe.scorers.ensemble import fit_weights

    usable = [key for key in known if all(values.get(key) is not None for values in members.values())]
    unknown = np.array([not known[key] for key in usable], dtype=bool)
    fold = folds(unknown, seed) if usable else None
    if fold is None:
        return dict.fromkeys(known), None

    def table(rows: Sequence[int]) -> dict[str, list[float]]:
        return {name: [float(values[usable[i]] or 0.0) for i in rows] for name, values in members.items()}

    scores: dict[str, float | None] = {}
    for number in range(int(fold.max()) + 1):
        others = np.flatnonzero(fold != number).tolist()
        weights = fit_weights(table(others), unknown[others].tolist())
        for i in np.flatnonzero(fold == number).tolist():
            scores[usable[i]] = weights.value({name: column[0] for name, column in table([i]).items()})
    final = fit_weights(table(range(len(usable))), unknown.tolist())
    return scores, {"bias": final.bias, "weights": dict(final.weights)}


def _labelled(scores: Mapping[str, float | None], known: Mapping[str, bool]) -> tuple[Floats, UnknownMask]:
    """Values of the questions that have score and label, and whether each is unknown."""
    both = [(value, not known[key]) for key in known if (value := scores.get(key)) is not None]
    values = np.array([value for value, _ in both], dtype=np.float64)
    return values, np.array([unknown for _, unknown in both], dtype=bool)


def _scores(round_: Round) -> tuple[dict[str, dict[str, float | None]], dict[str, dict[str, float | None]]]:
    """Values by scorer and question id, and those of the members inside ensemble scores."""
    found: dict[str, dict[str, float | None]] = {}
    members: dict[str, dict[str, float | None]] = {}
    for score in round_.iter(Score):
        found.setdefault(score.scorer, {})[score.question_id] = score.value
        if score.scorer == "ensemble":
            for name, value in score.parts.items():
                members.setdefault(name, {})[score.question_id] = value
    return found, members


def cut_at(values: Floats, unknown: UnknownMask, threshold: float) -> Cut:
    """What `threshold` does; arrays of shape (n,), with at least one unknown question."""
    selected = is_inconsistent(values, threshold)
    hits, called, total = int((selected & unknown).sum()), int(selected.sum()), int(unknown.sum())
    return Cut(
        threshold=threshold,
        selected=called,
        precision=hits / called if called else None,
        recall=hits / total,
        f1=2 * hits / (called + total),
    )


def cuts(values: Floats, unknown: UnknownMask) -> Iterator[Cut]:
    """Every threshold that makes a difference, smallest first: 0 and each score but the highest."""
    order = np.argsort(values, kind="stable")
    ordered, hits = values[order], np.cumsum(unknown[order][::-1])[::-1]
    total = int(unknown.sum())
    # how many are inconsistent at each (`is_inconsistent`: strictly above it), for all of them at once
    thresholds = np.unique(np.concatenate([[0.0], ordered]))
    above = len(ordered) - np.searchsorted(ordered, thresholds, side="right")
    for threshold, called in zip(thresholds.tolist(), above.tolist(), strict=True):
        if not called:
            return
        hit = int(hits[len(ordered) - called])
        yield Cut(
            threshold=threshold,
            selected=called,
            precision=hit / called,
            recall=hit / total,
            f1=2 * hit / (called + total),
        )


def _precise(cut: Cut) -> tuple[float, float]:
    return cut.precision or 0.0, cut.recall


def smallest_cut(values: Floats, unknown: UnknownMask, wanted: float) -> Cut | None:
    """The threshold that calibration picks, by the rule of run/threshold.py; None if none will do."""
    return picked(cuts(values, unknown), wanted)


def isotonic(values: Floats, unknown: UnknownMask) -> tuple[Floats, Floats]:
    """Knots (scores, P(unknown)) of the monotone map that fits best; between them it is linear."""
    from sklearn.isotonic import IsotonicRegression

    fit = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
    fit.fit(values, unknown.astype(np.float64))
    return np.asarray(fit.X_thresholds_, dtype=np.float64), np.asarray(fit.y_thresholds_, dtype=np.float64)


def probability(knots: Sequence[tuple[float, float]], score: float) -> float:
    """P(unknown) of a hallucination score, by the knots of a Calibration."""
    return float(np.interp(score, [x for x, _ in knots], [y for _, y in knots]))


def folds(unknown: UnknownMask, seed: int) -> npt.NDArray[np.int64] | None:
    """The fold of each item, shape (n,), both classes spread evenly; None if a class has fewer than 2."""
    count = min(FOLDS, int(unknown.sum()), int((~unknown).sum()))
    if count < 2:
        return None
    rng = np.random.default_rng(seed)
    fold = np.empty(len(unknown), dtype=np.int64)
    for flag in (False, True):
        members = rng.permutation(np.flatnonzero(unknown == flag))
        fold[members] = np.arange(len(members)) % count
    return fold


def cross_fitted(values: Floats, unknown: UnknownMask, fold: npt.NDArray[np.int64] | None) -> Floats | None:
    """P(unknown) of each item by the map fitted on the other folds; None without folds."""
    if fold is None:
        return None
    fitted = np.empty_like(values)
    for number in range(int(fold.max()) + 1):
        mine = fold == number
        fitted[mine] = np.interp(values[mine], *isotonic(values[~mine], unknown[~mine]))
    return fitted


def expected_precision(
    values: Floats, unknown: UnknownMask, wanted: float, fold: npt.NDArray[np.int64]
) -> float | None:
    """Precision over all folds, each cut at the threshold that was chosen on the others; None if none was."""
    selected = np.zeros(len(values), dtype=bool)
    for number in range(int(fold.max()) + 1):
        mine = fold == number
        cut = smallest_cut(values[~mine], unknown[~mine], wanted)
        if cut is not None:
            selected |= mine & is_inconsistent(values, cut.threshold)
    return float(unknown[selected].mean()) if selected.any() else None


def calibration_error(chances: Floats, happened: UnknownMask, bins: int = BINS) -> float:
    """Expected calibration error: mean over items of |mean chance - share that happened| of their bin.

    Bins of equal mass, as far as ties allow: equal chances are in one bin, whatever their order.
    """
    edges = np.unique(np.quantile(chances, np.arange(1, bins) / bins, method="inverted_cdf"))
    where = np.searchsorted(edges, chances, side="left")
    counts = np.bincount(where, minlength=len(edges) + 1)
    errors = np.bincount(where, weights=chances - happened, minlength=len(edges) + 1)
    return float(np.abs(errors).sum() / counts.sum())
