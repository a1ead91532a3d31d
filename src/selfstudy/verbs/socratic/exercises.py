"""Exercises out of other people's data: a problem, its rationale, its answer (methods 3).

    MathQA    Problem, Rationale, options ("a ) 38 , b ) 30"), correct ("a")
    others    {problem, solution, answer}, or whichever columns are named
    GSM8K     {question, answer}, the answer being a rationale and "#### 38"

A row that is no exercise is told by its place and why, and costs no other.  Knows no models.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfstudy.errors import DataError, RecipeError
from selfstudy.files.rows import MalformedError, Row, read_rows, shown, text_of
from selfstudy.judging.tutoring import Solution
from selfstudy.records import digest
from selfstudy.text import folded, lines_below
from selfstudy.verbs.importing import columns
from selfstudy.verbs.importing.choices import right_choice

NAMES: dict[str, tuple[str, ...]] = {
    "problem": ("problem", "question", "prompt"),
    "rationale": ("rationale", "solution", "explanation"),
    "answer": ("answer", "correct"),
    "options": columns.OPTIONS,
    "misconception": ("misconception",),
}
"""What a row is read for, and the columns that hold it unless others are named; case does not count."""
_NO_ANSWER = re.compile(r"none(?: of (?:the|these|above|them|those)\b.*)?", re.IGNORECASE)
_FINAL = "####"
"""In GSM8K: what stands before it is the rationale, what follows the answer."""
LONGEST_REASON = 160
"""Characters of why something is no exercise; a server's error page may be the reason."""


@dataclass(frozen=True, slots=True)
class Exercise:
    """A problem to be tutored; `misconception` is a wrong idea of the student, "" if the row names none."""

    id: str
    problem: str
    rationale: str
    solution: Solution
    misconception: str = ""


@dataclass(frozen=True, slots=True)
class Exercises:
    """Those of a source: given = usable + repeats (of a problem) + failed ("line 3: why", one each) + known.

    Attributes:
        known: questions of a run that its model answers right: nothing is to be taught.
        unread: documents that could not be read, with the reason: nothing was asked about them.
    """

    usable: tuple[Exercise, ...]
    repeats: int
    failed: tuple[str, ...]
    known: int = 0
    unread: tuple[str, ...] = ()


def read_exercises(path: Path, named: Mapping[str, str], most: int | None = None) -> Exercises:
    """The exercises of a file, in its order.

    Args:
        named: of `NAMES`, the column that holds it.
        most: usable ones that are read; None: all.

    Raises:
        DataError: the file cannot be read, or no row is an exercise.
    """
    found: dict[str, Exercise] = {}
    repeats = 0
    failed: list[str] = []
    seen: set[str] = set()
    for row in read_rows(path):
        if most is not None and len(found) >= most:
            break
        seen |= set(row.value or ())
        try:
            exercise = _exercise(row, named)
        except MalformedError as error:
            failed.append(f"{row.place}: {error}")
            continue
        repeats += folded(exercise.problem) in found
        found.setdefault(folded(exercise.problem), exercise)
    if not found:
        raise DataError(
            f"{path}: none of {len(failed):,} rows is an exercise{lines_below(failed)}",
            "name the columns, for example --column problem=question --column rationale=solution"
            + (f" (the file has: {', '.join(sorted(seen))})" if seen else ""),
        )
    return Exercises(tuple(found.values()), repeats, tuple(failed))


def named_columns(options: list[str]) -> dict[str, str]:
    """`problem=question` and the like as a mapping.

    Raises:
        RecipeError: one is no such thing.
    """
    named = {}
    for option in options:
        what, equals, column = option.partition("=")
        if not equals or what not in NAMES or not column.strip():
            raise RecipeError(
                f"--column {option}: no such name", f"give NAME=COLUMN; NAME: {', '.join(NAMES)}"
            )
        named[what] = column.strip()
    return named


def solution_of(
    row: Mapping[str, Any], named: Mapping[str, str], problem: str, *, lettered: bool
) -> Solution:
    """The answer of a row.

    Args:
        lettered: with the letter of its option: student and tutor saw the options.

    Raises:
        MalformedError: there is none, it is no option, or "none of these", which no student can find.
    """
    answer = _value(row, "answer", named)
    options = _value(row, "options", named)
    if answer is None:
        raise MalformedError(_missing("answer", named))
    letter = ""
    if options is not None:
        right = right_choice({"options": options, "answer": answer})
        answer, letter = right.text, right.label.lower()
    said = str(answer) if isinstance(answer, int | float) else text_of(answer, "answer").strip()
    said = said.rpartition(_FINAL)[2].strip()
    if not said:
        raise MalformedError("no answer: nothing follows ####")
    if _NO_ANSWER.fullmatch(said):
        raise MalformedError(f"the answer is {shown(said)}, which no student can find")
    return Solution(said, letter if lettered else "", problem)


def _exercise(row: Row, named: Mapping[str, str]) -> Exercise:
    if row.value is None:
        raise MalformedError(row.problem)
    problem = _text(row.value, "problem", named)
    solution = solution_of(row.value, named, problem, lettered=False)
    own = _value(row.value, "misconception", named)
    return Exercise(
        id=digest("exercise", problem),
        problem=problem,
        rationale=_rationale(row.value, named),
        solution=solution,
        misconception="" if own is None else text_of(own, "misconception").strip(),
    )


def _rationale(row: Mapping[str, Any], named: Mapping[str, str]) -> str:
    answer = _value(row, "answer", named)
    before = answer.rpartition(_FINAL)[0].strip() if isinstance(answer, str) else ""
    if before and _value(row, "rationale", named) is None:
        return before
    return _text(row, "rationale", named)


def _text(row: Mapping[str, Any], what: str, named: Mapping[str, str]) -> str:
    value = _value(row, what, named)
    if value is None:
        raise MalformedError(_missing(what, named))
    return text_of(value, what).strip()


def _value(row: Mapping[str, Any], what: str, named: Mapping[str, str]) -> Any:
    """What a row holds; None where it is missing or empty."""
    wanted = (named[what],) if what in named else NAMES[what]
    held = {name.strip().lower(): value for name, value in row.items()}
    filled = columns.filled(held, [name.lower() for name in wanted])
    return held[filled[0]] if filled else None


def _missing(what: str, named: Mapping[str, str]) -> str:
    wanted = (named[what],) if what in named else NAMES[what]
    return f"no {what}: field {' or '.join(map(repr, wanted))} is missing or empty"
