"""Text helpers shared by all stages: cleaning, scripts, sentences, chunks, the match metrics of QA.

Pure functions over strings.  This file knows nothing of records, models or files.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from math import ceil
from typing import TypeVar

T = TypeVar("T")

_SURROGATE = re.compile("[\ud800-\udfff]")
_NEWLINE = re.compile("\r\n?|[\x85\u2028\u2029]")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff]")
_ESCAPE = re.compile(
    "\x1b(?:\\[[0-?]*[ -/]*[@-~]|[]PX^_][^\x07\x1b\x9c\n]*(?:\x07|\x1b\\\\|\x9c)?|[ -/]*[0-~])"
)
"""What a terminal obeys: colours, moves, titles, the clipboard."""
_BREAK = re.compile("[\u2012-\u2015\u1361-\u1368、。，；：！？・「」『』【】〈〉《》（）｡､]")
"""Marks that separate words even where no space stands beside them: long dashes, Ethiopic and CJK marks."""
_ARTICLES = frozenset({"a", "an", "the"})
_NO_WORD = re.compile(r"(?!(?<=\d)\.\d)[^\w\s]|_")  # all but a decimal point
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
_MARKED = (*range(0x0E00, 0x10A0), *range(0x1780, 0x1AB0), 0x3099, 0x309A, *range(0xA980, 0xAAE0))
_MARKS = "".join(char for char in map(chr, _MARKED) if unicodedata.category(char)[0] == "M")
"""Vowels and tones that belong to the letter before them."""
_LETTER = re.compile(f"[{UNSPACED}][{_MARKS}]*")
_NO_CASE = re.compile("[\u10d0-\u10ff\u1c90-\u1cbf]")
"""Georgian has capitals in Unicode, but does not begin names with them."""
_QUESTION_END = re.compile("[?？؟⁇⁈⁉‽﹖፧⳺꘏꛷]|[か吗](?:。|(?=[」』]|\\s*$))")
_GREEK = re.compile("[\u0370-\u03ff\u1f00-\u1fff]")
_GREEK_END = re.compile("[;\u037e?]")
_ARMENIAN = re.compile("\u055e[^:։]*[:։]?")
_CLOSING = " \t\n\"'`*_“”«»’」』)]）"
_SPACES = " \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\u2800"
_WIDTHLESS = (
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff"
)
_SEEN = re.compile(f"[^{_SPACES}{_WIDTHLESS}]")
_PARTS = re.compile(f"[{_SPACES}{_WIDTHLESS}]+|[^{_SPACES}{_WIDTHLESS}]+")
"""A line as it looks: what cannot be seen, and what can."""
_SPACE = re.compile(f"[{_SPACES}]")
_UNEVEN = re.compile(rf"(?! )[{_SPACES}{_WIDTHLESS}](?!\Z)|  ")
"""What makes a line look otherwise than it is."""
_BEGINNING = 200
"""So many characters that can be seen tell how a line begins."""
_SAMPLE = 2000
"""So many characters tell which script a text is in."""
_MARK_RUN = re.compile("(?:[^\\w\\s\x00-\x7f]|[\uff9e\uff9f]){31,}")
_MOST_MARKS = 30
"""Combining marks that a letter keeps, as in Unicode's stream-safe format: normalising them is quadratic."""
_ACCENTS = re.compile("[\u0300-\u036f]")
_PUNCTUATION = re.compile(r"[^\w\s]")
_LOST = 1_000
MAX_TITLE = 1_000
"""Longest title, and longest source that a record names, in characters: every passage carries them."""
_CROWDED = 5_000
"""Punctuation marks of what is cut into sentences at once: sentencex compares each with each."""


def clean(text: str) -> str:
    """`text` as valid, printable Unicode: newlines \\n, lone surrogates U+FFFD, other controls a space.

    Escape sequences, which a terminal would obey, go altogether.
    """
    if text.isprintable():  # nearly all are, and to see it is far cheaper than to look for each
        return text
    text = _ESCAPE.sub("", _SURROGATE.sub("\ufffd", text))
    return _CONTROL.sub(" ", _NEWLINE.sub("\n", text))


def shortened(text: str, most: int) -> str:
    """`text`, or its beginning and an ellipsis, in at most `most` characters."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def one_line(text: str, most: int) -> str:
    """`text` in one line of at most `most` characters."""
    return shortened(" ".join(text.split()), most)


def lines_below(lines: Sequence[str], most: int = 5) -> str:
    """The first of some lines as they stand below a message, and how many more there are."""
    more = f"\n    and {len(lines) - most:,} more" if len(lines) > most else ""
    return "".join(f"\n    {line}" for line in lines[:most]) + more


def nfkc(text: str) -> str:
    """`text` in Unicode's compatible form (NFKC), in linear time; of a letter's marks 30 stay."""
    return text if text.isascii() else unicodedata.normalize("NFKC", _MARK_RUN.sub(_fewer_marks, text))


def until(text: str, ends: Iterable[str]) -> str:
    """`text` up to the first of these texts in it, or all of it."""
    return text[: min((at for end in ends if (at := text.find(end)) >= 0), default=len(text))]


def unaccented(text: str) -> str:
    """`text` without the accents of Latin, Greek and Cyrillic; marks of other scripts are letters."""
    if text.isascii():
        return text
    apart = unicodedata.normalize("NFD", _MARK_RUN.sub(_fewer_marks, text))
    return unicodedata.normalize("NFC", _ACCENTS.sub("", apart))


def _fewer_marks(match: re.Match[str]) -> str:
    kept, run = [], 0
    for char in match[0]:
        run = run + 1 if unicodedata.combining(char) or char in "\uff9e\uff9f" else 0
        if run <= _MOST_MARKS:
            kept.append(char)
    return "".join(kept)


def quote_lines(text: str, begins: re.Pattern[str]) -> str:
    """`text` with "> " before each line that begins so, as letters quote; lines end as Unicode says.

    A line counts as it looks: without what cannot be seen, with one space for any white space, and letters of
    another width are the same.

    Args:
        begins: of such a line.
    """

    def quoted(line: str) -> str:
        seen = _SEEN.search(line)
        if seen is None or not begins.match(nfkc(_beginning(line, seen.start()))):
            return line
        return f"{line[: seen.start()]}> {line[seen.start() :]}"

    return "".join(map(quoted, text.splitlines(keepends=True)))


def _beginning(line: str, start: int) -> str:
    """How a line begins from `start` on, as it looks."""
    head = line[start : start + _BEGINNING]
    if not _UNEVEN.search(head):
        return head
    found, size = [], 0
    for part in _PARTS.finditer(line, start):
        if _SEEN.match(part[0]):
            found.append(part[0][:_BEGINNING])
        else:
            found.append(" " if _SPACE.search(part[0]) else "")
        size += len(found[-1])
        if size > _BEGINNING:
            break
    return "".join(found)


def spaced(text: str) -> str:
    """`text` with a space around every letter of scripts that put none between words (Han, kana, Thai ...).

    The letters stand in for words, as is usual where no dictionary is at hand (MLQA, Lewis et al. 2020).
    """
    return text if text.isascii() else _LETTER.sub(lambda letter: f" {letter[0]} ", text)


def has_case(text: str) -> bool:
    """Whether names can be told by their capitals: most letters of `text` are of a script that has them."""
    letters = [char for char in text[:_SAMPLE] if char.isalpha()]
    cased = sum(char.lower() != char.upper() and not _NO_CASE.match(char) for char in letters)
    return 2 * cased > len(letters)


def question_end(text: str) -> int:
    """Where the first question of `text` ends: the place behind its question mark; -1 without one.

    Greek has a semicolon for it, Armenian a mark inside the sentence; か and 吗 before a full stop, or at the
    end, ask too.
    """
    found = [_QUESTION_END.search(text)]
    if not text.isascii():
        found += [_ARMENIAN.search(text), _GREEK_END.search(text) if _mostly(text, _GREEK) else None]
    return min((one.end() for one in found if one), default=-1)


def ends_as_question(text: str) -> bool:
    """Whether the last sentence of `text` asks, whatever quotes or brackets stand behind it."""
    text = text.rstrip(_CLOSING)
    last = sentences(text)[-1:] or [""]
    return question_end(last[0]) == len(last[0]) > 0


def _mostly(text: str, letters: re.Pattern[str]) -> bool:
    """Whether more than half of the letters are of these."""
    sample = text[:_SAMPLE]
    return 2 * len(letters.findall(sample)) > sum(char.isalpha() for char in sample)


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Spans (start, end) of the sentences of `text`, without surrounding white space, in order."""
    from sentencex import segment

    spans = []
    # The rules of "en" serve all scripts but Greek, whose question mark is a semicolon.  A surrogate has no
    # UTF-8, so it needs a stand-in.
    language = "el" if not text.isascii() and _mostly(text, _GREEK) else "en"
    for block_start, block_end in _blocks(text):
        block, at = _SURROGATE.sub("?", text[block_start:block_end]), 0
        for part in segment(language, block):
            # of long texts it loses white space between some segments
            at = max(at, block.find(part, at, at + len(part) + _LOST))
            start, end = at + len(part) - len(part.lstrip()), at + len(part.rstrip())
            at += len(part)
            if start < end:
                spans.append((block_start + start, block_start + end))
    return spans


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Spans that make up `text`, with few punctuation marks each; nearly always one span.

    They end with a paragraph, else with a line, else behind a space, else anywhere.
    """
    start = 0
    if len(text) > _CROWDED:
        for mark in islice(_PUNCTUATION.finditer(text), _CROWDED, None, _CROWDED):
            ends = (text.rfind(end, start, mark.start()) + len(end) for end in ("\n\n", "\n", " "))
            end = next((end for end in ends if end > start + 1), mark.start())
            yield start, end
            start = end
    yield start, len(text)


def sentences(text: str) -> list[str]:
    """The sentences of `text` (rules of sentencex); one without a terminator counts too."""
    return [text[start:end] for start, end in sentence_spans(text)]


def folded(text: str) -> str:
    """`text` whatever its case and white space: single spaces, none at the ends, case folded."""
    return " ".join(text.split()).casefold()


def normalise(text: str) -> str:
    """SQuAD / ALCE normal form: lower case, no punctuation, no a/an/the, single spaces (methods 5).

    Punctuation is deleted, not replaced ("d'Ivoire" -> "divoire", "1,000" -> "1000", ".fr" -> "fr"), in all
    scripts; long dashes separate words.  Departures from ALCE: the decimal point stays, or "6.3 million"
    would equal "63 million"; and every letter of a script without spaces is a word (see `spaced`).
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
        text = nfkc(_BREAK.sub(" ", text)).lower()
        text = nfkc(_NO_WORD.sub(_drop_punctuation, text))
        text = spaced(text)
    return [word for word in text.split() if word not in _ARTICLES]


def occurrences(needle: Sequence[T], among: Sequence[T]) -> Iterator[int]:
    """Where `needle` stands in `among`, in order, overlaps included; linear (Knuth, Morris & Pratt 1977).

    Args:
        needle: not empty.
    """
    falls, matched = [0] * len(needle), 0
    for i in range(1, len(needle)):
        while matched and needle[i] != needle[matched]:
            matched = falls[matched - 1]
        matched += needle[i] == needle[matched]
        falls[i] = matched
    matched = 0
    for i, item in enumerate(among):
        while matched and (matched == len(needle) or item != needle[matched]):
            matched = falls[matched - 1]
        matched += item == needle[matched]
        if matched == len(needle):
            yield i + 1 - matched


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
    Signs and symbols do not count; where meaning is decided, `judging.terms` compares.
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


def best_sentence(passage: str, words: Iterable[str]) -> tuple[int, int] | None:
    """Span of the sentence that shares most words with `words`, weighing rare ones (in the passage) more."""
    spans = sentence_spans(passage)
    bags = [set(tokens(passage[a:b])) for a, b in spans]
    best, best_weight = None, 0.0
    asked = set(words)
    shared = [sorted(bag & asked) for bag in bags]
    counts = Counter(word for some in shared for word in some)
    for span, some in zip(spans, shared, strict=True):
        weight = sum(1 / counts[word] for word in some)
        if weight > best_weight:
            best, best_weight = span, weight
    return best


def under_title(title: str, passage: str) -> str:
    """The passage, under its title if it does not name it: a later part of a document may say only "it"."""
    title = one_line(title, MAX_TITLE)  # of a page from outside it may be any text
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
