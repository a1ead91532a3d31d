"""Copies of models in other processes, and calls on them shared out in units: the contract.

What a call asks (256 chats, say) is cut into units that depend on that call alone, never on how many workers
there are: a unit is what one process would have computed as one batch.  So its results are the same bits
wherever it is computed, and a run comes out the same with any number of workers, or none.  Knows nothing of
who runs them (scale.py), nor of what a model is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from selfstudy.models.remote.usage import Usage


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Which model a worker loads, when it is first asked of it: a block of the recipe, as JSON."""

    kind: Literal["lm", "nli", "embedder"]
    block: str
    cache: bool = True
    """Whether answers of a remote one are kept for this user."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Instead of the result of an item: no worker could compute it, though it was tried alone at last."""

    error: str


@dataclass(frozen=True, slots=True)
class Done:
    """A unit that is done.

    Attributes:
        unit: its place among those of the call.
        results: one for each of its items, in their order; a `Lost` where there is none.
        usage: what was asked of the model for it, in all its tries; None: the model does not count.
    """

    unit: int
    results: list[Any]
    usage: Usage | None = None


class Workers(Protocol):
    """Processes that each hold copies of models; owned by a run, and closed with it."""

    @property
    def count(self) -> int:
        """How many there are to be."""

    def call(self, spec: ModelSpec, method: str, *arguments: Any) -> Any:
        """What one of them, whichever is free, says to `method` of `models.worker`.

        Raises:
            SelfstudyError: the model's own error, as it would be raised in this process; or no worker lives
                long enough to answer.
        """

    def share(
        self, spec: ModelSpec, method: str, units: Sequence[Sequence[Any]], *common: Any
    ) -> Iterator[Done]:
        """Each unit as it is done, in any order; no more are under way, or held, than workers need.

        A worker that is lost is replaced; its unit is tried elsewhere, whole; one that fails as often as
        `scale.tries` says is halved, and an item that fails alone is `Lost`.

        Args:
            method: of `models.worker`; it is given a unit's items and `common`.

        Raises:
            SelfstudyError: the model's own error, such as that it cannot be loaded; nothing works any more.
        """

    def forget(self, spec: ModelSpec) -> None:
        """Lets all of them let go of a model."""

    def close(self) -> None:
        """Ends all that was started for them; harmless when repeated."""
