"""The main text of a web page: trafilatura's, or all that is visible where that finds none.

Pages are untrusted: nothing is fetched, scripts and styles are dropped, a page that breaks one parser is
read by the other.  It knows nothing of files.
"""

from __future__ import annotations

import logging
from html.parser import HTMLParser

log = logging.getLogger(__name__)

_HIDDEN = frozenset({"script", "style", "template", "noscript", "head", "svg", "iframe", "object"})
_INLINE = frozenset({"a", "abbr", "b", "code", "em", "i", "small", "span", "strong", "sub", "sup", "u"})


def main_text(page: str) -> tuple[str, str]:
    """(title, text) of an HTML page; empty where there is none."""
    plain = _Visible()
    try:
        plain.feed(page)
        plain.close()
    except AssertionError as error:  # a marked section that the parser does not know
        log.warning("a page breaks Python's HTML parser (%s): what comes before it was read", error)
    return " ".join(plain.title.split()), _main(page) or plain.text()


def _main(page: str) -> str:
    try:
        import trafilatura
    except ImportError as error:  # its own dependencies break now and then
        log.warning("trafilatura cannot be imported (%s): all visible text of HTML pages is used", error)
        return ""
    try:
        return trafilatura.extract(page, include_comments=False) or ""
    except Exception as error:  # any page must be survived
        log.warning("trafilatura failed on a page (%r): all its visible text is used", error)
        return ""


class _Visible(HTMLParser):
    """Collects the title and all text outside of hidden elements, one line per block element."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title = ""
        self._parts: list[str] = []
        self._hidden: list[str] = []
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_title = tag == "title" and not self.title
        if tag in _HIDDEN:
            self._hidden.append(tag)
        elif tag == "body":
            self._hidden.clear()  # an unclosed head hides no body
        elif tag not in _INLINE:
            self._parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._in_title = False
        if tag in self._hidden:
            del self._hidden[self._hidden.index(tag) :]
        elif tag not in _INLINE:
            self._parts.append("\n")

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data
        elif not self._hidden:
            self._parts.append(data)

    def text(self) -> str:
        lines = (" ".join(line.split()) for line in "".join(self._parts).split("\n"))
        return "\n".join(line for line in lines if line)
