"""What a run has learned from (seen.json), and what a round that watching began is about (changes.json).

A round's file is written in one step before anything is asked, so a round that was killed goes on with the
same; the run's when the round is done.  Knows nothing of how changes are noticed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from selfstudy.recipe import Ask
from selfstudy.records import Document

if TYPE_CHECKING:
    from selfstudy.run.directory import Round, Run


class Changes(BaseModel):
    """What a round is about, beside what is due.

    Attributes:
        added, changed: sources with the hash of their text (library/snapshot.py).
        early: whether it asks what is due first, though its turn has not come.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    added: dict[str, str] = {}
    changed: dict[str, str] = {}
    removed: tuple[str, ...] = ()
    early: bool = False


class _Library(BaseModel):
    """seen.json."""

    sources: dict[str, str] = {}


def seen(run: Run) -> dict[str, str] | None:
    """The snapshot of what the run has learned from; None: nobody looked.

    Raises:
        RunError: the file is damaged.
    """
    written = run.read_as(run.seen_file, _Library)
    return None if written is None else written.sources


def keep_seen(run: Run, sources: dict[str, str]) -> None:
    """Writes it down, in one step.

    Raises:
        RunError: it is too large.
    """
    run.write_json(run.seen_file, {"sources": dict(sorted(sources.items()))})


def forget(run: Run, is_forgotten: Callable[[str], bool]) -> None:
    """Takes sources out of both files: by a hash of its text a page would be known again."""
    if (before := seen(run)) is not None and (left := _left(before, is_forgotten)) != before:
        keep_seen(run, left)
    for round_ in run.rounds:
        if (about := changes_of(round_)) is not None:
            kept = about.model_copy(
                update={
                    "added": _left(about.added, is_forgotten),
                    "changed": _left(about.changed, is_forgotten),
                    "removed": tuple(one for one in about.removed if not is_forgotten(one)),
                }
            )
            if kept != about:
                begin(round_, kept)


def _left(hashes: Mapping[str, str], is_forgotten: Callable[[str], bool]) -> dict[str, str]:
    return {source: text for source, text in hashes.items() if not is_forgotten(source)}


def changes_of(round_: Round) -> Changes | None:
    """What the round is about; None: it is one of the recipe's.

    Raises:
        RunError: the file is damaged.
    """
    return round_.run.read_as(round_.changes_file, Changes)


def begin(round_: Round, changes: Changes) -> None:
    """Writes down what a round is about."""
    round_.run.write_json(round_.changes_file, changes.model_dump(mode="json"))


def learned(round_: Round) -> None:
    """The round is done: what it was about has been learned from."""
    changes = changes_of(round_)
    if changes is not None:
        now = {**(seen(round_.run) or {}), **changes.added, **changes.changed}
        keep_seen(round_.run, {one: text for one, text in now.items() if one not in changes.removed})


def asks_of(round_: Round) -> list[tuple[int, Ask]]:
    """How a round finds new questions, each with its number: as the recipe says, or about changed documents.

    Where no way of the recipe's asks about documents, there is one more.
    """
    asks = list(enumerate(round_.run.recipe.probe.ask))
    changes = changes_of(round_)
    if changes is None:
        return asks
    if not (changes.added or changes.changed):
        return []
    own = [(number, ask) for number, ask in asks if ask.method == "documents"]
    count = sum(ask.count for _, ask in asks)
    return own or [(len(asks), Ask(method="documents", count=count))]


def documents_of(round_: Round, documents: Sequence[Document]) -> Sequence[Document]:
    """Those that a round asks about: all, or the new and changed ones."""
    changes = changes_of(round_)
    if changes is None:
        return documents
    return [one for one in documents if one.source in changes.added or one.source in changes.changed]
