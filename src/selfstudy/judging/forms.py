"""Words of a text whatever their form, to look them up in another text.

Two texts of one thing spell it in two ways.  Here 34 049 588 is 34,049,588, two is 2, 1776-07-04 is 4 July
1776, García is Garcia, Peru's is Peru, and "rises" is a form of "rise".  Too lenient to decide what is right:
for that are `terms`.  It knows nothing of questions and answers.
"""

from __future__ import annotations

import re
from functools import lru_cache

from selfstudy.judging.cues import COUNTS, MONTHS
from selfstudy.judging.terms import Term, is_exact, terms
from selfstudy.text import unaccented

_PREFIX = 4
"""Letters that words of one stem share at least: "form" and "forms", "calling" and "call"."""
_ENDINGS = ("es", "en", "er")
"""A name may have one of them more, or its last letter another: "Peru", "Perus", "Land", "Landes"."""
_GROUPS = re.compile(
    "(?<![0-9.,])[0-9]{1,3}(?:(?:[ \u00a0\u2009\u202f][0-9]{3})+|(?:\\.[0-9]{3}){2,})(?!\\.?[0-9])"
)
"""Thousands set apart by spaces, or more than once by points; one point may be a decimal point."""
_GROUP_END = re.compile("[^0-9]")
_ISO_DATE = re.compile("(?<![\\w-])([0-9]{4})-(0[1-9]|1[0-2])-([0-3][0-9])(?![\\w-])")


def read(text: str) -> list[Term]:
    """The terms of `text`; the digits of a number are one term, and dates are written out."""
    return terms(_ISO_DATE.sub(_date, _GROUPS.sub(lambda found: _GROUP_END.sub("", found[0]), text)))


def plain(term: Term) -> str:
    """A term's word without possessive ending and accents; a number in digits, without zeros before it."""
    word = unaccented(term.unpossessed)
    word = COUNTS.get(word, word)
    return (word.lstrip("0") or "0") if word.isdecimal() else word


@lru_cache(maxsize=64)
def plain_words(text: str) -> frozenset[str]:
    """The words of `text`, read in both ways where digits, or parts of a date, stand together."""
    return frozenset(map(plain, [*read(text), *terms(text)]))


def has_word(word: str, among: frozenset[str], last: int = 3) -> bool:
    """Whether a word or another form of it is among some: alike but for the last letters, `last` at most."""
    if word in among:
        return True
    if is_exact(word) or len(word) < _PREFIX:
        return False
    return any(
        other[:_PREFIX] == word[:_PREFIX]
        and (shared := _shared(word, other)) >= len(word) - last
        and shared >= len(other) - last
        for other in among
        if not is_exact(other)
    )


def has_name(word: str, among: frozenset[str]) -> bool:
    """Whether a name is among some, or a declined form of it: Niger is not Nigeria."""
    if has_word(word, among, last=1):
        return True
    if is_exact(word) or len(word) < _PREFIX:
        return False
    stems = (word.removesuffix(ending) for ending in _ENDINGS)
    return any(word + ending in among for ending in _ENDINGS) or any(
        stem in among for stem in stems if len(stem) >= _PREFIX
    )


def _date(match: re.Match[str]) -> str:
    return f"{match[3]} {MONTHS[int(match[2]) - 1]} {match[1]}"


def _shared(one: str, other: str) -> int:
    """Letters that two words begin with alike."""
    for i, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return i
    return min(len(one), len(other))
