"""Dialogues that somebody else wrote, measured as they stand: no model is asked.

A row is the dialogue so far and the tutor's next turn (verbs/importing/dialogues.py).  Rows that were cut
from one dialogue are put together again: the longest stands for all, so that no turn counts twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from selfstudy.errors import DataError
from selfstudy.files.rows import MalformedError, Row, read_rows
from selfstudy.judging.tutoring import Solution
from selfstudy.records import Chat, Example, Message
from selfstudy.teach.socratic import same_dialogue
from selfstudy.verbs.importing import columns
from selfstudy.verbs.importing.dialogues import read_dialogue
from selfstudy.verbs.socratic.exercises import solution_of
from selfstudy.verify.dialogues import TutoringFigures, figures

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class GivenDialogues:
    """What a file holds: its dialogues by rule, how many rows they were cut into, and rows that are none."""

    by_rule: TutoringFigures
    rows: int
    failed: tuple[str, ...]


def read_given(path: Path, named: Mapping[str, str], seed: int = 0) -> GivenDialogues:
    """Measures a file of dialogues.

    Args:
        named: `answer`, `options` and `problem`: columns that tell the solution; without `answer` nobody
            knows it, and leaking is not measured.

    Raises:
        DataError: the file cannot be read, or no row is a dialogue.
    """
    found: list[tuple[Chat, str, Solution | None]] = []
    failed = []
    for row in read_rows(path):
        try:
            found.append(_read(row, named))
        except MalformedError as error:
            failed.append(f"{row.place}: {error}")
    if not found:
        lines = "".join(f"\n    {line}" for line in failed[:_SHOWN])
        raise DataError(
            f"{path}: none of {len(failed):,} rows is a dialogue{lines}",
            "give rows {prompt, good answer}: the dialogue so far, and the tutor's next turn",
        )
    longest: dict[int, tuple[Chat, Solution | None]] = {}
    numbers = same_dialogue([(prompt, turn) for prompt, turn, _ in found])
    for number, (prompt, turn, solution) in zip(numbers, found, strict=True):
        whole = (*prompt, Message(role="assistant", content=turn))
        before, known = longest.get(number, ((), None))
        longest[number] = (max(before, whole, key=len), known or solution)
    chats, solutions = zip(*longest.values(), strict=True)
    return GivenDialogues(figures(chats, solutions, seed), len(found), tuple(failed))


def _read(row: Row, named: Mapping[str, str]) -> tuple[Chat, str, Solution | None]:
    if row.value is None:
        raise MalformedError(row.problem)
    ours = set(named.values())
    rest = {name: value for name, value in row.value.items() if name not in ours}
    read = read_dialogue(columns.recognised(rest))
    taught = read.taught
    chosen = taught.completion if isinstance(taught, Example) else taught.chosen
    solution = None
    if "answer" in named:
        problem = str(row.value.get(named.get("problem", ""), ""))
        solution = solution_of(row.value, named, problem, lettered="options" in named)
    return taught.prompt, chosen, solution
