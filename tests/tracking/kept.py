"""What a tracker keeps on this machine, read from its own files: (step, name, value), doubles included."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

Kept = list[tuple[int, str, float]]


def kept(tracker: str, trackio: Path, folder: Path) -> Kept:
    """All numbers, sorted.

    Args:
        trackio: its folder (TRACKIO_DIR).
        folder: that of the others, in the run.
    """
    found = {"trackio": _trackio(trackio), "wandb": _wandb(folder / "wandb"), "mlflow": _mlflow(folder)}
    return sorted(found[tracker])


def everything(*folders: Path) -> bytes:
    """The names and bytes of all files."""
    files = [file for folder in folders for file in sorted(folder.rglob("*"))]
    return b"\n".join(str(file).encode() + (file.read_bytes() if file.is_file() else b"") for file in files)


def _trackio(folder: Path) -> Iterator[tuple[int, str, float]]:
    for file in folder.glob("*.db"):
        with sqlite3.connect(file) as base:
            for step, numbers in base.execute("select step, metrics from metrics"):
                yield from ((step, name, value) for name, value in json.loads(numbers).items())


def _mlflow(folder: Path) -> Iterator[tuple[int, str, float]]:
    for metrics in folder.glob("mlflow/*/*/metrics"):
        for file in metrics.rglob("*"):
            for line in file.read_text().splitlines() if file.is_file() else ():
                _, value, step = line.split()
                if file.name != "step":
                    yield int(step), str(file.relative_to(metrics)), float(value)


def _wandb(folder: Path) -> Iterator[tuple[int, str, float]]:
    from wandb.proto.wandb_internal_pb2 import Record

    for file in sorted(folder.glob("steps-*/offline-run-*/*.wandb")):
        for data in _log(file.read_bytes()):
            record = Record.FromString(data)
            if record.WhichOneof("record_type") == "history":
                items = {"/".join(one.nested_key) or one.key: one.value_json for one in record.history.item}
                step = int(items["_step"])
                yield from ((step, name, float(v)) for name, v in items.items() if not name.startswith("_"))


def _log(data: bytes) -> Iterator[bytes]:
    """The entries of a log as LevelDB writes it: blocks of 32 KiB, in the first of which are 7 bytes more."""
    at, entry = 7, b""
    while at + 7 <= len(data):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        entry += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # a whole one, or the end of one
            yield entry
            entry = b""
