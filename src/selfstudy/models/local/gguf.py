"""GGUF files: one file with settings, vocabulary and (quantised) weights, as llama.cpp reads them.

transformers makes float weights of them.  Before it reads a file the header is walked here, in linear time
and within bounds: it is a stranger's.  Knows nothing of models.  Format: ggml-org/ggml, docs/gguf.md.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path

from selfstudy.errors import ModelError
from selfstudy.files import reading
from selfstudy.models.local.headers import Stored
from selfstudy.models.local.small_files import require_inside

SUFFIX = ".gguf"
_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_MOST_TENSORS, _MOST_SETTINGS = 100_000, 10_000
_LONGEST_TEXT = 8 * 2**20
_MOST_ENTRIES = 2_000_000
"""Of all lists together: transformers makes objects of each.  A vocabulary of 262,144 with its scores, types
and merges has 1,300,000."""
_LARGEST_HEADER = 512 * 2**20
_INTEGERS = (4, 5)
_WIDTH = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of a value, by its type; 8 is a text, 9 a list."""
_TEXT, _LIST = 8, 9
_TEMPLATE = b"tokenizer.chat_template"
_ARCHITECTURE = b"general.architecture"
_VOCABULARY, _TOKENS, _TYPES = (b"tokenizer.ggml." + name for name in (b"model", b"tokens", b"token_type"))
_BYTE_LEVEL = b"gpt2"
_CONTROL, _USER_DEFINED = 3, 4
_DIMENSIONS = 4


@dataclass(frozen=True, slots=True)
class Word:
    """A token that is found in a text as a whole, before the text is split.

    Attributes:
        control: it is no text, but a mark such as the end of a turn.
    """

    id: int
    text: str
    control: bool


@dataclass(frozen=True, slots=True)
class _Header:
    stored: Stored
    places: dict[bytes, tuple[int, int]]
    """Type of a setting's value, and where it begins."""


class _BadHeaderError(Exception):
    """What is wrong with a header, in a few words."""


@dataclass(slots=True)
class _Reader:
    data: mmap
    at: int = 0
    entries: int = 0

    def number(self, code: str) -> int:
        size = struct.calcsize(code)
        self._room(size)
        value: int = struct.unpack_from("<" + code, self.data, self.at)[0]
        self.at += size
        return value

    def skip(self, size: int) -> None:
        self._room(size)
        self.at += size

    def text(self) -> bytes:
        length = self.number("Q")
        if length > _LONGEST_TEXT:
            raise _BadHeaderError(f"a text of {length:,} bytes")
        self.skip(length)
        return self.data[self.at - length : self.at]

    def _room(self, size: int) -> None:
        if self.at + size > min(len(self.data), _LARGEST_HEADER):
            raise _BadHeaderError("its header ends too early, or is too long")


def is_gguf(file: Path) -> bool:
    """Whether a file says that it is one."""
    return reading.begins(file, _MAGIC)


def model_file(path: Path) -> Path | None:
    """The GGUF file that a path means: the file itself, or the one in a folder that holds one."""
    if reading.is_file(path):
        return path
    files = files_of(path) if reading.is_folder(path) else []
    return files[0] if len(files) == 1 else None


def files_of(folder: Path) -> list[Path]:
    """The GGUF files of a folder, by name."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def stored(file: Path) -> Stored:
    """What the weights in a file hold, by its header.

    Raises:
        ModelError: it is damaged, of a version that is not read, says what no model has, or has no tensors.
    """
    held = _read(file).stored
    if not held.tensors:
        raise ModelError(f"{file} holds no weights", "a vocabulary alone is no model: name another file")
    return held


def has_template(file: Path) -> bool:
    """Whether a file brings a chat template.

    Raises:
        ModelError: as `stored`, but for tensors.
    """
    return _TEMPLATE in _read(file).places


def architecture(file: Path) -> str:
    """The architecture that a file names, as llama.cpp calls it; empty if it names none.

    Raises:
        ModelError: as `stored`, but for tensors.
    """
    place = _read(file).places.get(_ARCHITECTURE)
    with _mapped(file) as data:
        named = _value(data, place) if place is not None else None
    return named.decode("utf-8", "replace") if isinstance(named, bytes) else ""


def whole_words(file: Path) -> list[Word]:
    """The control and user-defined tokens of a file with a byte-level vocabulary; none of another one.

    Raises:
        ModelError: as `stored`, but for tensors.
    """
    places = _read(file).places
    if not {_VOCABULARY, _TOKENS, _TYPES} <= places.keys():
        return []
    with _mapped(file) as data:
        if _value(data, places[_VOCABULARY]) != _BYTE_LEVEL:
            return []
        tokens, types = (_value(data, places[name]) for name in (_TOKENS, _TYPES))
    if not isinstance(tokens, list) or not isinstance(types, list):
        return []
    return [
        Word(number, text.decode("utf-8", "replace"), kind == _CONTROL)
        for number, (text, kind) in enumerate(zip(tokens, types, strict=False))
        if kind in (_CONTROL, _USER_DEFINED) and isinstance(text, bytes)
    ]


def _read(file: Path) -> _Header:
    require_inside(file.parent, file)
    try:
        with _mapped(file) as data:
            return _walked(_Reader(data), len(data))
    except (OSError, ValueError, _BadHeaderError) as error:
        raise ModelError(
            f"{file} is no GGUF file that can be read: {error}",
            "copy or download it again; this one is damaged, or made to do harm",
        ) from None


@contextmanager
def _mapped(file: Path) -> Iterator[mmap]:
    with file.open("rb") as opened, mmap(opened.fileno(), 0, access=ACCESS_READ) as data:
        yield data


def _walked(reader: _Reader, size: int) -> _Header:
    if reader.data[: len(_MAGIC)] != _MAGIC:
        raise _BadHeaderError("it does not begin with GGUF")
    reader.skip(len(_MAGIC))
    version = reader.number("I")
    if version not in _VERSIONS:
        raise _BadHeaderError(f"version {version}, not {' or '.join(map(str, _VERSIONS))}")
    tensors, settings = reader.number("Q"), reader.number("Q")
    if tensors > _MOST_TENSORS or settings > _MOST_SETTINGS:
        raise _BadHeaderError(f"{tensors:,} tensors and {settings:,} settings")
    places = {}
    for _ in range(settings):
        name, kind = reader.text(), reader.number("I")
        places[name] = (kind, reader.at)
        _skip_value(reader, kind)
    numbers = longest = 0
    for _ in range(tensors):
        reader.text()
        dimensions = reader.number("I")
        if dimensions > _DIMENSIONS:
            raise _BadHeaderError(f"a tensor of {dimensions} dimensions")
        count = 1
        for _ in range(dimensions):
            length = reader.number("Q")
            longest = max(longest, length)
            count *= length
        reader.skip(4)
        if reader.number("Q") > size:
            raise _BadHeaderError("a tensor lies behind its end")
        numbers += count
    if numbers > 8 * size:  # no type has less than a bit
        raise _BadHeaderError(f"{numbers:,} numbers in {size:,} bytes")
    return _Header(Stored(tensors, numbers, longest), places)


def _value(data: mmap, place: tuple[int, int]) -> bytes | list[bytes] | list[int] | None:
    """A text, or a list of texts or 32-bit integers, at a place in a header that was walked."""
    kind, at = place
    reader = _Reader(data, at)
    if kind == _TEXT:
        return reader.text()
    if kind != _LIST:
        return None
    kind, count = reader.number("I"), reader.number("Q")
    if kind == _TEXT:
        return [reader.text() for _ in range(count)]
    return [reader.number("I") for _ in range(count)] if kind in _INTEGERS else None


def _skip_value(reader: _Reader, kind: int) -> None:
    if kind == _TEXT:
        reader.text()
    elif kind != _LIST:
        reader.skip(_width(kind))
    else:
        kind, count = reader.number("I"), reader.number("Q")
        reader.entries += count
        if kind == _LIST:
            raise _BadHeaderError("a list of lists")
        if reader.entries > _MOST_ENTRIES:
            raise _BadHeaderError(f"lists of {reader.entries:,} entries and more")
        if kind != _TEXT:
            reader.skip(count * _width(kind))
        else:
            for _ in range(count):
                reader.text()


def _width(kind: int) -> int:
    if kind not in _WIDTH:
        raise _BadHeaderError(f"a value of type {kind}")
    return _WIDTH[kind]
