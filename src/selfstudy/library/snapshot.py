"""What a library held when it was read: a hash of the text of each source; and what has changed since.

Knows nothing of files, nor of what is done about a change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from selfstudy.records import Document, Skipped

Snapshot = Mapping[str, str]
"""Source -> 16 hex digits of the SHA-256 of its text; white space does not count."""
UNREADABLE = ("cannot be read", "a link that cannot be followed")
"""How a reason begins for which a source is not seen, though it may be there."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Between two snapshots; sources in sorted order."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


def snapshot(documents: Iterable[Document]) -> dict[str, str]:
    """Of documents; those of one source count together, in their order."""
    hashes: dict[str, hashlib._Hash] = {}
    for one in documents:
        part = hashes.setdefault(one.source, hashlib.sha256())
        part.update(" ".join(f"{one.title} {one.text}".split()).encode("utf-8", "surrogatepass"))
        part.update(b"\0")
    return {source: part.hexdigest()[:16] for source, part in hashes.items()}


def difference(before: Snapshot, now: Snapshot) -> Difference:
    """What became of the sources."""
    return Difference(
        added=tuple(sorted(now.keys() - before.keys())),
        changed=tuple(sorted(one for one in now.keys() & before.keys() if now[one] != before[one])),
        removed=tuple(sorted(before.keys() - now.keys())),
    )


def unreadable(skipped: Iterable[Skipped], *, pages: bool) -> set[str]:
    """Files and folders that could not be read, though they may be there, and pages that did not come."""
    return {
        one.source for one in skipped if one.reason.startswith(UNREADABLE) or (pages and "://" in one.source)
    }


def with_unseen(before: Snapshot, now: Snapshot, closed: Collection[str]) -> dict[str, str]:
    """`now`, but as they were before those that lie in `closed` files or folders: nobody could tell."""
    if not closed:
        return dict(now)
    kept = {one: text for one, text in before.items() if _lies_in(one, closed)}
    return {one: text for one, text in now.items() if not _lies_in(one, closed)} | kept


def _lies_in(source: str, closed: Collection[str]) -> bool:
    """Whether a source, or the file of which it is a record or a part, or a folder of that, is closed."""
    file = source.partition("#")[0]
    parts = file.split("/")
    return source in closed or any("/".join(parts[:count]) in closed for count in range(1, len(parts) + 1))
