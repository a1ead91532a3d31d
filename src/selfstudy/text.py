"""Text helpers shared by all stages: cleaning, sentences, chunks, the match metrics of QA, near-duplicates.

Pure functions over strings.  This file knows nothing of records, models or files.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from math import ceil

_SURROGATE = re.compile("[\ud800-\udfff]")
_NEWLINE = re.compile("\r\n?|[\x85\u2028\u2029]")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff]")
_DASH = re.compile("[\u2012-\u2015]")
_ARTICLES = frozenset({"a", "an", "the"})
_NO_WORD = re.compile(r"(?!(?<=\d)\.\d)[^\w\s]|_")  # all but a decimal point
_SENTENCE_END = re.compile(r"[.!?:]['\")\]]*$")
_WIDE = re.compile("[\u0900-\U0010ffff]")  # behind Latin, Greek, Cyrillic, Hebrew and Arabic
_TOKENS_PER_WORD = 1.3
_BYTES_PER_TOKEN = 4
UNSPACED = (
    "\u0e00-\u0e3e\u0e40-\u0e4f\u0e80-\u0ecf\u0edc-\u0edf\u0f00-\u0fff\u1000-\u103f\u1050-\u109f"
    "\u1780-\u17d3\u1950-\u19df\u1a20-\u1aaf\ua980-\ua9cf\uaa60-\uaadf"
    "\u3005-\u3007\u3040-\u30ff\u3100-\u312f\u31a0-\u31bf\u31f0-\u31ff\uff66-\uff9f"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
"""Characters of scripts that put no spaces between words, for a class of a regular expression: Thai, Lao,
Tibetan, Burmese, Khmer, Tai, Javanese, Kana, Bopomofo and Han."""
_LONG = 64
"""Texts of more words have too many pairs of rare words to be found by."""


def clean(text: str) -> str:
    """`text` as valid, printable Unicode: newlines \\n, lone surrogates U+FFFD, other controls a space."""
    text = _SURROGATE.sub("\ufffd", text)
    return _CONTROL.sub(" ", _NEWLINE.sub("\n", text))


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Spans (start, end) of the sentences of `text`, without surrounding white space, in order."""
    from sentencex import segment

    spans, at = [], 0
    # The segments of sentencex join to the text again; a surrogate has no UTF-8, so it needs a stand-in.
    for part in segment("en", _SURROGATE.sub("?", text)):
        start, end = at + len(part) - len(part.lstrip()), at + len(part.rstrip())
        at += len(part)
        if start < end:
            spans.append((start, end))
    return spans


def sentences(text: str) -> list[str]:
    """The sentences of `text` (rules of sentencex, English); one without a terminator counts too."""
    return [text[start:end] for start, end in sentence_spans(text)]


def folded(text: str) -> str:
    """`text` whatever its case and white space: single spaces, none at the ends, case folded."""
    return " ".join(text.split()).casefold()


def normalise(text: str) -> str:
    """SQuAD / ALCE normal form: lower case, no punctuation, no a/an/the, single spaces (methods 5).

    Punctuation is deleted, not replaced ("d'Ivoire" -> "divoire", "1,000" -> "1000", ".fr" -> "fr"), in all
    scripts; long dashes separate words.  One departure from ALCE: the decimal point stays, or "6.3 million"
    would equal "63 million".
    """
    return " ".join(tokens(text))


def _drop_punctuation(match: re.Match[str]) -> str:
    """Nothing for punctuation; marks (vowels of many scripts) and symbols such as the degree sign stay."""
    char = match[0]
    return "" if char.isascii() or unicodedata.category(char)[0] == "P" else char


def tokens(text: str) -> list[str]:
    """The words of the normal form of `text`."""
    if text.isascii():
        text = _NO_WORD.sub("", text.lower())
    else:
        text = unicodedata.normalize("NFKC", _DASH.sub(" ", text)).lower()
        text = unicodedata.normalize("NFKC", _NO_WORD.sub(_drop_punctuation, text))
    return [word for word in text.split() if word not in _ARTICLES]


def token_f1(a: str, b: str) -> float:
    """F1 over the bags of normalised words of two texts, in [0, 1]; 1 if both have none (SQuAD)."""
    left, right = tokens(a), tokens(b)
    if not left or not right:
        return float(left == right)
    shared = sum((Counter(left) & Counter(right)).values())
    return 2 * shared / (len(left) + len(right))


def contains(answer: str, expected: str) -> bool:
    """Whether the normalised words of `expected` stand next to each other, in order, in those of `answer`.

    Whole words only: "67 million" does not contain "7 million".  An `expected` without words is in nothing.
    """
    needle = normalise(expected)
    return bool(needle) and f" {needle} " in f" {normalise(answer)} "


def estimate_tokens(text: str) -> int:
    """About as many tokens as a text has, rather too many, where there is no tokenizer to count them; >= 0.

    1.3 a word, but at least one per four bytes of UTF-8; of scripts behind Arabic in Unicode, which
    tokenizers cut finely and many of which write no spaces, each character is one.
    """
    rest, wide = (text, 0) if text.isascii() else _WIDE.subn(" ", text)
    size = len(rest.encode("utf-8", "replace")) - wide
    return wide + max(ceil(_TOKENS_PER_WORD * len(rest.split())), ceil(size / _BYTES_PER_TOKEN))


def under_title(title: str, passage: str) -> str:
    """The passage, under its title if it does not name it: a later part of a document may say only "it"."""
    return passage if not title or contains(passage, title) else f"{title}\n{passage}"


def chunks(text: str, max_tokens: int, count: Callable[[str], int]) -> list[tuple[int, int]]:
    """Spans of `text` that end on sentence boundaries and have at most `max_tokens` by `count` each.

    A sentence that is too long alone is cut between words, a word that is too long between characters.
    Counts of neighbours are added up, so a tokenizer that merges across a space stays within the limit.

    Args:
        max_tokens: >= 1.
        count: tokens of a piece of text; called about once per sentence.
    """
    spans: list[tuple[int, int]] = []
    start, used = -1, 0
    previous = 0
    for first, last in _pieces(text, max_tokens, count):
        size = count(text[first:last])
        if start >= 0 and used + size > max_tokens:
            spans.append((start, previous))
            start = -1
        if start < 0:
            start, used = first, 0
        used += size
        previous = last
    if start >= 0:
        spans.append((start, previous))
    return spans


def _pieces(text: str, max_tokens: int, count: Callable[[str], int]) -> Iterator[tuple[int, int]]:
    """Sentences, or halves of them (at white space if there is any) until each fits."""
    todo = sentence_spans(text)[::-1]
    while todo:
        start, end = todo.pop()
        if end - start <= 1 or count(text[start:end]) <= max_tokens:
            yield start, end
            continue
        middle = (start + end) // 2
        space = next((m.start() for m in re.compile(r"\s").finditer(text, middle, end)), -1)
        cut = space if start < space < end else middle
        for first, last in ((cut, end), (start, cut)):
            piece = text[first:last]
            first, last = first + len(piece) - len(piece.lstrip()), last - (len(piece) - len(piece.rstrip()))
            if first < last:
                todo.append((first, last))


def rouge_l(a: Sequence[str], b: Sequence[str]) -> float:
    """ROUGE-L F1 of two word lists: 2 * LCS / (len(a) + len(b)), in [0, 1] (Lin 2004)."""
    if not a or not b:
        return float(not a and not b)
    return 2 * _lcs(a, b) / (len(a) + len(b))


def _lcs(a: Sequence[str], b: Sequence[str]) -> int:
    """Length of the longest common subsequence: bit-parallel, one integer step per word of b (Hyyrö 2004)."""
    where: dict[str, int] = {}
    for i, word in enumerate(a):
        where[word] = where.get(word, 0) | 1 << i
    row = full = (1 << len(a)) - 1
    for word in b:
        hit = row & where.get(word, 0)
        row = (row + hit | row - hit) & full
    return len(a) - row.bit_count()


def near_duplicates(texts: Sequence[str], threshold: float = 0.9) -> list[int]:
    """Indices of the texts to keep, in order: a text goes if an earlier kept one says the same.

    The same = ROUGE-L F1 >= threshold (methods 2) and the same names and numbers, so that questions that
    differ only in what they ask about stay.  Names are words that stand capitalised inside a sentence
    somewhere in `texts`; numbers are words with a digit.

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
    parent: list[int] = []
    rows: dict[int, tuple[list[str], frozenset[str]]] = {}
    seen: dict[str, int] = {}

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = i = parent[parent[i]]
        return i

    for i, (row, key, signatures) in enumerate(_comparable(texts, threshold)):
        parent.append(seen.setdefault(" ".join(row), i))
        if parent[i] != i:
            continue
        rows[i] = row, key
        for j in {j: None for s in signatures for j in index[s]}:
            mine, other = root(i), root(j)
            if mine != other and _alike(rows[i], rows[j], threshold):
                parent[max(mine, other)] = min(mine, other)
        for s in signatures:
            index[s].append(i)
    return [root(i) for i in range(len(parent))]


def _comparable(
    texts: Sequence[str], threshold: float
) -> Iterator[tuple[list[str], frozenset[str], list[int]]]:
    """Words, names and numbers, and signatures of each text: what shares no signature is not alike."""
    words = [tokens(text) for text in texts]
    rarity = Counter(word for row in words for word in row)
    order = {word: rank for rank, word in enumerate(sorted(rarity, key=lambda word: (rarity[word], word)))}
    marked = _names(texts) | {word for word in rarity if any(char.isdigit() for char in word)}
    for row in words:
        key = marked.intersection(row)
        yield row, key, [hash((key, s)) for s in _signatures(row, order, threshold)]


def _alike(
    a: tuple[list[str], frozenset[str]], b: tuple[list[str], frozenset[str]], threshold: float
) -> bool:
    """Whether two texts have the same names and numbers, and nearly the same words."""
    return a[1] == b[1] and rouge_l(b[0], a[0]) >= threshold


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
