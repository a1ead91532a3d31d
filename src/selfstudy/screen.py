"""The one way to the terminal: what is printed moves no cursor, fills no clipboard and shows no key.

Model names, answers, errors of servers and names of files are other people's words, and a terminal obeys some
of them.  Knows texts and streams; not what they say.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterable
from typing import IO, TYPE_CHECKING

from selfstudy.secrets import hide
from selfstudy.text import clean

if TYPE_CHECKING:
    from rich.console import Console

_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Marks that turn the order of the text behind them: what is read then is not what stands there."""


def printable(text: str) -> str:
    """`text` as a terminal may have it: newline and tab its only controls, no turns, no known key."""
    return _TURNS.sub("", clean(hide(text)))


def say(text: str = "", *, err: bool = False, end: str = "\n") -> None:
    """Prints a line on stdout, or on stderr; with another `end` a part of one."""
    stream = sys.stderr if err else sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        print(printable(text).encode(encoding, "replace").decode(encoding), file=stream, end=end, flush=True)
    except BrokenPipeError:  # `| head` has read enough: the work goes on, and nothing more is said
        silence(stream)


class Growing:
    """Prints on stdout a text that is still being written, by whole words: half a word may be half a key."""

    def __init__(self) -> None:
        self._printed = ""

    def show(self, text: str) -> None:
        """Prints what is new in `text`, the whole so far, but for its last word."""
        self._print(_WORD.sub("", printable(text)))

    def end(self, text: str) -> None:
        """Prints the rest, and a line break; all of it again if it is not what was shown before."""
        whole = printable(text)
        if not whole.startswith(self._printed):
            say()
            self._printed = ""
        self._print(whole)
        say()

    def _print(self, text: str) -> None:
        if text.startswith(self._printed) and text != self._printed:
            say(text[len(self._printed) :], end="")
            self._printed = text


_WORD = re.compile(r"\s*[!-~\ufffd]*\Z")
"""What may still become another text: an unfinished word, half a character."""


def silence(stream: IO[str]) -> None:
    """Lets what is printed from now on, and what waits to be, go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def console(*, stderr: bool = False) -> Console:
    """A rich console that prints text in this way."""
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class Screen(Console):
        def render(
            self, renderable: RenderableType, options: ConsoleOptions | None = None
        ) -> Iterable[Segment]:
            for segment in super().render(renderable, options):
                yield segment if segment.control else segment._replace(text=printable(segment.text))

    return Screen(stderr=stderr)


class LastResort(logging.Handler):
    """Prints warnings that no handler takes, as logging's own does."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            say(record.getMessage(), err=True)
        except OSError:  # nobody is there to read it
            self.handleError(record)
