"""Ctrl-C while the command line is still being imported, which takes a moment: a line, and the end.

Imports next to nothing, so that it can listen at once: `signal` alone takes longer than all of this.  Knows
nothing of verbs.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import atexit
import os
import sys

_SIGINT = 2


def listen() -> None:
    """From now on a Ctrl-C ends the process: nothing has begun that could be lost."""
    if _signal.getsignal(_SIGINT) is _signal.default_int_handler:
        try:
            _signal.signal(_SIGINT, leave)
        except ValueError:  # in another thread of somebody's program
            return


def leave(number: int, frame: object) -> None:
    """What a signal does."""
    os.write(2, b"\nstopped\n")
    os._exit(130)


def exits_with(code: int) -> None:
    """Makes sure of the exit code, once all that ends with the process has ended.

    Python itself dies of SIGINT where a Ctrl-C came while it ran a text as a program, as `dataclass` does.
    """
    _codes.append(code)


def _last() -> None:
    if _codes:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_codes[-1])


_codes: list[int] = []
if sys.argv[0] == "-m" or sys.argv[0].endswith("/selfstudy"):  # we are the program, not a part of one
    listen()
    atexit.register(_last)  # the first that is registered is the last that runs
