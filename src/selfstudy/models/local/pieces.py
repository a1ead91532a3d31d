"""What single tokens add to a text, and texts that grow by tokens.

A decoder drops the space at the left of a token that stands alone, and makes U+FFFD of a part of a
character; so a token is read behind those before it.  Knows nothing of models.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from selfstudy.models.local.chat_format import ChatFormat

_BROKEN = "\ufffd"
_LONGEST = 8
"""Tokens that one character may be cut into; what is longer is no character."""


def pieces(chat_format: ChatFormat, tokens: Sequence[int]) -> list[str]:
    """What each token of an answer adds; together they are its text, without white space around it.

    Parts of a character add nothing, the last of them all of it.
    """
    found: list[str] = []
    start, end = 0, 0  # tokens[start:end] are said, and stand before what comes next
    for at in range(len(tokens)):
        said = chat_format.decode(tokens[start:end])
        now = chat_format.decode(tokens[start : at + 1])
        whole = not now.endswith(_BROKEN) or at + 1 - end > _LONGEST or at + 1 == len(tokens)
        found.append(now.removeprefix(said) if whole else "")
        if whole:
            start, end = end, at + 1
    return _stripped(found)


class Growing:
    """The text of tokens that become more, of which each time only the new ones are read."""

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        self._decode = decode
        self._text = ""
        self._start = self._end = 0  # tokens[start:end] are in the text, and stand before what comes next

    def of(self, tokens: Sequence[int]) -> str:
        """As `decode` of all; fewer than last time are others, read from the beginning."""
        if len(tokens) < self._end:
            self._text, self._start, self._end = "", 0, 0
        said = self._decode(tokens[self._start : self._end])
        text = self._text + self._decode(tokens[self._start :]).removeprefix(said)
        if not text.endswith(_BROKEN):
            self._text, self._start, self._end = text, self._end, len(tokens)
        return text


def _stripped(found: list[str]) -> list[str]:
    for order, strip in ((range(len(found)), str.lstrip), (reversed(range(len(found))), str.rstrip)):
        for at in order:
            found[at] = strip(found[at])
            if found[at]:
                break
    return found


def alternative(chat_format: ChatFormat, before: int, token: int) -> str:
    """What another token would have added behind `before`; of a special one its name."""
    last = chat_format.decode([before], special=True)
    return chat_format.decode([before, token], special=True).removeprefix(last)
