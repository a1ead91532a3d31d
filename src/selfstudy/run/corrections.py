"""What people say of a run's questions: added by anybody at any time, also while another process writes it.

Each saying is a line of corrections.jsonl, under a short lock of its own.  Later ones win: `Corrected` is
what holds of a question now.  Knows nothing of what is done with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pydantic import ValidationError

from selfstudy.errors import RunError
from selfstudy.files import jsonl, lock
from selfstudy.records import Correction, PersonLabel, Withdrawn
from selfstudy.text import clean

if TYPE_CHECKING:
    from selfstudy.run.directory import Run

LONGEST = 4_000
"""Characters of a reference, and of a note."""
LONGEST_NAME = 100
MOST = 100_000
"""Sayings of a run."""
_PATIENCE = 5.0
"""Seconds for which another saying is waited for."""


@dataclass(frozen=True)
class Corrected:
    """What people say of a question now: the last label and the last reference, each as it was said.

    Attributes:
        taken_back: who took the last reference back, where nobody has given one since.
    """

    label: Correction | None = None
    reference: Correction | None = None
    taken_back: Correction | None = None

    def after(self, one: Correction) -> Corrected:
        """With one more saying."""
        made = self
        if one.withdraws == "label":
            made = replace(made, label=None)
        if one.withdraws == "reference":
            made = replace(made, reference=None, taken_back=one)
        if one.label:
            made = replace(made, label=one)
        if one.reference:
            made = replace(made, reference=one, taken_back=None)
        return made


def read(run: Run) -> list[Correction]:
    """All that was said, in order; a torn last line is left out.

    Raises:
        RunError: the file is damaged.
    """
    found = []
    try:
        for number, line, _ in jsonl.read_lines(run.corrections_file):
            try:
                found.append(Correction.model_validate_json(line))
            except ValidationError:
                raise jsonl.damaged(run.corrections_file, number, "not a correction") from None
    except RunError as error:  # no stage would write again what people said
        raise RunError(error.what, "restore the file from a backup, or take that line out") from None
    return found


def standing(run: Run) -> dict[str, Corrected]:
    """What holds now, by question id.

    Raises:
        RunError: the file is damaged.
    """
    return standing_of(read(run))


def standing_of(said: Iterable[Correction]) -> dict[str, Corrected]:
    """What holds after these sayings, by question id."""
    found: dict[str, Corrected] = {}
    for one in said:
        found[one.question_id] = found.get(one.question_id, Corrected()).after(one)
    return found


def add(
    run: Run,
    question_id: str,
    *,
    label: PersonLabel | None = None,
    reference: str = "",
    note: str = "",
    by: str = "",
    withdraws: Withdrawn | None = None,
) -> Correction:
    """Adds a saying, which is on the disk when this returns; the run may be open for reading.

    Args:
        withdraws: what counts no more from now on, with a note at most: another label or reference replaces
            the one before by itself.

    Raises:
        RunError: it says nothing, is too long, withdraws what nobody said, or cannot be written; nothing is
            changed then.
    """
    texts = {name: clean(text).strip() for name, text in (("reference", reference), ("note", note))}
    said_by = " ".join(clean(by).split())
    for name, text, most in (*((n, t, LONGEST) for n, t in texts.items()), ("name", said_by, LONGEST_NAME)):
        if len(text) > most:
            raise RunError(
                f"the {name} has {len(text):,} characters, more than {most:,}: nothing was written",
                "shorten it",
            )
    if withdraws and (label or texts["reference"]):
        raise RunError(
            "a label or a reference is given, and one is withdrawn: nothing was written",
            "give the new one alone: it counts in place of the one before",
        )
    if texts["reference"] and not any(map(str.isalnum, texts["reference"])):
        raise RunError(
            "the reference has no letter and no digit: nothing was written", "give the answer as a sentence"
        )
    if label is None and withdraws is None and not any(texts.values()):
        raise RunError("nothing is said: no label, no reference and no note", "say one of them")
    with lock.waited(run.corrections_lock, run.path, _PATIENCE):
        jsonl.repair(run.corrections_file, run.path)
        before = read(run)
        number = before[-1].number + 1 if before else 1
        if len(before) >= MOST:
            raise RunError(f"{run.corrections_file} has {MOST:,} lines, the most", "start a new run")
        if withdraws:
            _require_said(withdraws, standing_of(before).get(question_id, Corrected()), question_id)
        said = Correction(
            number=number, question_id=question_id, label=label, by=said_by, withdraws=withdraws, **texts
        )
        jsonl.append(run.corrections_file, jsonl.encode_record(said), run.path)
    return said


def _require_said(what: Withdrawn, now: Corrected, question_id: str) -> None:
    if (now.label if what == "label" else now.reference) is None:
        raise RunError(
            f"nobody has given question {question_id} a {what} that counts: there is none to withdraw",
            "see what people said with selfstudy why",
        )


def forget(run: Run, gone: Callable[[Correction], bool]) -> int:
    """Takes sayings out, in one step; how many.

    Raises:
        RunError: the file is damaged, or cannot be written.
    """
    if not run.corrections_file.exists():
        return 0
    with lock.waited(run.corrections_lock, run.path, _PATIENCE):
        said = read(run)
        kept = [one for one in said if not gone(one)]
        if len(kept) < len(said):
            jsonl.replace_lines(run.corrections_file, map(jsonl.encode_record, kept), run.path)
    return len(said) - len(kept)
