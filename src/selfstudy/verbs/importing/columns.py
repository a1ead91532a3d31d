"""Which columns hold what, in the layouts that people have: the one table of names, for pairs and questions.

    TRL              prompt, chosen, rejected: texts or messages {role, content}
    Orca DPO         system, question, chosen, rejected
    Argilla          system, input (or instruction), chosen_response, rejected_response
    axolotl          messages, and chosen and rejected as one message each
    ShareGPT         conversations: a list of {from, value}
    LLaMA-Factory    the same with chosen and rejected; or instruction, input, history, chosen, rejected
    Alpaca           instruction, input, output
    HH-RLHF          chosen and rejected alone, as "Human: ... Assistant: ..."
    tutoring         prompt, good answer, bad answer
    SQuAD, TriviaQA  question, context, answers (an object of texts)
    multiple choice  question, options (or choices), and a letter, a number or the text as the answer

A column that belongs to the prompt is used, or the row is refused and the column named: a lesson without half
of its prompt teaches something else.  Knows nothing of files, records or turns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from selfstudy.files.rows import MalformedError

SYSTEM = (
    "system",
    "system_prompt",
    "system_message",
    "system_instruction",
    "system_instructions",
    "sys_prompt",
    "preamble",
    "persona",
)
ASKED = ("prompt", "question", "instruction", "query")
"""What the user asks; `INPUT` goes on with it, or is it where none of these is there."""
INPUT = "input"
HISTORY = "history"
CONVERSATION = ("conversations", "conversation", "messages", "dialogue", "dialog")
CHOSEN = ("chosen", "chosen_response", "response_chosen")
REJECTED = ("rejected", "rejected_response", "response_rejected")
GOOD = ("good answer", "good_answer")
BAD = ("bad answer", "bad_answer")
"""What a tutor says next, and what is worse; of dialogues alone."""
ANSWER = ("answer", "answers", "output", "response")
EVIDENCE = ("evidence", "context", "passage", "passages", "document", "documents")
OPTIONS = ("options", "choices")
OPTION_ANSWER = (
    "answer",
    "answer_idx",
    "answer_index",
    "answer_key",
    "answerkey",
    "correct_answer",
    "answers",
)
"""Where the right option stands, compared without regard to case."""
OPTION_NAMED = (
    "correct",
    "correct_option",
    "correct_index",
    "answer_letter",
    "cop",
    "gold",
    "target",
    "solution",
    "output",
    "response",
    "label",
)
"""Where it stands if none of `OPTION_ANSWER` is there: the first of these."""
NOT_TEACHABLE = (
    "tools",
    "functions",
    "images",
    "image",
    "videos",
    "audios",
    "background",
    "knowledge",
    "task_description",
    "few_shot",
    "demonstrations",
)
"""They belong to a prompt, and nothing here can put them into one."""
ANSWERED = (*ANSWER, *OPTIONS, *OPTION_ANSWER, *OPTION_NAMED)
PROMPT = (*SYSTEM, *ASKED, INPUT, HISTORY, *CONVERSATION, *EVIDENCE, *NOT_TEACHABLE)

_NOTES = re.compile(
    r"(^|[_\-.])(ids?|uid|uuid|idx|index|hash|source|dataset|origin|model|models|generator|rating|ratings|score"
    r"|scores|reward|rewards|margin|label|labels|category|categories|task|tags?|topic|title|type|split|subset"
    r"|lang|language|date|time|timestamp|created|url|version|licen[cs]e|order|status|turns?|tokens|length)"
    r"($|[_\-.\d])",
    re.IGNORECASE,
)


def recognised(row: Mapping[str, Any]) -> dict[str, Any]:
    """`row` with the known names of columns in lower case: "System" is the system prompt as "system" is.

    A name is left as it is where the row has the lower-case one as well.
    """
    known = {*PROMPT, *CHOSEN, *REJECTED, *GOOD, *BAD, *ANSWERED}
    return {
        name.strip().lower()
        if name.strip().lower() in known and name.strip().lower() not in row
        else name: value
        for name, value in row.items()
    }


def filled(row: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """Those of `names` that the row has and that are not empty, in the order of `names`."""
    return [name for name in names if not _empty(row.get(name))]


def only(row: Mapping[str, Any], names: Iterable[str]) -> str | None:
    """The one of `names` that is filled; of several the one that holds what the others say.

    Raises:
        MalformedError: none of them holds all others.
    """
    found = filled(row, names)
    whole = next((name for name in found if all(_holds(row[name], row[other]) for other in found)), None)
    if found and whole is None:
        raise MalformedError(
            f"fields {', '.join(map(repr, found))} all hold a part of the prompt, and one would be dropped: "
            "join them, or remove one"
        )
    return whole


def refuse_dropped(row: Mapping[str, Any], used: Iterable[str]) -> None:
    """Refuses a row with a column of the prompt that is not in `used`.

    Raises:
        MalformedError: names the columns.
    """
    kept = set(used)
    left = [repr(name) for name in filled(row, PROMPT) if name not in kept]
    if left:
        raise MalformedError(
            f"{'fields' if len(left) > 1 else 'field'} {', '.join(left)} would be dropped from the prompt: "
            "put what it says into the prompt, or remove it"
        )


def unnamed_texts(row: Mapping[str, Any]) -> list[str]:
    """Columns with text whose names say neither what they hold nor that they are notes about the row."""
    known = {*PROMPT, *CHOSEN, *REJECTED}
    return [
        name
        for name, value in row.items()
        if name not in known and isinstance(value, str | list | dict) and not _empty(value)
        if not _NOTES.search(name)
    ]


def _holds(one: object, other: object) -> bool:
    """Whether nothing of `other` is lost where `one` is kept: a question inside its whole prompt."""
    return one == other or (isinstance(one, str) and isinstance(other, str) and other.strip() in one)


def _empty(value: object) -> bool:
    return value is None or value in ([], {}) or (isinstance(value, str) and not value.strip())
