"""The questions of TruthfulQA in each layout that they are published in, and of sets like it.

    the authors' .csv         Question, Best Answer, Correct Answers, Incorrect Answers; since 2025 Best
                              Incorrect Answer; lists have "; " between their parts
    the Hub's multiple_choice question, mc1_targets, mc2_targets: {choices: [...], labels: [1, 0, ...]}
    the Hub's generation      question, best_answer, correct_answers, incorrect_answers: lists

Labels are taken as they stand: they are not sorted, and only in MC1 is the true choice first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from selfstudy.files.rows import MalformedError, shown
from selfstudy.records import digest
from selfstudy.text import folded
from selfstudy.verify.suites import given

HINT = (
    "give the authors' TruthfulQA.csv (Question, Best Answer, Correct Answers, Incorrect Answers), rows with "
    "mc1_targets and mc2_targets, or rows like {question, best_answer, best_incorrect_answer, "
    "correct_answers: [...], incorrect_answers: [...]}"
)
_SEPARATOR = ";"
_NO_LETTERS = re.compile(r"[\s_]+")


@dataclass(frozen=True, slots=True)
class Choices:
    """Options, 1 beside the true ones, 0 beside the false ones; at least one of each."""

    texts: tuple[str, ...]
    labels: tuple[int, ...]

    def labelled(self, label: int) -> tuple[str, ...]:
        return tuple(one for one, own in zip(self.texts, self.labels, strict=True) if own == label)


@dataclass(frozen=True, slots=True)
class TruthfulQuestion:
    """A question with answers that are true and false.

    Attributes:
        best: the best answer.
        worst: the false one that stands beside it in the binary form; "": the data have none.
        mc1, mc2: the options of both forms; None: the data have none.
        true, false: references for answers.
    """

    question: str
    category: str
    best: str
    worst: str
    mc1: Choices | None
    mc2: Choices | None
    true: tuple[str, ...]
    false: tuple[str, ...]

    @property
    def item(self) -> str:
        """Tells it from all others."""
        return digest(folded(self.question))


def parse(row: dict[str, Any]) -> list[TruthfulQuestion]:
    """The question of one row.

    Raises:
        MalformedError: it has none, or not what makes one.
    """
    named = {_NO_LETTERS.sub("_", str(name).strip().lower()): value for name, value in row.items()}
    question = given.field(named, "question")
    category = given.field(named, "category", needed=False)
    if named.get("mc1_targets") is not None or named.get("mc2_targets") is not None:
        return [_of_targets(named, question, category)]
    true = given.texts(named, "correct_answers", _SEPARATOR)
    false = given.texts(named, "incorrect_answers", _SEPARATOR)
    best = given.field(named, "best_answer", needed=False) or next(iter(true), "")
    worst = given.field(named, "best_incorrect_answer", needed=False)
    true, false = _with(best, true), _with(worst, false)
    if not true or not false:
        raise MalformedError("it has no correct answer" if not true else "it has no incorrect answer")
    if both := set(true) & set(false):
        raise MalformedError(f"{shown(both.pop())} is both correct and incorrect")
    return [
        TruthfulQuestion(
            question, category, best, worst, _choices((best,), false), _choices(true, false), true, false
        )
    ]


def _of_targets(row: dict[str, Any], question: str, category: str) -> TruthfulQuestion:
    one, many = _targets(row, "mc1_targets"), _targets(row, "mc2_targets")
    if one is not None and sum(one.labels) != 1:
        raise MalformedError(f"mc1_targets has {sum(one.labels)} true choices, and should have one")
    references = many or one
    if references is None:  # one of them was given, or this would not be called
        raise MalformedError("it has neither mc1_targets nor mc2_targets")
    true, false = references.labelled(1), references.labelled(0)
    best = one.labelled(1)[0] if one is not None else true[0]
    return TruthfulQuestion(
        question,
        category,
        best,
        given.field(row, "best_incorrect_answer", needed=False),
        one,
        many,
        true,
        false,
    )


def _targets(row: dict[str, Any], name: str) -> Choices | None:
    value = row.get(name)
    if value is None:
        return None
    if not isinstance(value, dict):
        raise MalformedError(f"{name} must be {{choices, labels}}, found {shown(value)}")
    choices, labels = value.get("choices"), value.get("labels")
    if not isinstance(choices, list) or not isinstance(labels, list) or len(choices) != len(labels):
        raise MalformedError(f"{name} must have as many labels as choices")
    if any(label not in (0, 1) for label in labels):
        raise MalformedError(f"{name}: labels are 0 or 1, found {shown(labels)}")
    if set(labels) != {0, 1}:
        raise MalformedError(f"{name} has no {'true' if 1 not in labels else 'false'} choice")
    if len(choices) > _MOST:
        raise MalformedError(f"{name} has {len(choices):,} choices, more than {_MOST}")
    return Choices(tuple(given.field({name: one}, name) for one in choices), tuple(map(int, labels)))


_MOST = 1_000


def _choices(true: Sequence[str], false: Sequence[str]) -> Choices:
    return Choices((*true, *false), (1,) * len(true) + (0,) * len(false))


def _with(first: str, others: Sequence[str]) -> tuple[str, ...]:
    """The answers with a best one, first, unless it is among them but for case and a full stop."""
    plain = folded(first).rstrip(".")
    alike = [one for one in others if folded(one).rstrip(".") == plain]
    return tuple(others) if alike or not first else (first, *others)
