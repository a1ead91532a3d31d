"""Pickles of somebody else, read without running anything in them, in memory that goes by their size.

A pickle is a program: it names functions and calls them, and nine bytes of it can ask for gigabytes.  So
Python's own reader never sees it: the operations that build plain data are carried out here, one by one, and
all others are refused.  Of names only those of numpy arrays, scalars and dtypes are known, and these stand
for plain Python below.  What comes out is made of dict, list, tuple, set, text, bytes, numbers and None
alone: an array is a list (of lists), a numpy number a Python one.

Bounds go by the size of the file: what arrays hold, and what would have to be looked at where one part stands
in many places.  Knows nothing of what the data means.
"""

from __future__ import annotations

import io
import pickletools
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from selfstudy.errors import DataError
from selfstudy.files import reading

LARGEST = 1_000_000_000
"""Bytes of a file."""
_TIMES, _MORE = 10, 1_000_000
"""How many times as much as its bytes a file may hold, and so much more."""
_DEEPEST = 100
_DIMENSIONS = 8
_BITS = 4096
"""Of the longest whole number."""
_PLAIN = re.compile(r"[?]|[biuf][1248]|[SU]\d{1,6}")
"""Dtypes of plain numbers and texts; structures and objects could hold anything."""


class _RefusedError(Exception):
    """Names what a pickle asked for."""


class _Budget:
    """What arrays may still hold, in bytes or elements."""

    def __init__(self, left: int) -> None:
        self.left = left

    def take(self, amount: int) -> None:
        self.left -= amount
        if self.left < 0:
            raise ValueError("it unpacks to many times its size")


class _Dtype:
    """numpy.dtype: its name, and its byte order as the state."""

    def __init__(self, budget: _Budget, name: object, align: object = False, copy: object = False) -> None:
        if not isinstance(name, str) or not _PLAIN.fullmatch(name.lstrip("<>|=")):
            raise ValueError(f"an array of dtype {name!r:.80} holds more than plain numbers or texts")
        self._budget = budget
        self._name = name.lstrip("<>|=")
        self._order = name[0] if name[0] in "<>" else "<"

    def build(self, state: Any) -> None:
        _, order, subdtype, names, fields, *_ = state
        if (subdtype, names, fields) != (None, None, None) or order not in ("<", ">", "|", "="):
            raise ValueError("an array of a structured dtype is not plain")
        self._order = order if order in "<>" else "<"

    def read(self, data: object, shape: Any, order: object = "C") -> Any:
        """The numbers or texts in `data`, as nested lists of that shape; one value for the shape ()."""
        if not isinstance(data, bytes | bytearray):
            raise ValueError(f"the data of an array is of type {type(data).__name__}, not bytes")
        shape = tuple(shape)
        if len(shape) > _DIMENSIONS:
            raise ValueError(f"an array of {len(shape)} dimensions")
        self._budget.take(len(data) * (1 + len(shape)))
        array = np.frombuffer(bytes(data), np.dtype(self._order + self._name))
        if 0 in shape and not array.size:  # a billion times nothing would still be a billion lists
            return []
        return array.reshape(shape, order="F" if order == "F" else "C").tolist()


class _Array(list[Any]):
    """numpy.ndarray: empty when made, filled by its state (version, shape, dtype, Fortran order, bytes)."""

    def build(self, state: Any) -> None:
        *_, shape, dtype, fortran, data = state
        self[:] = _of(dtype).read(data, shape, "F" if fortran else "C")


def _of(dtype: object) -> _Dtype:
    if not isinstance(dtype, _Dtype):
        raise ValueError(f"an array has a dtype of type {type(dtype).__name__}")
    return dtype


def _scalar(budget: _Budget, dtype: object, data: object) -> Any:
    """numpy's `scalar(dtype, bytes)`: one value."""
    return _of(dtype).read(data, ())


def _from_buffer(budget: _Budget, data: object, dtype: object, shape: Any, order: object, *axes: Any) -> Any:
    """numpy's `_frombuffer(bytes, dtype, shape, order)`: an array."""
    return _of(dtype).read(data, shape, order)


def _reconstruct(budget: _Budget, *ignored: Any) -> Any:
    """numpy's `_reconstruct(ndarray, shape, typecode)`."""
    return _Array()


def _encode(budget: _Budget, text: str, encoding: str = "latin1") -> Any:
    """`_codecs.encode`: how protocols before 3 write bytes."""
    if encoding != "latin1":
        raise ValueError(f"bytes written as {encoding!r:.80}")
    budget.take(len(text))
    return text.encode("latin1")


def _no_bytes(budget: _Budget) -> Any:
    """`bytes()`: how protocols before 3 write bytes of length 0."""
    return b""


def _array_type(budget: _Budget, *ignored: Any) -> Any:
    raise ValueError("an array that is made without its data")


_KNOWN: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): _array_type,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): _no_bytes,
    **{
        (f"numpy.{core}.{module}", name): stand_in
        for core in ("core", "_core")
        for module, name, stand_in in (
            ("multiarray", "scalar", _scalar),
            ("multiarray", "_reconstruct", _reconstruct),
            ("numeric", "_frombuffer", _from_buffer),
        )
    },
}


class _Called:
    """A name that a pickle may call."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function


class _Machine:
    """Carries out the operations of a pickle; what fails is a ValueError, or another error of Python's."""

    def __init__(self, budget: _Budget) -> None:
        self._budget = budget
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def run(self, program: bytes) -> Any:
        for opcode, argument, _ in pickletools.genops(io.BytesIO(program)):
            if opcode.name == "STOP":
                break
            self._do(opcode.name, argument)
        if len(self._stack) != 1 or self._marks:
            raise ValueError("it is no whole pickle")
        return self._stack[0]

    def _do(self, name: str, argument: Any) -> None:
        if name in _VALUES:
            if isinstance(argument, int) and argument.bit_length() > _BITS:
                raise ValueError(f"a whole number of {argument.bit_length():,} bits")
            self._stack.append(argument)
        elif name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name]())
        elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self._memo[len(self._memo) if argument is None else argument] = self._stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self._stack.append(self._memo[argument])
        elif name in _GATHERED:
            self._stack.append(_GATHERED[name](self._to_mark()))
        elif name in _TUPLES:
            size = _TUPLES[name]
            self._stack[-size:] = [tuple(self._above(size))]
        else:
            operation = _OPERATIONS.get(name)
            if operation is None:
                raise _RefusedError(_named(name, argument))
            operation(self, argument)

    def _above(self, count: int) -> list[Any]:
        """The topmost values, all of them above the last mark."""
        if len(self._stack) - count < (self._marks[-1] if self._marks else 0):
            raise ValueError("an operation lacks its values")
        return self._stack[-count:]

    def _pop(self) -> Any:
        self._above(1)
        return self._stack.pop()

    def _to_mark(self) -> list[Any]:
        at = self._marks.pop()
        found = self._stack[at:]
        del self._stack[at:]
        return found

    def _mark(self, _: Any) -> None:
        self._marks.append(len(self._stack))

    def _drop(self, _: Any) -> None:
        if self._marks and self._marks[-1] == len(self._stack):
            self._marks.pop()
        else:
            self._pop()

    def _drop_to_mark(self, _: Any) -> None:
        self._to_mark()

    def _again(self, _: Any) -> None:
        self._stack.append(self._above(1)[0])

    def _extend(self, values: list[Any]) -> None:
        into = self._above(1)[0]
        if type(into) is not list:
            raise ValueError(f"a value is appended to a {type(into).__name__}")
        into.extend(values)

    def _update(self, values: list[Any]) -> None:
        into = self._above(1)[0]
        if type(into) is not dict:
            raise ValueError(f"an item is set in a {type(into).__name__}")
        into.update(_dict(values))

    def _add(self, values: list[Any]) -> None:
        into = self._above(1)[0]
        if type(into) is not set:
            raise ValueError(f"a value is added to a {type(into).__name__}")
        into.update(map(_key, values))

    def _global(self, argument: Any) -> None:
        module, name = argument.split(" ", 1) if argument is not None else map(str, self._take(2))
        function = _KNOWN.get((module, name))
        if function is None:
            raise _RefusedError(f"{module:.80}.{name:.80}")
        self._stack.append(_Called(function))

    def _take(self, count: int) -> list[Any]:
        found = self._above(count)
        del self._stack[-count:]
        return found

    def _reduce(self, _: Any) -> None:
        called, arguments = self._take(2)
        if not isinstance(called, _Called) or not isinstance(arguments, tuple):
            raise ValueError(f"a {type(called).__name__} is called")
        self._stack.append(called.function(self._budget, *arguments))

    def _build(self, _: Any) -> None:
        state = self._pop()
        built = self._above(1)[0]
        if not isinstance(built, _Dtype | _Array):
            raise ValueError(f"a {type(built).__name__} has no state")
        built.build(state)


def _key(value: Any) -> Any:
    """A key or an item of a set: no deep one, for what compares them goes down without a bound."""
    parts = value if isinstance(value, tuple) else (value,)
    if not all(isinstance(part, str | bytes | int | float | None) for part in parts):
        raise ValueError(f"a key of type {type(value).__name__} is not plain")
    return value


def _dict(values: list[Any]) -> dict[Any, Any]:
    return {_key(key): value for key, value in zip(values[::2], values[1::2], strict=True)}


_VALUES = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_TUPLE": tuple,
    "EMPTY_SET": set,
}
_GATHERED: dict[str, Callable[[list[Any]], Any]] = {
    "LIST": list,
    "TUPLE": tuple,
    "DICT": _dict,
    "FROZENSET": lambda values: frozenset(map(_key, values)),
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_OPERATIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "PROTO": lambda machine, version: _check_version(version),
    "FRAME": lambda machine, size: None,
    "MARK": _Machine._mark,
    "POP": _Machine._drop,
    "POP_MARK": _Machine._drop_to_mark,
    "DUP": _Machine._again,
    "APPEND": lambda machine, _: machine._extend([machine._pop()]),
    "APPENDS": lambda machine, _: machine._extend(machine._to_mark()),
    "SETITEM": lambda machine, _: machine._update(machine._take(2)),
    "SETITEMS": lambda machine, _: machine._update(machine._to_mark()),
    "ADDITEMS": lambda machine, _: machine._add(machine._to_mark()),
    "GLOBAL": _Machine._global,
    "STACK_GLOBAL": _Machine._global,
    "REDUCE": _Machine._reduce,
    "BUILD": _Machine._build,
}


def _check_version(version: int) -> None:
    if version > 5:
        raise ValueError(f"protocol {version} is unknown")


def _named(operation: str, argument: Any) -> str:
    """What an operation that is refused asks for."""
    if operation == "INST":
        return str(argument).replace(" ", ".", 1)[:160]
    if operation in ("PERSID", "BINPERSID"):
        return f"a persistent object {str(argument)[:80]!r}"
    return f"the operation {operation}"


def _check_plain(root: Any, most: int) -> None:
    """Refuses what is not plain, contains itself, is deep, or is many times larger than it is stored.

    A part that stands in many places is stored once; whoever reads it looks at it in each of them.
    """
    sizes: dict[int, tuple[int, int]] = {}
    within: set[int] = set()
    todo: list[tuple[Any, bool]] = [(root, False)]
    while todo:
        value, below_is_known = todo.pop()
        key = id(value)
        if below_is_known:
            size, depth = 1, 0
            for part in _parts(value):
                more, below = (_leaf(part), 0) if _leaf(part) else sizes[id(part)]
                size, depth = size + more, max(depth, below)
            depth += 1
            if size > most:
                raise ValueError("it unpacks to many times its size")
            if depth > _DEEPEST:
                raise ValueError(f"more than {_DEEPEST} lists and dicts within each other")
            sizes[key] = size, depth
            within.discard(key)
        elif key in within:
            raise ValueError("it contains itself")
        elif key not in sizes and not _leaf(value):
            within.add(key)
            todo.append((value, True))
            todo += [(part, False) for part in _parts(value) if not _leaf(part)]


def _leaf(value: Any) -> int:
    """The size of what holds nothing else; 0 for what does."""
    if isinstance(value, str | bytes | bytearray):
        return 1 + len(value)
    return int(value is None or isinstance(value, int | float))


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return [part for pair in value.items() for part in pair]
    if isinstance(value, list | tuple | set | frozenset):
        return value
    raise ValueError(f"a {type(value).__name__.strip('_').lower()} alone is no data")


def read_pickle(path: Path) -> Any:
    """The plain data in the pickle `path`.

    Raises:
        DataError: the file cannot be read, is no whole pickle, or asks for anything but plain containers and
            numpy arrays; the message names what it asked for.
    """
    try:
        program = reading.content(path, LARGEST)
        data = _Machine(_Budget(_TIMES * len(program) + _MORE)).run(program)
        _check_plain(data, _TIMES * len(program) + _MORE)
        return data
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
