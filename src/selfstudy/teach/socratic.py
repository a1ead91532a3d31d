"""Tutoring dialogues become preference rows (methods 3): the dialogue so far, and the tutor's next turn.

A dialogue is cut at some of its tutor turns, spread evenly; what is rejected there comes from elsewhere.
Rows that others cut are put together again.  This file knows nothing of models or training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from selfstudy.records import Chat, digest, without_demonstrations

SPLITS = 3
"""Rows of a dialogue, as published: at the first, the middle and the last turn of the tutor."""


@dataclass(frozen=True, slots=True)
class NextTurn:
    """What the tutor says at a place in a dialogue.

    Attributes:
        prompt: what was said before; it ends with the student.
        chosen: what the tutor says next.
        turn: number of that turn among the tutor's, from 0.
    """

    prompt: Chat
    chosen: str
    turn: int


def next_turns(dialogue: Chat, most: int = SPLITS) -> list[NextTurn]:
    """At most `most` (1 or more) places, spread evenly over the tutor's turns that answer the student.

    A tutor who speaks first answers nobody: that turn is no place.  One place is the first one.
    """
    dialogue = without_demonstrations(dialogue)
    tutor = [i for i, turn in enumerate(dialogue) if turn.role == "assistant"]
    places = [
        NextTurn(dialogue[:i], dialogue[i].content, number)
        for number, i in enumerate(tutor)
        if i and dialogue[i - 1].role == "user" and dialogue[i].content.strip()
    ]
    if len(places) <= most:
        return places
    return [places[round(i * (len(places) - 1) / max(1, most - 1))] for i in range(most)]


def same_dialogue(rows: Sequence[tuple[Chat, str]]) -> list[int]:
    """For each row, a dialogue so far and the next turn, the number of its dialogue.

    Rows are of one dialogue where one goes on with what another one says, or where they begin alike up to
    the student's last turn: what is kept to be tested must not be taught as the beginning of something else.
    Numbers count from 0 in order of appearance.  Linear in the number of turns.
    """
    first: dict[str, int] = {}
    parents = list(range(len(rows)))

    def root(row: int) -> int:
        while parents[row] != row:
            parents[row] = parents[parents[row]]
            row = parents[row]
        return row

    names = [_beginnings(*row) for row in rows]
    for i, (_, whole) in enumerate(names):
        parents[root(i)] = root(first.setdefault(whole, i))
    for i, (before, _) in enumerate(names):
        for name in before:
            if name in first:
                parents[root(i)] = root(first[name])
        parents[root(i)] = root(first.setdefault(f"so far {before[-1] if before else ''}", i))
    numbers: dict[int, int] = {}
    return [numbers.setdefault(root(i), len(numbers)) for i in range(len(rows))]


def _beginnings(so_far: Chat, following: str) -> tuple[list[str], str]:
    """Names of what was said up to each turn of the dialogue so far, and up to the next turn."""
    names: list[str] = []
    for role, words in (*((turn.role, turn.content) for turn in so_far), ("assistant", following)):
        names.append(digest(names[-1] if names else "", role, " ".join(words.split())))
    return names[:-1], names[-1]
