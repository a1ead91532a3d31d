"""The words of a text as meaning takes them: signs, symbols and single letters count.

The normal form of the published metrics (`text.tokens`) deletes punctuation, so that 41 equals -41 and C
equals C++.  That is right for their figures and wrong for a decision.  Here

- a sign, a currency, a percent sign and the symbols of a name belong to the word ("-41", "+51", "$5", "5%",
  "C++", "Na+", ".is"); "minus 5" is "-5", "5 percent" is "5%"; minus signs, dashes and digits of all kinds
  are one;
- parts joined by a hyphen or a short dash are words of their own that stand together: "1914-1918" is
  "1914–1918" and contains no 1914, "Guinea-Bissau" no Guinea;
- a, an and the are dropped where they are articles: "A" alone, "vitamin A" and "The The" keep theirs.

Pure functions over strings, linear in their length.  It knows nothing of what is true.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from selfstudy.text import nfkc, occurrences, spaced

_QUOTES = '"`*_~“”«»„‘‹›'
_STOPS = dict.fromkeys("。｡।॥።։۔…", ".") | dict.fromkeys("！", "!") | dict.fromkeys("？؟፧", "?")
_COMMAS = dict.fromkeys("、，､،፣", ", ") | dict.fromkeys("；؛፤", "; ")
_OTHERS = {"：": ": ", "∣": "|", "·": "•", "・": "•", "⁄": "/", "≥": ">=", "≤": "<="}
_DASHES = dict.fromkeys("‐‑‒–−﹣－", "-") | dict.fromkeys("―", "—")


class _Plain(dict[int, str]):
    """Non-ASCII characters as what they mean here; filled as they are met."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        kind = unicodedata.category(char)
        if char in "—•°'" or char.isascii():
            plain = char
        elif kind == "Nd":
            plain = str(unicodedata.decimal(char))
        elif kind in ("So", "Cf"):  # emoji and invisible marks
            plain = " "
        elif kind[0] == "P":
            plain = "'" if char == "’" else " "
        else:
            plain = char
        self[code] = plain
        return plain


_PLAIN = _Plain({ord(char): plain for char, plain in (_STOPS | _COMMAS | _DASHES | _OTHERS).items()})
_GROUP = re.compile("(?<=\\d)[\u00a0\u2009\u202f](?=\\d{3}(?!\\d))")
_MARKER = re.compile(r"^[ \t]*(?:[-+*•·–]|\(?\d{1,2}[.)]|\(?[A-Ha-h][.)])[ \t]+", re.MULTILINE)
_NUMBERED = re.compile(r"(?<!\S)(?:\(?(\d{1,2})[.)]|\(?([a-h])\))\s+(?=\S)")
_OPTION = re.compile(
    r"(?<!\w)(?:option|answer|possibility|choice|candidate) (?:([1-9])|([A-H])) ?[:.)-]\s+", re.IGNORECASE
)
_LETTERED = re.compile(r"(?<!\S)\(?()([A-H])\)\s+(?=\S)")
_AND_SO_ON = re.compile(r",\s*(?:\.{2,}|…)[ \t]*$", re.MULTILINE)
_SPOKEN_MINUS = re.compile(r"\b(?:minus|negative) (?=\.?\d)", re.IGNORECASE)
_PERCENT = re.compile(r"(?<=\d) ?(?:%|per ?cent\b)", re.IGNORECASE)
_COMPARED = re.compile(r"([<>]=?) +(?=[-+$]?\.?\d)")
_MONEY_BEHIND = re.compile(r"(?<=\d) (?=[$€£¥₹₽₩](?!\w))")

_W = r"[^\s!-/:-@\[-`{-~—•°]"  # what words are made of: no ASCII punctuation, no mark that separates
_TERM = re.compile(
    rf"""°{_W}*|
    (?:(?<!{_W})(?:[<>]=?(?=[-+$.\d]))?(?:[-+]?\$?\.?(?=\d)|-(?={_W}(?!{_W}))|[+.$](?={_W})|\#(?=\d)))?
    {_W}+
    (?:(?:'(?={_W})|(?<=\d)\.(?=\d)|\.(?=[a-z])|(?<!{_W}{_W})\.(?={_W}(?!{_W}))|(?<=\d),(?=\d\d\d(?!\d))){_W}+)*
    (?:\+\+|(?:\+|\#|%|\$)(?!{_W})|(?<!{_W}{_W}{_W}{_W})-(?=[\s.,;:!?)\]"'*`]|\Z))?""",
    re.VERBOSE,
)
_MONEY = re.compile(r"^([-+]?)([\d.]+)([$€£¥₹₽₩])$")
_SYMBOLS = re.compile(r"(?<![^\s\"'`“«(])[^\w\s\"'`“”«»()]+(?![^\s\"'`”»)])")
_THIS, _OTHER = "Thissymbol", "Othersymbol"
_ARTICLES = frozenset({"a", "an", "the"})
_TO = frozenset({"to", "until", "till", "through"})
_LOOKED_AT = 20_000
_FEWEST_PLACES = 20
"""Words, and places at least, that `places` hands out to be looked at."""
_REMEMBERED = 100_000
"""Characters of a text whose terms may stay in memory."""
_VERBS_AFTER_A = frozenset({"is", "was", "are", "were", "and", "or", "has"})


class Term(NamedTuple):
    """One word: `word` is compared, `raw` is how it stands there.

    Attributes:
        gap: what stands between the term before and this one.
        article: the article that was dropped before it, or "".
    """

    word: str
    raw: str
    gap: str
    article: str = ""

    @property
    def unpossessed(self) -> str:
        """The word without a possessive ending: Peru's is peru."""
        return self.word[:-1] if self.raw.endswith(("'s", "’s")) else self.word

    @property
    def glued(self) -> bool:
        """Whether it is one piece with the term before: 1914-1918, Guinea-Bissau."""
        return self.gap == "-"

    @property
    def opens(self) -> bool:
        """Whether a sentence or a line begins with it."""
        return any(mark in self.gap for mark in ".!?\n•")


def terms(text: str) -> list[Term]:
    """The terms of `text`, in order."""
    return parsed(text)[0]


def parsed(text: str) -> tuple[list[Term], str]:
    """The terms of `text`, in order, and what stands behind the last one."""
    found, rest = _kept(text) if len(text) <= _REMEMBERED else _without_articles(text)
    return list(found), rest


def _without_articles(text: str) -> tuple[Sequence[Term], str]:
    found, rest = _found(text)
    kept: list[Term] = []
    article: Term | None = None
    for i, term in enumerate(found):
        if term.word in _ARTICLES and _is_article(term, found[i + 1] if i + 1 < len(found) else None, i == 0):
            article = term
            continue
        if article is not None:
            term = Term(term.word, term.raw, article.gap, article.word)
            article = None
        kept.append(term)
    return kept, rest


_kept = lru_cache(maxsize=4)(_without_articles)
"""One decision asks for the terms of the answer, the reference and the question several times each."""


def symbols_named(texts: Sequence[str], key: str) -> list[str]:
    """`texts` with names in place of symbols that stand alone, if `key` is nothing but one: "%", "++", "♥".

    Symbols that are the key get one name, others another, so that the rules for words serve.
    """
    sought = key.strip()
    if not sought or terms(sought):
        return [key, *texts]

    def name(match: re.Match[str]) -> str:
        found = match[0] if match[0] == sought else match[0].strip(".,;:!?") or match[0]
        before, behind = match[0].split(found, 1)
        return f"{before}{_THIS if found == sought else _OTHER}{behind}"

    return [_THIS, *(_SYMBOLS.sub(name, _unquoted(text.strip())) for text in texts)]


def _unquoted(text: str) -> str:
    return text.strip(_QUOTES + "'") or text


def words(text: str) -> list[str]:
    """The words of the terms of `text`."""
    return [term.word for term in terms(text)]


def is_exact(word: str) -> bool:
    """Whether another sign or letter would make it another word: numbers, C++, .is, B; but not I."""
    if word.isalpha():
        return len(word) == 1 and word != "i" and word.lower() != word.upper()
    return any(unicodedata.category(char)[0] not in "LM" for char in word)


def places(among: Sequence[Term], needle: Sequence[Term]) -> list[int]:
    """Where the words of `needle` stand in `among`, whole: not as a part of what is glued together.

    Only the first places, thousands of them: a caller looks at each, as often as the needle is long.
    """
    if not needle:
        return []
    size = len(needle)
    found = occurrences([term.word for term in needle], [term.word for term in among])
    whole = (i for i in found if not among[i].glued and not (i + size < len(among) and among[i + size].glued))
    return list(islice(whole, max(_FEWEST_PLACES, _LOOKED_AT // size)))


def ranges(some: Sequence[Term]) -> list[list[Term]]:
    """`some`, and, if it is a range of numbers, the other ways to write it: "1914-1918", "1914 to 1918"."""
    found = [list(some)]
    said = [term.word for term in some]
    match said:
        case [first, last] if some[1].glued and _are_numbers(first, last):
            found += [terms(f"{first} {word} {last}") for word in sorted(_TO)]
            found.append(terms(f"between {first} and {last}"))
        case [*head, first, link, last] if _are_numbers(first, last) and (
            (link in _TO and head in ([], ["from"])) or (link == "and" and head == ["between"])
        ):
            found.append(terms(f"{first}-{last}"))
            found += [terms(f"{first} {word} {last}") for word in sorted(_TO)]
    return found


def _are_numbers(*words: str) -> bool:
    return all(word[:1].isdigit() for word in words)


def _prepared(text: str) -> str:
    text = _AND_SO_ON.sub(", etc.", _bulleted(text))
    if not text.isascii():
        text = nfkc(_GROUP.sub("", text)).translate(_PLAIN)
        text = spaced(text)
    text = _COMPARED.sub(r"\1", text.replace("+/-", "±"))
    return _MONEY_BEHIND.sub("", _PERCENT.sub("%", _SPOKEN_MINUS.sub("-", text)))


def _bulleted(text: str) -> str:
    """Lists of lines, or numbered within one, get one mark: "1. Rome 2. Paris" -> "• Rome • Paris"."""
    if "\n" in text and sum(1 for _ in islice(_MARKER.finditer(text), 2)) > 1:
        return _MARKER.sub("• ", text)
    for mark in (_NUMBERED, _LETTERED, _OPTION):
        first = [(match[1] or match[2]).lower() for match in islice(mark.finditer(text), 2)]
        if first in (["1", "2"], ["a", "b"]):
            return mark.sub("• ", text)
    return text


def _found(text: str) -> tuple[list[Term], str]:
    """All terms, articles too, and the rest."""
    text = _prepared(text)
    found, at = [], 0
    for match in _TERM.finditer(text):
        raw = match[0]
        found.append(Term(_word(raw), raw, text[at : match.start()]))
        at = match.end()
    return found, text[at:]


def _word(raw: str) -> str:
    if raw.isalpha():
        return raw.casefold()
    word = raw.casefold().replace("'", "").replace(",", "")
    if money := _MONEY.match(word):
        word = f"{money[1]}{money[3]}{money[2]}"
    head = word[: len(word) - len(word.lstrip("<>=+-$"))]
    tail = word[len(head) :]
    if tail[:1] == ".":
        return f"{head}0{tail}" if tail[1:2].isdigit() else word
    return word if any(char.isdigit() for char in tail) else head + tail.replace(".", "")


def _is_article(term: Term, after: Term | None, first: bool) -> bool:
    """An article stands before a word.  A capital A is one only where a sentence begins: "vitamin A is"."""
    if after is None or after.gap.strip():
        return False
    if term.raw != "A":
        return True
    return (first or term.opens) and after.word not in _VERBS_AFTER_A
