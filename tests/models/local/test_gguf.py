"""The header of a GGUF file: what it holds, and what is refused before anything is read by it."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from selfstudy.errors import ModelError
from selfstudy.models.local import gguf


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def tensor(name: bytes, *shape: int, offset: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, offset)


def header(settings: list[bytes], tensors: list[bytes], version: int = 3, start: bytes = b"GGUF") -> bytes:
    counts = struct.pack("<IQQ", version, len(tensors), len(settings))
    return start + counts + b"".join(settings) + b"".join(tensors)


WORDS = text(b"tokens") + struct.pack("<IIQ", 9, 8, 2) + text(b"the") + text(b"a")
SETTINGS = [
    text(b"general.architecture") + struct.pack("<I", 8) + text(b"llama"),
    text(b"layers") + struct.pack("<II", 4, 2),
    text(b"scores") + struct.pack("<IIQ2f", 9, 6, 2, 0.0, -1.0),
    WORDS,
]


def write(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(data)
    return path


def test_what_a_file_holds_is_told_by_its_header(tmp_path: Path) -> None:
    tensors = [tensor(b"embedding", 8, 32), tensor(b"norm", 8)]
    path = write(tmp_path, header(SETTINGS, tensors) + bytes(4 * 8 * 33))
    assert gguf.stored(path) == gguf.Stored(tensors=2, numbers=8 * 33, longest=32)
    assert not gguf.has_template(path)
    template = text(b"tokenizer.chat_template") + struct.pack("<I", 8) + text(b"{{ messages }}")
    assert gguf.has_template(write(tmp_path, header([*SETTINGS, template], [])))
    assert gguf.is_gguf(path)
    assert not gguf.is_gguf(tmp_path / "no file")


def test_a_vocabulary_alone_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds no weights"):
        gguf.stored(write(tmp_path, header(SETTINGS, [])))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b"GGUF", "too early"),
        (header([], [], start=b"GGML"), "does not begin"),
        (header([], [], version=77), "version 77"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**60, 0), "tensors"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**60), "settings"),
        (header([text(b"x") + struct.pack("<IIQ", 9, 8, 2**60)], []), "entries"),
        (header([text(b"x") + struct.pack("<IIQ", 9, 0, 1_100_000) + bytes(1_100_000)] * 2, []), "2,200,000"),
        (header([text(b"x") + struct.pack("<IIQ", 9, 9, 1)], []), "list of lists"),
        (header([struct.pack("<Q", 2**62)], []), "a text of"),
        (header([text(b"x") + struct.pack("<I", 99)], []), "type 99"),
        (header([], [tensor(b"x", *[2] * 9)]), "9 dimensions"),
        (header([], [tensor(b"x", 2**40, 2**20)]), "numbers in"),
        (header([], [tensor(b"x", 2, offset=2**50)]), "behind its end"),
        (header(SETTINGS, [tensor(b"x", 8)])[:-9], "too early"),
    ],
)
def test_damaged_and_lying_headers_are_refused(data: bytes, why: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=why):
        gguf.stored(write(tmp_path, data))


def test_a_link_out_of_the_folder_is_no_model(tmp_path: Path) -> None:
    inside = tmp_path / "models"
    inside.mkdir()
    (inside / "model.gguf").symlink_to(write(tmp_path, header([], [])))
    with pytest.raises(ModelError, match="is a link to"):
        gguf.stored(inside / "model.gguf")
