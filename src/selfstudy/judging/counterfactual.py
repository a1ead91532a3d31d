"""Pages in which the answer is another one, so that only who reads them gets it right.

A model that was taught the answer, or knew it, could ignore a true page and still be right.  So verify asks
for reading from such pages, and teach rehearses it on others.  Pure functions over strings; it knows nothing
of records, models or stages.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

from selfstudy import text
from selfstudy.judging.correctness import Expected

_NEAREST = 100
"""Answers of questions that are worded alike, tried first."""
_TRIED, _LONGEST = 100, 1_000
"""Candidates for an answer, and characters of one: what can be swapped is short."""


class Changed(NamedTuple):
    """A page, what it answers now, and the reference with that answer; empty if the old one is not in it."""

    page: str
    answer: str
    statement: str


def swapped(
    questions: Sequence[str], expected: Sequence[Expected], pages: Sequence[str]
) -> list[Changed | None]:
    """The changed page of each question, in order; None where nothing can be swapped.

    The answer is the first accepted text that stands in the page, else the longest run of words that the
    reference adds to the question.  Every place of it gets the answer of another question, of one whose
    reference is worded alike if there is one, that is not in this page.

    Linear in the number of questions: after the next _NEAREST answers, only _TRIED distinct ones are tried.
    """
    answers = [_answer(q, e, p) for q, e, p in zip(questions, expected, pages, strict=True)]
    told = [(i, answer) for i, answer in enumerate(answers) if answer is not None]
    told.sort(key=lambda one: _shape(expected[one[0]].statement))
    forms = [text.normalise(answer) for _, answer in told]
    distinct = list({form: place for place, form in reversed(list(enumerate(forms)))}.values())[::-1]
    found: list[Changed | None] = [None] * len(questions)
    for place, (i, own) in enumerate(told):
        there = f" {text.normalise(f'{pages[i]} {questions[i]}')} "
        nearest = ((place + step) % len(told) for step in range(1, min(_NEAREST, len(told))))
        for at in chain(nearest, distinct[:_TRIED]):
            if f" {forms[at]} " not in there:
                other = told[at][1]
                other_form = other.replace("\\", r"\\")
                statement, places = _whole(own).subn(other_form, expected[i].statement)
                found[i] = Changed(_whole(own).sub(other_form, pages[i]), other, statement if places else "")
                break
    return found


def _answer(question: str, expected: Expected, page: str) -> str | None:
    """What in `page` answers the question, as it stands there; None if it cannot be told.

    It is looked for among the first _TRIED candidates, and of _LONGEST characters at most.
    """
    asked = f" {text.normalise(question)} "
    for candidate in (expected.answers or _added(question, expected.statement))[:_TRIED]:
        form = text.normalise(candidate) if len(candidate) <= _LONGEST and candidate in page else ""
        if form and f" {form} " not in asked and _whole(candidate).search(page):
            return candidate
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
