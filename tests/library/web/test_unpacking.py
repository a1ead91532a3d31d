from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfstudy.library.web.fetched import RefusedError
from selfstudy.library.web.unpacking import unpacked

BODY = b"The Danube flows through four capitals. " * 50
RAW = zlib.compressobj(wbits=-15)
PACKED = {
    "gzip": gzip.compress(BODY),
    "x-gzip": gzip.compress(BODY),
    "deflate": zlib.compress(BODY),
    " Deflate, identity": RAW.compress(BODY) + RAW.flush(),
    "": BODY,
    "identity": BODY,
}


@pytest.mark.parametrize("coding", PACKED)
@given(step=st.integers(1, 3000))
def test_a_body_in_pieces_of_any_size(coding: str, step: int) -> None:
    packed = PACKED[coding]
    parts = (packed[start : start + step] for start in range(0, len(packed), step))
    assert b"".join(unpacked(parts, coding)) == BODY


@pytest.mark.parametrize(
    ("parts", "coding", "why"),
    [
        ([gzip.compress(BODY)[:-9]], "gzip", "connection"),
        ([gzip.compress(BODY), b"more"], "gzip", "connection"),
        ([b"\x1f"], "gzip", "connection"),
        ([b"no gzip at all"], "gzip", "connection"),
        ([b"x"], "br", "type"),
        ([b"x"], "gzip, gzip", "type"),
    ],
)
def test_what_cannot_be_unpacked(parts: list[bytes], coding: str, why: str) -> None:
    with pytest.raises(RefusedError) as error:
        list(unpacked(iter(parts), coding))
    assert error.value.why == why


def test_nothing_packed_is_nothing() -> None:
    assert b"".join(unpacked(iter([]), "gzip")) == b""


def test_a_bomb_goes_off_piece_by_piece() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    read = 0

    def bomb() -> Iterator[bytes]:
        nonlocal read
        for _ in range(1000):
            read += 1
            yield packer.compress(bytes(2**20))

    pieces = unpacked(bomb(), "gzip")
    first = [next(pieces) for _ in range(10)]
    assert max(map(len, first)) <= 2**16
    assert read < 100  # of 1000: only as much was read as was wanted
