"""What strangers wrote is parsed in a process of its own, with little time and memory; it is started again if
it dies.

One process serves all documents of a library; it gets no environment but what Python needs.  One that it dies
of is a ParserError with the reason.  It knows nothing of files, and nothing of what is in a document.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import selectors
import subprocess
import sys
import threading
import time
from pathlib import Path

from selfstudy.errors import SelfstudyError
from selfstudy.library.parsing.parser_child import MEMORY, seconds

log = logging.getLogger(__name__)

_WAIT = 60.0
"""Seconds that a page may take by the clock, beside ten times its time of computing."""
_LARGEST_REPLY = 100_000_000
_BLOCK = 1 << 16
_MODULES = [str(Path(__file__).parents[3])]
"""Where it looks for what it imports, before what is installed."""
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


class ParserError(SelfstudyError):
    """A document takes too much time or memory, or cannot be parsed."""


def article(page: str) -> str:
    """The main text of a page, "" where there is none.

    Raises:
        ParserError: parsing it takes too much time or memory.
    """
    text, trouble = parsed("page", page.encode("utf-8", "replace"))
    if trouble and trouble not in _told:
        _told.add(trouble)
        log.warning("%s: all visible text of such pages is used", trouble)
    return text


def parsed(kind: str, document: bytes) -> tuple[str, str]:
    """(text, what went wrong or "") of a document of one of the kinds in `parser_child.TASKS`.

    Raises:
        ParserError: parsing it takes too much time or memory.
    """
    with _lock:
        return _parser.ask(kind, document)


def stop() -> None:
    """Ends the process, until it is needed again."""
    with _lock:
        _parser.stop()


class _Parser:
    """The process, started when it is first needed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def ask(self, kind: str, document: bytes) -> tuple[str, str]:
        """(text, what went wrong) of a document."""
        process = self._running()
        data = kind.encode() + b"\0" + document
        limit = seconds(len(document))
        reply = self._exchange(process, len(data).to_bytes(4, "big") + data, 10 * limit + _WAIT)
        if reply is None:
            self.stop()
            limits = f"{limit:.0f} s of computing or {MEMORY >> 20:,} MB"
            raise ParserError(f"the {kind} takes more than {limits} to parse")
        trouble, _, text = reply.decode("utf-8", "replace").partition("\0")
        return text, trouble

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None and self._owner == os.getpid():
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            self.stop()
            self._process, self._owner = _start(), os.getpid()
        return self._process

    @staticmethod
    def _exchange(process: subprocess.Popen[bytes], request: bytes, wait: float) -> bytes | None:
        """The reply to a request; None where the process ends or says nothing in time."""
        assert process.stdin is not None
        assert process.stdout is not None
        deadline = time.monotonic() + wait
        out, into = process.stdout.fileno(), process.stdin.fileno()
        left, found = memoryview(request), bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(out, selectors.EVENT_READ)
            selector.register(into, selectors.EVENT_WRITE)
            while len(found) < 4 or len(found) < 4 + int.from_bytes(found[:4], "big"):
                ready = selector.select(max(0.0, deadline - time.monotonic()))
                if not ready or len(found) > _LARGEST_REPLY:
                    return None
                for key, _ in ready:
                    try:
                        if key.fd == into:
                            left = left[os.write(into, left[:_BLOCK]) :]
                            if not left:
                                selector.unregister(into)
                        elif block := os.read(out, _BLOCK):
                            found += block
                        else:
                            return None
                    except BlockingIOError:
                        continue
                    except OSError:  # it has ended
                        return None
        return bytes(found[4:])


def _start() -> subprocess.Popen[bytes]:
    """The process.  -P: nothing is imported from the working directory, which may be a stranger's."""
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "selfstudy.library.parsing.parser_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment | {"PYTHONPATH": os.pathsep.join(_MODULES), "PYTHONHASHSEED": "0"},
            start_new_session=True,  # Ctrl-C is for us; it ends when its input does
            bufsize=0,
        )
    except OSError as error:
        raise ParserError(f"the process that parses pages cannot be started: {error.strerror}") from None
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            os.set_blocking(pipe.fileno(), False)
    return process


_parser = _Parser()
_lock = threading.Lock()
_told: set[str] = set()
atexit.register(stop)
