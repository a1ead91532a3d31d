"""The short answer in a sentence: "The population of Perth is about 2.4 million." says "2.4 million".

It is what the sentence adds to its question: the name or number, with the words that belong to it; without
such, the other words that are new.  Where these are several things, or several sentences, nobody can tell
which is the answer, and there is none; nor is there where few words would say something else than the
sentence: it denies or doubts, begins with "yes" or "no", compares, or bounds a number ("before 1800").
English, by form alone; it knows nothing of what is true.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from selfstudy.judging.cues import ABBREVIATIONS, BOUNDS, COMMON, COMPARATIVES, COUNTS, MONTHS
from selfstudy.judging.forms import has_word, plain, plain_words
from selfstudy.judging.grounding import claims, gist
from selfstudy.judging.terms import Term, terms
from selfstudy.text import sentences

_JOINS = frozenset({"and", "or", "of", "the", "de", "to"})
"""Words that may stand within one answer: "Argentina, Bolivia and Peru", "University of Oxford"."""
_LISTS = frozenset({"and", "or"})
_MAGNITUDES = frozenset({"hundred", "thousand", "million", "billion", "trillion"})
_NO_PART = frozenset({"because", "about", "approximately"})
"""Words that an answer may begin with and is the same without."""
_EMPTY = COMMON | COMPARATIVES
"""Words that are no answer alone."""
_INITIAL = re.compile(r"[A-Z](?:\.[A-Z])*")
_CLAUSE_ENDS = ".,;:!?\n•"
_UNIT = 3
"""Most words behind a number that count as its unit, if the clause ends with them: "19 degrees north"."""


def short_answer(question: str, answer: str) -> str:
    """What `answer` says to `question` in few words, as it stands there; "" if that cannot be told."""
    said = terms(answer)
    asked = plain_words(question)
    at = _new(question, asked, answer, said) if _is_plain(question, answer) else []
    if not at or not all(_joined(said, one, other) for one, other in pairwise(at)):
        return ""
    start, end = _to_the_left(said, at[0]), _to_the_right(said, at[-1] + 1)
    if _is_bounded(said, start, end, asked) or _is_rest(said, start, end, asked):
        return ""
    first, *rest = said[start:end]
    return first.raw + "".join(_written(term) for term in rest)


def _is_plain(question: str, answer: str) -> bool:
    """Whether it is one sentence that states something."""
    said = gist(question, answer)
    return len(sentences(answer)) == 1 and not said.reply and not said.denied


def _new(question: str, asked: frozenset[str], answer: str, said: Sequence[Term]) -> list[int]:
    """Where the words stand that the answer adds; nowhere if they are no answer."""
    wanted = claims(question, answer) - _NO_PART
    at = [
        i
        for i, term in enumerate(said)
        if plain(term) in wanted and not (term.raw[:1].islower() and has_word(plain(term), asked))
    ]
    at = [i for i in at if plain(said[i]) not in asked] or at  # of "in Lima or Quito?" one may be the answer
    return [] if all(plain(said[i]) in _EMPTY for i in at) else at


def _is_bounded(said: Sequence[Term], start: int, end: int, asked: frozenset[str]) -> bool:
    """Whether the number said[start:end] is only a bound, which the question does not name."""
    if not any(_is_number(term) or term.word in COUNTS for term in said[start:end]):
        return False
    before = [term.word for term in said[:start] if term.word not in _NO_PART]
    bounds = before[-1:] if before[-1:] != ["to"] else before[-2:-1]
    return any((word in BOUNDS or word == "up") and word not in asked for word in bounds)


def _is_rest(said: Sequence[Term], start: int, end: int, asked: frozenset[str]) -> bool:
    """Whether said[start:end] ends a list whose other items are left out: "iron, nickel and 5% carbon"."""
    before = said[:start]
    if before and before[-1].word in _LISTS:
        before = before[:-1]
    elif not (any(map(_is_number, said[start:end])) and said[start].gap.startswith(",")):
        return False
    return bool(before) and plain(before[-1]) not in asked | COMMON


def _joined(said: Sequence[Term], one: int, other: int) -> bool:
    """Whether two terms are of one answer: nothing is between them but what joins."""
    return all(term.word in _JOINS or term.raw in MONTHS or _is_glued(term) for term in said[one + 1 : other])


def _to_the_left(said: Sequence[Term], start: int) -> int:
    """Before the rest of a name, and the month of a date: "May" alone is a common word."""
    while start > 0 and (
        _is_glued(said[start])
        or _are_one_name(said[start - 1], said[start])
        or (_is_number(said[start]) and said[start - 1].raw in MONTHS)
    ):
        start -= 1
    return start


def _to_the_right(said: Sequence[Term], end: int) -> int:
    """Behind the rest of a name, of a number, and its unit."""
    while end < len(said) and (
        _is_glued(said[end])
        or _are_one_name(said[end - 1], said[end])
        or (said[end].gap == " " and said[end].word in _MAGNITUDES)
    ):
        end += 1
    stop = end
    while stop < len(said) and said[stop].gap == " " and said[stop].word not in COMMON:
        stop += 1
    ends = stop == len(said) or any(mark in said[stop].gap for mark in _CLAUSE_ENDS)
    return stop if _is_number(said[end - 1]) and ends and stop - end <= _UNIT else end


def _is_glued(term: Term) -> bool:
    """Whether no space is before it: Africa/Douala, 1914-1918."""
    return bool(term.gap) and not any(char.isspace() for char in term.gap)


def _is_number(term: Term) -> bool:
    return any(char.isdigit() for char in term.raw) or term.word in _MAGNITUDES


def _are_one_name(one: Term, other: Term) -> bool:
    """Whether capitals stand together; "F." and "St." end no name."""
    short = one.word in ABBREVIATIONS or _INITIAL.fullmatch(one.raw)
    together = other.gap == " " or (other.gap == ". " and short)
    return bool(together) and not other.article and one.raw[:1].isupper() and other.raw[:1].isupper()


def _written(term: Term) -> str:
    return f"{term.gap}{term.article} {term.raw}" if term.article else f"{term.gap}{term.raw}"
