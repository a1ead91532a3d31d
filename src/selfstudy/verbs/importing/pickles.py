"""Pickles of somebody else, read without running anything in them.

A pickle is a program: it names functions and calls them.  Here every name but those of numpy arrays, scalars
and dtypes is refused, and even these stand for plain Python below, so that no code of numpy (whose own
`__setstate__` trusts what it gets) ever sees the file's data.  What comes out is made of dict, list, tuple,
set, text, bytes, numbers and None alone: an array is a list (of lists), a numpy number a Python one.

Knows nothing of what the data means.
"""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import numpy as np

from selfstudy.errors import DataError

_PLAIN = re.compile(r"[?]|[biuf][1248]|[SU]\d{1,6}")
"""Dtypes of plain numbers and texts; structures and objects could hold anything."""


class _Sealed:
    """Stands in for something of numpy. A pickle may call it; it cannot change it."""

    def __setstate__(self, state: object) -> None:
        raise ValueError("this object has no state")


class _Dtype(_Sealed):
    """numpy.dtype: its name, and its byte order as the state."""

    def __init__(self, name: str, align: bool = False, copy: bool = False) -> None:
        if not isinstance(name, str) or not _PLAIN.fullmatch(name.lstrip("<>|=")):
            raise ValueError(f"an array of dtype {name!r} holds more than plain numbers or texts")
        self.name = name.lstrip("<>|=")
        self.order = name[0] if name[0] in "<>" else "<"

    def __setstate__(self, state: Any) -> None:
        _, order, subdtype, names, fields, *_ = state
        if (subdtype, names, fields) != (None, None, None) or order not in ("<", ">", "|", "="):
            raise ValueError("an array of a structured dtype is not plain")
        self.order = order if order in "<>" else "<"

    def read(self, data: object, shape: Any, order: str = "C") -> Any:
        """The numbers or texts in `data`, as nested lists of that shape; one value for the shape ()."""
        if not isinstance(data, bytes | bytearray):
            raise ValueError(f"the data of an array is of type {type(data).__name__}, not bytes")
        array = np.frombuffer(bytes(data), np.dtype(self.order + self.name))
        shape = tuple(shape)
        if 0 in shape and not array.size:  # a billion times nothing would still be a billion lists
            return []
        return array.reshape(shape, order="F" if order == "F" else "C").tolist()


class _Scalar(_Sealed):
    """numpy's `scalar(dtype, bytes)`: one value."""

    def __new__(cls, dtype: _Dtype, data: object) -> Any:
        return _Dtype.read(dtype, data, ())


class _FromBuffer(_Sealed):
    """numpy's `_frombuffer(bytes, dtype, shape, order)`: an array."""

    def __new__(cls, data: object, dtype: _Dtype, shape: Any, order: str, *axes: Any) -> Any:
        return _Dtype.read(dtype, data, shape, order)


class _Array(list[Any]):
    """numpy.ndarray: empty when made, filled by its state (version, shape, dtype, Fortran order, bytes)."""

    def __setstate__(self, state: Any) -> None:
        *_, shape, dtype, fortran, data = state
        self[:] = _Dtype.read(dtype, data, shape, "F" if fortran else "C")


class _Reconstruct(_Sealed):
    """numpy's `_reconstruct(ndarray, shape, typecode)`."""

    def __new__(cls, *ignored: Any) -> Any:
        return _Array()


class _Encode(_Sealed):
    """`_codecs.encode`: how protocols before 3 write bytes."""

    def __new__(cls, text: str, encoding: str = "latin1") -> Any:
        if encoding != "latin1":
            raise ValueError(f"bytes written as {encoding!r}")
        return text.encode("latin1")


class _NoBytes(_Sealed):
    """`bytes()`: how protocols before 3 write bytes of length 0."""

    def __new__(cls) -> Any:
        return b""


class _Unpickler(pickle.Unpickler):
    allowed: ClassVar[dict[tuple[str, str], type]] = {
        ("numpy", "dtype"): _Dtype,
        ("numpy", "ndarray"): _Array,
        ("_codecs", "encode"): _Encode,
        ("__builtin__", "bytes"): _NoBytes,
        **{
            (f"numpy.{core}.{module}", name): stand_in
            for core in ("core", "_core")
            for module, name, stand_in in (
                ("multiarray", "scalar", _Scalar),
                ("multiarray", "_reconstruct", _Reconstruct),
                ("numeric", "_frombuffer", _FromBuffer),
            )
        },
    }

    def find_class(self, module: str, name: str) -> Any:
        found = self.allowed.get((module, name))
        if found is None:
            raise _RefusedError(f"{module}.{name}")
        return found

    def persistent_load(self, pid: object) -> NoReturn:
        raise _RefusedError(f"a persistent object {str(pid)[:80]!r}")


class _RefusedError(Exception):
    """Names what a pickle asked for."""


def read_pickle(path: Path) -> Any:
    """The plain data in the pickle `path`.

    Raises:
        DataError: the file cannot be read, is no whole pickle, or asks for anything but plain containers and
            numpy arrays; the message names what it asked for.
    """
    try:
        with path.open("rb") as file:
            return _Unpickler(file, encoding="latin1").load()
    except _RefusedError as refused:
        raise DataError(
            f"{path} was not opened: its pickle asks for {refused}",
            "only numpy arrays and plain containers are read from a pickle; save the data as JSON instead",
        ) from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}", "check the path") from None
    except Exception as error:  # a damaged pickle may fail in any way
        why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise DataError(f"{path} cannot be read as a pickle ({why[:200]})", "check the file") from None
