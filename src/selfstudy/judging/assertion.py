"""Does a text assert what stands in it?  Not where it denies it, leaves it open, or asks.

One pass over the terms marks what lies in the scope of a cue word; a place is then judged by a look at its
neighbours.  The cues are English (cues.py).  What the rules see:

- *denied or left open before it*: a cue ("not", "never", "maybe", "I don't know whether") reaches to the end
  of its sentence, but not past "but", a semicolon, a colon or a dash, nor past a comma or "and" behind which
  a verb begins another clause ("It is not Paris, it is Rome").  "instead of", "except", "if" and their like
  reach no further than the next comma or verb.  "not sure" and its like leave all of the sentence open;
- *denied or left open behind it*: "Rome is not it", "Rome might be", "Rome, maybe.", "Rome. I am not sure.";
- *over*: "Rome lost that role"; "Rome was it until 1900", where the question asks how things are;
- *asked*: the sentence ends in a question mark.

Words of cues that are `granted` (the question has them too, or the reference compared with) do not count.
What the rules do not see: irony, who is quoted (but for "some say" and its like), two sentences that
contradict each other, and cues of other languages.  Where two readings are possible, the text does not
assert.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from selfstudy.judging.cues import (
    ABBREVIATIONS,
    ASKED,
    ASKING,
    CLOSES,
    CUE_PHRASES,
    DENIALS,
    DOUBTS,
    JOINS,
    LATE,
    LATE_DOUBTS,
    LOST,
    NARROW,
    NO_CUES,
    NOT,
    NOW,
    OPEN,
    PASSED,
    PAST,
    ROLES,
    THEN,
    TO_COMMA,
    TO_THIS_DAY,
    UNSURE,
    UNTIL,
    VERBS,
    WRONG,
    phrase_at,
)
from selfstudy.judging.terms import Term, parsed

_NOT_BEHIND = NARROW | TO_COMMA
"""Cues that say nothing of what stands before them."""
_FAR = 8
"""Words behind a place among which a lost role is looked for."""


def denials(words: Sequence[str]) -> set[str]:
    """The words among `words` (see `judging.terms`) that deny or doubt; all forms of "not" are one."""
    return {"not" if word in NOT else word for word in words if word in DENIALS or word in DOUBTS}


class Reading:
    """A text and what it asserts; made in one pass."""

    def __init__(self, text: str, granted: Collection[str] = ()) -> None:
        """`granted`: words whose cues do not count (see `terms.words`)."""
        self.terms, rest = parsed(text)
        self._words = [term.word for term in self.terms]
        self._granted = set(granted) | (NOT if NOT & set(granted) else set())
        self._asked = _asked(self.terms, rest)
        self._blocked, self._armed = self._scopes()
        self._clause_end, self._until = self._ahead()

    def asserts(self, start: int, end: int) -> bool:
        """Whether the text says that terms[start:end] is so."""
        if self._asked[start] or self._denied_behind(end) or self._is_over(start, end):
            return False
        if not self._blocked[start]:
            return True
        # "It is not Paris, Rome is the capital."
        return self._armed[start] == start and self._follows(end, VERBS)

    def _ahead(self) -> tuple[list[int], list[int]]:
        """For each term, and behind the last one: where its clause ends, where the next "until" stands."""
        count = len(self.terms)
        ends, until = [count] * (count + 1), [count] * (count + 1)
        for i in range(count - 1, -1, -1):
            ends[i] = i if self.terms[i].gap.strip(" -") else ends[i + 1]
            until[i] = i if self._words[i] in UNTIL else until[i + 1]
        return ends, until

    def _scopes(self) -> tuple[list[bool], list[int]]:
        """For each term whether a cue reaches it, and where a clause began that may end that (or -1)."""
        blocked, armed_at = [], []
        open_, word, narrow, unsure, armed, skip = False, "", False, False, -1, 0
        for i, term in enumerate(self.terms):
            if _ends_sentence(self.terms, i):
                open_, unsure, armed = False, False, -1
            elif any(mark in term.gap for mark in (";—" if word in OPEN else ";:—")) or (
                term.gap.strip(" ") == "-" and not term.glued
            ):
                open_, armed = False, -1
            elif "," in term.gap:
                armed = i
                open_ = open_ and not (narrow or word in TO_COMMA)
            if term.word in JOINS:
                armed = i
            if skip:
                skip -= 1
                blocked.append(open_ or unsure)
                armed_at.append(armed)
                continue
            if open_ and (
                term.word in CLOSES
                or (term.word in VERBS and (narrow or (armed >= 0 and self._words[armed] != "that")))
            ):
                open_ = False
            blocked.append(open_ or unsure)
            armed_at.append(armed)
            length, is_cue = self._cue(i)
            skip = max(length - 1, 0)
            if is_cue:
                open_, word, narrow, armed = True, term.word, term.word in NARROW, -1
                unsure = unsure or phrase_at(self._words, i, UNSURE) > 0
        return blocked, armed_at

    def _cue(self, i: int) -> tuple[int, bool]:
        """How many terms from i on belong together, and whether they are a cue."""
        word = self._words[i]
        if skipped := phrase_at(self._words, i, NO_CUES):
            return skipped, False
        if word in self._granted:
            return 0, False
        if word == "no" and (size := self._only(i)):
            return size, False
        if word == "no":  # "No, it is Rome."
            after = self.terms[i + 1].gap if i + 1 < len(self.terms) else "."
            return 0, not after.strip()
        if word in DENIALS or word in DOUBTS:
            return 0, True
        if word == "may" and self.terms[i].raw == "May":
            return 0, False
        length = phrase_at(self._words, i, CUE_PHRASES)
        return length, length > 0

    def _only(self, i: int) -> int:
        """How many terms from a "no" on mean "only": "no other town than", "no town other than"."""
        last = i
        while last + 1 < min(i + 6, len(self.terms)) and not self.terms[last + 1].gap.strip():
            last += 1
            if self._words[last] == "than":
                return last - i + 1 if "other" in self._words[i:last] else 0
        return 0

    def _is_over(self, start: int, end: int) -> bool:
        """Rome lost that role; Rome was the capital until 1900; it was Rome until 1900."""
        last = self._clause_end[end]
        behind = self._words[end : min(last, end + _FAR)]
        lost = next((i for i, word in enumerate(behind[:3]) if word in LOST), -1)
        if lost >= 0 and behind[lost] not in self._granted and set(behind[lost + 1 : lost + 5]) & ROLES:
            return True
        if not self._granted & NOW or self._granted & (THEN | UNTIL):
            return False  # not a question of today
        near = {*self._words[max(start - 2, 0) : start], *behind[:2]}
        after = self._words[self._until[end] + 1 : min(last, self._until[end] + 3)]
        return bool(near & {"was", "were"}) and bool(after) and not TO_THIS_DAY & set(after)

    def _follows(self, at: int, among: Collection[str]) -> bool:
        """Whether one of these words stands at `at`, with nothing but a space before it."""
        return at < len(self.terms) and self._words[at] in among and not self.terms[at].gap.strip()

    def _denied_behind(self, end: int) -> bool:
        """Rome is not ...; Rome might be ...; Rome, maybe."""
        at = end
        while at < min(end + 4, len(self.terms)) and not self.terms[at].gap.strip():
            skipped, cue = self._cue(at)
            if cue and (self._words[at] in PAST or self._words[at] not in _NOT_BEHIND):
                return at > end or self._words[at] not in (
                    "no",
                    "neither",
                    "nor",
                    "unlikely",
                    "whether",
                    "either",
                )
            if skipped or cue or self._words[at] not in VERBS | PASSED:
                break
            at += 1
        return self._doubted_behind(end)

    def _doubted_behind(self, end: int) -> bool:
        """A doubt that stands last: "Rome, maybe.", "Rome, but I am not sure.", "Rome. I don't know."."""
        at = end
        while at < min(end + 4, len(self.terms)) and self._words[at] in LATE:
            at += 1
        if at >= len(self.terms) or self._words[at] in self._granted:
            return False
        if self._words[at] in LATE_DOUBTS:
            size = 1
        else:
            size = phrase_at(self._words, at, UNSURE) or phrase_at(self._words, at, WRONG)
        last = at + size
        return size > 0 and (
            last >= len(self.terms)
            or bool(self.terms[last].gap.strip())
            or (self._words[last] in ("though", "about") and last + 2 >= len(self.terms))
        )


def _ends_sentence(some: Sequence[Term], i: int) -> bool:
    """Whether a sentence ends before term i."""
    gap = some[i].gap.strip(" ")
    if not gap:
        return i == 0
    if i == 0 or not any(mark in gap for mark in ".!?\n•"):
        return i == 0
    before = some[i - 1]
    short = (
        before.word in ABBREVIATIONS or "." in before.raw or (len(before.raw) == 1 and before.raw.isupper())
    )
    return not (short and gap == "." and (before.word != "no" or some[i].raw[:1].isdigit()))


def _asked(some: Sequence[Term], rest: str) -> list[bool]:
    """For each term whether its sentence ends in a question mark, or begins like "Is it"."""
    asked = [False] * len(some)
    last, mark = len(some), "?" in rest
    for i in range(len(some) - 1, -1, -1):
        if not _ends_sentence(some, i):
            continue
        inverted = [term.word for term in some[i : i + 2]]
        asks = mark or (len(inverted) == 2 and inverted[0] in ASKING and inverted[1] in ASKED)
        asked[i:last] = [asks] * (last - i)
        last, mark = i, "?" in some[i].gap
    return asked
