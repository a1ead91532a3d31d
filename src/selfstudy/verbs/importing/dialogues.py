"""Tutoring dialogues of others: a dialogue so far, and the tutor's next turn, as records that teach accepts.

    Prompt         the dialogue so far, as a transcript ("Student: ...", "Teacher: ...") or as messages; it
                   ends with the student
    Good answer    the tutor's next turn (or `chosen`, `answer`), with "Teacher:" before it or not
    Bad answer     a turn that is worse (or `rejected`); empty: teach finds one (teach/socratic.py)

`columns.py` names the columns.  Knows nothing of files or runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from selfstudy.files.rows import MalformedError, shown, text_of
from selfstudy.models import transcripts
from selfstudy.records import Chat, Example, Message, Pair, Question
from selfstudy.verbs.importing import columns
from selfstudy.verbs.importing.turns import conversation

_SO_FAR = (*columns.ASKED, *columns.CONVERSATION)
_NEXT = (*columns.CHOSEN, *columns.ANSWER)


def is_dialogue(row: Mapping[str, Any]) -> bool:
    """Whether a row has a transcript of a student and a tutor, and what the tutor says next."""
    said = [row[name] for name in columns.filled(row, _SO_FAR)]
    return bool(columns.filled(row, _NEXT)) and any(
        isinstance(one, str) and transcripts.begins(one) for one in said
    )


def dialogue_records(row: Mapping[str, Any]) -> tuple[Question, Example | Pair]:
    """What the student said last, and the tutor's next turn: a pair where the row has a worse one.

    Raises:
        MalformedError: a field is missing, empty or no dialogue, the dialogue does not end with the student,
            the next turn is not the tutor's alone, or the two turns are equal.
    """
    name = columns.only(row, _SO_FAR)
    if name is None:
        raise MalformedError("field 'prompt', the dialogue so far, is missing or empty")
    columns.refuse_dropped(row, [*_SO_FAR])
    prompt = _dialogue(row[name], name)
    if prompt[-1].role != "user":
        raise MalformedError(f"field {name!r} must end with the student, not the tutor")
    chosen = _turn(row, _NEXT)
    if not chosen:
        raise MalformedError("field 'good answer', the tutor's next turn, is missing or empty")
    question = Question(text=prompt[-1].content)
    rejected = _turn(row, columns.REJECTED)
    if not rejected:
        return question, Example(prompt=prompt, completion=chosen, question_id=question.id, kind="imported")
    if rejected == chosen:
        raise MalformedError(f"the good answer and the bad one are equal: {shown(chosen)}")
    return question, Pair(
        prompt=prompt, chosen=chosen, rejected=rejected, question_id=question.id, origin="imported"
    )


def _dialogue(value: object, name: str) -> Chat:
    """The turns of a transcript, what stands before it as the system's, or of messages."""
    if not isinstance(value, str):
        return tuple(conversation(value, name))
    try:
        found = transcripts.read(text_of(value, name))
    except transcripts.NoDialogueError as error:
        raise MalformedError(f"field {name!r}: {error}") from None
    before = (Message(role="system", content=found.before),) if found.before else ()
    return (*before, *found.turns)


def _turn(row: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """The turn of the tutor in the first of these columns that is filled, without its label; or ""."""
    name = next(iter(columns.filled(row, names)), None)
    if name is None:
        return ""
    value = row[name]
    if isinstance(value, str) and not transcripts.begins(value):
        return text_of(value, name).strip()
    turns = _dialogue(value, name)
    if len(turns) != 1 or turns[0].role != "assistant":
        raise MalformedError(f"field {name!r} must be one turn of the tutor, found {shown(value)}")
    return turns[0].content.strip()
