"""A person corrects a question of a run: finds the question, and adds what is said; labels as rows of a file.

Knows nothing of what comes of it: labels are used by calibrate, references by gather.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from selfstudy.errors import DataError, RunError
from selfstudy.files import jsonl, private
from selfstudy.files.cells import csv_lines
from selfstudy.judging.labels import CANNOT_TELL
from selfstudy.records import Correction, PersonLabel, Question, Withdrawn
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
    withdraws: Withdrawn | None = None,
) -> tuple[Lineage, Correction | None]:
    """The question that is meant, found as `why` finds it, and what was added; None if that is not clear.

    Raises:
        RunError: it was forgotten, says nothing, is too long, takes back what nobody said, or cannot be
            written.
    """
    lineage = why(run, asked)
    if not lineage.found:
        return lineage, None
    if lineage.forgotten or not lineage.rounds:
        raise RunError(
            f"the run {run.path} has forgotten question {lineage.question_id}, or never asked it",
            "what was forgotten takes no corrections; name another question",
        )
    said = corrections.add(
        run,
        lineage.question_id,
        label=label,
        reference=reference,
        note=note,
        by=by,
        withdraws=withdraws,
    )
    return lineage, said


LABEL_COLUMNS = ("question_id", "question", "known", "label", "note", "by")
"""Of a file of labels; `judging/labels.py` reads the first three."""
KNOWN: dict[PersonLabel | None, str] = {"right": "true", "wrong": "false", "cannot tell": CANNOT_TELL}


def labels_said(run: Run) -> Iterator[dict[str, Any]]:
    """The labels of people that count now, as rows that `selfstudy calibrate --labels` reads, in the order of
    the questions of the run.

    Raises:
        RunError: a file of the run is damaged.
    """
    said = {name: one.label for name, one in corrections.standing(run).items() if one.label}
    for part in run.rounds if said else ():
        for question in part.where(Question, "id", said):
            one = said.pop(question.id, None)
            if one is not None:
                values = (one.question_id, question.text, KNOWN[one.label], one.label, one.note, one.by)
                yield dict(zip(LABEL_COLUMNS, values, strict=True))


def export_labels(run: Run, target: Path) -> int:
    """Writes the labels of people to a new file, a table for .csv, else JSON lines; how many.

    Raises:
        DataError: there is none, the file is there already, in the run, or has another name.
        RunError: a file of the run is damaged, or the new one cannot be written.
    """
    if target.suffix.lower() not in (".csv", ".jsonl"):
        raise DataError(f"{target} is no name of a file of labels", "end it in .jsonl or .csv")
    if target.exists() or target.is_symlink():
        raise DataError(f"{target} is there already", "move it, or give another name")
    if target.resolve().is_relative_to(run.path.resolve()):
        raise DataError(f"{target} lies in the run itself", "give a name outside of it")
    rows = list(labels_said(run))
    if not rows:
        raise DataError(
            f"nobody has said of an answer of {run.path} whether it is right",
            "say it with selfstudy correct RUN QUESTION --label right",
        )
    as_table = target.suffix.lower() == ".csv"
    lines = csv_lines(rows, LABEL_COLUMNS) if as_table else (to_json(row) + b"\n" for row in rows)
    jsonl.replace_lines(target, lines, None, private.SHARED)
    return len(rows)
