"""How does a set of tutoring dialogues fare?  How often its tutor asks, and how often it gives away, by rule.

A dialogue is the unit of every interval: its turns are one tutor's on one problem.  What a judge says of the
same turns, and whether the student arrives, stand beside it (methods-more C); this file asks no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from selfstudy.judging.tutoring import Solution, TutorTurn, turns
from selfstudy.records import Chat, without_demonstrations
from selfstudy.stats import Interval, bootstrap_ratio, wilson
from selfstudy.text import tokens

LATE = 5
"""Turns of the tutor that are told one by one; later ones count with the last of these."""


@dataclass(frozen=True, slots=True)
class TurnShares:
    """Of the tutor's turns with one number (from 0; the last one: and later), how many ask, and leak.

    `leaking` is of the turns whose solution is known; None where none is.
    """

    number: int
    turns: int
    asking: float
    leaking: float | None


@dataclass(frozen=True, slots=True)
class TutoringFigures:
    """A set of dialogues, by rule.

    Attributes:
        dialogues, turns: how many, and how many turns of the tutor in them.
        silent: dialogues without any, which are in no share.
        asking, leaking: share of these turns, each turn alike; intervals have no width at 0 and at 1.
        unsolved: dialogues with turns whose solution nobody knows: leaking and giving_away are without them.
        giving_away: share of dialogues in which any turn leaks.
        student_words: share of all words that the student says.
        by_turn: in order.

    Of a tutor who never speaks, the shares are None; where no solution is known, those of leaking.
    """

    dialogues: int
    silent: int
    unsolved: int
    turns: int
    asking: Interval | None
    leaking: Interval | None
    giving_away: Interval | None
    student_words: float | None
    by_turn: tuple[TurnShares, ...]


def figures(dialogues: Sequence[Chat], solutions: Sequence[Solution | None], seed: int) -> TutoringFigures:
    """The shares of a set; solutions[i] is what dialogues[i] leads to, None if nobody knows.

    Raises:
        ValueError: lengths differ.
    """
    real = [without_demonstrations(one) for one in dialogues]
    found = [
        _Tutored(turns(one, solution or Solution("")), solution is not None)
        for one, solution in zip(real, solutions, strict=True)
    ]
    spoken = [one for one in found if one.turns]
    if not spoken:
        return TutoringFigures(len(real), len(real), 0, 0, None, None, None, None, ())
    known = [one for one in spoken if one.known]
    leaks = [sum(turn.leaks is not None for turn in one.turns) for one in known]
    heard = [one for one, tutored in zip(real, found, strict=True) if tutored.turns]
    words = {role: sum(_words(one, role) for one in heard) for role in ("user", "assistant")}
    return TutoringFigures(
        dialogues=len(real),
        silent=len(real) - len(spoken),
        unsolved=len(spoken) - len(known),
        turns=sum(len(one.turns) for one in spoken),
        asking=_share([sum(turn.asks for turn in one.turns) for one in spoken], spoken, seed),
        leaking=_share(leaks, known, seed),
        giving_away=wilson(sum(n > 0 for n in leaks), len(leaks)) if leaks else None,
        student_words=words["user"] / max(1, sum(words.values())),
        by_turn=tuple(_by_turn(spoken)),
    )


@dataclass(frozen=True, slots=True)
class _Tutored:
    """The tutor's turns of a dialogue, and whether its solution is known."""

    turns: list[TutorTurn]
    known: bool


def _share(parts: Sequence[int], tutored: Sequence[_Tutored], seed: int) -> Interval | None:
    return bootstrap_ratio(parts, [len(one.turns) for one in tutored], seed=seed) if tutored else None


def _by_turn(found: Sequence[_Tutored]) -> list[TurnShares]:
    grouped: dict[int, list[tuple[TutorTurn, bool]]] = {}
    for one in found:
        for turn in one.turns:
            grouped.setdefault(min(turn.number, LATE - 1), []).append((turn, one.known))
    shares = []
    for number, some in sorted(grouped.items()):
        leaks = [turn.leaks is not None for turn, known in some if known]
        asking = sum(turn.asks for turn, _ in some) / len(some)
        shares.append(TurnShares(number, len(some), asking, sum(leaks) / len(leaks) if leaks else None))
    return shares


def _words(dialogue: Chat, role: str) -> int:
    return sum(len(tokens(turn.content)) for turn in dialogue if turn.role == role)
