"""What can be asked of an index of questions: filters, an order, a search, and pages that follow each other.

Pages follow by the place of their last row, not by a count, so that the thousandth takes no longer than the
first.  Everything that is asked for is checked against what there is.  Knows nothing of files or HTML.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from selfstudy.show.questions import VERDICTS

SCHEMA = """
PRAGMA journal_mode=WAL;
CREATE TABLE questions (
  n INTEGER PRIMARY KEY, round INTEGER NOT NULL, id TEXT NOT NULL, text TEXT NOT NULL, folded TEXT NOT NULL,
  topic TEXT NOT NULL, method TEXT NOT NULL, verdict TEXT NOT NULL DEFAULT '', gap INTEGER NOT NULL DEFAULT 0,
  score REAL, before INTEGER, after INTEGER, score_before REAL, score_after REAL, UNIQUE (round, id));
CREATE TABLE points (n INTEGER PRIMARY KEY, x REAL, y REAL);
"""
INDEXES = """
CREATE INDEX IF NOT EXISTS by_score ON questions (coalesce(score, -1), n);
CREATE INDEX IF NOT EXISTS by_verdict ON questions (verdict, n);
"""
"""Made once all is in: to keep them while it comes takes longer than to count it does."""
SIZE = 50
"""Rows of a page."""
MOST_SEARCH = 100
"""Characters that are searched for."""
CHANGES = {
    "better": "before = 0 AND after = 1",
    "worse": "before = 1 AND after = 0",
    "asked": "after IS NOT NULL OR before IS NOT NULL",
}
"""What became of an answer: from wrong to right, from right to wrong, asked again at all."""
ORDERS = {"": "n", "score": "coalesce(score, -1)"}
_AFTER = re.compile(r"(-?[0-9.e+-]{1,30})_([0-9]{1,18})")


@dataclass(frozen=True)
class QuestionsAsked:
    """Which questions, in which order, from where on; all of it stands in a page's address."""

    verdict: str = ""
    round: str = ""
    change: str = ""
    search: str = ""
    order: str = ""
    after: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> QuestionsAsked:
        """Of an address: what is not known there is as if it were not asked."""
        number = query.get("round", "")
        verdict, change = query.get("verdict", ""), query.get("change", "")
        after = query.get("after", "")
        return cls(
            verdict if verdict in (*VERDICTS, "gap", "none") else "",
            number if re.fullmatch("[1-9][0-9]{0,5}", number) else "",
            change if change in CHANGES else "",
            query.get("search", "")[:MOST_SEARCH].strip(),
            order if (order := query.get("order", "")) in ORDERS else "",
            after if _AFTER.fullmatch(after) else "",
        )

    def following(self, after: str) -> QuestionsAsked:
        """The page after a row."""
        return replace(self, after=after)

    @property
    def filters(self) -> bool:
        """Whether some are left out."""
        return bool(self.verdict or self.round or self.change or self.search)


@dataclass(frozen=True)
class QuestionRow:
    """One question of one round; what was not measured is None.

    Attributes:
        score: of the probe, in [0, 1]; score_before, score_after: of verify.
        before, after: whether its answer was right.
    """

    n: int
    round: int
    id: str
    text: str
    topic: str
    method: str
    verdict: str
    score: float | None
    before: bool | None
    after: bool | None
    score_before: float | None
    score_after: float | None


@dataclass(frozen=True)
class QuestionPage:
    """Rows, how many there are like them in all, and where the next page begins; "" for none."""

    rows: tuple[QuestionRow, ...]
    total: int
    after: str


_COLUMNS = "n, round, id, text, topic, method, verdict, score, before, after, score_before, score_after"


def rows_of(database: sqlite3.Connection, asked: QuestionsAsked) -> QuestionPage:
    """A page of what is asked for."""
    parts, values = _filters(asked)
    where = " AND ".join(f"({part})" for part in parts) or "1"
    total = database.execute(f"SELECT count(*) FROM questions WHERE {where}", values).fetchone()[0]
    key, down = ORDERS[asked.order], asked.order == "score"
    if found := _AFTER.fullmatch(asked.after):
        try:
            values += [float(found[1]), float(found[1]), int(found[2])]
            where += f" AND ({key} {'<' if down else '>'} ? OR ({key} = ? AND n > ?))"
        except ValueError:
            pass
    told = f"SELECT {_COLUMNS}, {key} FROM questions WHERE {where} ORDER BY {key}{' DESC' * down}, n LIMIT ?"
    rows = database.execute(told, [*values, SIZE + 1]).fetchall()
    last = rows[SIZE - 1] if len(rows) > SIZE else None
    return QuestionPage(tuple(map(_row, rows[:SIZE])), total, f"{last[-1]!r}_{last[0]}" if last else "")


def _filters(asked: QuestionsAsked) -> tuple[list[str], list[Any]]:
    parts: list[str] = []
    values: list[Any] = []
    if asked.verdict == "gap":
        parts.append("gap = 1")
    elif asked.verdict:
        parts.append("verdict = ?")
        values.append("" if asked.verdict == "none" else asked.verdict)
    if asked.round:
        parts.append("round = ?")
        values.append(int(asked.round))
    if asked.change:
        parts.append(CHANGES[asked.change])
    if asked.search:
        parts.append("instr(folded, ?) > 0")
        values.append(asked.search.casefold().encode("utf-8", "replace").decode())
    return parts, values


def _row(values: tuple[Any, ...]) -> QuestionRow:
    given = dict(zip(_COLUMNS.split(", "), values, strict=False))  # what it is sorted by is left out
    for side in ("before", "after"):
        given[side] = None if given[side] is None else bool(given[side])
    return QuestionRow(**given)
