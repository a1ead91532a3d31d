"""Ctrl-C: the first one stops a verb; those that follow end it sooner, and never with a traceback.

In a job of Slurm SIGTERM is the same: so a job is told that it has to make room, and begins again elsewhere.

Knows signals; nothing of what is interrupted.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from types import FrameType

from selfstudy.cli.leaving import leave

SAME_SECONDS = 0.5
"""Presses so close to each other are one."""


class Interrupts:
    """What comes of SIGINT while a verb runs.

    Attributes:
        came: whether there has been one.
        ending: whether the verb is ending for it, and has said so.
    """

    def __init__(self) -> None:
        self.came = self.ending = False
        self._last = float("-inf")

    def listen(self) -> None:
        """From now on a Ctrl-C is one KeyboardInterrupt, however often it is pressed at once."""
        self.ending = self.came = False
        plain = (signal.default_int_handler, leave, self._came)
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) in plain:
            signal.signal(signal.SIGINT, self._came)
            if "SLURM_JOB_ID" in os.environ and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
                signal.signal(signal.SIGTERM, self._came)

    def enough(self) -> None:
        """The verb is ending: nothing interrupts that any more."""
        self.ending = True

    def end(self) -> None:
        """The process is ending: Python clears away, and a Ctrl-C would only make a mess of its exit code."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    def forget(self) -> None:
        """The verb has ended by itself."""
        if not self.ending and signal.getsignal(signal.SIGINT) == self._came:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            if signal.getsignal(signal.SIGTERM) == self._came:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _came(self, number: int, frame: FrameType | None) -> None:
        again = time.monotonic() - self._last < SAME_SECONDS
        self._last = time.monotonic()
        self.came = True
        if not (again or self.ending):
            raise KeyboardInterrupt
