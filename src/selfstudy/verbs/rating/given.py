"""The answers that are to be rated, out of a data file: by prompt, with what says which are right.

    {prompt, completions: [text, ...]}    or [{text, correct}, ...], or "correct": [true, ...] beside it
    {prompt, completion, correct?}        rows of the same prompt belong together
    {prompt, chosen, rejected}            in the layouts of importing/columns.py; chosen counts as right

A prompt is text or messages.  A row may hold a rubric too (judging/rubric_columns.py).  It knows nothing of
judges.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from selfstudy.errors import DataError
from selfstudy.files.rows import MalformedError, Row, list_in_text, read_rows, shown, text_of
from selfstudy.judging import rubric_columns
from selfstudy.judging.rewards import Response
from selfstudy.judging.rubric import Criterion, from_evidence
from selfstudy.models import transcripts
from selfstudy.records import Chat
from selfstudy.verbs.importing.columns import recognised
from selfstudy.verbs.importing.preferences import asked_turns, is_preference, preference_records
from selfstudy.verbs.importing.turns import answer_of, conversation

COMPLETION = ("completion", "response")
_OWN = (*rubric_columns.NAMES, *COMPLETION, "completions")
_SAID: dict[object, bool | None] = {
    **dict.fromkeys((None, ""), None),
    **dict.fromkeys((True, 1, "true", "yes", "1"), True),
    **dict.fromkeys((False, 0, "false", "no", "0"), False),
}
LAYOUTS = "give rows of {prompt, completions}, {prompt, completion} or {prompt, chosen, rejected}"


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """One answer; `correct`: whether it is right, where the file says so."""

    text: str
    correct: bool | None = None


@dataclass(frozen=True, slots=True)
class PromptAnswers:
    """A prompt and its different answers.

    Attributes:
        chat: the prompt, as turns.
        answers: each text once, in the order of the file.
        repeats: answers that were left out, for another one is the same.
        criteria: the rubric; empty where the file says nothing.
    """

    chat: Chat
    answers: tuple[GivenAnswer, ...]
    repeats: int
    criteria: tuple[Criterion, ...]

    @property
    def text(self) -> str:
        """The prompt as a judge reads it: what the user says, or a transcript of several turns."""
        return transcripts.shown(self.chat)

    @property
    def responses(self) -> list[Response]:
        """Its answers, as rewarders take them."""
        prompt = self.text
        return [Response(prompt, answer.text, self.criteria) for answer in self.answers]


@dataclass(frozen=True, slots=True)
class Given:
    """What a file holds.

    Attributes:
        prompts: in the order in which they first occur.
        failures: (place, why) of each row, or part of one, that cannot be read.
    """

    prompts: tuple[PromptAnswers, ...]
    failures: tuple[tuple[str, str], ...]

    @property
    def answers(self) -> int:
        """Different answers, of all prompts."""
        return sum(len(one.answers) for one in self.prompts)


def read_given(path: Path) -> Given:
    """The answers in a file.

    Raises:
        DataError: it cannot be read, or holds no row that can be.
    """
    return collect(read_rows(path), str(path))


def collect(rows: Iterable[Row], where: str) -> Given:
    """The answers of rows; `where` is what an error calls their file.

    Raises:
        DataError: none of them can be read.
    """
    found: dict[Chat, _Collected] = {}
    failures: list[tuple[str, str]] = []
    count = 0
    for row in rows:
        count += 1
        try:
            if row.value is None:
                raise MalformedError(row.problem)
            chat, answers, broken, claims = _row(recognised(row.value))
        except MalformedError as error:
            failures.append((row.place, str(error)))
            continue
        failures += [(row.place, why) for why in broken]
        if answers:
            found.setdefault(chat, _Collected()).add(answers, claims)
    if not count:
        raise DataError(f"{where} holds no rows", LAYOUTS)
    if not found:
        place, why = failures[0]
        raise DataError(f"{where}: none of {count:,} rows can be read; {place}: {why}", LAYOUTS)
    return Given(tuple(one.of(chat) for chat, one in found.items()), tuple(failures))


@dataclass
class _Collected:
    """What the rows of one prompt hold."""

    answers: dict[str, GivenAnswer] = field(default_factory=dict)
    repeats: int = 0
    claims: tuple[list[str], list[str], list[str]] = field(default_factory=lambda: ([], [], []))

    def add(self, answers: Sequence[GivenAnswer], claims: Sequence[Sequence[str]]) -> None:
        for answer in answers:
            self.repeats += answer.text in self.answers
            self.answers.setdefault(answer.text, answer)
        for kept, more in zip(self.claims, claims, strict=True):
            kept += more

    def of(self, chat: Chat) -> PromptAnswers:
        return PromptAnswers(chat, tuple(self.answers.values()), self.repeats, from_evidence(*self.claims))


_Parts = tuple[Chat, list[GivenAnswer], list[str], list[list[str]]]


def _row(row: Mapping[str, Any]) -> _Parts:
    """The prompt, answers, what is wrong with others, and claims of each kind.

    Raises:
        MalformedError: there is no prompt, no answer, or a column of the wrong kind.
    """
    claims = rubric_columns.claims_in(row)
    if row.get("completions") is not None:
        return (_prompt(row), *_several(row), claims)
    if is_preference(row):
        return (*_compared({name: value for name, value in row.items() if name not in _OWN}), [], claims)
    name = next((name for name in COMPLETION if row.get(name) is not None), None)
    if name is None:
        raise MalformedError("there is no 'completions', 'completion' or 'chosen' and 'rejected'")
    return _prompt(row), [_answer(row[name], name, row.get("correct"))], [], claims


def _prompt(row: Mapping[str, Any]) -> Chat:
    turns = asked_turns({name: value for name, value in row.items() if name not in _OWN})
    if not turns or turns[-1].role != "user":
        raise MalformedError("there is no prompt that ends with the user's turn")
    return tuple(turns)


def _several(row: Mapping[str, Any]) -> tuple[list[GivenAnswer], list[str]]:
    """The answers of a list, and what is wrong with those that cannot be used."""
    values = list_in_text(row["completions"])
    if not isinstance(values, list) or not values:
        raise MalformedError(
            f"field 'completions' must be a list of texts, found {shown(row['completions'])}"
        )
    correct = list_in_text(row.get("correct"))
    if correct is not None and (not isinstance(correct, list) or len(correct) != len(values)):
        raise MalformedError(
            f"field 'correct' must hold a value for each of {len(values)} completions, found {shown(correct)}"
        )
    answers, broken = [], []
    for i, value in enumerate(values):
        own = value.get("correct") if isinstance(value, dict) else None
        text = (
            next((value[name] for name in ("text", *COMPLETION) if name in value), value)
            if (isinstance(value, dict))
            else value
        )
        try:
            answers.append(_answer(text, f"completions[{i}]", own if correct is None else correct[i]))
        except MalformedError as error:
            broken.append(str(error))
    return answers, broken


def _compared(row: Mapping[str, Any]) -> tuple[Chat, list[GivenAnswer]]:
    """A preference pair; two answers that are the same are no error here, but no pair either."""
    if row.get("chosen") == row.get("rejected") and isinstance(row.get("chosen"), str):
        return _prompt(row), [_answer(row[name], name, None) for name in ("chosen", "rejected")]
    _, pair = preference_records(row)
    return pair.prompt, [GivenAnswer(pair.chosen, True), GivenAnswer(pair.rejected, False)]


def _answer(value: object, name: str, correct: object) -> GivenAnswer:
    text = conversation(value, name)[-1].content if isinstance(value, list | dict) else text_of(value, name)
    text = answer_of(text, name).strip()
    if not text:
        raise MalformedError(f"field {name!r} is empty")
    said = correct.strip().lower() if isinstance(correct, str) else correct
    if not isinstance(said, str | int | None) or said not in _SAID:
        raise MalformedError(f"field 'correct' must be true or false, found {shown(correct)}")
    return GivenAnswer(text, _SAID[said])
