"""Progress, notes and the error of one process, shown and raised in another: lines of a file between them.

Knows nothing of what the one does (launched.py) while the other waits (launching.py).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import IO, TYPE_CHECKING, Any

from selfstudy import errors
from selfstudy.errors import ModelError, SelfstudyError

if TYPE_CHECKING:
    from selfstudy.progress import Reporter

SHOWN_SECONDS = 0.2
"""Between two advances of one task that are told."""


class ProgressReader:
    """What the other process says, line by line: told to a reporter; its error is kept.

    Attributes:
        error: what ended it, if it was a user's.
    """

    def __init__(self, file: IO[bytes], report: Reporter) -> None:
        self.error: SelfstudyError | None = None
        self._file = file
        self._report = report
        self._open: list[ExitStack] = []
        self._advance: list[Callable[[int], None]] = []
        self._torn = b""

    def __enter__(self) -> ProgressReader:
        return self

    def __exit__(self, *what: object) -> None:
        while self._open:
            self._end()

    def hear(self) -> None:
        """What is new."""
        *lines, self._torn = (self._torn + self._file.read()).split(b"\n")
        for line in lines:
            self._take(json.loads(line))

    def _take(self, said: Mapping[str, Any]) -> None:
        match said["kind"]:
            case "note":
                self._report.note(said["text"])
            case "task":
                stack = ExitStack()
                self._advance.append(stack.enter_context(self._report.task(said["label"], said["total"])))
                self._open.append(stack)
            case "advance":
                self._advance[said["depth"]](said["count"])
            case "end":
                self._end()
            case "error":
                self.error = _error(said)

    def _end(self) -> None:
        self._advance.pop()
        self._open.pop().close()


def _error(said: Mapping[str, Any]) -> SelfstudyError:
    """As it was raised there."""
    kind = getattr(errors, said["type"], SelfstudyError)
    if kind is errors.MissingExtraError:  # which is made of other words
        kind = ModelError
    made: SelfstudyError = kind(said["what"], said["hint"])
    return made


class ProgressWriter:
    """The other end: a reporter that writes what it is told; fulfils `progress.Reporter`.

    Args:
        file: opened for appending, unbuffered.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._depth = 0

    def _say(self, kind: str, **what: Any) -> None:
        self._file.write(json.dumps({"kind": kind, **what}).encode() + b"\n")

    def note(self, text: str) -> None:
        self._say("note", text=text)

    def error(self, error: SelfstudyError) -> None:
        kinds = (kind.__name__ for kind in type(error).__mro__ if kind.__module__ == errors.__name__)
        self._say("error", type=next(kinds), what=error.what, hint=error.hint)

    def task(self, label: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        return self._task(label, total)

    @contextmanager
    def _task(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        self._say("task", label=label, total=total)
        depth, waiting, last = self._depth, 0, 0.0
        self._depth += 1

        def advance(count: int) -> None:
            nonlocal waiting, last
            waiting += count
            if time.monotonic() - last >= SHOWN_SECONDS:
                last = time.monotonic()
                tell()

        def tell() -> None:
            nonlocal waiting
            if waiting:
                self._say("advance", depth=depth, count=waiting)
            waiting = 0

        try:
            yield advance
        finally:
            tell()
            self._depth -= 1
            self._say("end")
