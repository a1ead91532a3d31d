"""Questions without one right answer, out of a file, and what a model says to them.

Rows are cut down by a seeded sample, in a seeded order, so that its beginning is a sample too.  It knows
nothing of what is measured.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from selfstudy.errors import DataError
from selfstudy.files import reading, rows
from selfstudy.models.base import HasContext, LanguageModel, Progress, Sampling, chat
from selfstudy.records import Completion

T = TypeVar("T")

QUESTION = ("prompt", "question", "instruction", "input")
"""Names of the field that holds what is asked; the first that a row has counts."""
MOST_TOKENS = 512
"""Of an answer; FActScore's answers have about as many (memory)."""
LONGEST = 20_000
"""Characters of a field that are kept."""


def read(file: str, suite: str, fields: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """The rows of a file, of each the wanted fields as text, "" where it has none; repeats once.

    Args:
        suite: names it in errors.
        fields: names under which each may stand; of "question" a row must have one.

    Raises:
        DataError: the file cannot be read, has no rows, or one of them no question.
    """
    path = Path(reading.expanded(file))
    found: dict[tuple[str, ...], dict[str, str]] = {}
    for row in rows.read_rows(path):
        if row.value is None:
            raise DataError(f"suite {suite}: {path}, {row.place}: {row.problem}", "fix the row")
        try:
            wanted = {name: _field(row.value, names) for name, names in fields.items()}
        except rows.MalformedError as error:
            raise DataError(f"suite {suite}: {path}, {row.place}: {error}", "fix the row") from None
        if not wanted["question"].strip():
            raise DataError(
                f"suite {suite}: {path}, {row.place} has no {' or '.join(fields['question'])}",
                "name the field so, with text in it",
            )
        found.setdefault(tuple(wanted.values()), wanted)
    if not found:
        raise DataError(f"suite {suite}: {path} has no rows", "give a file with a row for each question")
    return list(found.values())


def _field(row: Mapping[str, object], names: Sequence[str]) -> str:
    """The first of these fields; of a list of texts the texts, one a line."""
    name = next((name for name in names if row.get(name) not in (None, "")), None)
    if name is None:
        return ""
    value = rows.list_in_text(row[name])
    if isinstance(value, list):
        return "\n".join(rows.text_of(one, name)[:LONGEST].replace("\n", " ") for one in value)
    return rows.text_of(value, name)[:LONGEST]


def sampled(questions: Sequence[T], most: int | None, seed: int) -> list[T]:
    """At most so many, drawn and ordered by the seed."""
    return random.Random(seed).sample(list(questions), min(len(questions), most or len(questions)))


def answers(
    lm: LanguageModel, questions: Sequence[str], progress: Progress | None = None
) -> list[Completion]:
    """The greedy answer to each question, asked as it stands, without instructions of ours."""
    context = lm.context if isinstance(lm, HasContext) else None
    limit = MOST_TOKENS if context is None else max(1, min(MOST_TOKENS, context // 2))
    sampling = Sampling(n=1, temperature=0.0, max_new_tokens=limit)
    return [one for (one,) in lm.generate([chat(question) for question in questions], sampling, progress)]
