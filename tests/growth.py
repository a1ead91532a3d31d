"""How the time of some work grows with its size, on a machine that does other things too."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

TIMES = 3
MEASUREMENTS = 4
NOTHING = 0.02
"""Seconds: less is not measured again, for quadratic work takes longer at the lengths used here."""


def seconds(work: Callable[[], object], times: int = TIMES) -> float:
    """The least seconds of computing in so many times."""
    least = float("inf")
    for _ in range(times):
        gc.disable()
        start = time.process_time()
        work()
        least = min(least, time.process_time() - start)
        gc.enable()
    return least


def faster_than_linear(cost: Callable[[int], float], size: int, nothing: float = NOTHING) -> str:
    """What twice the size costs if that is over three times as much in each of four measurements, else "".

    Linear work costs twice as much, quadratic four times.  A machine that is slow for a moment fails one of
    the measurements, hardly all four.
    """
    once = twice = 0.0
    for _ in range(MEASUREMENTS):
        once, twice = cost(size), cost(2 * size)
        if twice <= 3 * once + nothing:
            return ""
    return f"{once:.3f} s, twice as long {twice:.3f} s"
