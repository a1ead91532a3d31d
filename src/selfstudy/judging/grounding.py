"""Was an answer read out of a page?  By words, names and numbers alone, so that it holds for any model.

A small reader that does not find the answer says something all the same: the question once more, something
out of the prompt's demonstrations, or what it believes.  None of that stands in the page.  What stands there
may still be the answer to another question: that is for other checks.  It knows nothing of what is true.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from selfstudy.judging.assertion import denials
from selfstudy.judging.cues import COMMON, NOT
from selfstudy.judging.enumeration import alternatives
from selfstudy.judging.forms import has_name, has_word, plain, plain_words, read
from selfstudy.judging.terms import Term, is_exact

MOST = 0.5
"""Share of what an answer adds, and of the names of a question, that the page must have at least."""
_YES_NO = frozenset({"yes", "no"})


@dataclass(frozen=True, slots=True)
class Gist:
    """What of an answer tells it from another to the same question.

    Attributes:
        reply: "yes" or "no" if the answer begins with it, else "".
        denied: words that deny or doubt; those that the question has too do not count.
        added: words that the answer adds to the question.
    """

    reply: str
    denied: frozenset[str]
    added: frozenset[str]

    def agrees(self, other: Gist) -> bool:
        """Whether what one adds is all or part of what the other adds, and both or neither deny it."""
        if (self.reply, self.denied) != (other.reply, other.denied):
            return False
        if not (self.added and other.added):
            return self.added == other.added
        return self.added <= other.added or other.added <= self.added


def gist(question: str, answer: str) -> Gist:
    """What `answer` says to `question`; "No" says all that "No, it is not" does."""
    reply, said = _replied(read(answer))
    added = frozenset(plain(term) for term in said) - _known(question, said) - _YES_NO
    denied = denials([term.word for term in said]) - denials([term.word for term in read(question)])
    if reply == "no" and added <= NOT:
        return Gist(reply, frozenset(), frozenset())
    return Gist(reply, frozenset(denied), added)


def ungrounded(question: str, answer: str, page: str) -> str | None:
    """Why `answer` cannot have been read out of `page` as the answer to `question`; None if it can.

    The page must have the question's names; the answer must say something that the question does not say, or
    choose of what it says; and all its names and numbers, and most of the other words that it adds, must
    stand in the page.  A "Yes" or "No" that adds nothing passes: whether it is right cannot be told by words.
    """
    if problem := off_topic(question, page):
        return problem
    where = plain_words(page)
    whole = read(answer)
    reply, said = _replied(whole)
    added = _added(question, said)
    if reply and all(plain(term) in NOT for term in added):
        return None
    if not added:
        return "the answer adds nothing to the question"
    for term in added:
        if _is_particular(term, whole) and not has_name(plain(term), where):
            return f"{term.raw!r} does not stand in the page"
    found = sum(has_word(plain(term), where) for term in added)
    return None if found >= MOST * len(added) else "the answer's words do not stand in the page"


def off_topic(question: str, page: str) -> str | None:
    """Why a page cannot answer a question, whatever is read there: it lacks most of its names; else None."""
    strange = _unknown(names(question), plain_words(page))
    return f"the page does not name {strange!r}" if strange else None


def is_about(question: str, statement: str) -> bool:
    """Whether a statement has every name and number of a question: it is about that, and nothing like it."""
    where = plain_words(statement)
    return all(has_name(plain(term), where) for name in names(question) for term in read(name))


def claims(question: str, answer: str) -> frozenset[str]:
    """The names and numbers that an answer adds to its question; without such, all words that it adds."""
    whole = read(answer)
    added = _added(question, _replied(whole)[1])
    return frozenset(map(plain, [term for term in added if _is_particular(term, whole)] or added))


def adds(question: str, answer: str) -> frozenset[str]:
    """The words that an answer adds to its question; "yes" and "no" are none."""
    return gist(question, answer).added


def names(statement: str) -> list[str]:
    """Capitalised words that begin no sentence, and numbers and signs, as they stand there."""
    found = read(statement)
    return [term.raw for term in found if _is_particular(term, found) and plain(term) not in COMMON]


def strangers(statement: str, page: str) -> list[str]:
    """Words of a statement that the page has in no form; common words are left out."""
    where = plain_words(page)
    return [
        word
        for word in dict.fromkeys(map(plain, read(statement)))
        if word not in COMMON and not has_word(word, where)
    ]


def _replied(said: Sequence[Term]) -> tuple[str, Sequence[Term]]:
    """The "yes" or "no" that an answer begins with, or "", and the terms behind it."""
    return (said[0].word, said[1:]) if said and said[0].word in _YES_NO else ("", said)


def _added(question: str, said: Sequence[Term]) -> list[Term]:
    """The terms that add something to the question, in order."""
    known = _known(question, said)
    return [term for term in said if plain(term) not in known]


def _known(question: str, said: Sequence[Term]) -> frozenset[str]:
    """Words that add nothing: the question's and common ones.  Of "in A or B?" the choice adds something."""
    sides = [frozenset(map(plain, side)) for side in alternatives(read(question))]
    own = [side.difference(*(other for other in sides if other is not side)) for side in sides]
    words = frozenset(map(plain, said))
    chosen = [side for side in own if side & words]
    known = plain_words(question)
    if len(chosen) < len(sides):
        known = known.difference(*chosen)
    return known | COMMON


def _unknown(some: Sequence[str], where: frozenset[str]) -> str | None:
    """The first name that is not in the page, if most are not."""
    missing = [name for name in some if not all(has_name(plain(term), where) for term in read(name))]
    return missing[0] if missing and len(some) - len(missing) < MOST * len(some) else None


def _is_particular(term: Term, among: Sequence[Term]) -> bool:
    """A name, number or sign; the capital that begins a sentence says nothing."""
    if is_exact(term.word):
        return True
    return term.raw[:1].isupper() and term is not among[0] and not term.opens
