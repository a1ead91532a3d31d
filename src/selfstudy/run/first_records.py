"""A stage's records go to disk once something of them has succeeded; if nothing does, the stage stops.

So a stage in which every item fails is never marked as done, and no failure of it stands in the way of the
same command given again.  Knows nothing of what the records say.
"""

from __future__ import annotations

from collections.abc import Sequence

from selfstudy.errors import ModelError
from selfstudy.models.first_items import ENOUGH, FirstItems
from selfstudy.records import Record
from selfstudy.run.directory import Round


class FirstRecords:
    """Writes the records of one step of a stage, in order.

    Args:
        round_: where to.
        step: what people call the step: "answering".
        works: an item of it has succeeded in an earlier session.
    """

    def __init__(self, round_: Round, step: str, works: bool = False) -> None:
        self._round = round_
        self._step = step
        self._first = FirstItems(works)
        self._kept: list[Sequence[Record]] = []
        self._passed = False

    def write(
        self,
        batches: Sequence[Sequence[Record]],
        errors: Sequence[str | None],
        *,
        untried: int = 0,
        stop: bool = True,
    ) -> None:
        """Writes the batches one after the other, or keeps them back while every item has failed.

        Args:
            errors: of every item that was tried, None for one that succeeded.
            untried: items that needed no trying, and are done.
            stop: whether to stop as soon as it is clear; else at the end of the step.

        Raises:
            ModelError: all of the first items have failed alike; nothing of them was written.
        """
        self._first.saw(errors)
        self._passed = self._passed or untried > 0
        self._kept += batches
        if stop and self._first.hopeless:
            raise self._failed("all of the first")
        if self._first.works or not self._first.failed:
            self._flush()

    def close(self) -> None:
        """At the end of the step.

        Raises:
            ModelError: every item has failed; nothing of them was written.
        """
        few = self._round.run.is_shard and self._first.failed < ENOUGH  # the others may well succeed
        if self._first.failed and not self._first.works and not self._passed and not few:
            raise self._failed("all")
        self._flush()

    def _flush(self) -> None:
        for batch in self._kept:
            self._round.append(batch)
        self._kept.clear()

    def _failed(self, which: str) -> ModelError:
        return nothing_works(self._step, which, self._first)


def nothing_works(step: str, which: str, first: FirstItems) -> ModelError:
    """What a person is told when nothing comes of a step."""
    return ModelError(
        f"{step}: {which} {first.failed} failed, most of them like this: {first.commonest}",
        "fix the cause, then give the same command again: none of these items counts as done",
    )
