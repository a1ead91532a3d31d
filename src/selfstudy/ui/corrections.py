"""What a person says of a question of a run, below its trail; the verb `correct` does the same.

Knows nothing of what comes of it (verbs/correct.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from selfstudy.errors import SelfstudyError
from selfstudy.records import Correction, PersonLabel
from selfstudy.run import corrections
from selfstudy.ui.desk import asked
from selfstudy.ui.markup import problem, render
from selfstudy.verbs.correct import correct

if TYPE_CHECKING:
    from selfstudy.ui.desk import Desk

LABELS: dict[str, PersonLabel | None] = {
    "Right": "right",
    "Wrong": "wrong",
    "I cannot tell": "cannot tell",
    "I say nothing of it": None,
}
"""What a person may say of the model's first answer, as the form puts it."""
NOTHING = "I say nothing of it"


def said(desk: Desk, query: Mapping[str, str], *, label: str, reference: str, note: str, by: str) -> str:
    """Keeps what a person says of the question in the address; what was said, or why it was not kept."""
    wanted = asked(query, "id")
    try:
        with desk.open(asked(query, "run")) as run:
            lineage, added = correct(
                run, wanted, label=LABELS.get(label), reference=reference, note=note, by=by
            )
        if added is None:
            return _html([], f"The run has no question {lineage.asked!r}: nothing was kept.")
    except SelfstudyError as error:
        return _html([], problem(error))
    return html(desk, query, "Kept.")


def html(desk: Desk, query: Mapping[str, str], news: str = "") -> str:
    """What people have said of the question that the address names."""
    try:
        with desk.open(asked(query, "run")) as run:
            found = [one for one in corrections.read(run) if one.question_id == asked(query, "id")]
    except SelfstudyError as error:
        return _html([], problem(error))
    return _html(found, news)


def _html(found: list[Correction], news: str) -> str:
    return render("corrections", found=found, news=news, words=_WORDS)


_WORDS: dict[PersonLabel | None, str] = {
    "right": "the first answer is right",
    "wrong": "the first answer is wrong",
    "cannot tell": "cannot tell whether the first answer is right",
}
