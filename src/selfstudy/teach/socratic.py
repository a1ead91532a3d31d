"""Tutoring dialogues become preference rows (methods 3): the dialogue so far, and the tutor's next turn.

A dialogue is cut at some of its tutor turns, spread evenly; what is rejected there comes from elsewhere.
This file knows nothing of models or training.
"""

from __future__ import annotations

from dataclasses import dataclass

from selfstudy.records import Chat, without_demonstrations

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
