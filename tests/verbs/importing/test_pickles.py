"""Pickles of others: plain data and numpy arrays come out as they are; nothing in them is ever executed."""

from __future__ import annotations

import datetime
import os
import pickle
import resource
import struct
import time
from collections import OrderedDict
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfstudy.errors import DataError
from selfstudy.verbs.importing.pickles import read_pickle


def plain(value: Any) -> Any:
    """What numpy data becomes."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, list) else value


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_and_scalars_become_plain_numbers(protocol: int, tmp_path: Path) -> None:
    data = {
        "matrix": np.arange(6.0).reshape(2, 3),
        "columns first": np.asfortranarray(np.arange(6, dtype=np.int32).reshape(2, 3)),
        "big endian": np.arange(3, dtype=">f4"),
        "flags": np.array([True, False]),
        "words": np.array(["a", "bcd"]),
        "empty": np.zeros((0, 4)),
        "scalars": [np.float64(0.1), np.float32(0.1), np.int64(-5), np.bool_(True), np.float64("nan")],
        "plain": [None, 1, 2.5, "text", b"bytes", (1, 2), True],
    }
    path = tmp_path / "data.pickle"
    path.write_bytes(pickle.dumps(data, protocol))
    found = read_pickle(path)
    assert repr(found) == repr(plain(data))
    assert type(found["scalars"][0]) is float


@pytest.mark.parametrize("order", ["C", "F"])
def test_an_empty_array_is_an_empty_list_however_long_it_says_it_is(order: Any, tmp_path: Path) -> None:
    path = tmp_path / "data.pickle"
    path.write_bytes(pickle.dumps({"a": np.zeros((10**9, 0), order=order), "b": np.zeros((2, 0, 3))}))
    assert read_pickle(path) == {"a": [], "b": []}


PLAIN = (dict, list, tuple, set, frozenset, str, bytes, bytearray, int, float, type(None))


class Runs:
    """Pickled as a call of anything."""

    def __init__(self, call: Any, *arguments: Any) -> None:
        self.call = (call, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize(
    ("bad", "name"),
    [
        (lambda trace: Runs(os.mkdir, str(trace)), "posix.mkdir"),
        (lambda trace: Runs(eval, f"__import__('os').mkdir({str(trace)!r})"), r"_*builtins?_*\.eval"),
        (lambda trace: Runs(partial, print), "functools.partial"),
        (lambda trace: Runs(getattr, "", "upper"), r"_*builtins?_*\.getattr"),
        (lambda trace: [datetime.date(2024, 1, 1)], "datetime.date"),
        (lambda trace: {"a": OrderedDict(b=1)}, "collections.OrderedDict"),
        (lambda trace: Path("x"), "pathlib"),
        (lambda trace: np.load, "numpy.load"),
        (lambda trace: np.random.default_rng(0), "numpy.random"),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_anything_else_is_refused_by_name_and_not_run(
    bad: Any, name: str, protocol: int, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    path = tmp_path / "bad.pickle"
    path.write_bytes(pickle.dumps({"proposed_questions": ["q"], "x": bad(trace)}, protocol))
    with pytest.raises(DataError, match=f"asks for {name}"):
        read_pickle(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    "array",
    [
        np.array([{"a": 1}], dtype=object),
        np.zeros(2, dtype=[("a", "f8"), ("b", "O")]),
        np.array(["2024-01-01"], dtype="datetime64[D]"),
    ],
)
def test_arrays_of_more_than_numbers_and_texts_are_refused(array: Any, tmp_path: Path) -> None:
    path = tmp_path / "bad.pickle"
    path.write_bytes(pickle.dumps(array))
    with pytest.raises(DataError, match="more than plain numbers"):
        read_pickle(path)


@pytest.mark.parametrize(
    "program",
    [
        b"\x80\x02cnumpy\ndtype\nN}X\x04\x00\x00\x00readK\x01s\x86b.",  # sets an attribute of a class
        b"\x80\x02cnumpy.core.multiarray\nscalar\nN}X\x01\x00\x00\x00xK\x01s\x86b.",
        b"\x80\x02cnumpy\ndtype\nX\x02\x00\x00\x00f8\x85R(K\x03X\x01\x00\x00\x00<X\x01\x00\x00\x00xNNtb.",
        b"\x80\x02cnumpy\ndtype\n)\x81N}b.",
        b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00hex\x86R.",
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"\x80\x02Pid\n.",
        b"\x80\x02]",
        b"\x80\x63.",
        b"",
    ],
)
def test_hand_made_programs_change_nothing(program: bytes, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.pickle", tmp_path / "bad.pickle"
    good.write_bytes(pickle.dumps(np.arange(3)))
    bad.write_bytes(program)
    with pytest.raises(DataError, match=r"bad\.pickle"):
        read_pickle(bad)
    assert read_pickle(good) == [0, 1, 2]


def nested(depth: int) -> list[Any]:
    """A list of two lists, the same one, and so on: small in a file, 2**depth when written out."""
    found: list[Any] = []
    for _ in range(depth):
        found = [found, found]
    return found


def shared(text: str, count: int) -> list[str]:
    return [text] * count


HUGE = struct.pack("<Q", 1 << 40)


@pytest.mark.parametrize(
    ("program", "why"),
    [
        (b"\x80\x04\x8e" + HUGE + b".", "only 1 remain"),
        (b"\x80\x04\x8d" + HUGE + b".", "only 1 remain"),
        (b"\x80\x04\x96" + HUGE + b".", "only 1 remain"),
        (b"\x80\x02T\xff\xff\xff\x7f.", "only 1 remain"),
        (b"\x80\x02\x8b\xff\xff\xff\x7f.", "not enough data"),
        (b"\x80\x02\x8b" + struct.pack("<i", 100_000) + b"\x7f" * 100_000 + b".", "a whole number of"),
        (b"\x80\x02I" + b"9" * 100_000 + b"\n.", "digits"),
        (b"\x80\x02]q\x00h\x00a.", "contains itself"),
        (b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".", "within each other"),
        (b"\x80\x02N" + b"\x85" * 100_000 + b".", "within each other"),
        (b"\x80\x02}N" + b"\x85" * 100_000 + b"Ns.", "not plain"),
        (b"\x80\x02" + b"(" * 100_000 + b".", "no whole pickle"),
        (pickle.dumps(nested(60)), "many times its size"),
        (pickle.dumps(shared("x" * 100_000, 10_000)), "many times its size"),
        (
            pickle.dumps([np.frombuffer(bytes(100_000), np.uint8).reshape(1, 1, 1, 1, 1, 1, 1, 1, -1)]),
            "dimensions",
        ),
    ],
)
def test_a_program_gets_no_more_than_its_size_is_worth(program: bytes, why: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.pickle"
    path.write_bytes(program)
    start = time.process_time()
    with pytest.raises(DataError, match=why):
        read_pickle(path)
    assert time.process_time() - start < 3


def test_arrays_over_the_same_bytes_are_counted_each_time(tmp_path: Path) -> None:
    array = (
        b"cnumpy.core.numeric\n_frombuffer\n(h\x00h\x01J" + struct.pack("<i", 100_000) + b"\x85X\x01\0\0\0CtR"
    )
    head = b"\x80\x04\x8e" + struct.pack("<Q", 100_000) + bytes(100_000) + b"q\x000"
    dtype = b"cnumpy\ndtype\nX\x02\0\0\0b1\x85Rq\x010"
    path = tmp_path / "bad.pickle"
    path.write_bytes(head + dtype + b"(" + array * 3 + b"l.")
    assert read_pickle(path) == [[False] * 100_000] * 3
    path.write_bytes(head + dtype + b"(" + array * 300 + b"l.")
    with pytest.raises(DataError, match="many times its size"):
        read_pickle(path)


def test_a_memo_of_billions_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "bad.pickle"
    path.write_bytes(b"\x80\x02Nr\xff\xff\xff\xff.")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert read_pickle(path) is None
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + 100_000


@settings(max_examples=300)
@given(st.data())
def test_damage_is_an_error_or_other_plain_data(tmp_path_factory: Any, data: st.DataObject) -> None:
    whole = pickle.dumps({"a": [np.arange(3), np.float64(1)], "b": "text"})
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:at] + data.draw(st.binary(max_size=4)) + whole[at + data.draw(st.integers(0, 4)) :]
    path = tmp_path_factory.getbasetemp() / "damaged.pickle"
    path.write_bytes(damaged)
    found: Any = None
    with suppress(DataError):
        found = read_pickle(path)
    assert isinstance(found, PLAIN) or type(found).__module__ == "selfstudy.verbs.importing.pickles"
