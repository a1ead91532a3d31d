"""What is done again after a kill, and what is not.

A stage that was killed starts again; an item that is done is not asked again (`done`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar

from selfstudy.records import Failure, Record
from selfstudy.run.directory import Round

R = TypeVar("R", bound=Record)
K = TypeVar("K", bound=Hashable)


def done(round_: Round, kind: type[R], item: Callable[[R], K], stage: str | None = None) -> set[K | str]:
    """The items of a step that need not be done again.

    Args:
        kind: the record that the step writes last for an item.
        item: the item of such a record.
        stage: an item that failed in it has a Failure, and no such record; None: it has such a record, with
            the error.  Failures of other stages say nothing of this one.
    """
    found: set[K | str] = {item(record) for record in round_.iter(kind)}
    if stage is not None:
        found |= {failure.item_id for failure in round_.iter(Failure) if failure.stage == stage}
    return found
