"""What has not been asked yet, asked block by block, each written as soon as it is there.

Knows nothing of what is asked, nor of how an answer is judged.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, TypeVar

from selfstudy.records import CitedCheck, Failure, RefusalCheck
from selfstudy.run.first_records import FirstRecords

if TYPE_CHECKING:
    from selfstudy.progress import Reporter
    from selfstudy.run import Round

P = TypeVar("P")
C = TypeVar("C", CitedCheck, RefusalCheck)


def ask_blocks(
    round_: Round,
    name: str,
    items: Sequence[P],
    done: set[Hashable],
    id_of: Callable[[P], str],
    ask: Callable[[Sequence[P]], Sequence[C]],
    report: Reporter,
    *,
    works: bool,
) -> None:
    """Writes the checks of all items that have none yet, and a failure for each that has an error.

    Args:
        name: of the task, as a person reads it.
        done: ids of the checks that are there.
        id_of: the id of the check of an item.
        ask: gives the checks of a block.
        works: whether the model has answered before, or may fail in everything.

    Raises:
        ModelError: of the first items none succeeds, and it is not known to work.
    """
    out = FirstRecords(round_, name, works)
    with report.task(name, len(items)) as advance:
        advance(sum(id_of(item) in done for item in items))
        size = round_.run.recipe.answering.block_size
        for batch in round_.pending(items, size, lambda item: id_of(item) in done):
            checks = [one for one in ask(batch) if one.id not in done]
            # failures first: a kill between the two writes must not lose one
            failures = [
                Failure(stage="verify", item_id=one.id, message=one.error)
                for one in checks
                if one.error is not None
            ]
            out.write([failures, checks], [one.error for one in checks])
            advance(len(checks))
    out.close()
