"""What the report says of single questions: one point each, and for the most telling ones the whole trail.

A trail follows a question from passage and samples over evidence, reference and verdict to the training
texts and the new answers.  Records are streamed; only points and chosen trails stay in memory, and trails
are cut so that the file stays readable in a browser.  It knows nothing of HTML.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeVar

from selfstudy import text
from selfstudy.records import (
    GAPS,
    Answer,
    Check,
    Completion,
    Conflict,
    Evidence,
    Example,
    Pair,
    Question,
    Reference,
    Rewording,
    Score,
    TrainedItem,
    Verdict,
    VerdictKind,
)
from selfstudy.run import threshold
from selfstudy.run.fates import Fates
from selfstudy.show.sample import is_first_wording

if TYPE_CHECKING:
    from selfstudy.run import Round, Run

T = TypeVar("T")

VERDICTS: tuple[VerdictKind, ...] = ("known", "unsure", "unknown", "misbelief", "unverifiable")

MAX_TRAILS = 5_000
TRAIL_BYTES = 12_000_000
"""Most of the report file that trails may fill."""
MAX_TEXT = 700
MAX_EXCERPT = 900
MAX_SAYINGS = 6
"""Passages shown of one conflict."""


@dataclass(slots=True)
class Point:
    """One question of one round: its record, its verdict, and hallucination scores in [0, 1] or None.

    `found` is the score of the probe, by the recipe's scorer, which decides what is `inconsistent`.  `before`
    and `after` are those of verify, both by SelfCheck-NLI over fresh samples: they alone can be compared.
    Records with long texts stay out, for all points stand in memory at once.
    """

    round: int
    asked: Question
    judged: Verdict | None = None
    found: float | None = None
    before: float | None = None
    after: float | None = None
    inconsistent: bool = False
    correct_before: bool | None = None
    correct_after: bool | None = None

    @property
    def verdict(self) -> VerdictKind | None:
        """None before there is any."""
        return self.judged.kind if self.judged else None

    @property
    def gap(self) -> bool:
        """Whether the evidence made it a gap; before there is any verdict nothing is one."""
        return self.verdict in GAPS

    @property
    def priority(self) -> int:
        """Who gets a trail first: gaps, then what went from right to wrong, then all that was asked again."""
        if self.gap or self.inconsistent:
            return 0
        if self.correct_before and self.correct_after is False:
            return 1
        return 2 if self.correct_after is not None else 3


def points(run: Run, shown: Mapping[int, Collection[str]] | None = None) -> list[Point]:
    """Questions in the order of the records.

    Args:
        shown: their ids by round (`sample.overview`); None: all of them.
    """
    found: list[Point] = []
    scorer, limit = run.recipe.probe.scorer, threshold.of(run).value
    for part in run.rounds:
        some = (
            part.iter(Question) if shown is None else part.where(Question, "id", shown.get(part.number, ()))
        )
        here = {q.id: Point(part.number, q) for q in some}
        for score in part.where(Score, "question_id", here):
            if score.scorer == scorer:
                point = here[score.question_id]
                point.found = score.value
                point.inconsistent = score.value is not None and threshold.is_inconsistent(score.value, limit)
        for verdict in part.where(Verdict, "question_id", here):
            here[verdict.question_id].judged = verdict
        for check in part.where(Check, "question_id", here):
            if is_first_wording(check):
                _checked(here[check.question_id], check)
        found.extend(here.values())
    return found


def _checked(point: Point, check: Check) -> None:
    if check.arm == "base":
        point.correct_before, point.before = check.correct, check.score
    elif check.arm in ("taught", "weaker"):  # what is weaker was asked last, and is decided on
        point.correct_after, point.after = check.correct, check.score


def trails(
    run: Run, shown: list[Point], max_rows: int = MAX_TRAILS, max_bytes: int = TRAIL_BYTES
) -> dict[int, str]:
    """JSON of the trails, by index into `shown`, most telling first, until rows or bytes are used up.

    Where not all have room, those that verify asked again come first of their kind.
    """
    crowded = len(shown) > max_rows
    order = sorted(
        range(len(shown)),
        key=lambda i: (shown[i].priority, crowded and shown[i].correct_after is None, i),
    )[:max_rows]
    wanted: dict[int, set[str]] = {}
    for i in order:
        wanted.setdefault(shown[i].round, set()).add(shown[i].asked.id)
    fates = Fates(run)
    built = {
        part.number: _round_trails(part, wanted[part.number], fates)
        for part in run.rounds
        if part.number in wanted
    }
    _add_later(run, built)
    result: dict[int, str] = {}
    used = 0
    for i in order:
        row = json.dumps(
            built[shown[i].round].pop(shown[i].asked.id), ensure_ascii=False, separators=(",", ":")
        )
        used += len(row.encode("utf-8"))
        if used > max_bytes:
            break
        result[i] = row
    return result


def _round_trails(part: Round, ids: set[str], fates: Fates) -> dict[str, dict[str, Any]]:
    """Everything one round knows about the questions `ids`."""
    rows: dict[str, dict[str, Any]] = {i: {} for i in ids}
    for question in part.where(Question, "id", rows):
        rows[question.id].update(
            question=cut(question.text), method=question.method, topic=cut(question.topic, 200)
        )
    usable: dict[str, list[bool]] = {}
    for answer in part.where(Answer, "question_id", rows):
        usable[answer.question_id] = [s.error is None for s in answer.samples]
        rows[answer.question_id].update(
            passage=_completion(answer.passage), samples=[_completion(s) for s in answer.samples]
        )
    decides = part.run.recipe.probe.scorer
    for score in part.where(Score, "question_id", rows):
        found = {"decides": score.scorer == decides, **_score(score, usable.get(score.question_id, []))}
        rows[score.question_id].setdefault("scores", []).append(found)
    _add_evidence(part, rows)
    _add_teaching(part, rows)
    _add_training(part, rows, fates)
    for check in part.where(Check, "question_id", rows):
        rows[check.question_id].setdefault("checks", []).append(_check(check))
    return rows


def _score(score: Score, usable: Sequence[bool]) -> dict[str, Any]:
    """A score and what it rests on; `usable` says of each sample whether it could be scored."""
    return {
        "scorer": score.scorer,
        "value": _rounded(score.value),
        "sentences": [
            {
                "text": cut(s.text),
                "value": _rounded(s.value),
                "each": [_rounded(v, 2) for v in spread(s.per_sample, usable)],
            }
            for s in score.sentences
        ],
        "clusters": spread(score.clusters, usable),
        "parts": {name: _rounded(value) for name, value in score.parts.items()},
        "error": score.error and cut(score.error),
    }


def spread(values: Sequence[T | None], usable: Sequence[bool]) -> list[T | None]:
    """The values of the usable samples, in the places of all samples: None for one that failed."""
    left = iter(values)
    return [next(left, None) if good else None for good in usable] if values else []


def _rounded(value: float | None, digits: int = 3) -> float | None:
    """None also for NaN and inf, which JSON cannot say: a page whose data cannot be read shows nothing."""
    return None if value is None or not isfinite(value) else round(value, digits)


def _add_evidence(part: Round, rows: dict[str, dict[str, Any]]) -> None:
    """References first: the span to mark in a passage is the sentence that the reference was read from."""
    read: dict[str, str] = {}
    for reference in part.where(Reference, "question_id", rows):
        read[reference.evidence_id] = reference.text
        rows[reference.question_id].setdefault("references", []).append(
            {
                "id": reference.id,
                "evidence": reference.evidence_id,
                "text": cut(reference.text),
                "accepted": reference.accepted,
                "sources": reference.sources,
                "by_teacher": reference.given_by == "teacher",
                "inconsistency": reference.inconsistency,
                "error": reference.error and cut(reference.error),
            }
        )
    for evidence in part.where(Evidence, "question_id", rows):
        rows[evidence.question_id].setdefault("evidence", []).append(
            {
                "id": evidence.id,
                "title": cut(evidence.title, 200),
                "source": cut(evidence.source, 300),
                "date": cut(evidence.date, 20),
                "rank": evidence.rank,
                "at": [evidence.start, evidence.end],
                "parts": excerpt(evidence.text, read.get(evidence.id, "")),
            }
        )
    for conflict in part.where(Conflict, "question_id", rows):
        rows[conflict.question_id]["conflict"] = {
            "decided": conflict.decided,
            "reason": cut(conflict.reason),
            "sayings": [
                {
                    "believed": one.side == conflict.chosen,
                    "answer": cut(one.answer, 300),
                    "quote": cut(one.quote, 300),
                    "source": cut(one.source, 300),
                    "date": cut(one.date, 20),
                }
                for one in conflict.sayings[:MAX_SAYINGS]
            ],
        }
    for verdict in part.where(Verdict, "question_id", rows):
        rows[verdict.question_id].update(
            contradiction=verdict.contradiction,
            agrees=verdict.agrees,
            reference_id=verdict.reference_id,
            label=verdict.label,
            reason=cut(verdict.reason),
        )


def _add_teaching(part: Round, rows: dict[str, dict[str, Any]]) -> None:
    for wording in part.where(Rewording, "question_id", rows):
        rows[wording.question_id].setdefault("wordings", []).append(
            {"text": cut(wording.text), "use": wording.use}
        )
    for example in part.where(Example, "question_id", rows):
        rows[example.question_id].setdefault("examples", []).append(
            {
                "id": example.id,
                "kind": example.kind,
                "prompt": cut(example.prompt[-1].content, 300),
                "completion": cut(example.completion),
            }
        )
    for pair in part.where(Pair, "question_id", rows):
        rows[pair.question_id].setdefault("pairs", []).append(
            {
                "id": pair.id,
                "prompt": cut(pair.prompt[-1].content, 300),
                "chosen": cut(pair.chosen),
                "rejected": cut(pair.rejected),
                "origin": pair.origin,
                "weight": _rounded(pair.weight),
            }
        )


def _add_training(part: Round, rows: dict[str, dict[str, Any]], fates: Fates) -> None:
    """The steps of each example and pair, and the adapters that hold the question."""
    groups: dict[str, set[str]] = {}
    steps: dict[str, list[str]] = {}
    for item in part.where(TrainedItem, "question_id", rows):
        if item.arm == "taught":
            groups.setdefault(item.question_id, set()).add(item.adapter)
            steps.setdefault(item.item_id, []).append(cut(item.told, 200))
    for name, row in rows.items():
        lessons = [*row.get("examples", ()), *row.get("pairs", ())]
        for lesson in lessons:
            lesson["steps"] = "; ".join(steps.get(lesson.pop("id"), ()))
        taught = bool(lessons) or name in groups
        found = fates.of(part, name, groups.get(name, ()), held=taught)
        if found:
            row["adapters"] = [
                {"name": one.name, "replayed": one.held == "replayed", "told": cut(one.told)} for one in found
            ]


def _add_later(run: Run, built: Mapping[int, dict[str, dict[str, Any]]]) -> None:
    """What was answered when a later round asked the same question again."""
    for part in run.rounds:
        rows: dict[str, list[dict[str, Any]]] = {}
        for number, found in built.items():
            if number < part.number:
                for name, row in found.items():
                    rows.setdefault(name, []).append(row)
        if not rows:
            continue
        verdicts = {v.question_id: v.kind for v in part.where(Verdict, "question_id", rows)}
        for answer in part.where(Answer, "question_id", rows):
            told = {"round": part.number, "verdict": verdicts.get(answer.question_id)}
            for row in rows[answer.question_id]:
                row.setdefault("later", []).append({**told, "answer": _completion(answer.passage)})


def _completion(completion: Completion) -> str:
    return (
        f"[failed: {cut(completion.error or '')}]" if completion.finish == "error" else cut(completion.text)
    )


def _check(check: Check) -> dict[str, Any]:
    return {
        "arm": check.arm,
        "target": check.target,
        "wording": check.wording,
        "asked": cut(check.asked),
        "answer": cut(check.answer),
        "expected": cut(check.expected),
        "correct": check.correct,
        "score": _rounded(check.score),
        "judged_by": check.judged_by,
        "parts": {name: _rounded(value) for name, value in check.parts.items()},
        "error": check.error and cut(check.error),
    }


def cut(value: str, limit: int = MAX_TEXT) -> str:
    """`value` as printable text of at most `limit` characters and an ellipsis."""
    value = text.clean(value[: limit + 1])
    return value if len(value) <= limit else value[:limit] + "…"


def excerpt(passage: str, reference: str, limit: int = MAX_EXCERPT) -> list[str]:
    """A part of `passage` of about `limit` characters around the sentence that says `reference` best.

    Returns:
        Three texts, to be shown one behind the other: what comes before the sentence, the sentence, the rest.
        Without such a sentence the first two are empty.  (Texts, not offsets: the browser counts UTF-16.)
    """
    span = text.best_sentence(passage, text.tokens(reference)) if reference else None
    if span is None:
        return ["", "", cut(passage, limit)]
    start = max(0, span[0] - limit // 3) if span[1] > limit else 0
    before = ("… " if start else "") + text.clean(passage[start : span[0]])
    said = cut(passage[span[0] : span[1]], limit)
    return [before, said, cut(passage[span[1] :], max(0, limit - len(before) - len(said)))]
