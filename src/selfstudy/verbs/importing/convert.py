"""The rows of a file become records: looked through once for what only the whole file tells, then converted.

Knows nothing of pickles, recipes or what an import replaces.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from selfstudy.files import jsonl
from selfstudy.files.rows import MalformedError, Row, shown
from selfstudy.prompts import Prompts
from selfstudy.recipe import Recipe
from selfstudy.records import Example, Failure, Pair, Question, Record, digest
from selfstudy.run import Round
from selfstudy.text import folded
from selfstudy.verbs.importing import choices, columns
from selfstudy.verbs.importing.dialogues import read_dialogue
from selfstudy.verbs.importing.lessons import ImportedLesson, lesson_records, read_lesson
from selfstudy.verbs.importing.option_layouts import option_columns
from selfstudy.verbs.importing.preferences import preference_records

RowFormat = Literal["preferences", "dialogues", "qa"]
BLOCK = 2048
"""Rows between two writes to disk."""
MOST_COMPARED = 200
"""Rows about one question with which another one is compared."""


@dataclass
class Survey:
    """What only the whole file tells.

    Attributes:
        numbers: whether numbers that name options count from 0, from 1 (`choices.number_evidence`).
        several: keys of the questions that have several answers, each on a page of its own.
        unused: columns with text that nothing here uses, and in how many rows.
    """

    numbers: set[int] = field(default_factory=set)
    several: set[str] = field(default_factory=set)
    unused: Counter[str] = field(default_factory=Counter)

    @property
    def counts_from(self) -> int | None:
        return next(iter(self.numbers)) if len(self.numbers) == 1 else None

    def look(self, row: Mapping[str, Any]) -> None:
        """Takes a row in, before any is converted."""
        if choices.has_options(row):
            self.numbers.update(choices.number_evidence(row))
        used = {*columns.ANSWERED, *option_columns(row)}
        self.unused.update(name for name in columns.unnamed_texts(row) if name not in used)


@dataclass(frozen=True, slots=True)
class _Said:
    """An earlier row about a question."""

    place: str
    answers: frozenset[str]
    pages: frozenset[str]


@dataclass
class Converter:
    """Rows to records, in file order; a row that says what an earlier one said gives none.

    Attributes:
        notes_left_out: turns of tutors behind which something stood that is none.
    """

    path: Path
    format: RowFormat
    recipe: Recipe
    survey: Survey
    notes_left_out: int = 0

    def __post_init__(self) -> None:
        self._prompts = Prompts(self.recipe.prompts)
        self._seen: set[str] = set()
        self._preferred: dict[str, str] = {}
        self._said: dict[str, list[_Said]] = {}
        self._key: dict[str, tuple[str, dict[str, None]]] = {}

    def records(self, row: Row) -> Sequence[Record]:
        """The records of a row, none for a repeat.

        Raises:
            MalformedError: the row cannot be used.
        """
        if row.value is None:
            raise MalformedError(row.problem)
        if self.format == "preferences":
            return self._once(*preference_records(row.value), row.place)
        if self.format == "dialogues":
            found = read_dialogue(row.value)
            records = self._once(found.question, found.taught, row.place)
            self.notes_left_out += bool(records and found.left_out)
            return records
        lesson = read_lesson(row.value, self.survey.counts_from)
        if not self._is_new(lesson.identity):
            return ()
        self._compare(lesson, row.place)
        source, several = f"{self.path.name}, {row.place}", lesson.key in self.survey.several
        return lesson_records(lesson, self._prompts, self.recipe, source, page_only=several)

    def answer_key(self) -> bytes:
        """The lines of an answer key: questions that stand alone and have one answer, however it is put."""
        lines = (
            {"question": question, "answer": list(answers)}
            for key, (question, answers) in self._key.items()
            if key not in self.survey.several
        )
        return b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)

    def _is_new(self, identity: str) -> bool:
        if identity in self._seen:
            return False
        self._seen.add(identity)
        return True

    def _once(self, question: Question, taught: Pair | Example, place: str) -> Sequence[Record]:
        """Both, unless an earlier row said the same.

        Raises:
            MalformedError: an earlier row prefers the other answer.
        """
        if not self._is_new(taught.id):
            return ()
        if isinstance(taught, Pair):
            self._compare_pair(taught, place)
        return (question, taught)

    def _compare_pair(self, pair: Pair, place: str) -> None:
        """Notes what is preferred; raises as `_once`."""
        turned = self._preferred.get(digest(repr(pair.prompt), pair.rejected, pair.chosen))
        if turned is not None:
            self._seen.discard(pair.id)
            raise MalformedError(
                f"{turned} prefers {shown(pair.rejected)} to {shown(pair.chosen)} for the same prompt: "
                "keep one of them"
            )
        self._preferred.setdefault(digest(repr(pair.prompt), pair.chosen, pair.rejected), place)

    def _compare(self, lesson: ImportedLesson, place: str) -> None:
        """Notes what is said about a question; of different answers each needs a page to tell them apart.

        Raises:
            MalformedError: an earlier row says something else, and the two cannot be told apart.
        """
        if lesson.dialogue:
            return
        pages = frozenset(folded(passage) for _, passage in lesson.passages)
        now = _Said(place, frozenset(map(folded, lesson.answers)), pages)
        for earlier in self._said.get(lesson.key, ()):
            if earlier.answers & now.answers:
                continue
            if not (earlier.pages and now.pages) or earlier.pages == now.pages:
                self._seen.discard(lesson.identity)
                raise MalformedError(
                    f"{earlier.place} answers the same question otherwise ({shown(lesson.question)}), and no "
                    "context tells the two apart: keep one of them, or give each its context"
                )
            self.survey.several.add(lesson.key)
        said = self._said.setdefault(lesson.key, [])
        if len(said) < MOST_COMPARED:
            said.append(now)
        if lesson.stands_alone:
            _, answers = self._key.setdefault(lesson.key, (lesson.question, {}))
            answers.update(dict.fromkeys(lesson.answers))


def write(
    converter: Converter, rows: Iterator[Row], round_: Round, advance: Callable[[int], None]
) -> dict[str, Any]:
    """Writes the records of all rows; returns what was counted."""
    given = imported = failed = 0
    block: list[Record] = []
    for row in rows:
        given += 1
        try:
            found = converter.records(row)
            imported += bool(found)
            block += found
        except MalformedError as error:
            failed += 1
            item = f"{converter.path.name}, {row.place}"
            block.append(Failure(stage="import", item_id=item, message=str(error)))
        if given % BLOCK == 0:
            round_.append(block)
            block = []
            advance(BLOCK)
    round_.append(block)
    advance(given % BLOCK)
    if key := converter.answer_key():
        jsonl.replace(round_.run.answer_key_file, key, round_.run.path)
    survey = converter.survey
    return {
        "given": given,
        "imported": imported,
        "duplicates": given - imported - failed,
        "failed": failed,
        "several_answers": len(survey.several),
        "unused": dict(survey.unused),
        **({"notes_left_out": converter.notes_left_out} if converter.format == "dialogues" else {}),
    }
