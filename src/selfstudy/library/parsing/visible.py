"""Title and visible text of an HTML page, in one pass over it, whatever the page is.

Where a tag, comment or script is never closed the rest of the page belongs to it, as in a browser; nothing is
looked at twice.  (Python's own parser takes minutes for "<a <a <a ...".)  It knows nothing of files, and
nothing of which part of a page is the article.
"""

from __future__ import annotations

import html
import re

_HIDDEN = frozenset({"script", "style", "template", "noscript", "head", "svg", "iframe", "object"})
_INLINE = frozenset({"a", "abbr", "b", "code", "em", "i", "small", "span", "strong", "sub", "sup", "u"})
_TAG = re.compile(
    r"""<(?P<end>/?)(?P<name>[a-zA-Z][^\s/>]*+)(?:[^>=]++|=\s*+(?:"[^"]*+"|'[^']*+')?+)*+>""",
)
_NAMED = re.compile(r"</?[a-zA-Z]")
_RAW = {name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE) for name in ("script", "style")}
"""Where an element ends in which no other one begins."""
_NO_CHARACTER = re.compile("&#(?:[0-9]{8,}|[xX][0-9a-fA-F]{7,});?")


def read(page: str) -> tuple[str, str]:
    """(title, text) of a page: a line for each block element; empty where there is none."""
    reader = _Reader()
    at = 0
    while (mark := page.find("<", at)) >= 0:
        reader.data(page[at:mark])
        if (at := _behind(page, mark, reader)) < 0:
            break
    else:
        reader.data(page[at:])
    return reader.found()


def _behind(page: str, mark: int, reader: _Reader) -> int:
    """Where it goes on behind the tag or comment that begins at `mark`; -1 where that is never closed."""
    if _NAMED.match(page, mark):
        tag = _TAG.match(page, mark)
        if tag is None:
            return -1
        name = tag["name"].lower()
        if tag["end"]:
            reader.end(name)
        else:
            reader.start(name)
            if name in _RAW:
                close = _RAW[name].search(page, tag.end())
                return -1 if close is None else close.start()
        return tag.end()
    if page.startswith("<!--", mark):
        end = page.find("-->", mark + 2)
        return -1 if end < 0 else end + 3
    if page.startswith(("<!", "<?", "</"), mark):
        return page.find(">", mark) + 1 or -1
    reader.data("<")
    return mark + 1


class _Reader:
    """Collects the title and all text outside of hidden elements."""

    def __init__(self) -> None:
        self._title: list[str] = []
        self._parts: list[str] = []
        self._hidden: list[str] = []
        """Hidden elements that are open, each name once: the end of the first one ends those within it."""
        self._in_title = False

    def start(self, name: str) -> None:
        self._in_title = name == "title" and not self._title
        if name in _HIDDEN:
            if name not in self._hidden:
                self._hidden.append(name)
        elif name == "body":
            self._hidden.clear()  # an unclosed head hides no body
        elif name not in _INLINE:
            self._parts.append("\n")

    def end(self, name: str) -> None:
        self._in_title = False
        if name in self._hidden:
            del self._hidden[self._hidden.index(name) :]
        elif name not in _INLINE:
            self._parts.append("\n")

    def data(self, text: str) -> None:
        if self._in_title:
            self._title.append(text)
        elif not self._hidden:
            self._parts.append(text)

    def found(self) -> tuple[str, str]:
        lines = (" ".join(line.split()) for line in _unescaped("".join(self._parts)).split("\n"))
        return " ".join(_unescaped("".join(self._title)).split()), "\n".join(line for line in lines if line)


def _unescaped(text: str) -> str:
    """Character references as characters; those of numbers that are none become U+FFFD."""
    return html.unescape(_NO_CHARACTER.sub("\ufffd", text))
