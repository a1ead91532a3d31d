"""Records in a folder: a JSONL file per type, append-only, every id once; a kill loses nothing written.

Knows the type's own file name (`Record.file`); nothing of rounds, stages, or what else is in the folder.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from selfstudy.errors import RunError
from selfstudy.files import jsonl
from selfstudy.records import Record
from selfstudy.run.record_ids import RecordIds

R = TypeVar("R", bound=Record)

_FEW = 8
_PLAIN = re.compile("[0-9A-Za-z_.:-]{1,100}")
"""What is spelled alike in all JSON."""
WRITE_BYTES = 16 * 2**20
"""Records are gathered up to this many bytes and then written and synced at once."""


class RecordFiles:
    """The records of one folder.

    Args:
        path: the folder.
        root: the run directory that it is in, which messages name.
        may_write: whether this process may change the folder; if not, another may be appending to it.
    """

    def __init__(self, path: Path, root: Path, may_write: Callable[[], bool]) -> None:
        self.path = path
        self._root = root
        self._may_write = may_write
        self._ids: dict[type[Record], RecordIds] = {}

    def read(self, kind: type[R]) -> list[R]:
        """All records of type `kind`, in file order; empty if there are none."""
        return list(self.iter(kind))

    def iter(self, kind: type[R]) -> Iterator[R]:
        """Like `read`, one at a time, in constant memory."""
        path = self._file(kind)
        for number, line, _ in jsonl.read_lines(path, parse=False):
            yield _parsed(kind, path, number, line)

    def where(self, kind: type[R], field: str, values: Collection[str | None]) -> Iterator[R]:
        """Like `iter`, those of which a text field has one of some values: the others are not parsed.

        So it takes a tenth of the time, of few values less; and of a line about something else damage is only
        seen if it is no whole line.
        """
        path = self._file(kind)
        lines: Iterator[tuple[int, bytes]]
        lines = ((number, line) for number, line, _ in jsonl.read_lines(path, parse=False))
        if len(values) <= _FEW and all(value is not None and _PLAIN.fullmatch(value) for value in values):
            lines = jsonl.lines_holding(path, [f'"{value}"'.encode() for value in values])
        of_field = re.compile(rb'"%s"\s{0,9}:\s{0,9}"([^"\\]{0,1000})"' % field.encode())
        for number, line in lines:
            found = of_field.search(line) if line.startswith(b"{") and line.endswith(b"}\n") else None
            if found is not None and found[1].decode("utf-8", "replace") not in values:
                continue
            record = _parsed(kind, path, number, line)
            if getattr(record, field) in values:
                yield record

    def by_id(self, kind: type[R], ids: Collection[str | None] | None = None) -> dict[str, R]:
        """Records by id, those with one of `ids` if that is given; streamed, for there may be far more.

        One that is not there, but is named by another record, is a RunError where it is taken.
        """
        found = (record for record in self.iter(kind) if ids is None or record.id in ids)
        return _ById({record.id: record for record in found}, self._file(kind))

    def ids(self, kind: type[Record]) -> set[str]:
        """The ids of all records of type `kind` (a copy)."""
        return set(self._known(kind))

    def count(self, kind: type[Record]) -> int:
        """How many records of type `kind` there are."""
        return len(self._known(kind))

    def append(self, items: Iterable[Record]) -> None:
        """Write records to the file of their type and force them to disk; ids already there are skipped.

        Raises:
            RunError: the disk is full or the like; each file then ends with its last whole line.
        """
        self._require_writer()
        buffers: dict[type[Record], dict[str, bytes]] = {}
        size = 0
        for item in items:
            kind = type(item)
            buffer = buffers.setdefault(kind, {})
            if item.id in buffer or item.id in self._known(kind):
                continue
            buffer[item.id] = jsonl.encode_record(item)
            size += len(buffer[item.id])
            if size >= WRITE_BYTES:
                self._write(buffers)
                size = 0
        self._write(buffers)

    def rewrite(self, kind: type[R], records: Iterable[R]) -> None:
        """Replace all records of type `kind` by these in one step, for a stage that must start again.

        Raises:
            RunError: the disk is full or the like; the records of before are still there.
        """
        self.rewrite_lines(kind, map(jsonl.encode_record, records))

    def forget_ids(self) -> None:
        """Which ids there are is read anew: another process has written."""
        self._ids.clear()

    def rewrite_lines(self, kind: type[Record], lines: Iterable[bytes]) -> None:
        """The same, of records that are written already, in constant memory."""
        self._require_writer()
        jsonl.replace_lines(self._file(kind), lines, self._root)
        self._ids.pop(kind, None)

    def lines(self, kind: type[Record]) -> Iterator[tuple[bytes, dict[str, Any]]]:
        """Each record of type `kind` as it is written, and as plain data."""
        for _, line, entry in jsonl.read_lines(self._file(kind)):
            yield line, entry

    def _file(self, kind: type[Record]) -> Path:
        if not kind.file:
            raise TypeError(f"{kind.__name__} names no file")
        return self.path / kind.file

    def _known(self, kind: type[Record]) -> RecordIds:
        if kind not in self._ids:
            lines = jsonl.read_lines(self._file(kind))
            ids = RecordIds(str(entry.get("id", "")) for _, _, entry in lines)
            if not self._may_write():  # another process may be appending: nothing to cache
                return ids
            self._ids[kind] = ids
        return self._ids[kind]

    def _write(self, buffers: dict[type[Record], dict[str, bytes]]) -> None:
        for kind, buffer in buffers.items():
            if buffer:
                jsonl.append(self._file(kind), b"".join(buffer.values()), self._root)
                self._known(kind).update(buffer)
                buffer.clear()

    def _require_writer(self) -> None:
        require_writer(self._may_write(), self._root)


def _parsed(kind: type[R], path: Path, number: int, line: bytes) -> R:
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise jsonl.damaged(path, number, f"not a {kind.__name__}: {where} {first['msg']}") from None


class _ById(dict[str, R]):
    """Records by id, from a file that another one may have lost its records of."""

    def __init__(self, found: dict[str, R], file: Path) -> None:
        super().__init__(found)
        self._file = file

    def __missing__(self, name: str) -> R:
        raise RunError(
            f"{self._file} has no record {name[:40]!r}, which others beside it name: lines were lost",
            "restore the file from a backup, or start a new run with --run DIR",
        )


def require_writer(writable: bool, root: Path) -> None:
    """Refuses a change of a run that was opened for reading."""
    if not writable:
        raise RunError(f"the run {root} is open for reading only", "open it with write=True")
