"""The short answer in a sentence: "The population of Perth is about 2.4 million." says "2.4 million".

It is what the sentence adds to its question: the name or number, with the words that belong to it; without
such, the other words that are new.  Where these are several things, or several sentences, nobody can tell
which is the answer, and there is none.  English, by form alone; it knows nothing of what is true.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from selfstudy.judging.cues import COMMON
from selfstudy.judging.forms import has_word, plain, plain_words
from selfstudy.judging.grounding import claims
from selfstudy.judging.terms import Term, terms
from selfstudy.text import sentences

_JOINS = frozenset({"and", "or", "of", "the", "de", "to"})
"""Words that may stand within one answer: "Argentina, Bolivia and Peru", "University of Oxford"."""
_MAGNITUDES = frozenset({"hundred", "thousand", "million", "billion", "trillion"})
_NO_PART = frozenset({"because", "about", "approximately"})
"""Words that an answer may begin with and is the same without."""
_CLAUSE_ENDS = ".,;:!?\n•"
_UNIT = 3
"""Most words behind a number that count as its unit, if the clause ends with them: "19 degrees north"."""


def short_answer(question: str, answer: str) -> str:
    """What `answer` says to `question` in few words, as it stands there; "" if that cannot be told."""
    if len(sentences(answer)) != 1:
        return ""
    said = terms(answer)
    asked, wanted = plain_words(question), claims(question, answer) - _NO_PART
    at = [
        i
        for i, term in enumerate(said)
        if plain(term) in wanted and not (term.raw[:1].islower() and has_word(plain(term), asked))
    ]
    at = [i for i in at if plain(said[i]) not in asked] or at  # of "in Lima or Quito?" one may be the answer
    if not at or not all(_joined(said, one, other) for one, other in pairwise(at)):
        return ""
    start, end = _to_the_left(said, at[0]), _to_the_right(said, at[-1] + 1)
    first, *rest = said[start:end]
    return first.raw + "".join(_written(term) for term in rest)


def _joined(said: Sequence[Term], one: int, other: int) -> bool:
    """Whether two terms are of one answer: nothing is between them but what joins."""
    return all(term.word in _JOINS or _is_glued(term) for term in said[one + 1 : other])


def _to_the_left(said: Sequence[Term], start: int) -> int:
    while start > 0 and (_is_glued(said[start]) or _are_one_name(said[start - 1], said[start])):
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
    numeric = any(char.isdigit() for char in said[end - 1].raw) or said[end - 1].word in _MAGNITUDES
    return stop if numeric and ends and stop - end <= _UNIT else end


def _is_glued(term: Term) -> bool:
    """Whether no space is before it: Africa/Douala, 1914-1918."""
    return bool(term.gap) and not any(char.isspace() for char in term.gap)


def _are_one_name(one: Term, other: Term) -> bool:
    return other.gap == " " and not other.article and one.raw[:1].isupper() and other.raw[:1].isupper()


def _written(term: Term) -> str:
    return f"{term.gap}{term.article} {term.raw}" if term.article else f"{term.gap}{term.raw}"
