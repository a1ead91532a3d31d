"""Tutoring dialogues become preference rows (methods 3): the dialogue so far, and the tutor's next turn.

A dialogue is cut at some of its tutor turns, spread evenly; what is rejected there comes from elsewhere.
Rows that others cut are put together again.  This file knows nothing of models or training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from selfstudy.records import Chat, digest, without_demonstrations
from selfstudy.text import folded, tokens

WORDS = 16
"""Of the student, from which on what was said names a dialogue."""
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

    Two rows are of one dialogue where they begin with the same turns, up to one of the tutor or of the
    student: what is kept to be tested must not be taught as the beginning of something else.  A turn of the
    student by then, who has said fewer than WORDS words ("Can you help me?"), joins only rows that end there.
    What the system says does not count, nor case and white space.  Numbers count from 0 in order of
    appearance; linear in the length of all rows together.
    """
    parents = list(range(len(rows)))

    def root(row: int) -> int:
        while parents[row] != row:
            parents[row] = parents[parents[row]]
            row = parents[row]
        return row

    first: dict[str, int] = {}
    for i, (so_far, following) in enumerate(rows):
        for name in _joins(so_far, following):
            parents[root(i)] = root(first.setdefault(name, i))
    numbers: dict[int, int] = {}
    return [numbers.setdefault(root(i), len(numbers)) for i in range(len(rows))]


def _joins(so_far: Chat, following: str) -> list[str]:
    """Names of what a row shares with others of its dialogue."""
    said = [(turn.role, folded(turn.content)) for turn in so_far if turn.role != "system"]
    name, words, found = "", 0, []
    for i, (role, text) in enumerate([*said, ("assistant", folded(following))]):
        name = digest(name, role, text)
        if role == "user":
            words += len(tokens(text))
            if words >= WORDS:
                found.append(name)
        else:
            found.append(name)
        if i == len(said) - 1:
            found.append(f"ends {name}")
    return found
