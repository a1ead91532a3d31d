"""Texts that say nearly the same: which to keep, and which belong together.

Pure functions over strings, near-linear in their number.  It knows nothing of questions or records.
"""

from __future__ import annotations

import re
import string
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from math import ceil

from selfstudy.text import has_case, rouge_l, tokens

_SENTENCE_END = re.compile(r"[.!?:]['\")\]]*$")
_LONG = 64
"""Texts of more words have too many pairs of rare words to be found by."""
_COMPARED = 5_000
"""Words of a text that are compared: ROUGE-L is quadratic."""


def near_duplicates(texts: Sequence[str], threshold: float = 0.9) -> list[int]:
    """Indices of the texts to keep, in order: a text goes if an earlier kept one says the same.

    The same = ROUGE-L F1 >= threshold (methods 2) and the same names and numbers, so that questions that
    differ only in what they ask about stay.  Names are words that stand capitalised inside a sentence
    somewhere in `texts`, and all words of scripts without capitals, where names cannot be told; numbers are
    words with a digit.

    Exact, yet near-linear: of texts with one set of names and numbers only those are compared that share two
    of their rarest words (long ones: one), without which the threshold is out of reach (see `_signatures`).
    """
    index: dict[int, list[int]] = defaultdict(list)
    kept: dict[int, tuple[list[str], frozenset[str]]] = {}  # index -> words and key, in order
    seen: set[str] = set()
    for i, (row, key, signatures) in enumerate(_comparable(texts, threshold)):
        exact = " ".join(row)
        if exact in seen:
            continue
        rivals = {j: None for s in signatures for j in index[s]}
        if any(_alike((row, key), kept[j], threshold) for j in rivals):
            continue
        seen.add(exact)
        kept[i] = row, key
        for s in signatures:
            index[s].append(i)
    return list(kept)


def near_duplicate_groups(texts: Sequence[str], threshold: float = 0.9) -> list[int]:
    """For each text the index of the first text of its group, in order.

    Texts that say the same (see `near_duplicates`) are in one group, and so is whatever says the same as one
    of them: no text has a near-duplicate in another group.
    """
    index: dict[int, list[int]] = defaultdict(list)
    groups = Groups(len(texts))
    rows: dict[int, tuple[list[str], frozenset[str]]] = {}
    seen: dict[str, int] = {}
    for i, (row, key, signatures) in enumerate(_comparable(texts, threshold)):
        exact = seen.setdefault(" ".join(row), i)
        if exact != i:
            groups.join(exact, i)
            continue
        rows[i] = row, key
        for j in {j: None for s in signatures for j in index[s]}:
            if groups.first(i) != groups.first(j) and _alike(rows[i], rows[j], threshold):
                groups.join(i, j)
        for s in signatures:
            index[s].append(i)
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


def _comparable(
    texts: Sequence[str], threshold: float
) -> Iterator[tuple[list[str], frozenset[str], list[int]]]:
    """Words, names and numbers, and signatures of each text: what shares no signature is not alike."""
    words = [tokens(text) for text in texts]
    rarity = Counter(word for row in words for word in row)
    order = {word: rank for rank, word in enumerate(sorted(rarity, key=lambda word: (rarity[word], word)))}
    marked = _names(texts) | {word for word in rarity if _is_marked(word)}
    for row in words:
        key = marked.intersection(row)
        yield row, key, [hash((key, s)) for s in _signatures(row, order, threshold)]


def _is_marked(word: str) -> bool:
    """Whether a word is a number, or of a script in which any word may be a name."""
    return any(char.isdigit() for char in word) or not (word.isascii() or has_case(word))


def _alike(
    a: tuple[list[str], frozenset[str]], b: tuple[list[str], frozenset[str]], threshold: float
) -> bool:
    """Whether two texts have the same names and numbers, and nearly the same words (the first _COMPARED)."""
    return a[1] == b[1] and rouge_l(b[0][:_COMPARED], a[0][:_COMPARED]) >= threshold


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


def _signatures(row: Sequence[str], order: Mapping[str, int], threshold: float) -> list[tuple[int, ...]]:
    """Pairs of the rarest words of `row`, of which similar texts share one (Wang et al. 2012, AdaptJoin).

    Texts of m and n words with ROUGE-L >= t share at least t (m + n) / 2 words, and n is not below that, so
    at least t m / (2 - t).  Without that many, but two, of its commonest words, each text still holds two of
    the shared ones; without that many, but one, it holds one of them.

    Pairs are too many for texts of more than _LONG words: these get their rarest words alone.  So do, beside
    their pairs, texts that may be like a long one (of more than t / (2 - t) _LONG words), and texts so short
    that a single shared word may do.  `order` ranks all words from rare to common.
    """
    ratio = threshold / (2 - threshold)
    needed = ceil(len(row) * ratio - 1e-9)
    unique = sorted(order[word] for word in row)
    if len(set(unique)) < len(unique):  # a word's second occurrence is a word of its own
        unique = sorted(rank + i * len(order) for rank, i in _numbered(unique))
    spare = len(row) - needed
    alone = unique[: spare + 1] if len(row) * ratio**2 <= 1 or len(row) > _LONG * ratio else []
    pairs = combinations(unique[: spare + 2], 2) if len(row) <= _LONG else ()
    return [*((word,) for word in alone), *pairs]


def _numbered(values: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Each value with how many equal ones came before it."""
    seen: Counter[int] = Counter()
    for value in values:
        yield value, seen[value]
        seen[value] += 1
