"""What is wrong with one text that a model gave: signs that need no knowledge of what is right.

Pure functions over texts, linear in their length.  Know no model and no question but the one that is given.
"""

from __future__ import annotations

import re
import unicodedata

from selfstudy.judging.terms import words

_MARK = re.compile(
    r"<\|[^\s|<>][^|<>]{0,40}\|>|</?(?:s|bos|eos|pad|unk|start_of_turn|end_of_turn|end_of_utterance)>"
    r"|\[/?INST\]|<unused\d+>|<[｜|][^<>]{1,40}[｜|]>"
)
"""Marks of the tokenizers and templates that are about; no text of people holds them."""
_ROLE = re.compile(
    r"^[ \t>*#<|]*(?:system|user|human|assistant|model|ai|bot|question|answer|q|a|document|instruction)"
    r"[ \t*|>]*(?::|$)",
    re.IGNORECASE | re.MULTILINE,
)
"""A line that opens a turn."""
_OWN_ROLE = re.compile(r"\s*(?:assistant|answer|a)[ \t]*:", re.IGNORECASE)
"""How some begin an answer."""
_LOOKED_AT = 2000
_CYCLES = 8
"""Words of the longest cycle that counts as repeating."""
_FEWEST = 6
"""Words of the shortest text that can repeat itself."""


def is_garbled(text: str) -> bool:
    """Whether much of it is no text: replacement, private, unassigned and control characters."""
    text = text[:_LOOKED_AT]
    bad = sum(char == "�" or unicodedata.category(char) in ("Co", "Cn", "Cs", "Cc") for char in text)
    bad -= sum(map(text.count, "\n\t\r"))
    return bad >= 2 and bad > 0.05 * len(text)


def has_marks(text: str) -> bool:
    """Whether a mark of a template or a tokenizer stands in it."""
    return _MARK.search(text[:_LOOKED_AT]) is not None


def repeats(text: str) -> bool:
    """Whether it is one word, sign or short phrase over and over, perhaps after a few other words."""
    text = text[:_LOOKED_AT]
    said = text.casefold().split()
    if len(said) < _FEWEST:
        packed = "".join(text.split())
        return len(packed) >= 3 * _FEWEST and len(set(packed)) <= 2
    tail = said[len(said) // 4 :]
    return any(tail[size:] == tail[:-size] for size in range(1, min(_CYCLES, len(tail) // 3) + 1))


def goes_on(text: str) -> bool:
    """Whether, after its first words, it opens a turn of its own: "User: ...", "Question: ..."."""
    own = _OWN_ROLE.match(text)
    return _ROLE.search(text[:_LOOKED_AT], own.end() if own else 1) is not None


def is_echo(text: str, asked: str) -> bool:
    """Whether it says what it was asked, word for word, in place of an answer or before it."""
    said, question = words(text[:_LOOKED_AT]), words(asked)
    size = len(question)
    if size < 3 or len(said) < size:
        return False
    return any(said[at : at + size] == question for at in range(min(len(said) - size, 12) + 1))


def is_related(text: str, *others: str) -> bool:
    """Whether it shares a word with any of the others; short words do not count."""
    said = {word for word in words(text[:_LOOKED_AT]) if len(word) > 3 or not word.isascii()}
    return any(said & set(words(other)) for other in others)
