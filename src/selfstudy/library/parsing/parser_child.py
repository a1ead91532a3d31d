"""The process in which what strangers wrote is parsed: documents come from stdin, their text goes to stdout.

Each message is four bytes of length and as many bytes: of a request the kind of document (a row of `TASKS`),
a NUL and the document; of a reply what went wrong, a NUL and the text, as UTF-8.  A document that takes more
than its time, counted by the processor's clock, or more memory than there is, ends the process.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import BinaryIO

from selfstudy.library.parsing import pdf_child, wikitext

MEMORY = 2 << 30
"""Bytes of address space."""


def seconds(size: int) -> float:
    """How long a document of so many bytes may take: several times what a long article does."""
    return 2 + size * 6e-6


def main() -> None:
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a library that prints disturbs no reply
    _confine()
    threading.Thread(target=_leave_with, args=(os.getppid(),), daemon=True).start()
    serve(sys.stdin.buffer, replies)


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answers requests until there are no more."""
    article("")  # what has to be imported counts for no page
    while len(head := requests.read(4)) == 4:
        kind, _, document = requests.read(int.from_bytes(head, "big")).partition(b"\0")
        _allow(seconds(len(document)))
        text, trouble = TASKS[kind.decode()](document)
        _allow(0)
        reply = f"{trouble}\0{text}".encode("utf-8", "replace")
        replies.write(len(reply).to_bytes(4, "big") + reply)
        replies.flush()


def _article(page: bytes) -> tuple[str, str]:
    return article(page.decode("utf-8", "replace"))


def _wikitext(page: bytes) -> tuple[str, str]:
    return wikitext.plain(page.decode("utf-8", "replace"))


TASKS: dict[str, Callable[[bytes], tuple[str, str]]] = {
    "page": _article,
    "PDF": pdf_child.read,
    "wikitext": _wikitext,
}
"""What can be parsed, by the word that messages have for it: (text, what went wrong) of a document."""


def article(page: str) -> tuple[str, str]:
    """(main text of a page or "", what went wrong or "")."""
    try:
        import trafilatura
    except ImportError as error:  # its own dependencies break now and then
        return "", f"trafilatura cannot be imported ({error})"
    try:
        return trafilatura.extract(page, include_comments=False) or "", ""
    except MemoryError:
        raise
    except Exception as error:  # any page must be survived
        return "", f"trafilatura failed on a page ({type(error).__name__}: {str(error)[:200]})"


def _leave_with(parent: int) -> None:
    """Ends this process when whoever started it has ended, in the middle of a long page too."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _allow(processor_time: float) -> None:
    """Lets the kernel end this process after so many seconds of computing; 0: never."""
    if hasattr(signal, "ITIMER_PROF"):
        signal.setitimer(signal.ITIMER_PROF, processor_time)


def _confine() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    for what, limit in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(what, (limit, limit))


if __name__ == "__main__":
    main()
