"""Items of a group one after another, groups side by side, in threads that nobody has to wait for.

A thread pool of the standard library is joined when Python ends: an interrupt would wait for the slowest
server. Knows nothing of what is done.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def side_by_side(
    groups: Collection[Iterable[_Item]], work: Callable[[_Item], _Result], most: int
) -> Iterator[_Result]:
    """The results as they come; an exception of `work` is raised here, and nothing new is begun then.

    Args:
        most: groups at the same time.
    """
    waiting: queue.SimpleQueue[Iterable[_Item]] = queue.SimpleQueue()
    results: queue.Queue[tuple[bool, _Result | None, BaseException | None]] = queue.Queue(maxsize=most)
    stop = threading.Event()

    def put(done: bool, result: _Result | None, error: BaseException | None) -> None:
        while not stop.is_set():
            try:
                return results.put((done, result, error), timeout=1.0)
            except queue.Full:
                continue

    def run() -> None:
        try:
            while not stop.is_set():
                for item in waiting.get_nowait():
                    if stop.is_set():
                        return
                    put(False, work(item), None)
        except queue.Empty:
            put(True, None, None)
        except BaseException as error:
            put(True, None, error)

    for group in groups:
        waiting.put(group)
    workers = min(most, len(groups))
    try:
        for _ in range(workers):
            threading.Thread(target=run, daemon=True, name="pages").start()
        while workers:
            done, result, error = results.get()
            if error is not None:
                raise error
            if done:
                workers -= 1
            else:
                yield result  # type: ignore[misc]
    finally:
        stop.set()
