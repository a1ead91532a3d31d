"""Why a run's models answer a question as they do: its whole trail, from who proposed it to who answers now.

Streams over the run's records, and parses those of the question alone; loads no model.  Knows nothing of how
it is shown (cli/why_screen.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from selfstudy import text
from selfstudy.records import (
    Answer,
    Check,
    Conflict,
    Correction,
    Due,
    Evidence,
    Example,
    Failure,
    Pair,
    Practised,
    Proposal,
    Question,
    Record,
    Reference,
    RefusalCheck,
    Rewording,
    Score,
    TrainedItem,
    Verdict,
)
from selfstudy.run import Round, Run, corrections
from selfstudy.run.fates import AdapterFate, Fates
from selfstudy.run.forgotten import Tombstone
from selfstudy.verbs.nearest import Near, nearest
from selfstudy.verbs.routed_now import RoutedNow, routed_now

R = TypeVar("R", bound=Record)

SHOWN = 3
"""Questions that are given where none is near."""


class Trail(BaseModel):
    """What one round did with a question, in the order in which it was done; nothing of others."""

    model_config = ConfigDict(frozen=True)
    round: int
    due: Due | None = None
    question: Question | None = None
    proposals: tuple[Proposal, ...] = ()
    answer: Answer | None = None
    scores: tuple[Score, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    references: tuple[Reference, ...] = ()
    conflict: Conflict | None = None
    verdict: Verdict | None = None
    rewordings: tuple[Rewording, ...] = ()
    examples: tuple[Example, ...] = ()
    pairs: tuple[Pair, ...] = ()
    practised: tuple[Practised, ...] = ()
    trained: tuple[TrainedItem, ...] = ()
    adapters: tuple[AdapterFate, ...] = ()
    checks: tuple[Check, ...] = ()
    refusals: tuple[RefusalCheck, ...] = ()
    failures: tuple[Failure, ...] = ()

    @property
    def was_taught(self) -> bool:
        """Whether the round trained it."""
        return bool(self.examples or self.pairs or self.practised or self._steps)

    @property
    def _steps(self) -> list[TrainedItem]:
        return [one for one in self.trained if one.arm == "taught"]

    @property
    def groups(self) -> set[str]:
        """Of the adapters in which it was trained."""
        return {one.adapter for one in self._steps}

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in type(self).model_fields if name != "round")


class Likeness(BaseModel):
    """A question of the run that may be meant; `nearness` is token F1 with what was asked, in [0, 1]."""

    model_config = ConfigDict(frozen=True)
    question_id: str
    text: str
    nearness: float


class Lineage(BaseModel):
    """What a run knows of one question.

    Attributes:
        asked: as a person put it.
        question_id: of the one that is meant; "" if none is near, or several are equally so.
        text: how the run put it; "" of one that was forgotten.
        nearness: of the two, in [0, 1].
        likely: the questions that may be meant, where that is not clear; else empty.
        ambiguous: whether these are equally near; else none is near.
        rounds: of the rounds that had to do with it, in order.
        routed: to which adapter it goes now, where a router picks one.
        forgotten: the requests by which it was forgotten.
        corrections: what people said of it, in order; the last counts.
    """

    model_config = ConfigDict(frozen=True)
    asked: str
    question_id: str = ""
    text: str = ""
    nearness: float = 0.0
    likely: tuple[Likeness, ...] = ()
    ambiguous: bool = False
    rounds: tuple[Trail, ...] = ()
    routed: RoutedNow | None = None
    forgotten: tuple[Tombstone, ...] = ()
    corrections: tuple[Correction, ...] = ()

    @property
    def found(self) -> bool:
        """Whether it is clear which question is meant."""
        return bool(self.question_id)


def why(run: Run, asked: str, *, route: bool = False) -> Lineage:
    """The trail of the question of a run that is nearest to what was asked, or that has this id.

    Args:
        route: whether the router's embedder may be loaded, which takes seconds.

    Raises:
        RunError: a file of the run is damaged.
    """
    fates = Fates(run)
    asked = asked.strip()
    for name in (Question(text=asked).id, asked):
        said = next((one.text for turn in run.rounds for one in turn.where(Question, "id", (name,))), None)
        if said is not None or fates.forgotten(name):
            meant = Likeness(question_id=name, text=said or "", nearness=1.0)
            return _lineage(run, fates, asked, meant, route=route)
    found = nearest(_questions(run), asked, SHOWN)
    near = [one for one in found if one.is_near and _names(asked) <= set(text.tokens(one.text))]
    near = [one for one in near if _rank(one) == _rank(near[0])]
    if len(near) != 1:
        likely = tuple(map(_likeness, near or found[:SHOWN]))
        return Lineage(asked=asked, likely=likely, ambiguous=bool(near))
    return _lineage(run, fates, asked, _likeness(near[0]), route=route)


def _names(asked: str) -> set[str]:
    """Words that no other can stand for: Fiji is not Kiribati, though all else is alike."""
    words = [word for word in asked.split()[1:] if word[:1].isupper() or any(map(str.isdigit, word))]
    return set(text.tokens(" ".join(words)))


def _rank(one: Near) -> tuple[bool, float]:
    return one.exact, one.nearness


def _likeness(one: Near) -> Likeness:
    return Likeness(question_id=one.question_id, text=one.text, nearness=one.nearness)


def _questions(run: Run) -> Iterator[tuple[str, str]]:
    """All that were asked, and those that were practised alone."""
    for turn in run.rounds:
        yield from ((one.id, one.text) for one in turn.iter(Question))
    for turn in run.rounds:
        yield from ((one.question_id, one.question) for one in turn.iter(Practised))


def _lineage(run: Run, fates: Fates, asked: str, meant: Likeness, *, route: bool) -> Lineage:
    routed = None
    said = meant.text or (asked if asked != meant.question_id else "")
    if fates.router is not None and said:  # of one that was forgotten there may be no word
        routed = routed_now(fates.router, meant.question_id, said, load=route)
    rounds = (_trail(turn, fates, meant.question_id) for turn in run.rounds)
    return Lineage(
        asked=asked,
        question_id=meant.question_id,
        text=meant.text,
        nearness=meant.nearness,
        rounds=tuple(one for one in rounds if one),
        routed=routed,
        forgotten=tuple(fates.forgotten(meant.question_id)),
        corrections=tuple(one for one in corrections.read(run) if one.question_id == meant.question_id),
    )


def _trail(turn: Round, fates: Fates, name: str) -> Trail:
    def of(kind: type[R]) -> tuple[R, ...]:
        return tuple(turn.where(kind, "question_id", {name}))

    def one(kind: type[R]) -> R | None:
        return next(iter(of(kind)), None)

    trail = Trail(
        round=turn.number,
        due=one(Due),
        question=next(turn.where(Question, "id", {name}), None),
        proposals=of(Proposal),
        answer=one(Answer),
        scores=of(Score),
        evidence=tuple(sorted(of(Evidence), key=lambda found: found.rank)),
        references=of(Reference),
        conflict=one(Conflict),
        verdict=one(Verdict),
        rewordings=of(Rewording),
        examples=of(Example),
        pairs=of(Pair),
        practised=of(Practised),
        trained=of(TrainedItem),
        checks=of(Check),
        refusals=of(RefusalCheck),
    )
    items = {name, *(found.id for found in (*trail.examples, *trail.pairs, *trail.checks))}
    adapters = fates.of(turn, name, trail.groups, held=trail.was_taught)
    failures = tuple(turn.where(Failure, "item_id", items))
    return trail.model_copy(update={"adapters": tuple(adapters), "failures": failures})
