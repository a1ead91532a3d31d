"""A transcript of a student and a tutor, or of two experts, as models write them, becomes turns.

    Student: What is 3/4 of 20?            the student is the user
    **Teacher:** What is a quarter of it?  the tutor the assistant

A label stands at the beginning of a line, in any case, bold or not, with "(smiling)" behind it or not.  Small
models write on when the dialogue is over: of the last turn, what follows a line that begins with "Note:" or
"In this example", a rule, or three empty lines is left out, and counted.  It knows nothing of what makes a
turn a good one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from selfstudy.records import Chat, Completion, Message, without_demonstrations
from selfstudy.text import sentences

LONGEST = 200_000
MOST_TURNS = 400
"""Characters and turns of a transcript."""


def _label(user: str, assistant: str) -> re.Pattern[str]:
    """What begins a turn, of two patterns for who speaks."""
    return re.compile(
        r"^(?:[ \t>#-]|\*[ \t]){0,8}(?P<mark>[*_]{0,3})"
        rf"(?:(?P<user>{user})|{assistant})"
        r"[ \t]{0,3}(?:\([^()\n]{0,60}\))?(?P<closed>[*_]{0,3})[ \t]{0,4}:",
        re.IGNORECASE | re.MULTILINE,
    )


_LABEL = _label("student|learner|pupil", "teachers?|tutor|professor|instructor")
_BESIDE = re.compile(
    r"\n[ \t]*+(?:[(*_]{0,3}(?:please )?note\b(?: that\b|[^\n:]{0,20}:)"
    r"|\(?(?:in this (?:example|conversation|dialogue|scenario)|this is (?:just )?an example)\b"
    r"|[-=_*]{3,}[ \t]*$|`{3,}\s*\Z|(?:\n[ \t]*+){3})",
    re.IGNORECASE | re.MULTILINE,
)
_NO_TURN = 'nobody speaks: turns begin with "Student:" or "Teacher:"'
_PREAMBLE = re.compile(r"\s*+(?:[^\n]{0,120}:)?\s*+")
"""What may stand before one's own label: nothing, or a line such as "Here is my turn:"."""
_QUOTES = (('"', '"'), ("“", "”"))
NOBODY = "Nobody has talked about it."
"""Where a prompt shows a dialogue and there is none."""
NAMES: dict[str, Literal["Student", "Teacher"]] = {"user": "Student", "assistant": "Teacher"}
"""How transcripts that we write call who speaks."""


@dataclass(frozen=True, slots=True)
class Cast:
    """Two who talk.

    Attributes:
        names: what transcripts that we write call them, by role.
        label: what begins a turn of theirs.
        beside: what ends what is said, where models write on beside it; None: nothing does.
    """

    names: Mapping[str, str]
    label: re.Pattern[str]
    beside: re.Pattern[str] | None = None


TUTORING = Cast(NAMES, _LABEL, _BESIDE)
EXPERTS = Cast({"user": "Expert A", "assistant": "Expert B"}, _label(r"expert[ \t]?a", r"expert[ \t]?b"))
"""Who opens a discussion is the user; a rule or a note is part of what an expert says."""


class NoDialogueError(ValueError):
    """A text is no transcript; says why."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was read.

    Attributes:
        turns: of the student (user) and the tutor (assistant); turns of one that follow each other are one.
        before: what stands before the first turn.
        left_out: characters of what stands behind the last turn and is none.
    """

    turns: Chat
    before: str
    left_out: int


def read(text: str, *, whole: bool = False) -> Transcript:
    """The turns of a transcript, in linear time; empty ones are left out.

    Args:
        whole: nothing behind the last turn is left out: all of it is said.

    Raises:
        NoDialogueError: it is too long, or nobody speaks.
    """
    if len(text) > LONGEST:
        raise NoDialogueError(f"a transcript of {len(text):,} characters; {LONGEST:,} are read")
    text = text.replace("\r\n", "\n")
    labels = list(_LABEL.finditer(text))
    if not labels:
        raise NoDialogueError(_NO_TURN)
    if len(labels) > MOST_TURNS:
        raise NoDialogueError(f"a transcript of {len(labels):,} turns; {MOST_TURNS:,} are read")
    turns: list[Message] = []
    left_out = 0
    ends = [*(label.start() for label in labels[1:]), len(text)]
    for label, end in zip(labels, ends, strict=True):
        said = text[label.end() : end].strip()
        beside = _BESIDE.search(said) if label is labels[-1] and not whole else None
        if beside:
            left_out = len(said[beside.start() :].strip())
            said = said[: beside.start()]
        words = _bare(said, label["mark"] if not label["closed"] else "")
        role: Literal["user", "assistant"] = "user" if label["user"] else "assistant"
        if words and turns and turns[-1].role == role:
            turns[-1] = Message(role=role, content=f"{turns[-1].content}\n{words}")
        elif words:
            turns.append(Message(role=role, content=words))
    if not turns:
        raise NoDialogueError(_NO_TURN)
    return Transcript(tuple(turns), text[: labels[0].start()].strip().strip("`").strip(), left_out)


def begins(text: str) -> bool:
    """Whether the first line of a text names who speaks."""
    return _LABEL.match(text.lstrip()) is not None


def spoken(reply: str, role: Literal["user", "assistant"] = "assistant", cast: Cast = TUTORING) -> str:
    """What the tutor, or the student, says in a reply that is one turn, without a label.

    It ends where anybody is named again; a reply that begins with the other one's label says nothing.  A line
    such as "Here is my turn:" before the own label is no part of it.
    """
    return _spoken(reply, role, cast)[0]


def turn_of(
    reply: Completion, role: Literal["user", "assistant"] = "assistant", cast: Cast = TUTORING
) -> str:
    """What is said in a reply (`spoken`); of a turn that was cut off, its whole sentences."""
    said, ended = _spoken(reply.text, role, cast)
    return said if ended or reply.finish != "length" else " ".join(sentences(said)[:-1]).strip()


def is_cut(
    reply: Completion, role: Literal["user", "assistant"] = "assistant", cast: Cast = TUTORING
) -> bool:
    """Whether the turn of a reply came to the limit of tokens, and keeps its whole sentences alone."""
    return reply.finish == "length" and not _spoken(reply.text, role, cast)[1]


def _spoken(reply: str, role: Literal["user", "assistant"], cast: Cast) -> tuple[str, bool]:
    """`spoken`, and whether something follows that is no longer said."""
    start = cast.label.search(reply)
    if start and bool(start["user"]) != (role == "user"):
        if not reply[: start.start()].strip():
            return "", True
        start = None
    elif start and not _PREAMBLE.fullmatch(reply, 0, start.start()):
        start = None
    said = reply[start.end() if start else 0 :]
    behind = cast.label.search(said)
    said = said[: behind.start()] if behind else said
    beside = cast.beside.search(said) if cast.beside else None
    mark = start["mark"] if start and not start["closed"] else ""
    return _bare(said[: beside.start()] if beside else said, mark), bool(behind or beside)


def shown(prompt: Chat) -> str:
    """A prompt as a judge reads it: what the user says, or who says what; what the system says before it."""
    told = [turn.content for turn in prompt if turn.role == "system"]
    spoken = [turn for turn in without_demonstrations(prompt) if turn.role != "system"]
    several = [f"{turn.role.capitalize()}: {turn.content}" for turn in spoken]
    return "\n".join([*told, *(several if len(spoken) > 1 else [turn.content for turn in spoken])])


def written(dialogue: Chat, cast: Cast = TUTORING) -> str:
    """A dialogue as a transcript; what the system says is left out."""
    names = cast.names
    return "\n".join(f"{names[turn.role]}: {turn.content}" for turn in dialogue if turn.role in names)


def _bare(said: str, mark: str) -> str:
    """What is said without the mark that its label opened, and without quotes around all of it."""
    words = said.strip()
    if mark and words.startswith(mark):
        words = words[len(mark) :].strip()
    elif mark and words.endswith(mark):
        words = words[: -len(mark)].strip()
    for first, last in _QUOTES:
        inside = words[1:-1]
        if len(words) > 1 and words[0] == first and words[-1] == last and not {first, last} & set(inside):
            return inside.strip()
    return words
