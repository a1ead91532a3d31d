"""Sentences that must be found nowhere, and whether a text or a file quotes one; linear in what is searched.

A sentence counts as it reads: without case, punctuation and articles (`text.normalise`).  Knows nothing of
runs.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Iterator

from pydantic_core import from_json

from selfstudy.text import clean, sentences, tokens

FEWEST_WORDS = 4
"""Of a sentence that is searched for: shorter ones are anybody's."""
_FEWEST_LETTERS = 8
"""The same of a script without spaces, whose letters stand for words."""
_START = 3
"""_Words by which a place is found where a sentence may begin."""

_MARKUP = {ord(mark): " " for mark in "<>=\"'|`"}
"""Marks that stand beside a word in a page or a table and are none of it."""

_Words = tuple[str, ...]


class Quotable:
    """The sentences of some texts.

    Args:
        texts: of what is forgotten.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._verbatim: dict[_Words, set[str]] = {}
        self._starting: dict[_Words, set[_Words]] = {}
        for text in texts:
            for sentence in sentences(clean(text)):
                self._add(sentence)

    def _add(self, sentence: str) -> None:
        words = tuple(tokens(sentence))
        spaced = len(sentence.split())
        if len(words) < _START or (spaced < FEWEST_WORDS and len(words) < _FEWEST_LETTERS):
            return
        self._verbatim.setdefault(words, set()).add(sentence)
        self._starting.setdefault(words[:_START], set()).add(words)

    def __len__(self) -> int:
        return len(self._verbatim)

    def without(self, texts: Iterable[str]) -> Quotable:
        """Those that none of these texts says."""
        said: set[_Words] = set()
        for text in texts:
            said.update(self.quoted(text))
        left = Quotable()
        for words, verbatim in self._verbatim.items():
            if words not in said:
                left._verbatim[words] = verbatim
                left._starting.setdefault(words[:_START], set()).add(words)
        return left

    def quoted(self, text: str) -> Iterator[_Words]:
        """The sentences that a text quotes, each as its words; one may come twice."""
        if not self._verbatim:
            return
        words = tokens(clean(text))
        for i in range(len(words) - _START + 1):
            for wanted in self._starting.get((words[i], words[i + 1], words[i + 2]), ()):
                if tuple(words[i : i + len(wanted)]) == wanted:
                    yield wanted

    def quotes(self, text: str) -> bool:
        """Whether a text quotes any."""
        return next(self.quoted(text), None) is not None

    def in_value(self, value: object) -> bool:
        """Whether any text of plain data (dicts, lists, strings) quotes one, keys included."""
        return any(map(self.quotes, strings(value)))

    def in_file(self, data: bytes) -> bool:
        """Whether what a file holds quotes one, as text, as JSON, as a page, or somewhere in its bytes."""
        if not self._verbatim:
            return False
        if _is_binary(data):
            return any(data.find(spelled) >= 0 for spelled in self._spelled())
        text = data.decode("utf-8", "replace")
        if self.quotes(text) or self.quotes(html.unescape(text.translate(_MARKUP))):
            return True
        return "\\" in text and any(self.in_value(value) for value in _values(data))

    def _spelled(self) -> Iterator[bytes]:
        for verbatim in self._verbatim.values():
            for sentence in verbatim:
                yield from {sentence.encode("utf-8", "replace"), json.dumps(sentence)[1:-1].encode()}


def strings(value: object) -> Iterator[str]:
    """All texts of plain data."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from strings(key)
            yield from strings(one)
    elif isinstance(value, list | tuple | set | frozenset):
        for one in value:
            yield from strings(one)


def _is_binary(data: bytes) -> bool:
    return b"\0" in data[:65536]


def _values(data: bytes) -> Iterator[object]:
    """The JSON of a file: of the whole, or of each line."""
    try:
        yield from_json(data)
        return
    except ValueError:
        pass
    for line in data.splitlines():
        try:
            yield from_json(line)
        except ValueError:
            continue
