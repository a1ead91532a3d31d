"""The log of requests: JSON lines for their owner alone, without what looks like a secret, of bounded size.

Kept only if somebody asks for it.  A later run reads it as questions (`ask: {method: logs}`).
"""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from typing import IO

from selfstudy.errors import DataError
from selfstudy.files import private
from selfstudy.run.request_log import RequestLine
from selfstudy.secrets import without_secrets

LARGEST = 64 * 2**20
"""Bytes after which a file is put aside."""
KEPT = 4
"""Files that are put aside: FILE.1 is the newest."""
LONGEST = 32_768
"""Characters of a question or an answer that are kept."""


class RequestLog:
    """A file that grows by a line a request; safe to write from several threads.

    Raises:
        DataError: there can be no such file.
    """

    def __init__(self, path: Path, largest: int = LARGEST, kept: int = KEPT) -> None:
        self.path, self._largest, self._kept = path, largest, kept
        self._lock = threading.Lock()
        try:
            self._file = self._opened()
        except OSError as error:
            raise DataError(
                f"the log {path} cannot be written: {error.strerror}", "name a file in a folder of yours"
            ) from None

    def write(self, line: RequestLine) -> None:
        """Adds a line, in one write.

        Raises:
            OSError: the disk does not take it.
        """
        cleaned = line.model_copy(update={"question": _clean(line.question), "answer": _clean(line.answer)})
        data = cleaned.model_dump_json().encode("utf-8", "replace") + b"\n"
        with self._lock:
            if self._file.closed:  # the disk did not take another when this one was put aside
                self._file = self._opened()
            if self._file.tell() + len(data) > self._largest and self._file.tell() > 0:
                self._turn()
            self._append(data)

    def _append(self, data: bytes) -> None:
        """All of it or nothing: a full disk takes a part, which would spoil the next line too."""
        before = os.fstat(self._file.fileno()).st_size
        if self._file.write(data) != len(data):
            self._file.truncate(before)
            raise OSError(errno.ENOSPC, "the disk is full", str(self.path))

    def close(self) -> None:
        with self._lock:
            self._file.close()

    def _opened(self) -> IO[bytes]:
        """The file, at its end; a line that a kill has cut short is ended."""
        file = os.fdopen(
            private.open_file(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT), "r+b", buffering=0
        )
        os.fchmod(file.fileno(), private.FILE)
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
        return file

    def _turn(self) -> None:
        """Puts the file aside, and begins another."""
        self._file.close()
        for number in range(self._kept, 0, -1):
            older = self.path if number == 1 else self._aside(number - 1)
            if older.exists():
                older.replace(self._aside(number))
        self._file = self._opened()

    def _aside(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")


def _clean(text: str) -> str:
    """A text as it may be kept; it is looked through before it is cut, or a part of a secret could stay."""
    return without_secrets(text)[:LONGEST]
