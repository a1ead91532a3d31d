"""What of a run rests on a source: its passages, the questions, what was trained of them, and which adapters.

The other way round than why.py: for a person who wants to know what `selfstudy unlearn` would be about.
Streams over the records; of the source's own things little but ids stays in memory.  Changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

from selfstudy.records import (
    Check,
    Conflict,
    Document,
    Evidence,
    Example,
    Pair,
    Question,
    Reference,
    TrainedItem,
    Verdict,
    VerdictKind,
)
from selfstudy.run import Round, Run
from selfstudy.run.fates import AdapterFate, Fates
from selfstudy.run.forgotten import Tombstone
from selfstudy.text import shortened
from selfstudy.verbs.unlearning.resting import Sources

_LONGEST = 300


class Span(BaseModel):
    """text[start:end] of a document, found for some questions."""

    model_config = ConfigDict(frozen=True)
    source: str
    document_id: str
    start: int
    end: int
    title: str = ""
    date: str = ""
    fetched: str = ""
    sha256: str = ""
    found_for: int = 0
    read_for: int = 0
    """Questions for which it was found, and those whose reference was read in it."""


class Rests(BaseModel):
    """What a round did with a question that rests on the source.

    Attributes:
        examples, pairs: that were trained, by id.
        checks: right answers and answers judged, by arm, where it was asked as a gap or to see it kept.
    """

    model_config = ConfigDict(frozen=True)
    question_id: str
    text: str
    round: int
    verdict: VerdictKind | None = None
    examples: tuple[str, ...] = ()
    pairs: tuple[str, ...] = ()
    steps: int = 0
    checks: dict[str, tuple[int, int]] = {}


class HeldBy(BaseModel):
    """An adapter, and how many of the questions it was taught."""

    model_config = ConfigDict(frozen=True)
    adapter: AdapterFate
    questions: int


class SourceLineage(BaseModel):
    """What rests on the sources that a pattern names.

    A question rests on a source if it was made of a document of it, if its reference was read in it, or if
    sources disagree about it of which this is one.  One for which a passage was found and not used does not.
    Unlearning also takes questions that ask the same in other words, if no other source answers them.

    Attributes:
        totals: how many of each.
        sources: that the run knows and the pattern names.
        forgotten: earlier requests that name any of them.
    """

    model_config = ConfigDict(frozen=True)
    pattern: str
    totals: dict[str, int] = {}
    sources: tuple[str, ...] = ()
    adapters: tuple[HeldBy, ...] = ()
    spans: tuple[Span, ...] = ()
    questions: tuple[Rests, ...] = ()
    forgotten: tuple[Tombstone, ...] = ()

    @property
    def found(self) -> bool:
        """Whether the run knows such a source, or has forgotten it."""
        return bool(self.sources or self.forgotten)


def why_source(run: Run, pattern: str) -> SourceLineage:
    """What rests on the sources that a pattern names (library/excluded.py), or on a source to the letter.

    Raises:
        RunError: a file of the run is damaged.
    """
    pattern = pattern.strip()
    sources, known = Sources(pattern), dict[str, bool]()

    def meant(source: str) -> bool:
        if source not in known:
            known[source] = source in sources
        return known[source]

    fates = Fates(run)
    spans: dict[tuple[str, int, int], _SpanOf] = {}
    rows, adapters = [], []
    documents = {one.id for turn in run.rounds for one in turn.iter(Document) if meant(one.source)}
    for turn in run.rounds:
        resting = _resting(turn, meant, documents, spans)
        if resting:
            rows += _rows(turn, resting)
            adapters += _adapters(turn, fates, resting, rows)
    named = {source for source, is_meant in known.items() if is_meant}
    stones = [stone for stone in fates.tombstones if stone.pattern == pattern or named & set(stone.sources)]
    stones += [s for s in fates.tombstones if s not in stones and any(map(meant, s.sources))]
    found = [one.told() for one in spans.values()]
    documents |= {one.document_id for one in found}
    return SourceLineage(
        pattern=pattern,
        totals=_totals(named, documents, found, rows, adapters),
        sources=tuple(sorted(named)),
        adapters=tuple(adapters),
        spans=tuple(found),
        questions=tuple(rows),
        forgotten=tuple(stones),
    )


@dataclass
class _SpanOf:
    first: Evidence
    found_for: set[str] = field(default_factory=set)
    read_for: set[str] = field(default_factory=set)

    def told(self) -> Span:
        one = self.first
        return Span(
            source=one.source,
            document_id=one.document_id,
            start=one.start,
            end=one.end,
            title=shortened(one.title, _LONGEST),
            date=one.date,
            fetched=one.fetched,
            sha256=one.sha256,
            found_for=len(self.found_for),
            read_for=len(self.read_for),
        )


def _resting(
    turn: Round,
    meant: Callable[[str], bool],
    documents: set[str],
    spans: dict[tuple[str, int, int], _SpanOf],
) -> set[str]:
    """The questions of a round that rest on what is meant; what was found for any goes into `spans`."""
    passages: dict[str, _SpanOf] = {}
    for one in turn.iter(Evidence):
        if meant(one.source):
            place = one.document_id, one.start, one.end
            if place not in spans:
                spans[place] = _SpanOf(one.model_copy(update={"text": ""}))
            span = spans[place]
            span.found_for.add(one.question_id)
            passages[one.id] = span
            documents.add(one.document_id)
    read = {one.id: one for one in turn.where(Reference, "evidence_id", passages) if one.accepted}
    resting = set()
    for verdict in turn.where(Verdict, "reference_id", read):
        resting.add(verdict.question_id)
        passages[read[str(verdict.reference_id)].evidence_id].read_for.add(verdict.question_id)
    resting |= {one.id for one in turn.where(Question, "document_id", documents)}
    for conflict in turn.iter(Conflict):
        if any(meant(saying.source) for saying in conflict.sayings):
            resting.add(conflict.question_id)
    return resting


def _rows(turn: Round, resting: set[str]) -> list[Rests]:
    """What the round did with each of them, in the order in which they were asked."""
    texts = {one.id: one.text for one in turn.where(Question, "id", resting)}
    verdicts = {one.question_id: one.kind for one in turn.where(Verdict, "question_id", resting)}
    examples, pairs = _ids(turn.where(Example, "question_id", resting)), dict[str, list[str]]()
    for pair in turn.where(Pair, "question_id", resting):
        if pair.origin != "random":
            pairs.setdefault(pair.question_id, []).append(pair.id)
    steps: dict[str, set[tuple[str, int]]] = {}
    for item in turn.where(TrainedItem, "question_id", resting):
        if item.arm == "taught":
            steps.setdefault(item.question_id, set()).update((item.phase, step) for step in item.steps)
    checks: dict[str, dict[str, list[bool]]] = {}
    for check in turn.where(Check, "question_id", resting):
        if check.target != "reading" and check.correct is not None:
            checks.setdefault(check.question_id, {}).setdefault(check.arm, []).append(check.correct)
    return [
        Rests(
            question_id=name,
            text=shortened(texts.get(name, ""), _LONGEST),
            round=turn.number,
            verdict=verdicts.get(name),
            examples=tuple(examples.get(name, ())),
            pairs=tuple(pairs.get(name, ())),
            steps=len(steps.get(name, ())),
            checks={arm: (sum(right), len(right)) for arm, right in checks.get(name, {}).items()},
        )
        for name in [*texts, *sorted(resting - texts.keys())]
    ]


def _ids(examples: Iterable[Example]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in examples:
        found.setdefault(one.question_id, []).append(one.id)
    return found


def _adapters(turn: Round, fates: Fates, resting: set[str], rows: list[Rests]) -> list[HeldBy]:
    """Those that say what they were taught; of an older version the one of a round that trained any of it."""
    held = [HeldBy(adapter=fate, questions=count) for fate, count in fates.holding(turn, resting)]
    trained = [r for r in rows if r.round == turn.number and (r.examples or r.pairs or r.steps)]
    if held or not trained:
        return held
    fate = fates.of(turn, trained[0].question_id, {""}, held=True)
    return [HeldBy(adapter=one, questions=len(trained)) for one in fate]


def _totals(
    sources: set[str], documents: set[str], spans: list[Span], rows: list[Rests], adapters: list[HeldBy]
) -> dict[str, int]:
    verdicts = Counter(one.verdict for one in rows if one.verdict)
    arms = [check for one in rows for check in one.checks.items()]
    found = {
        "sources": len(sources),
        "documents": len(documents),
        "passages": len(spans),
        "questions": len({one.question_id for one in rows}),
        **{f"verdict {kind}": count for kind, count in sorted(verdicts.items())},
        "examples": sum(len(one.examples) for one in rows),
        "pairs": sum(len(one.pairs) for one in rows),
        "adapters": len(adapters),
        "adapters that stand": sum(one.adapter.state in ("stands", "built on") for one in adapters),
        "checks": sum(count for _, (_, count) in arms),
        "right before": sum(right for arm, (right, _) in arms if arm == "base"),
        "right after": sum(right for arm, (right, _) in arms if arm == "taught"),
    }
    return found
