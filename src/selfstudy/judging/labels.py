"""Which questions of a run the model knows: labels for calibration, from people, files or records.

It reads corrections, questions and checks of one round; it knows nothing of scores or of what the labels
are used for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfstudy.errors import DataError
from selfstudy.files.rows import read_rows, shown
from selfstudy.records import Check, Question
from selfstudy.run import corrections
from selfstudy.text import folded

if TYPE_CHECKING:
    from selfstudy.judging.answer_key import AnswerKey
    from selfstudy.run import Round

CANNOT_TELL = "cannot tell"
"""What a file says of a question where a person has looked and could not tell; it is no label."""
WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
PEOPLE = "people"
VERIFY = "the answers that verify checked"
"""The source of labels that are no random sample: see `find_labels`."""
SELECTED = (
    "the labels are no random sample: verify asks the gaps with an accepted reference, but of the known "
    "questions only those held out, so this AUROC is not that of all questions asked"
)
"""What is said wherever an AUROC from such labels is shown."""
HINT = (
    'a .jsonl with lines such as {"question": "What is the capital of Peru?", "known": true}, or a .csv with '
    "the columns question (or question_id) and known"
)


@dataclass(frozen=True)
class Labels:
    """Whether the model knows the answer, by question id.

    Attributes:
        known: only questions of the run.
        source: where the labels come from, for people.
        strangers: labels of questions that the run does not have.
        people: of the labels, those that people said of the run (`selfstudy correct`).
        cannot_tell: questions of which people, or a file, said that nobody can tell; they have no label.
    """

    known: dict[str, bool]
    source: str
    strangers: int = 0
    people: int = 0
    cannot_tell: int = 0

    @property
    def caveat(self) -> str | None:
        """What must be said beside figures made with these labels."""
        return SELECTED if self.source == VERIFY else None


def find_labels(round_: Round, key: AnswerKey | None, file: Path | None = None) -> Labels:
    """Labels of the questions of `round`.

    From `file` if it is given; else what people said of a question comes first (right: the model knows), and
    the others' labels are from the answer key, where it says what the model knows; else from what
    verify asked of the model before teaching, in the original wording: answered correctly = known.  Verify
    asks gaps with accepted references and held-out known questions only, so its labels are no random sample.

    Raises:
        DataError: the file cannot be used or has no question of the run, or there are no labels at all.
    """
    if file is not None:
        found = read_labels(file, round_.iter(Question))
        if not found.known:
            raise DataError(
                f"labels {file}: none is of a question of this run ({found.strangers:,} are of others)",
                f"give the file that belongs to {round_.run.path}; a question must be worded as it was asked",
            )
        return found
    people, untold = _of_people(round_)
    others = _from_key(round_, key) or _from_verify(round_)
    known = {name: value for name, value in others.known.items() if name not in untold} | people
    if not known:
        raise DataError(
            f"{round_.run.path} has no labels: no answer key says what is known, and verify has not asked",
            f"say it with selfstudy correct, or give a file with --labels: {HINT}",
        )
    source = others.source if others.known else PEOPLE
    return Labels(known, source, people=len(people), cannot_tell=len(untold))


def _of_people(round_: Round) -> tuple[dict[str, bool], set[str]]:
    """What people said the model knows of the round's questions; and those of which nobody can tell."""
    said = {name: one.label.label for name, one in corrections.standing(round_.run).items() if one.label}
    said = {name: label for name, label in said.items() if name in round_.ids(Question)} if said else {}
    known = {name: label == "right" for name, label in said.items() if label != "cannot tell"}
    return known, said.keys() - known.keys()


def _from_key(round_: Round, key: AnswerKey | None) -> Labels | None:
    if key is not None:
        truths = ((question.id, key.lookup(question.text)) for question in round_.iter(Question))
        known = {key: truth.known for key, truth in truths if truth is not None and truth.known is not None}
        if known:
            return Labels(known, "the answer key")
    return None


def _from_verify(round_: Round) -> Labels:
    asked = round_.ids(Question)
    checked = {
        check.question_id: check.correct
        for check in round_.iter(Check)
        if check.arm == "base" and check.wording == "original" and check.target != "reading"
        # not general facts, nor what an earlier round asked: they have no scores here
        if check.correct is not None and check.question_id in asked
    }
    return Labels(checked, VERIFY)


def read_labels(path: Path, questions: Iterable[Question]) -> Labels:
    """Labels from a .jsonl or .csv with question (or question_id) and known; case and spaces do not matter.

    `known` is true, false or "cannot tell", which is no label but may not stand beside one.

    Raises:
        DataError: with file and line, where it cannot be used or labels one question in two ways.
    """
    ids: dict[str, str] = {}
    for question in questions:
        ids[question.id] = ids[folded(question.text)] = question.id
    known: dict[str, bool | None] = {}
    strangers = 0
    for place, row in _rows(path):
        where = f"labels {path}, {place}"
        asked, value = _field(row, where), _truth(row.get("known"), where)
        key = ids.get(asked) or ids.get(folded(asked))
        if key is None:
            strangers += 1
        elif known.setdefault(key, value) != value:
            raise DataError(f"{where}: {asked!r:.200} was labelled otherwise above", "keep one of the lines")
    told = {name: value for name, value in known.items() if value is not None}
    return Labels(told, path.name, strangers, cannot_tell=len(known) - len(told))


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """("line 3", fields) of every line that is not empty."""
    if path.suffix.lower() not in (".jsonl", ".csv"):
        raise DataError(f"labels {path}: neither .jsonl nor .csv", HINT)
    try:
        for row in read_rows(path):
            if row.value is None:
                raise DataError(f"labels {path}, {row.place}: {row.problem}", HINT)
            yield row.place, row.value
    except DataError as error:
        if error.hint == HINT:
            raise
        raise DataError(f"labels {error.what}", HINT) from None


def _field(row: dict[str, Any], where: str) -> str:
    for name in ("question_id", "question"):
        value = row.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip()
    raise DataError(f"{where}: no question and no question_id", HINT)


def _truth(value: object, where: str) -> bool | None:
    """None: nobody can tell."""
    said = str(value).strip().lower()
    if said not in WORDS and said != CANNOT_TELL:
        raise DataError(f"{where}: known must be true or false, found {shown(value)}", HINT)
    return WORDS.get(said)
