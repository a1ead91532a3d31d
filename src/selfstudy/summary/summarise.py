"""Sums a run up: reads the records of all stages, and calls their metrics.

Beside it only the loop, the verbs and the command line see the stages.  It computes nothing new but the
AUROC of the hallucination score.

A run of several rounds is summed up by one of them, named in `round`: the last that was promoted, for that is
what the run hands on, else the last that was verified, else the last there is.  Before and after are both of
that round: each has gaps of its own, found in the model that it began with.  `rounds_detail` has the headline
figures of each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ConfigDict

from selfstudy.models.taught import adapters_of, is_routed
from selfstudy.prompts import Prompts
from selfstudy.recipe import name_of
from selfstudy.recipe.entailment import entailment_name
from selfstudy.records import (
    GAPS,
    STAGES,
    Answer,
    Check,
    CitedCheck,
    Conflict,
    Failure,
    NotEvidence,
    Proposal,
    Question,
    Reference,
    RefusalCheck,
    Score,
    Skipped,
    Verdict,
    VerdictKind,
)
from selfstudy.run import ESTIMATE, curriculum, standing, threshold
from selfstudy.run.budget import spent_by_stage
from selfstudy.run.entailment import entailment_cautions
from selfstudy.summary.model import CAPABILITY, Curation, Method, RoutedAdapter, Routing, Summary
from selfstudy.verify.gate import SHOWN, Gate
from selfstudy.verify.routes import RoutedShares

if TYPE_CHECKING:
    from selfstudy.judging.answer_key import AnswerKey
    from selfstudy.models.base import Embedder
    from selfstudy.recipe import Recipe
    from selfstudy.run import Round, Run


def summarise(run: Run, key: AnswerKey | None, embedder: Embedder) -> Summary:
    """The figures of `run`, however far it got; `model.Summary` says what each is.

    Args:
        run: opened for reading or writing.
        key: ground truth; without one there is no AUROC.
        embedder: clusters the questions for curiosity (methods 1).
    """
    counts = {part.number: counts_of(part) for part in run.rounds}
    details = [_round_detail(part, counts[part.number]) for part in run.rounds]
    shown = _chosen(details)
    part = None if shown is None else run.round(shown)
    figures = {
        "round": shown,
        "rounds": len(details),
        "scorer": run.recipe.probe.scorer,
        "adaptive": run.recipe.probe.adaptive is not None,
        **(_NOTHING_ASKED if shown is None else counts[shown]),
        **_thresholds(run),
        **_samples(part),
        **_auroc(run, key),
        "comparison": _comparison(run),
        "published": _imported(run).published,
        **verified(part, run.recipe),
        **decision_of(part),
        "suites": _suites(part),
        "routing": _routing(part),
        "verdicts": verdicts_of(part),
        "curation": _curation(part) if part else Curation(),
        "seconds": run.seconds(),
        "estimated": run.costs(0).get(ESTIMATE, {}),
        "usage": {stage: asdict(spent) for stage, spent in spent_by_stage(run).items()},
        "errors": _errors(run),
        "skipped": len({s.id for each in run.rounds for s in each.iter(Skipped)}),
        "rounds_detail": details,
        "models": _models(run.recipe, embedder),
        "versions": _versions(run),
        "seed": run.recipe.seed,
        "confidence": run.recipe.verify.confidence,
    }
    if figures["adaptive"] and figures["auroc"] is not None:
        from selfstudy.probe.comparison import UNEQUAL_SAMPLES

        figures["notes"] = (
            *figures.get("notes", ()),
            f"{UNEQUAL_SAMPLES[0].upper()}{UNEQUAL_SAMPLES[1:]}.",
        )
    figures["notes"] = tuple(dict.fromkeys((*figures.get("notes", ()), *entailment_cautions(run))))
    asked = figures.pop("methods")
    whole, methods = _capability(part, run.recipe, embedder)
    counted = {name: Method(**counts, **methods.get(name, {})) for name, counts in asked.items()}
    return Summary(**figures, **whole, methods=counted)


def _round_detail(part: Round, asked: dict[str, Any]) -> dict[str, Any]:
    figures = verified(part, part.run.recipe)
    gate = decision_of(part)
    return {
        "round": part.number,
        "questions": asked["questions"],
        "inconsistent": asked["inconsistent"],
        "gaps": asked["gaps"],
        "before": figures["before"],
        "after": figures["after"],
        "promoted": gate.get("promoted"),
        "verdict": gate.get("verdict"),
    }


def _chosen(details: list[dict[str, Any]]) -> int | None:
    promoted = [d["round"] for d in details if d["promoted"]]
    verified = [d["round"] for d in details if d["promoted"] is not None]
    rest = [d["round"] for d in details]
    return next(iter([*promoted[-1:], *verified[-1:], *rest[-1:]]), None)


_NOTHING_ASKED: dict[str, Any] = {
    "questions": 0,
    "inconsistent": 0,
    "gaps": None,
    "unscored": 0,
    "methods": {},
}


def counts_of(part: Round) -> dict[str, Any]:
    """Counts of questions, of inconsistent ones and of gaps; as a whole and per way of asking."""
    method_of = {question.id: question.method for question in part.iter(Question)}
    limit = threshold.of(part.run).value
    scored = threshold.scores(part)
    above = Counter(
        method_of[key]
        for key, value in scored.items()
        if key in method_of and threshold.is_inconsistent(value, limit)
    )
    verdicts = {verdict.question_id: verdict.kind for verdict in part.iter(Verdict)}
    gaps = Counter(method_of[key] for key, kind in verdicts.items() if key in method_of and kind in GAPS)
    tried: Counter[str] = Counter()
    refused: dict[str, Counter[str]] = {}
    for proposal in part.iter(Proposal):
        tried[proposal.method] += proposal.tried
        refused.setdefault(proposal.method, Counter()).update(proposal.dropped)
    return {
        "questions": len(method_of),
        "inconsistent": above.total(),
        "gaps": gaps.total() if verdicts else None,
        "unscored": len(method_of) - sum(key in scored for key in method_of),
        "methods": {
            method: {
                "questions": count,
                "proposals": tried[method],
                "refused": dict(refused.get(method, Counter()).most_common()),
                "inconsistent": above[method],
                "gaps": gaps[method] if verdicts else None,
            }
            for method, count in Counter(method_of.values()).items()
        },
    }


def _thresholds(run: Run) -> dict[str, Any]:
    chosen = threshold.of(run)
    made = [found for path in run.calibration_files if (found := run.read_as(path, _Calibrated)) is not None]
    return {
        "threshold": chosen.value,
        "threshold_source": chosen.source,
        "threshold_note": str(chosen),
        "calibrated": chosen.calibrated,
        "calibrations": {calibration.scorer: calibration.model_dump() for calibration in made},
    }


class _Calibrated(BaseModel):
    """A file of `selfstudy calibrate`, whose figures are shown as they are."""

    model_config = ConfigDict(extra="allow")
    scorer: str


class _Imported(BaseModel):
    """What of imported.json counts here."""

    kind: str = ""
    published: dict[str, float] | None = None


def _imported(run: Run) -> _Imported:
    return run.read_as(run.imported_file, _Imported) or _Imported()


def _samples(part: Round | None) -> dict[str, Any]:
    if part is None:
        return {"samples_drawn": 0, "samples_saved": None}
    probe = part.run.recipe.probe
    if probe.adaptive is None:
        return {"samples_drawn": probe.samples * part.count(Answer), "samples_saved": None}
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
        scores = threshold.scores(first)
        for question in first.iter(Question):
            truth = key.lookup(question.text) if question.id in scores else None
            if truth is not None and truth.known is not None:
                values.append(scores[question.id])
                unknown.append(not truth.known)
    block = run.recipe.verify
    found = auroc_interval(values, unknown, confidence=block.confidence)
    return {
        "auroc": auroc(values, unknown),
        "auroc_interval": found and (found.low, found.high),
        "auroc_questions": len(values),
    }


def _comparison(run: Run) -> dict[str, Any] | None:
    from selfstudy.probe.comparison import compare

    scorers = (score.scorer for part in run.rounds[:1] for score in part.iter(Score))
    first = next(scorers, None)
    if all(scorer == first for scorer in scorers):
        return None
    return compare([run], confidence=run.recipe.verify.confidence).to_dict()


def _capability(
    part: Round | None, recipe: Recipe, embedder: Embedder
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Self-learning capability over the questions that the model proposed: of all, and per way of asking."""
    from selfstudy.probe import capability

    imported = part is not None and _imported(part.run).kind
    scores = threshold.scores(part) if part else {}
    limit = threshold.of(part.run).value if part else 0.0

    def proposed() -> Iterator[Proposal]:
        return capability.proposed_by_model(part.iter(Proposal) if part else (), recipe.probe.ask)

    def measured(some: Iterable[Proposal]) -> tuple[dict[str, Any], int | None]:
        found = capability.self_learning_capability(
            some, scores, embedder, limit, seed=recipe.seed, of_all=imported == "experiment"
        )
        of = found.clustered if found.clustered < found.questions else None
        return {name: getattr(found, name) for name in CAPABILITY}, of

    whole, of = measured(proposed())
    methods = dict.fromkeys(proposal.method for proposal in proposed())
    each = {
        method: measured(p for p in proposed() if p.method == method)[0] if len(methods) > 1 else whole
        for method in methods
    }
    return {**whole, "curiosity_of": of}, {str(method): figures for method, figures in each.items()}


def verified(part: Round | None, recipe: Recipe) -> dict[str, Any]:
    """Figures by arm, and what each rests on (`verify.figures`)."""
    from selfstudy.verify.figures import outcome

    block = recipe.verify
    checks = part.read(Check) if part else []
    cited = part.read(CitedCheck) if part else []
    refusals = part.read(RefusalCheck) if part else []
    return outcome(
        *(checks, cited, refusals),
        confidence=block.confidence,
        resamples=block.resamples,
        seed=recipe.seed,
    )


def decision_of(part: Round | None) -> dict[str, Any]:
    """What the gate wrote, by name; nothing before it has decided."""
    written = part.run.read_as(part.gate_file, Gate) if part is not None else None
    return {} if written is None else {name: getattr(written, name) for name in SHOWN}


def _suites(part: Round | None) -> dict[str, Any]:
    """Of their items: beside those that verify asked there may be some that were asked later."""
    from selfstudy.verify.gains import Resampling
    from selfstudy.verify.suites.kept import results

    if part is None:
        return {}
    block = part.run.recipe.verify
    how = Resampling(block.confidence, block.resamples, part.run.recipe.seed)
    decided = standing.decision(part)
    return results(part, how, decided.arm if decided is not None else "taught")


def _routing(part: Round | None) -> Routing | None:
    """Of what the round has trained, whether it was promoted or not."""
    folder = standing.decided(part) if part is not None else None
    if part is None or folder is None or not is_routed(folder):
        return None
    from selfstudy.models.router import Router
    from selfstudy.verify.routes import routed_shares

    router = Router.load(folder)
    read = {name: curriculum.read(place) for name, place in adapters_of(folder).items()}
    curricula = {name: one for name, one in read.items() if one is not None}
    taught = {name: one.questions for name, one in curricula.items()}
    shares = routed_shares(part.read(Check), router, taught, Prompts(part.run.recipe.prompts))
    return Routing(
        method=part.run.recipe.deploy.router.method,
        calibration=dict(router.data.figures),
        adapters=tuple(
            RoutedAdapter(
                name=name,
                group=one.group,
                round=one.round,
                questions=len(one.questions),
                sources=len(one.sources),
                threshold=router.data.thresholds.get(name),
                shares=shares.get(name, RoutedShares()),
            )
            for name, one in curricula.items()
        ),
    )


def verdicts_of(part: Round | None) -> dict[str, int]:
    """How many questions have each verdict."""
    counted = Counter(verdict.kind for verdict in part.iter(Verdict)) if part else Counter()
    return {kind: counted[kind] for kind in get_args(VerdictKind)}


def _curation(part: Round) -> Curation:
    passed = Counter(one.why for one in part.iter(NotEvidence))
    accepted = [one for one in part.iter(Reference) if one.accepted]
    return Curation(
        conflicts=dict(Counter(one.decided for one in part.iter(Conflict))),
        stale=passed["stale"],
        excluded=passed["excluded"],
        one_source=sum(one.sources == 1 for one in accepted),
        more_sources=sum(one.sources > 1 for one in accepted),
        by_teacher=sum(one.given_by == "teacher" for one in accepted),
        labels=dict(Counter(one.label for one in part.iter(Verdict) if one.label is not None)),
    )


def _errors(run: Run) -> dict[str, int]:
    counted = Counter(failure.stage for part in run.rounds for failure in part.iter(Failure))
    return {stage: counted[stage] for stage in (*STAGES, *sorted(set(counted) - set(STAGES)))}


def _models(recipe: Recipe, embedder: Embedder) -> dict[str, str]:
    def shown(path: str | Path, revision: str | None = None) -> str:
        return f"{path}@{revision}" if revision else str(path)

    lm = recipe.model
    return {
        "lm": shown(name_of(lm), getattr(lm, "revision", None)),
        "nli": entailment_name(recipe.nli),
        "embedder": embedder.name,
        **({"evaluator": entailment_name(recipe.verify.nli)} if recipe.verify.nli else {}),
    }


def _versions(run: Run) -> dict[str, str]:
    written = run.read_json(run.provenance_file) or {}
    named = {name: str(written[name]) for name in ("selfstudy", "python", "platform") if name in written}
    packages = written.get("packages")
    found = packages.items() if isinstance(packages, dict) else ()
    return {**named, **{name: str(version) for name, version in found}}
