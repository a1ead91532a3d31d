"""summary.json: everything a run found, taught and proved, in figures.

Beside the loop and the command line this is the only file that sees all stages; it reads their records and
calls their metrics, and computes nothing new but the AUROC of the hallucination score.

A run of several rounds is summed up by one of them, named in `round`: the last that was promoted, for that is
what the run hands on, else the last that was verified, else the last there is.  Before and after are both of
that round: each has gaps of its own, found in the model that it began with.  `rounds_detail` has the headline
figures of each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from selfstudy.records import STAGES, Answer, Check, Failure, Question, Score, Skipped, Verdict, VerdictKind
from selfstudy.run import threshold

if TYPE_CHECKING:
    from selfstudy.judging.answer_key import AnswerKey
    from selfstudy.models.base import Embedder
    from selfstudy.recipe import Recipe
    from selfstudy.run import Round, Run

CAPABILITY = ("curiosity", "awareness", "brevity", "slc")


def summarise(run: Run, key: AnswerKey | None, embedder: Embedder) -> dict[str, Any]:
    """The figures of `run`, however far it got; what was not measured is None (counts are then 0).

    Args:
        run: opened for reading or writing.
        key: ground truth; without one there is no AUROC.
        embedder: clusters the questions for curiosity (methods 1).

    Returns:
        round: the round that the figures below describe; None for an empty run.
        questions, gaps, unscored: counts; a gap has a hallucination score above the threshold.
        threshold, threshold_source, calibrated: the threshold; recipe, calibration or default; whether it was
            measured for this model and scorer. calibrations: what `selfstudy calibrate` found, per scorer.
        samples_drawn, samples_saved: over all answers; the share that adaptive sampling did not draw.
        auroc, auroc_interval, auroc_questions: how well the score of round 1 tells questions that the key
            calls unknown from those it calls known; [low, high]; how many questions have both.
        comparison: the scorers of round 1 side by side (`probe.comparison`); None if there is one alone.
        curiosity, awareness, brevity, slc: methods 1, each in [0, 1].
        curiosity_of: how many questions curiosity was computed from; None: from all.
        published: the four metrics as stored in an imported result file, else None.
        methods: per way of asking, questions and gaps.
        verdicts: count per verdict.
        before, after (and control): shares and means in [0, 1] (`verify.outcome`); `details` has n, failed,
            low and high of each.
        promoted, reasons, gains: the gate's decision; promoted is None if verify has not decided.
        usage: per stage, what language models were asked: calls, tokens, cost, seconds (`budget.Spent`).
        seconds, errors: per stage, over all rounds; skipped: library files or parts not used.
        rounds, rounds_detail, models, versions, seed, confidence: where the figures come from.
    """
    details = [_round_detail(part) for part in run.rounds]
    shown = _chosen(details)
    part = None if shown is None else run.round(shown)
    return {
        "round": shown,
        "rounds": len(details),
        **_asked(part, run.recipe),
        **_thresholds(run),
        **_samples(part),
        **_auroc(run, key),
        "comparison": _comparison(run),
        **_capability(part, run.recipe, embedder),
        "published": (run.read_json(run.imported_file) or {}).get("published"),
        **_verified(part, run.recipe),
        **_gate(part),
        "verdicts": _verdicts(part),
        "seconds": run.seconds(),
        "usage": (run.read_json(run.usage_file) or {}).get("stages", {}),
        "errors": _errors(run),
        "skipped": len({s.id for each in run.rounds for s in each.iter(Skipped)}),
        "rounds_detail": details,
        "models": _models(run.recipe, embedder),
        "versions": _versions(run),
        "seed": run.recipe.seed,
        "confidence": run.recipe.verify.confidence,
    }


def _round_detail(part: Round) -> dict[str, Any]:
    recipe = part.run.recipe
    asked = _asked(part, recipe)
    figures = _verified(part, recipe)
    return {
        "round": part.number,
        "questions": asked["questions"],
        "gaps": asked["gaps"],
        "before": figures["before"],
        "after": figures["after"],
        "promoted": _gate(part)["promoted"],
    }


def _chosen(details: list[dict[str, Any]]) -> int | None:
    promoted = [d["round"] for d in details if d["promoted"]]
    verified = [d["round"] for d in details if d["promoted"] is not None]
    rest = [d["round"] for d in details]
    return next(iter([*promoted[-1:], *verified[-1:], *rest[-1:]]), None)


def _asked(part: Round | None, recipe: Recipe) -> dict[str, Any]:
    methods: dict[str, dict[str, int]] = {}
    method_of: dict[str, str] = {}
    for question in part.iter(Question) if part else ():
        method_of[question.id] = question.method
        methods.setdefault(question.method, {"questions": 0, "gaps": 0})["questions"] += 1
    scored = 0
    limit = threshold.of(part.run).value if part else 0.0
    for score in _scores(part) if part else ():
        if score.value is not None and score.question_id in method_of:
            scored += 1
            methods[method_of[score.question_id]]["gaps"] += score.value > limit
    return {
        "questions": len(method_of),
        "gaps": sum(count["gaps"] for count in methods.values()),
        "unscored": len(method_of) - scored,
        "methods": methods,
    }


def _scores(part: Round) -> list[Score]:
    """The scores of the recipe's scorer, without their parts."""
    scorer = part.run.recipe.probe.scorer
    return [s.model_copy(update={"sentences": ()}) for s in part.iter(Score) if s.scorer == scorer]


def _thresholds(run: Run) -> dict[str, Any]:
    chosen = threshold.of(run)
    made = [found for path in run.calibration_files if (found := run.read_json(path)) is not None]
    return {
        "threshold": chosen.value,
        "threshold_source": chosen.source,
        "threshold_note": str(chosen),
        "calibrated": chosen.calibrated,
        "calibrations": {calibration["scorer"]: calibration for calibration in made},
    }


def _samples(part: Round | None) -> dict[str, Any]:
    if part is None:
        return {"samples_drawn": 0, "samples_saved": None}
    probe = part.run.recipe.probe
    if probe.adaptive is None:
        return {"samples_drawn": probe.samples * len(part.ids(Answer)), "samples_saved": None}
    drawn = [len(answer.samples) for answer in part.iter(Answer)]
    saved = 1 - sum(drawn) / (probe.samples * len(drawn)) if drawn else None
    return {"samples_drawn": sum(drawn), "samples_saved": saved}


def _auroc(run: Run, key: AnswerKey | None) -> dict[str, Any]:
    """Round 1 only: the key says what the base model knows, not what a taught one does."""
    from selfstudy.stats import auroc, auroc_interval

    values: list[float] = []
    unknown: list[bool] = []
    if key is not None and run.rounds:
        first = run.rounds[0]
        texts = {question.id: question.text for question in first.iter(Question)}
        for score in _scores(first):
            truth = key.lookup(texts[score.question_id]) if score.question_id in texts else None
            if score.value is not None and truth is not None and truth.known is not None:
                values.append(score.value)
                unknown.append(not truth.known)
    block = run.recipe.verify
    found = auroc_interval(values, unknown, confidence=block.confidence)
    return {
        "auroc": auroc(values, unknown),
        "auroc_interval": found and [found.low, found.high],
        "auroc_questions": len(values),
    }


def _comparison(run: Run) -> dict[str, Any] | None:
    from selfstudy.probe.comparison import compare

    if not run.rounds or len({score.scorer for score in run.rounds[0].iter(Score)}) < 2:
        return None
    return compare([run], confidence=run.recipe.verify.confidence).to_dict()


def _capability(part: Round | None, recipe: Recipe, embedder: Embedder) -> dict[str, Any]:
    from selfstudy.probe.capability import (
        SELF_ASKED,
        Capability,
        proposed_by_model,
        self_learning_capability,
    )
    from selfstudy.probe.questions import Proposal

    proposals = proposed_by_model(part.read(Proposal) if part else (), recipe.probe.ask)
    scores = _scores(part) if part else []
    limit = threshold.of(part.run).value if part else 0.0
    imported = part is not None and (part.run.read_json(part.run.imported_file) or {}).get("kind")

    def of(some: Sequence[Proposal]) -> Capability:
        return self_learning_capability(
            some, scores, embedder, limit, seed=recipe.seed, of_all=imported == "experiment"
        )

    found = of(proposals)
    methods = [name for name in SELF_ASKED if any(p.method == name for p in proposals)]
    each = {name: [p for p in proposals if p.method == name] for name in methods}
    by_method = {name: found if len(each) == 1 else of(some) for name, some in each.items()}
    return {
        "capability_by_method": {
            name: {metric: getattr(one, metric) for metric in ("questions", *CAPABILITY)}
            for name, one in by_method.items()
        },
        **{name: getattr(found, name) for name in CAPABILITY},
        "curiosity_of": found.clustered if found.clustered < found.questions else None,
    }


def _verified(part: Round | None, recipe: Recipe) -> dict[str, Any]:
    from selfstudy.verify.figures import outcome

    block = recipe.verify
    checks = part.read(Check) if part else []
    return outcome(checks, confidence=block.confidence, resamples=block.resamples, seed=recipe.seed)


def _gate(part: Round | None) -> dict[str, Any]:
    written = part.run.read_json(part.gate_file) if part is not None else None
    if written is None:
        return {"promoted": None, "reasons": [], "gains": {}}
    return {name: written[name] for name in ("promoted", "reasons", "gains")}


def _verdicts(part: Round | None) -> dict[str, int]:
    counted = Counter(verdict.kind for verdict in part.iter(Verdict)) if part else Counter()
    return {kind: counted[kind] for kind in get_args(VerdictKind)}


def _errors(run: Run) -> dict[str, int]:
    counted = Counter(failure.stage for part in run.rounds for failure in part.iter(Failure))
    return {stage: counted[stage] for stage in (*STAGES, *sorted(set(counted) - set(STAGES)))}


def _models(recipe: Recipe, embedder: Embedder) -> dict[str, str]:
    def shown(path: str | Path, revision: str | None = None) -> str:
        return f"{path}@{revision}" if revision else str(path)

    lm = recipe.model
    return {
        "lm": shown(
            str(getattr(lm, "path", None) or getattr(lm, "model", "")), getattr(lm, "revision", None)
        ),
        "nli": shown(recipe.nli.path, recipe.nli.revision),
        "embedder": embedder.name,
    }


def _versions(run: Run) -> dict[str, str]:
    written = run.read_json(run.provenance_file) or {}
    named = {name: str(written[name]) for name in ("selfstudy", "python", "platform") if name in written}
    return {**named, **{name: str(version) for name, version in (written.get("packages") or {}).items()}}
