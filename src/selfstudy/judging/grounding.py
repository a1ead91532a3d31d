"""Was an answer read out of a page?  By words, names and numbers alone, so that it holds for any model.

A small reader that does not find the answer says something all the same: the question once more, something
out of the prompt's demonstrations, or what it believes.  None of that stands in the page.  What stands there
may still be the answer to another question: that is for other checks.  It knows nothing of what is true.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from selfstudy.judging.cues import COMMON
from selfstudy.judging.terms import Term, is_exact, terms

MOST = 0.5
"""Share of what an answer adds, and of the names of a question, that the page must have at least."""
_YES_NO = frozenset({"yes", "no"})
_PREFIX = 4
"""Letters that words of one stem share at least: "form" and "forms", "calling" and "call"."""


def ungrounded(question: str, answer: str, page: str) -> str | None:
    """Why `answer` cannot have been read out of `page` as the answer to `question`; None if it can.

    The page must have the question's names; the answer must say something that the question does not say; and
    all its names and numbers, and most of the other words that it adds, must stand in the page.  A bare
    "Yes" or "No" adds nothing, and passes: whether it is right cannot be told by words.
    """
    where = _words(page)
    if strange := _unknown(names(question), where):
        return f"the page does not name {strange!r}"
    asked = _words(question)
    said = terms(answer)
    if said and said[0].word in _YES_NO:
        said = said[1:]
        if not said:
            return None
    added = [term for term in said if _plain(term) not in asked and _plain(term) not in COMMON]
    if not added:
        return "the answer adds nothing to the question"
    for term in added:
        if _is_particular(term, said) and _plain(term) not in where:
            return f"{term.raw!r} does not stand in the page"
    found = sum(has_word(_plain(term), where) for term in added)
    return None if found >= MOST * len(added) else "the answer's words do not stand in the page"


def adds(question: str, answer: str) -> frozenset[str]:
    """The words that an answer adds to its question; "yes" and "no" are none."""
    known = _words(question) | COMMON | _YES_NO
    return frozenset(word for word in map(_plain, terms(answer)) if word not in known)


def names(statement: str) -> list[str]:
    """Capitalised words that begin no sentence, and numbers and signs, as they stand there."""
    found = terms(statement)
    return [term.raw for term in found if _is_particular(term, found) and _plain(term) not in COMMON]


def strangers(statement: str, page: str) -> list[str]:
    """Words of a statement that the page has in no form; common words are left out."""
    where = _words(page)
    plain = dict.fromkeys(map(_plain, terms(statement)))
    return [word for word in plain if word not in COMMON and not has_word(word, where)]


def has_word(word: str, among: frozenset[str]) -> bool:
    """Whether a word or another form of it is among some: alike but for the last letters, three at most."""
    if word in among:
        return True
    if is_exact(word) or len(word) < _PREFIX:
        return False
    return any(
        other[:_PREFIX] == word[:_PREFIX]
        and (shared := _shared(word, other)) >= len(word) - 3
        and shared >= len(other) - 3
        for other in among
        if not is_exact(other)
    )


def _unknown(some: Sequence[str], where: frozenset[str]) -> str | None:
    """The first name that is not in the page, if most are not."""
    missing = [name for name in some if not {_plain(term) for term in terms(name)} <= where]
    return missing[0] if missing and len(some) - len(missing) < MOST * len(some) else None


def _is_particular(term: Term, among: Sequence[Term]) -> bool:
    """A name, number or sign; the capital that begins a sentence says nothing."""
    if is_exact(term.word):
        return True
    return term.raw[:1].isupper() and term is not among[0] and not term.opens


def _plain(term: Term) -> str:
    """A word without its possessive ending."""
    return term.word[:-1] if term.raw.endswith(("'s", "’s")) else term.word


def _shared(one: str, other: str) -> int:
    """Letters that two words begin with alike."""
    for i, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return i
    return min(len(one), len(other))


@lru_cache(maxsize=64)
def _words(text: str) -> frozenset[str]:
    return frozenset(map(_plain, terms(text)))
