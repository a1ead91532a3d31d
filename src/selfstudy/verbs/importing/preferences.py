"""Preference pairs of others, as records that teach accepts: `columns.py` names the layouts.

Knows nothing of files or runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from selfstudy.files.rows import MalformedError, shown, text_of
from selfstudy.records import Message, Pair, Question
from selfstudy.verbs.importing import columns
from selfstudy.verbs.importing.turns import (
    Turns,
    answer_of,
    conversation,
    history,
    joined,
    text_turns,
    transcript,
    without_answer,
)

_QA = ("question", *columns.ANSWER)


def is_preference(row: Mapping[str, Any]) -> bool:
    """Whether a row has the fields of a preference pair."""
    return any(name in row for name in columns.CHOSEN) and any(name in row for name in columns.REJECTED)


def preference_records(row: Mapping[str, Any]) -> tuple[Question, Pair]:
    """A pair and the question that it is about: the last turn of the user.

    The prompt is what the columns of the prompt say, in the order system, history, question.  What the two
    answers begin with goes on with it, or repeats it: turns, a transcript "Human: ... Assistant: ...", or,
    where there is nothing but two texts, their common beginning up to a word.

    Raises:
        MalformedError: a field is missing or of the wrong kind, a part of the prompt would be dropped, the
            answers are empty or equal, or the conversations differ before their last turn.
    """
    names = [_field(row, some) for some in (columns.CHOSEN, columns.REJECTED)]
    prompt = without_answer(asked_turns(row, _beside_a_question(row)))
    sides = [_side(row[name], name) for name in names]
    if prompt and prompt[-1].role == "assistant" and prompt[-1].content in [answer for _, answer in sides]:
        prompt = prompt[
            :-1
        ]  # the column holds a whole conversation, answer included, as UltraFeedback's does
    if not prompt and not any(before for before, _ in sides):
        return _records(*_common(row, sides[0][1], sides[1][1]), names)
    heads = [joined(prompt, before, name) for (before, _), name in zip(sides, names, strict=True)]
    spoken = [head for head, (before, _) in zip(heads, sides, strict=True) if before] or heads
    if spoken[0] != spoken[-1]:
        raise MalformedError("the conversations of 'chosen' and 'rejected' differ before their last turn")
    return _records(spoken[0], sides[0][1], sides[1][1], names)


def asked_turns(row: Mapping[str, Any], beside: tuple[str, ...] = (), used: tuple[str, ...] = ()) -> Turns:
    """What the columns of the prompt say, as turns; empty where there is none.

    Args:
        beside: columns that belong to something else in this row.
        used: columns of the prompt that the caller uses itself.

    Raises:
        MalformedError: a column is of the wrong kind, or would be dropped.
    """
    given = {name: value for name, value in row.items() if name not in beside}
    system = columns.only(given, columns.SYSTEM)
    spoken = columns.only(given, columns.CONVERSATION)
    asked = columns.only(given, columns.ASKED)
    more = columns.filled(given, [columns.INPUT, columns.HISTORY])
    one_of = (*columns.SYSTEM, *columns.CONVERSATION, *columns.ASKED)
    columns.refuse_dropped(given, [*one_of, *more, *used])
    turns = history(given[columns.HISTORY], columns.HISTORY) if columns.HISTORY in more else []
    turns = turns + _question(given, asked)
    if spoken is not None:
        turns = joined(turns, conversation(given[spoken], spoken), spoken)
    if system is not None:
        told = [Message(role="system", content=text_of(given[system], system).strip())]
        turns = joined(told, turns, system) if turns and turns[0].role == "system" else [*told, *turns]
    return turns


def _question(row: Mapping[str, Any], asked: str | None) -> Turns:
    """The turn of the user: the question, and the input that goes on with it."""
    given = columns.filled(row, [columns.INPUT])
    if asked is None:
        return text_turns(row[columns.INPUT], columns.INPUT) if given else []
    if not isinstance(row[asked], list | dict):
        turns = text_turns(row[asked], asked)
    else:
        turns = conversation(row[asked], asked)
    if given:
        if len(turns) != 1:
            raise MalformedError(
                f"field {columns.INPUT!r} would be dropped: {asked!r} is a whole conversation"
            )
        words = f"{turns[0].content}\n{text_of(row[columns.INPUT], columns.INPUT).strip()}"
        return [Message(role="user", content=words)]
    return turns


def _beside_a_question(row: Mapping[str, Any]) -> tuple[str, ...]:
    """A question that comes with an answer of its own is not a part of the prompt beside it."""
    both = columns.filled(row, ("prompt",)) and columns.filled(row, columns.ANSWER)
    return _QA if both and row.get("question") != row["prompt"] else ()


def _field(row: Mapping[str, Any], names: tuple[str, ...]) -> str:
    found = next((name for name in names if row.get(name) is not None), None)
    if found is None:
        raise MalformedError(f"field {names[0]!r} is missing")
    return found


def _side(value: object, field: str) -> tuple[Turns, str]:
    """What comes before the last turn of the assistant, and that turn; a text may be a transcript."""
    if isinstance(value, str):
        turns = transcript(text_of(value, field))
        if len(turns) > 1 and turns[-1].role == "assistant":
            return turns[:-1], turns[-1].content
        return [], answer_of(text_of(value, field), field)
    *before, last = conversation(value, field)
    if last.role != "assistant":
        raise MalformedError(f"the last turn of {field!r} must be the assistant's, not the {last.role}'s")
    return before, last.content


def _common(row: Mapping[str, Any], chosen: str, rejected: str) -> tuple[Turns, str, str]:
    """Prompt and answers of two texts that begin with the same prompt."""
    if any(isinstance(row.get(name), str) for name in columns.ASKED):
        raise MalformedError("the prompt has no turn of the user")
    beside = columns.unnamed_texts(row)
    if beside:
        raise MalformedError(
            f"there is no prompt, and {', '.join(f'{name!r:.60}' for name in beside[:10])} would be dropped: "
            "name the column of the prompt 'prompt'"
        )
    same = next(
        (i for i, (a, b) in enumerate(zip(chosen, rejected, strict=False)) if a != b),
        min(len(chosen), len(rejected)),
    )
    while same and not chosen[same - 1].isspace():
        same -= 1
    if not chosen[:same].strip():
        raise MalformedError("there is no prompt, and 'chosen' and 'rejected' begin differently")
    return [Message(role="user", content=chosen[:same].strip())], chosen[same:], rejected[same:]


def _records(prompt: Turns, chosen: str, rejected: str, names: list[str]) -> tuple[Question, Pair]:
    chosen, rejected = chosen.strip(), rejected.strip()
    for field, answer in zip(names, (chosen, rejected), strict=True):
        if not answer:
            raise MalformedError(f"field {field!r} is empty")
    if chosen == rejected:
        raise MalformedError(f"'chosen' and 'rejected' are equal: {shown(chosen)}")
    asked = next((turn.content for turn in reversed(prompt) if turn.role == "user"), "")
    if not asked.strip():
        raise MalformedError("the prompt has no turn of the user")
    if prompt[-1].role != "user":
        raise MalformedError(f"the prompt must end with the user's turn, not the {prompt[-1].role}'s")
    question = Question(text=asked)
    pair = Pair(
        prompt=tuple(prompt), chosen=chosen, rejected=rejected, question_id=question.id, origin="imported"
    )
    return question, pair
