"""The report's table of sources that disagree: what each says, where, when, and who was believed.

It reads the records of the round that the summary is of; every text in it is cut, and the page escapes it.
Knows nothing of HTML.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import nsmallest
from itertools import islice
from typing import TYPE_CHECKING, Any

from selfstudy.records import Conflict, Question, Saying
from selfstudy.show.questions import MAX_SAYINGS, cut

if TYPE_CHECKING:
    from selfstudy.run import Run
    from selfstudy.summary import Summary

MAX_CONFLICTS = 50
MAX_QUOTE = 300


def conflict_table(run: Run, summary: Summary) -> dict[str, Any]:
    """Names of the report's template: the first conflicts, and how many there are."""
    total = sum(summary.curation.conflicts.values())
    if not total or summary.round is None:
        return {"conflicts": [], "conflicts_total": 0}
    part = run.round(summary.round)
    # what nothing decided is what a person can do something about
    found = nsmallest(MAX_CONFLICTS, part.iter(Conflict), key=lambda one: one.decided != "unresolved")
    wanted = {one.question_id for one in found}
    asked = {one.id: one.text for one in part.where(Question, "id", wanted)}
    return {"conflicts": [_row(one, asked) for one in found], "conflicts_total": total}


def _row(conflict: Conflict, asked: Mapping[str, str]) -> dict[str, Any]:
    return {
        "question": cut(asked.get(conflict.question_id, conflict.question_id), MAX_QUOTE),
        "decided": conflict.decided,
        "reason": cut(conflict.reason, MAX_QUOTE),
        "sayings": [_saying(one, conflict) for one in islice(conflict.sayings, MAX_SAYINGS)],
        "more": max(0, len(conflict.sayings) - MAX_SAYINGS),
    }


def _saying(saying: Saying, conflict: Conflict) -> dict[str, Any]:
    return {
        "believed": saying.side == conflict.chosen,
        "answer": cut(saying.answer, MAX_QUOTE),
        "quote": cut(saying.quote, MAX_QUOTE),
        "source": cut(saying.source, MAX_QUOTE),
        "date": cut(saying.date, 20) or "no date",
        "span": [saying.start, saying.end],
    }
