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
    try:
        os.write(2, b"\nstopped\n")
    finally:  # though nobody may listen
        os._exit(130)


def exits_with(code: int) -> None:
    """Makes sure of the exit code, once all that ends with the process has ended.

    Python itself dies of SIGINT where a Ctrl-C came while it ran a text as a program, as `dataclass` does.
    """
    _codes.append(code)


def _last() -> None:
    if not _codes:
        return
    try:
        sys.stderr.flush()
        sys.stdout.flush()
    finally:  # though they may be closed, or none
        os._exit(_codes[-1])


def _is_program(argv: list[str], given: list[str]) -> bool:
    """Whether we are the program, and not a part of one that may use Ctrl-C and its exit code for itself.

    Args:
        argv: as in `sys`; while `python -m` looks for the module that it is to run, it begins with "-m".
        given: the whole command line, Python's own options included.
    """
    if argv[:1] != ["-m"]:
        return "".join(argv[:1]).endswith(("/selfstudy", "/selfstudy/__main__.py"))
    module = "".join(given[-len(argv) :][:1])
    return module.removeprefix("-m") in ("selfstudy", "selfstudy.cli")


_codes: list[int] = []
if _is_program(sys.argv, sys.orig_argv):
    listen()
    atexit.register(_last)  # the first that is registered is the last that runs
