"""Indexes of many libraries on object storage, side by side under one prefix; an `IndexPlace`.

    passages-IDENTITY-TIME-RANDOM    a table, finished or not
    published-IDENTITY               one row: which of them is finished, written last and only once

An index is found by what it was built from, so one of other documents or another embedder is never taken for
it, and several runs may use it.  Who builds writes to a table of its own; of two who build the same, the one
that publishes first is used by both, and the other drops its table.  What a kill leaves is named by nobody,
and dropped by whoever builds there a day later.

Credentials come from the environment alone, and go to the endpoint that it names (s3_access.py).  Knows
nothing of what is in the table but its sources, for what is to be forgotten.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import ValidationError

from selfstudy.errors import RunError
from selfstudy.library.index_place import TABLE, IndexIdentity, fill
from selfstudy.library.s3_access import BRIEF, PATIENT, access, asking
from selfstudy.records import digest

if TYPE_CHECKING:
    import pyarrow as pa

PUBLISHED = "published"
_OURS = re.compile(rf"{TABLE}-([0-9a-f]{{16}})-([0-9]{{1,12}})-[0-9a-f]{{16}}")
_DAY = 86_400
_MOST = 10_000
"""Tables under one prefix that are looked through."""
_BATCH = 8192


class Named(Protocol):
    """Sources, some of which are in it."""

    def __contains__(self, source: str, /) -> bool: ...


class IndexBucket:
    """One prefix of a bucket.

    Args:
        url: s3://BUCKET/PREFIX, as the recipe checks it.
    """

    shared = True

    def __init__(self, url: str) -> None:
        self._url = url

    def reading(self) -> AbstractContextManager[None]:
        """See `IndexPlace`."""
        return asking(self._url)

    def check(self) -> None:
        """Whether it can be read at all, before anything is asked of a model.

        Raises:
            RunError: no credentials, no such bucket, it does not answer, or this key may not.
        """
        with self.reading():
            self._connect(BRIEF).list_tables(limit=1)

    def find(self, identity: IndexIdentity) -> Any | None:
        """See `IndexPlace`."""
        self.check()
        with self.reading():
            return self._published(identity)

    def write(self, identity: IndexIdentity, batches: Iterator[pa.Table]) -> Any:
        """See `IndexPlace`."""
        self._tidy(identity)
        name = f"{TABLE}-{_name(identity)}-{int(time.time())}-{secrets.token_hex(8)}"
        try:
            table = fill(lambda first: self._database.create_table(name, first), batches, self.reading)
            with self.reading():
                standing = self._publish(identity, name)
        except BaseException:
            self._drop(name)
            raise
        if standing is None:
            return table
        self._drop(name)
        return standing

    def forget(self, sources: Named) -> int:
        """Drops every index that holds a passage of one of these sources, whoever built it; how many.

        It is built again, without, by who needs it.

        Raises:
            RunError: one cannot be read or deleted.
        """
        dropped = 0
        self.check()
        with self.reading():
            for name in self._all_names():
                ours = _OURS.fullmatch(name)
                if ours is None:
                    continue
                table = self._opened(name)  # None: of a build that has not come far, whose files may hold it
                if table is not None and not _holds(table, sources):
                    continue
                # the table first: nothing that is published without it is ever used
                self._database.drop_table(name, ignore_missing=True)
                row = self._row(ours[1])
                if row is not None and row["table"] == name:
                    self._database.drop_table(f"{PUBLISHED}-{ours[1]}", ignore_missing=True)
                dropped += 1
        return dropped

    @cached_property
    def _database(self) -> Any:
        return self._connect(PATIENT)

    def _connect(self, bounds: dict[str, str]) -> Any:
        import lancedb

        return lancedb.connect(self._url, storage_options={**access(), **bounds})

    def _published(self, identity: IndexIdentity) -> Any | None:
        """The table that is finished; a row whose table is gone is dropped, for one that is built again."""
        row = self._row(_name(identity))
        if row is None:
            return None
        ours = _OURS.fullmatch(row["table"])
        if ours is None or ours[1] != _name(identity) or _read(row["identity"]) != identity:
            raise RunError(
                f"{self._url}: {PUBLISHED}-{_name(identity)} is not as selfstudy wrote it",
                "delete it, and see who may write there; the index is built again",
            )
        table = self._opened(row["table"])
        if table is None:
            self._database.drop_table(f"{PUBLISHED}-{_name(identity)}", ignore_missing=True)
        return table

    def _row(self, name: str) -> dict[str, str] | None:
        table = self._opened(f"{PUBLISHED}-{name}")
        rows = [] if table is None else table.search().limit(1).to_list()
        return {key: str(rows[0].get(key, "")) for key in ("table", "identity")} if rows else None

    def _opened(self, name: str) -> Any | None:
        try:
            return self._database.open_table(name)
        except ValueError as error:  # as LanceDB says it, of a place that it could read
            if f"Table '{name}' was not found" in str(error):
                return None
            raise

    def _publish(self, identity: IndexIdentity, name: str) -> Any | None:
        """Says that a table is finished; the one of somebody who has said so before, if there is one."""
        row = {"table": name, "identity": identity.model_dump_json()}
        try:
            self._database.create_table(f"{PUBLISHED}-{_name(identity)}", [row])
        except (ValueError, RuntimeError):
            standing = self._published(identity)
            if standing is None:
                raise
            return standing
        return None

    def _tidy(self, identity: IndexIdentity) -> None:
        """Drops what kills have left of builds of this index, a day ago or more."""
        with self.reading():
            for name in self._names():
                ours = _OURS.fullmatch(name)
                if ours and ours[1] == _name(identity) and time.time() - int(ours[2]) > _DAY:
                    self._drop(name)

    def _names(self) -> list[str]:
        names: list[str] = []
        token = None
        while len(names) < _MOST:
            page = self._database.list_tables(page_token=token)
            names += page.tables
            token = page.page_token
            if not token:
                break
        return names

    def _all_names(self) -> list[str]:
        names = self._names()
        if len(names) >= _MOST:
            raise RunError(
                f"library.index {self._url}: there are {_MOST:,} tables or more, too many to look through",
                "delete those that are not needed; then give the same command again",
            )
        return names

    def _drop(self, name: str) -> None:
        with suppress(ValueError, RuntimeError, OSError):  # what stays is named by nobody
            self._database.drop_table(name, ignore_missing=True)


def _name(identity: IndexIdentity) -> str:
    return digest(identity.model_dump_json())


def _read(text: str) -> IndexIdentity | None:
    try:
        return IndexIdentity.model_validate_json(text)
    except ValidationError:
        return None


def _holds(table: Any, sources: Named) -> bool:
    rows = table.search().select(["source"]).to_batches(_BATCH)
    return any(source in sources for batch in rows for source in set(batch.column("source").to_pylist()))
