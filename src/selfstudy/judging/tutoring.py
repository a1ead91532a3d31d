"""Does a tutor ask, or does it tell?  What can be seen in a dialogue by rule.

A dialogue is a chat: the student is the user, the tutor the assistant.  A turn *asks* when one of its
sentences is a question that is more than a courtesy.  It *leaks* when it states the answer, its number or the
letter of the right option before the student did.  What a judge says of the same turns stands beside it
(METHODS-MORE C); whether a turn is good teaching no rule can tell.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from selfstudy.judging.terms import Term, places, terms
from selfstudy.records import Chat
from selfstudy.text import ends_as_question, sentences, tokens

COURTESIES = frozenset(
    {
        *("right", "okay", "ok", "yes", "no", "agreed", "clear", "got it", "ready", "really", "alright"),
        *("does that make sense", "does this make sense", "make sense", "is that clear", "is this clear"),
        *("do you understand", "do you see", "see", "isnt it", "is that okay", "is that ok", "sound good"),
        *("do you have any questions", "do you have any other questions", "any questions", "anything else"),
        *("does that help", "is there anything else", "do you follow", "are you following", "you see"),
    }
)
"""Questions, as `text.tokens` has them, that ask for nothing to be worked out; "..., right?" is one too."""
_TAG = re.compile(r"(?:^|[,;–—-]\s*)(?:right|ok(?:ay)?|yes|no|isn'?t it|correct)\s*\?\W*$", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?[$€£₹]?\s?\d[\d,]*(?:\.\d+)?(?:/\d+)?%?")
_UNIT = re.compile(r"(?<!\w)[$€£₹](?=\d)|(?<=\d)[%$€£₹](?!\w)")
_PART = r"(?<!part )(?<!step )(?<!case )(?<!item )(?<!point )(?<!question )(?<!equation )(?<!figure )"
_STATED = r"(?:answer|solution|result|option|choice)\b[^.!?]{0,40}?"

Leak = Literal["answer", "value", "option"]


@dataclass(frozen=True, slots=True)
class Solution:
    """What the student is to find: an answer in words, its option's letter ("": no options), the problem."""

    answer: str
    option: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class TutorTurn:
    """One turn of the tutor: its number from 0, whether it asks, and what it gives away (None: nothing)."""

    number: int
    asks: bool
    leaks: Leak | None


def asks(turn: str) -> bool:
    """Whether a sentence of the turn is a question that asks for more than assent."""
    return any(
        ends_as_question(one) and " ".join(tokens(one)) not in COURTESIES and not _TAG.search(one)
        for one in sentences(turn)
    )


def leaks(turn: str, solution: Solution, said: Sequence[str] = ()) -> Leak | None:
    """What of the solution the turn gives away; what stands in the problem, or the student `said`, is known.

    A value that the problem names too ("5 rows ... 5 bricks") counts only where the turn calls it the answer.
    """
    known = [solution.problem, *said]
    if _states(turn, solution.answer) and not any(_states(one, solution.answer) for one in known):
        return "answer"
    number = _NUMBER.match(solution.answer.strip())
    if number and _has(turn, number[0]) and not any(_has(one, number[0]) for one in said):
        if not _has(solution.problem, number[0]):
            return "value"
        called = re.search(_STATED + re.escape(number[0]) + r"(?![\d.,/]*\d)", turn, re.IGNORECASE)
        if called:
            return "answer"
    if (
        solution.option
        and names_option(turn, solution.option)
        and not any(names_option(one, solution.option) for one in said)
    ):
        return "option"
    return None


def turns(dialogue: Chat, solution: Solution) -> list[TutorTurn]:
    """Every turn of the tutor, by rule."""
    found: list[TutorTurn] = []
    said: list[str] = []
    for message in dialogue:
        if message.role == "user":
            said.append(message.content)
        elif message.role == "assistant":
            text = message.content
            found.append(TutorTurn(len(found), asks(text), leaks(text, solution, said)))
    return found


def _states(text: str, words: str) -> bool:
    return bool(places(terms(text), terms(words)))


def _has(text: str, number: str) -> bool:
    """Whether a number stands in a text, in whatever unit: $1,365 is 1365, and 5% is 5."""
    return bool(places(_bare(text), _bare(number)))


def _bare(text: str) -> list[Term]:
    return [term._replace(word=_UNIT.sub("", term.word)) for term in terms(text)]


def names_option(text: str, letter: str) -> bool:
    """Whether a text names the option: "option C", "the answer is (c)", "C)" alone."""
    one = re.escape(letter)
    named = rf"(?:option|choice|letter)\s*\(?{one}\b"
    stated = rf"(?:answer|solution)\s*(?:is|:|would be)?\s*\(?{one}\b(?!\s+\w)"
    return bool(re.search(rf"{named}|{stated}|{_PART}\({one}\)", text, re.IGNORECASE))
