"""The columns of the report's table of questions, each declared once: add one here, and the page has it.

A column's value comes from a `Point`: the question's record, its verdict's, and its scores.  What other
records say (they hold long texts) is added to Point in questions.py, where `points` fills it.
The page's program (js/table.js) knows the kinds, not the columns.  Knows nothing of runs or HTML.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from selfstudy.show.questions import VERDICTS, Point, cut

MAX_QUESTION = 160


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name in the page's data, its heading, how it is shown and sorted, and its value.

    Kinds: question (opens the question), verdict (a place in VERDICTS or -1), score (whole percent, -1 for
    none), outcome (right before and after: "1", "0" or "-" each), text, and hidden: for filters and the map.
    The table opens sorted by the column with `default_sort`, highest values first.
    """

    key: str
    heading: str
    kind: Literal["question", "verdict", "score", "outcome", "text", "hidden"]
    value: Callable[[Point], Any]
    default_sort: bool = False


def _percent(value: float | None) -> int:
    return -1 if value is None else round(value * 100)


def _flag(value: bool | None) -> str:
    return "-" if value is None else "1" if value else "0"


COLUMNS = (
    Column("question", "Question", "question", lambda p: cut(p.asked.text, MAX_QUESTION)),
    Column("verdict", "Verdict", "verdict", lambda p: -1 if p.verdict is None else VERDICTS.index(p.verdict)),
    Column("found", "Score found", "score", lambda p: _percent(p.found), default_sort=True),
    Column("before", "before teaching", "score", lambda p: _percent(p.before)),
    Column("after", "after", "score", lambda p: _percent(p.after)),
    Column(
        "outcome",
        "Answer before → after",
        "outcome",
        lambda p: _flag(p.correct_before) + _flag(p.correct_after),
    ),
    Column("round", "Round", "hidden", lambda p: p.round),
    Column("id", "Id", "hidden", lambda p: p.asked.id),
    Column("gap", "Gap", "hidden", lambda p: int(p.gap)),
    Column("inconsistent", "Inconsistent", "hidden", lambda p: int(p.inconsistent)),
)
TABLE = tuple(column for column in COLUMNS if column.kind != "hidden")


def points_data(points: Sequence[Point]) -> dict[str, list[Any]]:
    """The values of every column, by its name."""
    return {column.key: [column.value(point) for point in points] for column in COLUMNS}


def described(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """What the page's program is told of columns."""
    return [
        {"key": c.key, "heading": c.heading, "kind": c.kind, "default_sort": c.default_sort} for c in columns
    ]


TABLE_DATA = described(TABLE)
