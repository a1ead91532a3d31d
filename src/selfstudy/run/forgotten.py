"""What a run has forgotten: tombstones, which stay, and by which no source comes back.

A tombstone names sources, ids and hashes; it holds no text of what was forgotten.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from selfstudy.errors import RunError
from selfstudy.library.excluded import Excluded

if TYPE_CHECKING:
    from selfstudy.run.directory import Run


class Tombstone(BaseModel):
    """One `selfstudy unlearn`.

    Attributes:
        pattern: of sources, as a person gave it (spelled as `gather.exclude`).
        sources: those that it named, which the run knew.
        questions: ids of what rested on them.
        adapters: what was dropped, by name: `group-HASH`, or `round-N` where a round has one.
        retrained: those that held other sources too, and were trained again without.
        rounds: that teach and verify again because of it.
        dropped: whether the adapters are gone already.
        finished: whether all of it is done; else the same command goes on.
        verified: what asking again and the relearning attack showed, by name; empty: not asked.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    pattern: str
    sources: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    adapters: tuple[str, ...] = ()
    retrained: tuple[str, ...] = ()
    rounds: tuple[int, ...] = ()
    dropped: bool = False
    finished: bool = False
    verified: dict[str, float | str | bool | None] = {}


class _Forgotten(BaseModel):
    """forgotten.json."""

    tombstones: tuple[Tombstone, ...] = ()


def tombstones(run: Run) -> tuple[Tombstone, ...]:
    """In the order in which they were set.

    Raises:
        RunError: the file is damaged.
    """
    written = run.read_as(run.forgotten_file, _Forgotten)
    return () if written is None else written.tombstones


def keep(run: Run, stones: Iterable[Tombstone]) -> None:
    """Writes them down, in one step."""
    found = _Forgotten(tombstones=tuple(stones))
    run.write_json(run.forgotten_file, found.model_dump(mode="json"))


def forgotten_sources(run: Run) -> Excluded:
    """What the library may not give any more, though it may lie there."""
    return _Gone(tombstones(run))


class _Gone(Excluded):
    """Patterns as a person gave them, and the sources that they named to the letter."""

    def __init__(self, stones: Iterable[Tombstone]) -> None:
        stones = tuple(stones)
        super().__init__([one.pattern for one in stones])
        self._named = {source for one in stones for source in one.sources}

    def __bool__(self) -> bool:
        return bool(self._named) or super().__bool__()

    def __contains__(self, source: str) -> bool:
        return source in self._named or super().__contains__(source)


def require_finished(run: Run) -> None:
    """Refuses to ask, look up, teach or verify while something is half forgotten.

    Raises:
        RunError: an unlearning was interrupted.
    """
    for stone in tombstones(run):
        if not stone.finished:
            raise unfinished_error(run, stone)


def unfinished_error(run: Run, stone: Tombstone) -> RunError:
    """Says how to go on with it."""
    command = shlex.join(["selfstudy", "unlearn", str(run.path), "--source", stone.pattern])
    return RunError(
        f"{run.path} is half way through forgetting {stone.pattern!r}", f"finish it first: {command}"
    )
