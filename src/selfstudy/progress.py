"""Progress to a person: a stage says what it is doing and how far it is, and knows nothing of screens.

`Silent` for tests and libraries, `Terminal` for people: bars with an estimate of the time left on a terminal,
a plain line now and then where there is none (a log file, CI).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol

from selfstudy import screen

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

PLAIN_SECONDS = 15.0
"""Seconds between two lines of one task where there is no terminal."""


class Reporter(Protocol):
    """What a stage may tell a person."""

    def task(self, label: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """A piece of work of `total` items; yields `advance(n)`, called with the items newly done."""

    def note(self, text: str) -> None:
        """One line worth reading."""


class Silent:
    """Says nothing."""

    @contextmanager
    def task(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        yield lambda count: None

    def note(self, text: str) -> None:
        pass


class Terminal:
    """Bars on a terminal, plain lines elsewhere. Tasks may be nested; all text is shown literally."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or screen.console(stderr=True)
        self._progress: Progress | None = None

    @contextmanager
    def task(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        if self.console.is_terminal:
            with self._bar(label, total) as advance:
                yield advance
        else:
            with self._lines(label, total) as advance:
                yield advance

    def note(self, text: str) -> None:
        text = screen.printable(text)
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def _bar(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        from rich.markup import escape

        outermost = self._progress is None
        if self._progress is None:
            self._progress = _bars(self.console)
            self._progress.start()
        progress = self._progress
        task = progress.add_task(escape(screen.printable(label)), total=total)
        try:
            yield lambda count: progress.update(task, advance=count)
        finally:
            progress.stop_task(task)
            if outermost:
                progress.stop()
                self._progress = None

    @contextmanager
    def _lines(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        start = last = time.monotonic()
        done = 0

        def advance(count: int) -> None:
            nonlocal done, last
            done += count
            now = time.monotonic()
            if now - last >= PLAIN_SECONDS and 0 < done < total:
                last = now
                left = (now - start) / done * (total - done)
                self.note(f"{label}: {done} of {total}, about {duration(left)} left")

        yield advance
        self.note(f"{label}: {done} of {total} in {duration(time.monotonic() - start)}")


def _bars(console: Console) -> Progress:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
    )


def duration(seconds: float) -> str:
    """Seconds for a person: 4.2 s, 42 s, 3 min 5 s, 2 h 10 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
