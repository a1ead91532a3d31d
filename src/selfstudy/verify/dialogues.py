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
    """Of the tutor's turns with one number (from 0; the last one: and later), how many ask, and leak."""

    number: int
    turns: int
    asking: float
    leaking: float


@dataclass(frozen=True, slots=True)
class TutoringFigures:
    """A set of dialogues, by rule.

    Attributes:
        dialogues, turns: how many, and how many turns of the tutor in them.
        silent: dialogues without any, which are in no share.
        asking, leaking: share of these turns, each turn alike; intervals have no width at 0 and at 1.
        giving_away: share of dialogues in which any turn leaks.
        student_words: share of all words that the student says.
        by_turn: in order.

    Of a tutor who never speaks, the floor of methods-more C, the shares are None.
    """

    dialogues: int
    silent: int
    turns: int
    asking: Interval | None
    leaking: Interval | None
    giving_away: Interval | None
    student_words: float | None
    by_turn: tuple[TurnShares, ...]


def figures(dialogues: Sequence[Chat], solutions: Sequence[Solution], seed: int) -> TutoringFigures:
    """The shares of a set; solutions[i] is what dialogues[i] leads to.

    Raises:
        ValueError: lengths differ.
    """
    real = [without_demonstrations(one) for one in dialogues]
    found = [turns(one, solution) for one, solution in zip(real, solutions, strict=True)]
    spoken = [one for one in found if one]
    if not spoken:
        return TutoringFigures(len(real), len(real), 0, None, None, None, None, ())
    counts = [len(one) for one in spoken]
    leaks = [sum(turn.leaks is not None for turn in one) for one in spoken]
    heard = [one for one, tutored in zip(real, found, strict=True) if tutored]
    words = {role: sum(_words(one, role) for one in heard) for role in ("user", "assistant")}
    return TutoringFigures(
        dialogues=len(real),
        silent=len(real) - len(spoken),
        turns=sum(counts),
        asking=bootstrap_ratio([sum(turn.asks for turn in one) for one in spoken], counts, seed=seed),
        leaking=bootstrap_ratio(leaks, counts, seed=seed),
        giving_away=wilson(sum(n > 0 for n in leaks), len(leaks)),
        student_words=words["user"] / max(1, sum(words.values())),
        by_turn=tuple(_by_turn([turn for one in spoken for turn in one])),
    )


def _by_turn(found: Sequence[TutorTurn]) -> list[TurnShares]:
    grouped: dict[int, list[TutorTurn]] = {}
    for turn in found:
        grouped.setdefault(min(turn.number, LATE - 1), []).append(turn)
    return [
        TurnShares(
            number,
            len(some),
            sum(turn.asks for turn in some) / len(some),
            sum(turn.leaks is not None for turn in some) / len(some),
        )
        for number, some in sorted(grouped.items())
    ]


def _words(dialogue: Chat, role: str) -> int:
    return sum(len(tokens(turn.content)) for turn in dialogue if turn.role == role)
