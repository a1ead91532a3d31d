"""Texts that say nearly the same: which to keep, and which belong together.

Pure functions over strings, near-linear in their number.  It knows nothing of questions or records.
"""

from __future__ import annotations

import re
import string
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import ceil, comb

from selfstudy.text import has_case, rouge_l, tokens

_SENTENCE_END = re.compile(r"[.!?:]['\")\]]*$")
_LONG = 64
"""Texts of more words have too many pairs of rare words to be found by."""
_COMPARED = 5_000
"""Words of a text that are compared: ROUGE-L is quadratic."""
_COUNTED = 256
"""Of longer texts the shared words are not counted before they are compared."""
_FEW = 64
"""Texts with a signature, that are compared one by one."""
_RESTS, _MOST_RESTS = 300, 3_000_000
"""Rests of a text that count as few, and rests of all texts, about 100 bytes each."""
_OWN_STEPS, _STEPS_A_WORD, _SHARED_STEPS = 300, 4, 3_000_000
"""Words to compare a text with at most; about half a microsecond each."""
_ROUNDING = 1e-9


def near_duplicates(
    texts: Sequence[str], threshold: float = 0.9, unsure: list[int] | None = None
) -> list[int]:
    """Indices of the texts to keep, in order: a text goes if an earlier kept one says the same.

    The same = ROUGE-L F1 >= threshold (methods 2) and the same names and numbers, so that questions that
    differ only in what they ask about stay.  Names are words that stand capitalised inside a sentence
    somewhere in `texts`, and all words of scripts without capitals, where names cannot be told; numbers are
    words with a digit.

    Exact, yet near-linear: of texts with one set of names and numbers only those are compared that share two
    of their rarest words (long ones: one), without which the threshold is out of reach (see `_signatures`).

    Args:
        unsure: gets the indices of texts that may be like more others than could be compared with them
            (see `_Rivals`); none, unless thousands of long texts share their rarest words.
    """
    rivals = _Rivals(threshold)
    kept: list[int] = []
    seen: set[tuple[str, ...]] = set()
    for i, text in enumerate(_comparable(texts, threshold)):
        if text.row in seen or any(True for _ in rivals.alike(i, text)):
            continue
        if rivals.cut and unsure is not None:
            unsure.append(i)
        seen.add(text.row)
        kept.append(i)
        rivals.add(i, text)
    return kept


def near_duplicate_groups(
    texts: Sequence[str], threshold: float = 0.9, unsure: list[int] | None = None
) -> list[int]:
    """For each text the index of the first text of its group, in order.

    Texts that say the same (see `near_duplicates`) are in one group, and so is whatever says the same as one
    of them: no text has a near-duplicate in another group, but those that `unsure` gets.
    """
    groups = Groups(len(texts))
    rivals = _Rivals(threshold, groups)
    seen: dict[tuple[str, ...], int] = {}
    for i, text in enumerate(_comparable(texts, threshold)):
        exact = seen.setdefault(text.row, i)
        if exact != i:
            groups.join(exact, i)
            continue
        for j in rivals.alike(i, text):
            groups.join(i, j)
        if rivals.cut and unsure is not None:
            unsure.append(i)
        rivals.add(i, text)
    return [groups.first(i) for i in range(len(texts))]


class Groups:
    """The numbers below `size` in groups that are joined, each known by its smallest (union-find)."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def first(self, i: int) -> int:
        """The smallest number of the group of i."""
        while self._parent[i] != i:
            self._parent[i] = i = self._parent[self._parent[i]]
        return i

    def join(self, one: int, other: int) -> None:
        """Makes one group of those of two numbers."""
        low, high = sorted((self.first(one), self.first(other)))
        self._parent[high] = low


@dataclass(frozen=True, slots=True)
class _Text:
    """A text to compare: its words, the names and numbers among them, and what finds those like it.

    There may be a million, so it is made of what takes little memory, and nothing that Python looks through
    for circles again and again.

    Attributes:
        key: the names and numbers, in order; texts with others are not alike.
        bag: its words as numbers, the commoner the higher; a word's second occurrence has one of its own.
    """

    row: tuple[str, ...]
    key: tuple[str, ...]
    bag: array[int]

    def signatures(self, threshold: float) -> list[int]:
        """Two texts that share none are not alike."""
        return [hash((self.key, s)) for s in _signatures(self.bag, threshold)]


class _Rivals:
    """The texts so far by signature, and which of them are like a further one.

    Where many share a signature, comparing all would be quadratic.  Short texts then are found by what is
    left of them without a few words, which is exact too (`_Shortened`).  Of long ones as many are compared as
    a number of steps allows, those with the rarest signatures first.

    Attributes:
        cut: whether the text asked for last has rivals that it was not compared with.
    """

    def __init__(self, threshold: float, groups: Groups | None = None) -> None:
        """With groups, texts of one group are not compared with each other."""
        self.cut = False
        self._threshold = threshold
        self._groups = groups
        self._texts: dict[int, _Text] = {}
        # by signatures of short texts, and by ~signatures of long ones
        self._index = _Index()
        self._mixed: set[int] = set()  # where texts of several groups are
        self._shortened = _Shortened(threshold, groups)
        self._own, self._shared = 0, _SHARED_STEPS

    def add(self, i: int, text: _Text) -> None:
        """Further texts are compared with this one too."""
        self._texts[i] = text
        short = self._shortened.takes(text.row)
        for signature in text.signatures(self._threshold):
            place = signature if short else ~signature
            first = self._index.add(place, i)
            if first != i and place not in self._mixed and not self._joined(i, first):
                self._mixed.add(place)

    def alike(self, i: int, text: _Text) -> Iterator[int]:
        """Texts like this one; with groups, at least one of each group that holds any."""
        self.cut, self._own = False, _OWN_STEPS + _STEPS_A_WORD * len(text.row)
        signatures = text.signatures(self._threshold)
        places = [place for s in signatures for place in (s, ~s) if place in self._index]
        if self._shortened.takes(text.row):
            short = [place for place in signatures if place in self._index]
            crowd = sum(len(self._index[place]) for place in short)
            if crowd > _FEW and all(self._shortened.hold(p, self._index[p], self._texts) for p in short):
                near = self._shortened.find(text)
                yield from (j for j in near if not self._joined(i, j) and self._alike(text, self._texts[j]))
                places = [~s for s in signatures if ~s in self._index]
        yield from self._compared(i, text, sorted(places, key=lambda place: len(self._index[place])))

    def _compared(self, i: int, text: _Text, places: Sequence[int]) -> Iterator[int]:
        met: set[int] = set()
        for place in places:
            found = self._index[place]
            if place not in self._mixed and self._joined(i, found[0]):
                continue
            together = True
            for j in found:
                self._pay(1)
                if not self._joined(i, j):
                    if j not in met and self._alike(text, self._texts[j]):
                        yield j
                        if place not in self._mixed and self._groups is not None:
                            break  # the others are of one group with it
                    else:
                        together = False
                met.add(j)
                if self._own + self._shared < 0:
                    self.cut = True
                    return
            if together:
                self._mixed.discard(place)

    def _alike(self, a: _Text, b: _Text) -> bool:
        """Whether two texts have the same names and numbers, and nearly the same words (or beginnings)."""
        size, other = len(a.row), len(b.row)
        self._pay(size // 8)
        needed = self._threshold * (min(size, _COMPARED) + min(other, _COMPARED)) / 2 - _ROUNDING
        if min(size, other) < needed or a.key != b.key:
            return False
        if max(size, other) <= _COUNTED and len(set(a.bag).intersection(b.bag)) < needed:
            return False
        self._pay(other)
        return rouge_l(b.row[:_COMPARED], a.row[:_COMPARED]) >= self._threshold

    def _joined(self, i: int, j: int) -> bool:
        return self._groups is not None and self._groups.first(i) == self._groups.first(j)

    def _pay(self, steps: int) -> None:
        """Steps come out of the text's own, then out of those that all texts share."""
        self._own -= steps
        if self._own < 0:
            self._shared, self._own = self._shared + self._own, 0


class _Index:
    """Numbers of texts by place; most places have one alone, which is kept without a list."""

    def __init__(self) -> None:
        self._found: dict[int, int | list[int]] = {}

    def add(self, place: int, i: int) -> int:
        """A number more; the first of its place."""
        found = self._found.setdefault(place, i)
        if isinstance(found, list):
            found.append(i)
            return found[0]
        if found != i:
            self._found[place] = [found, i]
        return found

    def __contains__(self, place: int) -> bool:
        return place in self._found

    def __getitem__(self, place: int) -> Sequence[int]:
        found = self._found[place]
        return found if isinstance(found, list) else (found,)


class _Shortened:
    """Short texts by what is left of them without a few words: two that are alike share such a rest.

    Texts of m and n words are alike if they have L = threshold (m + n) / 2 words in common, in order; then
    one without m - L of its words equals the other without n - L.  Texts of one length with one rest are all
    like the text that is asked for, but not always like each other, where that is shorter than they are.
    """

    def __init__(self, threshold: float, groups: Groups | None) -> None:
        self._threshold = threshold
        self._groups = groups
        self._first: dict[int, int] = {}  # a rest, and the lengths it is for -> the first text with it
        self._others: dict[int, list[int]] = {}  # -> with groups, later ones that were not of its group
        self._room = _MOST_RESTS
        self._held: set[int] = set()
        self._counts: dict[int, int] = {}  # how many texts of a place are held
        self._few: dict[int, bool] = {}

    def takes(self, row: Sequence[str]) -> bool:
        """Whether texts of so many words have few rests."""
        size = len(row)
        if size not in self._few:
            ways = (
                sum(comb(size, needed) for _, needed in self._lengths(size)) if size <= _LONG else _RESTS + 1
            )
            self._few[size] = ways <= _RESTS
        return self._few[size]

    def hold(self, place: int, found: Sequence[int], texts: Mapping[int, _Text]) -> bool:
        """Whether all of `found`, the texts of a place, which only grows, can be found from now on."""
        for i in found[self._counts.get(place, 0) :]:
            if self._room < 0:
                return False
            if i not in self._held:
                self._held.add(i)
                for own, _ in self._rests(texts[i]):
                    self._hold(own, i)
        self._counts[place] = len(found)
        return True

    def _hold(self, rest: int, i: int) -> None:
        first = self._first.setdefault(rest, i)
        if first == i:
            self._room -= 1
        elif self._groups is not None and self._groups.first(first) != self._groups.first(i):
            self._others.setdefault(rest, []).append(i)
            self._room -= 1

    def find(self, text: _Text) -> Iterator[int]:
        """Of the texts with each rest of this one the first; with groups, one of each group.

        Who asks joins them all with this text, so that from then on the first stands for the others too.
        """
        for _, other in self._rests(text):
            if other in self._first:
                yield self._first[other]
                yield from self._others.pop(other, ())

    def _rests(self, text: _Text) -> Iterator[tuple[int, int]]:
        """Where a text is to be found by each of its rests, and where those like it are."""
        size = len(text.row)
        for other, needed in self._lengths(size):
            for rest in combinations(text.row, needed):
                yield hash((text.key, size, other, rest)), hash((text.key, other, size, rest))

    def _lengths(self, size: int) -> Iterator[tuple[int, int]]:
        """Lengths of texts that may be like one of `size` words, and how many words both then share."""
        for other in range(1, int(size * (2 - self._threshold) / self._threshold) + 2):
            needed = ceil(self._threshold * (size + other) / 2 - _ROUNDING)
            if needed <= min(size, other):
                yield other, needed


def _comparable(texts: Sequence[str], threshold: float) -> Iterator[_Text]:
    rarity = Counter(word for text in texts for word in tokens(text))
    order = {word: rank for rank, word in enumerate(sorted(rarity, key=lambda word: (rarity[word], word)))}
    same = {word: word for word in rarity}  # each word once, however many texts have it
    marked = _names(texts) | {word for word in rarity if _is_marked(word)}
    for text in texts:
        row = tuple(same[word] for word in tokens(text))
        yield _Text(row, tuple(sorted(marked.intersection(row))), array("Q", _bag(row, order)))


def _is_marked(word: str) -> bool:
    """Whether a word is a number, or of a script in which any word may be a name."""
    return any(char.isdigit() for char in word) or not (word.isascii() or has_case(word))


def _names(texts: Iterable[str]) -> frozenset[str]:
    """Normalised words that are capitalised somewhere behind the first word of a sentence."""
    found: set[str] = set()
    for text in texts:
        previous = "."
        for raw in text.split():
            if not raw.islower():  # most words are: nothing to look at
                word = raw.lstrip(string.punctuation + "«“‘")
                if word[:1].isupper() and not _SENTENCE_END.search(previous):
                    found.add(raw)
            previous = raw
    return frozenset(word for raw in found for word in tokens(raw))


def _bag(row: Sequence[str], order: Mapping[str, int]) -> list[int]:
    """The ranks of the words, from rare to common."""
    ranks = sorted(order[word] for word in row)
    if len(set(ranks)) < len(ranks):  # a word's second occurrence is a word of its own
        ranks = sorted(rank + i * len(order) for rank, i in _numbered(ranks))
    return ranks


def _signatures(bag: Sequence[int], threshold: float) -> list[tuple[int, ...]]:
    """Pairs of the rarest words of a text, of which similar texts share one (Wang et al. 2012, AdaptJoin).

    Texts of m and n words with ROUGE-L >= t share at least t (m + n) / 2 words, and n is not below that, so
    at least t m / (2 - t).  Without that many, but two, of its commonest words, each text still holds two of
    the shared ones; without that many, but one, it holds one of them.

    Pairs are too many for texts of more than _LONG words: these get their rarest words alone.  So do, beside
    their pairs, texts that may be like a long one (of more than t / (2 - t) _LONG words), and texts so short
    that a single shared word may do.
    """
    size, ratio = len(bag), threshold / (2 - threshold)
    spare = size - ceil(size * ratio - _ROUNDING)
    alone = bag[: spare + 1] if size * ratio**2 <= 1 or size > _LONG * ratio else []
    pairs = combinations(bag[: spare + 2], 2) if size <= _LONG else ()
    return [*((word,) for word in alone), *pairs]


def _numbered(values: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Each value with how many equal ones came before it."""
    seen: Counter[int] = Counter()
    for value in values:
        yield value, seen[value]
        seen[value] += 1
