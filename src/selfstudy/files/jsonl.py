"""Files that survive a kill and a full disk: append-only JSON lines, and files replaced in one step.

A write that fails leaves the file as it was; a last line torn by a kill is left out by readers and cut off by
`repair`; a damaged line anywhere else is an error that names file and line.  Knows nothing of runs or stages;
`run` arguments only appear in messages.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from pydantic_core import PydanticSerializationError, from_json, to_json

from selfstudy.errors import RunError
from selfstudy.files import private, reading
from selfstudy.records import Record

log = logging.getLogger(__name__)


@contextmanager
def writing(path: Path, run: Path | None) -> Iterator[None]:
    """Turn an OSError into a RunError that says how to go on; `run` is None for files of no run."""
    try:
        yield
    except OSError as error:
        raise RunError(
            f"cannot write {path}: {error.strerror or error}",
            "nothing written earlier is lost: make room (or check permissions), then give the same command "
            f"again{f' with --run {run}' if run else ''}; it goes on where it stopped",
        ) from None


def append(path: Path, data: bytes, run: Path | None, mode: int = private.FILE) -> None:
    """Append whole lines and force them to disk; a failed write leaves the file as it was."""
    with writing(path, run):
        descriptor = private.open_file(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, mode)
        try:
            start = os.fstat(descriptor).st_size
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(descriptor, view) :]
                os.fsync(descriptor)
            except BaseException:
                os.ftruncate(descriptor, start)
                raise
        finally:
            os.close(descriptor)


def replace(path: Path, data: bytes, run: Path | None, mode: int = private.FILE) -> None:
    """Write `path` whole, in one step: a reader sees the old file or the new one, never half of either."""
    replace_lines(path, (data,), run, mode)


def replace_lines(path: Path, lines: Iterable[bytes], run: Path | None, mode: int = private.FILE) -> None:
    """The same, line by line: there may be more than memory holds, and they may come out of the old file."""
    with writing(path, run):
        private.make_folder(path.parent)
        with private.replacing(path, mode) as file:
            for line in lines:
                file.write(line)


def read_object(
    path: Path, hint: str, trouble: str = "is damaged", largest: int = private.LARGEST
) -> dict[str, Any] | None:
    """The JSON object in a file, or None if there is no such file.

    Args:
        hint: what to do about a file that is damaged.
        trouble: what to say of such a file.
        largest: bytes that are read.

    Raises:
        RunError: it holds none, or cannot be read.
    """
    try:
        content = private.read(path, largest)
        reading.check_values(content)
        value = from_json(content)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror or error}", hint) from None
    except ValueError as error:
        raise RunError(f"{path} {trouble}: not JSON ({error})", hint) from None
    if not isinstance(value, dict):
        raise RunError(f"{path} {trouble}: expected a JSON object, found {type(value).__name__}", hint)
    return value


def encode(data: Mapping[str, Any]) -> bytes:
    """Plain data as indented JSON; NaN and infinities become null."""
    return to_json(data, indent=2, inf_nan_mode="null") + b"\n"


def encode_row(row: Mapping[str, Any]) -> bytes:
    """Plain data as a line of its own; NaN and infinities become null."""
    return to_json(row, inf_nan_mode="null") + b"\n"


def require_readable(data: bytes, path: Path, what: str = "it", largest: int = private.LARGEST) -> None:
    """Before a file is written whole: whether `read_object` will read it.

    Raises:
        RunError: it is too large.
    """
    try:
        reading.check_values(data)
        too_much = f"{len(data):,} bytes" if len(data) > largest else ""
    except ValueError as error:
        too_much = str(error)
    if too_much:
        raise RunError(
            f"{path}: {what} would hold {too_much}, more than can be read again: nothing was written",
            "split the data, and give each part a run of its own",
        )


def encode_record(record: Record) -> bytes:
    """One line of JSON that `Record.model_validate_json` reads back."""
    data = record.model_dump()
    try:
        return to_json(data, inf_nan_mode="strings") + b"\n"  # a loss may be NaN, and reads back as NaN
    except (UnicodeEncodeError, PydanticSerializationError):
        # a lone surrogate that slipped past text.clean: keep the record, lose that character
        return json.dumps(data, ensure_ascii=False, default=str).encode("utf-8", "replace") + b"\n"


def _opened(path: Path) -> BinaryIO | None:
    """A file of ours to be read; None: there is none."""
    try:
        return os.fdopen(private.open_file(path, os.O_RDONLY), "rb")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror or error}", "see what is there") from None


def read_lines(path: Path, *, parse: bool = True) -> Iterator[tuple[int, bytes, Any]]:
    """(line number from 1, line, parsed line) of a JSONL file; a torn last line is left out.

    Without `parse` the third part is None and only the last line is checked to be JSON.
    """
    file = _opened(path)
    if file is None:
        return
    with file:
        line = file.readline()
        number = 1
        while line.endswith(b"\n"):
            try:
                reading.check_values(line)
            except ValueError as error:
                raise damaged(path, number, str(error)) from None
            following = file.readline()
            entry = None
            if parse or not following:
                try:
                    entry = from_json(line)
                except ValueError as error:
                    if not following:
                        return
                    raise damaged(path, number, str(error)) from None
                if not isinstance(entry, dict):
                    raise damaged(path, number, "not a JSON object")
            yield number, line, entry
            line, number = following, number + 1


_BLOCK = 2**20


def lines_holding(path: Path, needles: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
    """(line number from 1, line) of at least those lines of a JSONL file that hold one of some bytes.

    Many lines are looked at together, and those of a block without any are only seen to be whole objects, so
    that a gigabyte takes a second or two.  A torn last line is left out.
    """
    file = _opened(path)
    if file is None:
        return
    with file:
        left, number = os.fstat(file.fileno()).st_size, 1
        while left > 0 and (block := file.read(min(_BLOCK, left))):
            block += file.readline()
            left -= len(block)
            count = block.count(b"\n")
            are_whole = block[:1] == b"{" and block[-2:] == b"}\n" and block.count(b"}\n{") == count - 1
            if left <= 0 or not are_whole or any(needle in block for needle in needles):
                lines = block[: block.rfind(b"\n") + 1].split(b"\n")[:-1]
                for at, line in enumerate(lines):
                    if left <= 0 and at == len(lines) - 1 and _is_torn(path, number + at, line):
                        return
                    try:
                        reading.check_values(line)
                    except ValueError as error:
                        raise damaged(path, number + at, str(error)) from None
                    yield number + at, line + b"\n"
            number += count


def _is_torn(path: Path, number: int, line: bytes) -> bool:
    """Whether the last line of a file is no JSON."""
    try:
        reading.check_values(line)
        entry = from_json(line)
    except reading.TooLargeError as error:
        raise damaged(path, number, str(error)) from None
    except ValueError:
        return True
    if not isinstance(entry, dict):
        raise damaged(path, number, "not a JSON object")
    return False


def repair(path: Path, run: Path | None) -> bool:
    """Cut a torn last line off `path`; whether there was one."""
    if not path.exists():
        return False
    with writing(path, run), os.fdopen(private.open_file(path, os.O_RDWR), "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        keep = _last_newline(file.fileno(), size)  # end of the last line that has its newline
        if keep:
            start = _last_newline(file.fileno(), keep - 1)
            try:
                from_json(os.pread(file.fileno(), keep - start, start))
            except ValueError:
                keep = start
        if keep == size:
            return False
        log.warning("%s: a torn last line (%d bytes) was cut off", path, size - keep)
        file.truncate(keep)
    return True


def _last_newline(descriptor: int, end: int) -> int:
    """Offset just after the last newline before `end`, or 0."""
    step = 1 << 16
    while end > 0:
        start = max(0, end - step)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def damaged(path: Path, number: int, why: str) -> RunError:
    """The error for a line that neither a kill nor a full disk explains."""
    return RunError(
        f"{path}, line {number} is damaged: {why}",
        f"restore the file from a backup, or delete it together with the markers {path.parent}/*.done: "
        "the stages that wrote it run again",
    )
