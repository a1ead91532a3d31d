"""Is a place of a text one item of a list?  "Paris, Rome, Berlin", "rome or paris", "Rome/Paris", bullets.

An item is a short run of words of the same kind as the place: capitalised like it, in lower case like it, or
a number like it.  "and", "or", a semicolon, a slash or bullets make a list of two items; commas alone do
where the place is not the first, or has two items behind it.  One item behind a comma is an apposition
("Rome, Italy"): by form it is no other than a list, so a list of two that begins with the right item passes.

It looks at a fixed number of neighbours, so that long lists cost no more.  It knows nothing of what is right
but the words it is told to pass over.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from selfstudy.judging.cues import (
    AND,
    AND_SO_ON,
    JOINED_BY,
    LATER,
    NO_ITEM,
    OPEN,
    OPENINGS,
    OR,
    PREPOSITIONS,
    SMALL,
    SOFT,
    VERBS,
)
from selfstudy.judging.terms import Term

_LOOK = 8
"""Items looked at on each side."""
_LENGTH = 5
_BEFORE_ITEMS = NO_ITEM | PREPOSITIONS
_LETTERS = 12
"""Longest item, in words; in scripts without spaces, in letters."""


@dataclass(frozen=True)
class Place:
    """terms[start:end], and what makes no other item.

    Attributes:
        right: words of whatever is right: an item made of them alone is no other one.
        asked: words of the question; they too are passed over, but not behind "or".
    """

    terms: Sequence[Term]
    start: int
    end: int
    right: Collection[str]
    asked: Collection[str] = ()

    @property
    def says(self) -> bool:
        """Whether it is a clause, which is no item itself; it may still end in one."""
        return any(term.word in VERBS for term in self.terms[self.start : self.end])

    @property
    def kind(self) -> str:
        return _kind(self.terms[self.start].raw)


def listed(place: Place) -> bool:
    """Whether the place is one item of a list."""
    behind, behind_joined = _behind(place)
    before, before_joined = (0, False) if place.says else _before(place)
    if behind_joined or before_joined or _bulleted(place):
        return True
    if before and not _begins_clause(place):
        return True
    return behind >= 2


def alternatives(terms: Sequence[Term]) -> list[Sequence[Term]]:
    """The items that the first "or" sets beside each other: "in Austria or Hungary"; none without one."""
    at = next((i for i, term in enumerate(terms) if i and term.word in OR), None)
    if at is None:
        return []
    begin = _separator(terms, at)[1]
    if begin >= len(terms):
        return []
    kind, end = _kind(terms[begin].raw), _item_end(terms, begin)
    if kind != "lower":  # "or Hungary today"
        others = (i for i in range(begin + 1, end) if not terms[i].glued and _kind(terms[i].raw) != kind)
        end = next((i for i in others if kind == "digit" or terms[i].word not in SMALL), end)
    last = terms[begin:end]
    found = [last]
    for _ in range(_LOOK):
        first = _item_start(terms, at, kind)
        if kind == "lower":  # nothing but its length tells where it begins
            first = max(first, at - len(last))
        if first == at:
            break
        found.append(terms[first:at])
        at = first
        if "," not in terms[first].gap:
            break
    return found[::-1] if len(found) > 1 else []


def _begins_clause(place: Place) -> bool:
    """In 1871, Rome was ..."""
    after = place.terms[place.end : place.end + 1]
    return bool(after) and after[0].word in VERBS and not after[0].gap.strip()


def _kind(raw: str) -> str:
    """digit, capital or lower: items of a list are of one kind; scripts without capitals are lower."""
    first = raw.lstrip("+-$#.<>=±€£¥")[:1]
    return "digit" if first.isdigit() else "capital" if first.isupper() else "lower"


def _separator(terms: Sequence[Term], at: int) -> tuple[str, int]:
    """What separates term `at` from the one before ("", weak, or, joined), and where the item begins."""
    gap = terms[at].gap
    if any(mark in gap for mark in ".!?:•—"):
        return "", at
    word = terms[at].word
    kind = "joined" if any(mark in gap for mark in ";/|&+") else "weak" if "," in gap or "\n" in gap else ""
    if gap.strip(" ") == "-" and not terms[at].glued:
        kind = "weak"
    if word in AND or word in OR:
        kind = "or" if word in OR else "joined"
        at += 1
        if at < len(terms) and terms[at].word in OR and terms[at].gap == "/":
            at += 1
    elif size := _joint(terms, at):
        kind, at = JOINED_BY[_words(terms, at, at + size)], at + size
    elif "(" in gap and word in OPEN:
        kind = "or"
    elif "(" in gap or ")" in gap:
        return "", at
    last = min(at + _LOOK, len(terms))
    while kind and at < last and terms[at].word in SOFT:
        at += 1
    if kind and at + 1 < len(terms) and terms[at].word in LATER and _kind(terms[at + 1].raw) != "lower":
        kind, at = kind if kind == "or" else "joined", at + 1
    return kind, at


_JOINTS = sorted({len(words) for words in JOINED_BY})


def _joint(terms: Sequence[Term], at: int) -> int:
    """How many words from `at` on join two items, as "as well as" does; 0 without."""
    return next((n for n in _JOINTS if _words(terms, at, at + n) in JOINED_BY), 0)


def _words(terms: Sequence[Term], start: int, end: int) -> tuple[str, ...]:
    return tuple(term.word for term in terms[start:end])


def _behind(place: Place) -> tuple[int, bool]:
    """How many items follow the place, and whether one is joined by more than a comma."""
    terms, count, at = place.terms, 0, place.end
    for _ in range(_LOOK):
        if at >= len(terms):
            break
        kind, first = _separator(terms, at)
        if kind == "weak" and "," not in terms[at].gap and "\n" in terms[at].gap:
            kind = "joined"  # a line of its own is no apposition
        if count and terms[at].word in AND_SO_ON:
            return count + 1, False
        last = _item_end(terms, first)
        if not kind or not _is_item(terms, first, last, place):
            break
        if not _passed(terms[first:last], place, kind):
            if kind != "weak":
                return count + 1, True
            count += 1
        at = last
    return count, False


def _before(place: Place) -> tuple[int, bool]:
    """How many items stand before the place, and whether one is joined to it by more than a comma."""
    terms, at = place.terms, place.start
    kind, farthest = "", max(at - _LOOK, 0)
    while at > farthest and terms[at - 1].word in SOFT and not terms[at].gap.strip():
        at -= 1
    if at > 0 and terms[at - 1].word in AND | OR and not terms[at].gap.strip(" ,"):
        kind, at = _separator(terms, at - 1)[0], at - 1
        if at > 0 and terms[at - 1].word in AND and terms[at].gap == "/":
            at -= 1
    elif size := next((n for n in _JOINTS if at > n and _words(terms, at - n, at) in JOINED_BY), 0):
        kind, at = JOINED_BY[_words(terms, at - size, at)], at - size
    elif at > 0:
        kind = _separator(terms, at)[0]
    if not kind or at <= 0:
        return 0, False
    first = _item_start(terms, at, place.kind)
    if not _is_item(terms, first, at, place) or _passed(terms[first:at], place, kind):
        return 0, False
    if kind == "weak" and _is_adverbial(terms, first, at):
        return 0, False
    if kind == "joined" and _begins_clause(place) and terms[place.end].word in ("is", "was", "has"):
        return 0, False  # "It is in Italy and Rome is its name."
    return 1, kind != "weak"


def _item_end(terms: Sequence[Term], first: int) -> int:
    last = first
    while last < len(terms) and last - first <= _LETTERS:
        if last > first and (
            terms[last].word in AND_SO_ON or _separator(terms, last)[0] or terms[last].gap.strip(" -'\"*_`(")
        ):
            break
        last += 1
    return last


def _item_start(terms: Sequence[Term], end: int, kind: str) -> int:
    """Where the run of words of one kind begins that ends before `end`."""
    first = end
    while first > 0 and end - first < _LETTERS:
        word = terms[first - 1]
        if word.word in VERBS or (word.word in _BEFORE_ITEMS and word.word not in SMALL):
            break
        if kind == "capital" and _kind(word.raw) == "lower" and word.word not in SMALL:
            break
        first -= 1
        if terms[first].gap.strip(" -"):
            break
    return first


def _is_item(terms: Sequence[Term], first: int, last: int, place: Place) -> bool:
    """Whether terms[first:last] is of the kind of the place, and not another clause."""
    item = terms[first:last]
    if not item or item[0].word in NO_ITEM or any(term.word in VERBS for term in item):
        return False
    if last < len(terms) and ":" in terms[last].gap and last > place.end:
        return False
    letters = all(len(term.word) == 1 and term.word.isalpha() and not term.word.isascii() for term in item)
    if len(item) > (_LETTERS if letters else _LENGTH):
        return False
    if place.kind == "lower":
        alone = item[0].article in ("a", "an") and not terms[place.start].article
        return not alone and _kind(item[0].raw) != "digit"
    if place.kind == "digit":
        return any(char.isdigit() for term in item for char in term.word)
    return _kind(item[0].raw) == "capital" and all(
        _kind(term.raw) != "lower" or term.word in SMALL for term in item
    )


def _is_adverbial(terms: Sequence[Term], first: int, end: int) -> bool:
    """What opens a sentence and is no item: "In Italy,", "Yes,", "Historically,"."""
    before = terms[first - 1] if first else None
    opens = first == 0 or terms[first].opens
    if end - first == 1 and opens:
        return terms[first].word in OPENINGS or terms[first].word.endswith("ly")
    return before is not None and before.word in PREPOSITIONS and (first == 1 or before.opens)


def _passed(item: Sequence[Term], place: Place, kind: str = "weak") -> bool:
    """Whether an item says nothing beside what is right, or what was asked."""
    asked = () if kind == "or" or not OR.isdisjoint(place.asked) else place.asked
    return all(term.word in place.right or term.word in asked for term in item)


def _bulleted(place: Place) -> bool:
    """Whether the place begins a line of a bulleted list, and a line beside it begins with another item."""
    terms = place.terms
    if "•" not in terms[place.start].gap:
        return False
    for step in (-1, 1):
        at = place.start + step
        for _ in range(_LOOK * _LENGTH):
            if not 0 <= at < len(terms) or "•" in terms[at].gap:
                break
            at += step
        if 0 <= at < len(terms) and "•" in terms[at].gap:
            last = _item_end(terms, at)
            if _is_item(terms, at, last, place) and not _passed(terms[at:last], place):
                return True
    return False
