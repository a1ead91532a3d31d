"""What a person says of a question of a run, below its trail; the verb `correct` does the same.

Knows nothing of what comes of it (verbs/correct.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from selfstudy.errors import SelfstudyError
from selfstudy.records import Correction, PersonLabel, Withdrawn
from selfstudy.run import corrections
from selfstudy.ui.desk import asked
from selfstudy.ui.markup import problem, render
from selfstudy.verbs.correct import correct

if TYPE_CHECKING:
    from selfstudy.ui.desk import Desk

NOTHING = "I say nothing of it"
LABELS: dict[str, PersonLabel | None] = {
    "Right": "right",
    "Wrong": "wrong",
    "I cannot tell": "cannot tell",
    NOTHING: None,
}
"""What a person may say of the model's first answer, as the form puts it."""


@dataclass(frozen=True)
class SaidOfQuestion:
    """What people have said of a question, as the page shows it.

    Attributes:
        kept: whether what was just given is on the disk; what was typed may go then.
        label, reference: whether one counts, which may be withdrawn.
    """

    html: str
    kept: bool = False
    label: bool = False
    reference: bool = False


def said(
    desk: Desk,
    query: Mapping[str, str],
    *,
    label: str = NOTHING,
    reference: str = "",
    note: str = "",
    by: str = "",
    withdraws: Withdrawn | None = None,
) -> SaidOfQuestion:
    """Keeps what a person says of the question in the address; what was said, or why it was not kept."""
    try:
        with desk.open(asked(query, "run")) as run:
            lineage, added = correct(
                run,
                asked(query, "id"),
                label=None if withdraws else LABELS.get(label),
                reference="" if withdraws else reference,
                note=note,
                by=by,
                withdraws=withdraws,
            )
        if added is None:
            return so_far(desk, query, f"The run has no question {lineage.asked!r}: nothing was kept.")
    except SelfstudyError as error:
        return so_far(desk, query, problem(error))
    return replace(so_far(desk, query, "Kept."), kept=True)


def so_far(desk: Desk, query: Mapping[str, str], news: str = "") -> SaidOfQuestion:
    """What people have said of the question that the address names, below the news."""
    wanted = asked(query, "id")
    try:
        with desk.open(asked(query, "run")) as run:
            found = [one for one in corrections.read(run) if one.question_id == wanted]
    except SelfstudyError as error:
        return SaidOfQuestion(_html([], news or problem(error)))
    now = corrections.standing_of(found).get(wanted, corrections.Corrected())
    return SaidOfQuestion(
        _html(found, news), label=now.label is not None, reference=now.reference is not None
    )


def _html(found: list[Correction], news: str) -> str:
    return render("corrections", found=found, news=news, words=_WORDS)


_WORDS: dict[PersonLabel | None, str] = {
    "right": "the first answer is right",
    "wrong": "the first answer is wrong",
    "cannot tell": "cannot tell whether the first answer is right",
}
