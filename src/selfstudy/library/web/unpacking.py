"""Undoes the content coding of a body piece by piece, so that nobody holds more of it than was wanted.

Knows nothing of HTTP but the names of two codings.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from selfstudy.library.web.fetched import RefusedError

ASKED_FOR = "gzip, deflate"
_PACKED = ("gzip", "x-gzip", "deflate")
_STEP = 2**16
"""Bytes that are unpacked at once."""


def unpacked(parts: Iterator[bytes], coding: str) -> Iterator[bytes]:
    """The bytes of a body, in pieces of at most 64 KiB where they were packed.

    Only what was asked for is undone, and once: packed twice, a body can be a million times as long.

    Raises:
        RefusedError: it is packed otherwise, or cannot be unpacked.
    """
    codings = [name for part in coding.lower().split(",") if (name := part.strip()) not in ("", "identity")]
    if not codings:
        yield from parts
        return
    if len(codings) > 1 or codings[0] not in _PACKED:
        raise RefusedError("type", f"it is packed as {coding[:40]!r}, which was not asked for")
    yield from _inflated(parts, codings[0])


def _inflated(parts: Iterator[bytes], coding: str) -> Iterator[bytes]:
    unpacker = None
    start = b""
    for part in parts:
        if unpacker is None:
            start += part
            if len(start) < 2:
                continue
            unpacker, part = _unpacker(coding, start), start
        while part and not unpacker.eof:
            try:
                piece = unpacker.decompress(part, _STEP)
            except zlib.error as error:
                raise RefusedError("connection", f"it cannot be unpacked: {error}") from None
            part = unpacker.unconsumed_tail
            if piece:
                yield piece
        if unpacker.eof and (part or unpacker.unused_data):
            raise RefusedError("connection", "it cannot be unpacked: something follows its end")
    if start and (unpacker is None or not unpacker.eof):
        raise RefusedError("connection", "it cannot be unpacked: it is cut off")


def _unpacker(coding: str, start: bytes) -> zlib._Decompress:
    # some servers send deflate without its envelope, of which these are the first bytes
    wrapped = coding != "deflate" or (start[0] & 15 == 8 and int.from_bytes(start[:2]) % 31 == 0)
    return zlib.decompressobj(zlib.MAX_WBITS | 32 if wrapped else -zlib.MAX_WBITS)
