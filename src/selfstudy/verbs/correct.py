"""A person corrects a question of a run: finds the question, and adds what is said.

Knows nothing of what comes of it: labels are used by calibrate, references by gather.
"""

from __future__ import annotations

from selfstudy.errors import RunError
from selfstudy.records import Correction, PersonLabel
from selfstudy.run import Run, corrections
from selfstudy.verbs.why import Lineage, why


def correct(
    run: Run,
    asked: str,
    *,
    label: PersonLabel | None = None,
    reference: str = "",
    note: str = "",
    by: str = "",
) -> tuple[Lineage, Correction | None]:
    """The question that is meant, found as `why` finds it, and what was added; None if that is not clear.

    Raises:
        RunError: it was forgotten, says nothing, is too long or cannot be written.
    """
    lineage = why(run, asked)
    if not lineage.found:
        return lineage, None
    if lineage.forgotten or not lineage.rounds:
        raise RunError(
            f"the run {run.path} has forgotten question {lineage.question_id}, or never asked it",
            "what was forgotten takes no corrections; name another question",
        )
    return lineage, corrections.add(
        run, lineage.question_id, label=label, reference=reference, note=note, by=by
    )
