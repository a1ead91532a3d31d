"""Tutoring dialogues of others: a dialogue so far, and the tutor's next turn, as records that teach accepts.

    Prompt         the dialogue so far, as a transcript ("Student: ...", "Teacher: ...") or as messages; it
                   ends with the student
    Good answer    the tutor's next turn (or `chosen`, `answer`), with "Teacher:" before it or not
    Bad answer     a turn that is worse (or `rejected`); empty: teach finds one (teach/rejected_turns.py)

Only what is called good and bad is known by itself for dialogues: {prompt, chosen, rejected} are preferences
unless --format says what they are.  `columns.py` names the columns.  Knows nothing of files or runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from selfstudy.files.rows import MalformedError, shown, text_of
from selfstudy.models import transcripts
from selfstudy.records import Chat, Example, Message, Pair, Question
from selfstudy.text import folded
from selfstudy.verbs.importing import columns
from selfstudy.verbs.importing.lessons import is_lesson
from selfstudy.verbs.importing.preferences import is_preference
from selfstudy.verbs.importing.turns import answer_of, conversation

_SO_FAR = (*columns.ASKED, *columns.CONVERSATION)
_NEXT = (*columns.GOOD, *columns.CHOSEN, *columns.ANSWER)
_WORSE = (*columns.BAD, *columns.REJECTED)


@dataclass(frozen=True, slots=True)
class TutorRow:
    """What a row is: what the student said last, and the tutor's next turn; a pair if it has a worse one.

    Attributes:
        left_out: characters behind the tutor's turns that are none: "Note: in this dialogue ...".
    """

    question: Question
    taught: Example | Pair
    left_out: int


def is_dialogue(row: Mapping[str, Any]) -> bool:
    """Whether a row has the columns of the published set, and those of nothing else."""
    named = any(name in row for name in columns.GOOD)
    return named and not is_preference(row) and not is_lesson(row)


def read_dialogue(row: Mapping[str, Any]) -> TutorRow:
    """What a row is.

    Raises:
        MalformedError: a field is missing, empty or no dialogue, the dialogue does not end with the student,
            a turn is not the tutor's alone or stands in several columns, a part of the row would be dropped,
            or the two turns say the same.
    """
    name = columns.only(row, _SO_FAR)
    if name is None:
        raise MalformedError("field 'prompt', the dialogue so far, is missing or empty")
    columns.refuse_dropped(row, _SO_FAR)
    if options := columns.filled(row, columns.OPTIONS):
        raise MalformedError(f"field {options[0]!r} would be dropped: options belong to no dialogue")
    prompt = _dialogue(row[name], name)
    if prompt[-1].role != "user" or not prompt[-1].content.strip():
        raise MalformedError(f"field {name!r} must end with what the student says")
    chosen, cut = _turn(row, _NEXT)
    if not chosen:
        raise MalformedError("field 'good answer', the tutor's next turn, is missing or empty")
    question = Question(text=prompt[-1].content)
    rejected, more = _turn(row, _WORSE)
    if not rejected:
        alone = Example(prompt=prompt, completion=chosen, question_id=question.id, kind="imported")
        return TutorRow(question, alone, cut)
    if folded(rejected) == folded(chosen):
        raise MalformedError(f"the good answer and the bad one are equal: {shown(chosen)}")
    pair = Pair(prompt=prompt, chosen=chosen, rejected=rejected, question_id=question.id, origin="imported")
    return TutorRow(question, pair, cut + more)


def _dialogue(value: object, name: str) -> Chat:
    """The turns of a transcript, what stands before it as the system's, or of messages."""
    if not isinstance(value, str):
        return tuple(conversation(value, name))
    found = _read(text_of(value, name), name, whole=True)
    before = (Message(role="system", content=found.before),) if found.before else ()
    return (*before, *found.turns)


def _turn(row: Mapping[str, Any], names: tuple[str, ...]) -> tuple[str, int]:
    """The turn of the tutor in the one of these columns that is filled, or "", and what was left out."""
    filled = columns.filled(row, names)
    if len(filled) > 1:
        listed = " and ".join(map(repr, filled))
        raise MalformedError(f"fields {listed} hold the same turn of the tutor: keep one of them")
    if not filled:
        return "", 0
    name, value = filled[0], row[filled[0]]
    if isinstance(value, list | dict):
        turns, cut = tuple(conversation(value, name)), 0
    else:
        said = answer_of(text_of(value, name), name)
        if not said.strip():
            return "", 0
        found = _read(said if transcripts.begins(said) else f"Teacher: {said}", name, whole=False)
        turns, cut = found.turns, found.left_out
    if len(turns) != 1 or turns[0].role != "assistant":
        raise MalformedError(f"field {name!r} must be one turn of the tutor, found {shown(value)}")
    return turns[0].content.strip(), cut


def _read(text: str, name: str, *, whole: bool) -> transcripts.Transcript:
    try:
        return transcripts.read(text, whole=whole)
    except transcripts.NoDialogueError as error:
        raise MalformedError(f"field {name!r}: {error}") from None
