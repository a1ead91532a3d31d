"""router.json and router.npy: what a router knows, as plain data.

Both are written so that a kill leaves the old router or the new one, and read as files of a stranger are:
sizes before content, one type of number, no pickle.  Knows nothing of how anything is routed.
"""

from __future__ import annotations

import hashlib
import io
import re
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from selfstudy.errors import ModelError, RunError
from selfstudy.files import jsonl, private
from selfstudy.models.taught import ROUTER
from selfstudy.recipe import EmbedderBlock
from selfstudy.text import one_line

VECTORS = "router.npy"
_NEW = "router.new.npy"
_NAME = re.compile(r"(?!\.)[\w.-]{1,80}")
_MOST_ROWS, _MOST_WIDE = 2_000_000, 16_384
_MOST_NUMBERS = 2**30
"""In all rows together, which are read into memory: 4 GiB; a sparse file of a stranger says any size."""
_LARGEST = 1e9
"""Of one number: sums of products of these are numbers still."""
_HEADER = 1024
"""Bytes of the largest header of a .npy file that is read."""
_HINT = "teach the round again, which makes its router anew"

RoutingMethod = Literal["nearest", "centroid", "classifier"]
Share = Annotated[float, Field(ge=0, le=1)]
Finite = Annotated[float, Field(allow_inf_nan=False, ge=-2, le=2)]
Index = Annotated[int, Field(ge=0)]


class RoutedQuestion(BaseModel):
    """A stored question: whose it is (a number in `adapters`; None: the base model's), and its words."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: str = Field(max_length=200)
    adapter: Index | None = None
    always: tuple[Index, ...] = ()
    sometimes: tuple[Index, ...] = ()


class RouterData(BaseModel):
    """router.json.

    Attributes:
        fingerprint: of the embedder by which it was calibrated.
        around: what the prompt `answer` puts before and behind a question; `page`: how `read` begins.
        thresholds: by adapter, what its score must reach; `margin`: by how much it must exceed the base's.
        cover, names: what a text must have of a stored question's words, and whether it may name others.
        longest: characters of a text that may be a question of the kind that was taught.
        words, questions: of the stored questions; a question's words are numbers in `words`.
        rows: of each row of the vectors its question; for other methods than `nearest` empty: there is a row
            for the base model and each adapter.
        sha256: of router.npy.
        figures: of the calibration.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: Literal[1] = 1
    method: RoutingMethod
    neighbours: Annotated[int, Field(ge=1, le=1000)] = 1
    embedder: EmbedderBlock
    fingerprint: str = Field(max_length=200)
    dimension: Annotated[int, Field(ge=1, le=_MOST_WIDE)]
    around: tuple[str, str] = ("", "")
    page: str = ""
    adapters: tuple[str, ...] = ()
    thresholds: dict[str, Finite] = {}
    margin: Finite = 0.0
    cover: Share = 0.7
    names: bool = True
    longest: Annotated[int, Field(ge=0, le=1_000_000)] = 1000
    words: tuple[str, ...] = ()
    questions: tuple[RoutedQuestion, ...] = ()
    rows: tuple[Index, ...] = Field(default=(), max_length=_MOST_ROWS)
    sha256: str = ""
    figures: dict[str, float | int | str | bool | None] = {}

    @model_validator(mode="after")
    def _is_consistent(self) -> RouterData:
        if not all(map(_NAME.fullmatch, self.adapters)) or len(set(self.adapters)) < len(self.adapters):
            raise ValueError("adapters: names that are no names of folders, or twice there")
        if set(self.thresholds) != set(self.adapters):
            raise ValueError("thresholds: not one for each adapter")
        if any(one.adapter is not None and one.adapter >= len(self.adapters) for one in self.questions):
            raise ValueError("questions: of an adapter that is not there")
        if any(max(numbers, default=-1) >= len(self.words) for numbers in self._numbers()):
            raise ValueError("questions: a word that is not there")
        if max(self.rows, default=-1) >= len(self.questions):
            raise ValueError("rows: of a question that is not there")
        if self.shape[0] * self.shape[1] > _MOST_NUMBERS:
            raise ValueError(f"rows: more than {_MOST_NUMBERS:,} numbers with {self.dimension:,} in each")
        return self

    def _numbers(self) -> list[tuple[int, ...]]:
        return [numbers for one in self.questions for numbers in (one.always, one.sometimes)]

    @property
    def shape(self) -> tuple[int, int]:
        """Of the vectors."""
        if self.method == "nearest":
            return len(self.rows), self.dimension
        return len(self.adapters) + 1, self.dimension + (self.method == "classifier")


def write(folder: Path, data: RouterData, vectors: npt.NDArray[np.float32]) -> None:
    """Into `folder`; a kill at any moment leaves what can be read.

    Raises:
        RunError: it cannot be written.
    """
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(vectors, dtype="<f4"))
    content = buffer.getvalue()
    data = data.model_copy(update={"sha256": hashlib.sha256(content).hexdigest()})
    # the vectors wait under another name until the file that tells what they are is there
    jsonl.replace(folder / _NEW, content, None)
    jsonl.replace(folder / ROUTER, data.model_dump_json(indent=None).encode() + b"\n", None)
    with jsonl.writing(folder / VECTORS, None):
        (folder / _NEW).replace(folder / VECTORS)


def read(folder: Path) -> tuple[RouterData, npt.NDArray[np.float32]]:
    """What `write` wrote.

    Raises:
        ModelError: there is no router, it is damaged, or one of another version.
    """
    file = folder / ROUTER
    try:
        found = jsonl.read_object(file, _HINT)
    except RunError as error:
        raise ModelError(str(error).partition("\n")[0], _HINT) from None
    if found is None:
        raise ModelError(f"{folder} holds no router", "give a folder that teach made with `deploy: dynamic`")
    if found.get("version") != 1:
        raise ModelError(
            f"{file} is of version {str(found.get('version'))[:20]!r}, and 1 is known",
            "use the version of selfstudy that wrote it, or teach again",
        )
    try:
        data = RouterData.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = one_line(".".join(map(str, first["loc"])), 100)  # may be a stranger's key, of any length
        raise ModelError(f"{file} is damaged: {where} {first['msg']}".rstrip(), _HINT) from None
    return data, _vectors(folder, data)


def _vectors(folder: Path, data: RouterData) -> npt.NDArray[np.float32]:
    why, largest = "it is not there", 4 * data.shape[0] * data.shape[1] + _HEADER
    for file in (folder / VECTORS, folder / _NEW):
        with suppress(FileNotFoundError):
            try:
                content = private.read(file, largest)
            except OSError as error:
                if isinstance(error, FileNotFoundError):
                    raise
                raise ModelError(f"{file} cannot be read: {error.strerror}", _HINT) from None
            why = "it does not belong to router.json"
            if hashlib.sha256(content).hexdigest() == data.sha256:
                return _parsed(file, content, data)
    raise ModelError(f"{folder / VECTORS} is damaged: {why}", _HINT)


def _parsed(file: Path, content: bytes, data: RouterData) -> npt.NDArray[np.float32]:
    """The numbers of a .npy file, whose header is believed only where it says what it has to."""
    stream: Any = io.BytesIO(content)
    try:
        if np.lib.format.read_magic(stream) != (1, 0):
            raise ValueError("another version of the format")
        shape, by_column, kind = np.lib.format.read_array_header_1_0(stream)
    except Exception as error:  # numpy's parser of headers raises what Python's does
        raise ModelError(f"{file} is no file of numbers: {error}", _HINT) from None
    start = stream.tell()
    right = shape == data.shape and not by_column and kind == np.dtype("<f4")
    if not right or len(content) - start != 4 * shape[0] * shape[1]:
        raise ModelError(
            f"{file} holds {str(shape)[:40]} numbers of type {str(kind)[:20]}, and router.json says "
            f"{data.shape} of float32",
            _HINT,
        )
    found = np.frombuffer(content, dtype="<f4", offset=start).reshape(shape)
    if not (np.abs(found) <= _LARGEST).all():
        raise ModelError(f"{file} holds NaN, inf or numbers above {_LARGEST:g}", _HINT)
    return found
