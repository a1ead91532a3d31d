"""The main text of a web page: trafilatura's, or all that is visible where that finds none.

Pages are untrusted: nothing is fetched, scripts and styles are dropped, and trafilatura, whose time and
memory nobody bounds, works in a process of its own (parser.py).  It knows nothing of files.
"""

from __future__ import annotations

from selfstudy.library.parsing import parser, visible


def main_text(page: str) -> tuple[str, str]:
    """(title, text) of an HTML page; empty where there is none.

    Raises:
        parser.ParserError: the page takes too much time or memory.
    """
    title, text = visible.read(page)
    return title, parser.article(page) or text
