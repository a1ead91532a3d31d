"""Pages in which the answer is another one, so that only who reads them gets it right.

A model that was taught the answer, or knew it, could ignore a true page and still be right.  Pure functions
over strings; it knows nothing of records, models or stages.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from selfstudy import text
from selfstudy.judging.correctness import Expected


class Changed(NamedTuple):
    """A page, and what it answers now."""

    page: str
    answer: str


def swapped(
    questions: Sequence[str], expected: Sequence[Expected], pages: Sequence[str]
) -> list[Changed | None]:
    """The changed page of each question, in order; None where nothing can be swapped.

    The answer is the first accepted text that stands in the page, else the longest run of words that the
    reference adds to the question.  Every place of it gets the answer of another question, of one whose
    reference is worded alike if there is one, that is not in this page.
    """
    answers = [_answer(q, e, p) for q, e, p in zip(questions, expected, pages, strict=True)]
    told = [(i, answer) for i, answer in enumerate(answers) if answer is not None]
    told.sort(key=lambda one: _shape(expected[one[0]].statement))
    found: list[Changed | None] = [None] * len(questions)
    for place, (i, own) in enumerate(told):
        others = (answer for _, answer in (*told[place + 1 :], *told[:place]))
        other = next((a for a in others if not text.contains(f"{pages[i]} {questions[i]}", a)), None)
        if other is not None:
            found[i] = Changed(_whole(own).sub(other.replace("\\", r"\\"), pages[i]), other)
    return found


def _answer(question: str, expected: Expected, page: str) -> str | None:
    """What in `page` answers the question, as it stands there; None if it cannot be told."""
    for candidate in expected.answers or _added(question, expected.statement):
        found = _whole(candidate).search(page)
        if found and text.tokens(candidate) and not text.contains(question, candidate):
            return found[0]
    return None


def _shape(statement: str) -> str:
    """A sentence without its names and numbers: "The capital of Fiji is Suva." -> "capital of is"."""
    return " ".join(word for word in statement.split() if word.isalpha() and word.islower())


def _added(question: str, statement: str) -> list[str]:
    """Runs of words of the statement that are not in the question, the longest first."""
    asked = set(text.tokens(question))
    runs, at = [], None
    for word in re.finditer(r"\S+", statement):
        new = any(token not in asked for token in text.tokens(word[0]))
        if new and at is None:
            at = word.start()
        elif not new and at is not None:
            runs.append(statement[at : word.start()])
            at = None
    if at is not None:
        runs.append(statement[at:])
    return sorted((run.strip(" .,;:!?") for run in runs), key=len, reverse=True)


def _whole(words: str) -> re.Pattern[str]:
    """Places of `words` that are not part of longer words or numbers: 5 is not in 5.5 or 1,005."""
    return re.compile(rf"(?<!\w)(?<!\d[.,]){re.escape(words)}(?!\w|[.,]\d)")
