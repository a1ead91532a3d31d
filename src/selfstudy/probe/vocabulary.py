"""Nouns with definitions, embedded, and what lies around a point among them (methods 1, oracle-selected).

The embedded vocabulary is kept on disk, for WordNet takes minutes to embed, and mapped into memory.
Knows nothing of questions or models but the embedder.
"""

from __future__ import annotations

import logging
import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from tokenize import TokenError

import numpy as np
import numpy.typing as npt

from selfstudy.errors import DataError
from selfstudy.files import private, reading
from selfstudy.files.cache import cache_folder
from selfstudy.models.base import Embedder, HasFingerprint, Progress
from selfstudy.probe import wordnet
from selfstudy.records import digest
from selfstudy.text import clean

Vectors = npt.NDArray[np.float32]
Entries = Sequence[tuple[str, str]]

log = logging.getLogger(__name__)

_FORMAT = "vocabulary 1: float32, rows of L1 norm 1, CRC-32 behind them"
_AT_ONCE = 4096
"""Entries embedded, and rows read for a distance, at a time."""
_SLACK = 1e-6
"""More than rounding does to a squared distance of L1-normalised float32 rows (these are below 1)."""


def read_vocabulary(source: Path | None) -> list[tuple[str, str]]:
    """(lemma, definition) entries: of a `data.noun` or its folder, of lines lemma<TAB>definition, of WordNet.

    Args:
        source: None looks for the WordNet of this machine.

    Raises:
        DataError: there is none, or it cannot be read; the message says what to do.
    """
    path = wordnet.find_wordnet() if source is None else source
    if path.is_dir():
        path = path / wordnet.FILE
    if path.name == wordnet.FILE:
        return wordnet.nouns(path)
    return [_entry(line, path) for line in lines_of(read_text(path), str(path))]


def read_text(path: Path) -> str:
    """The text of a UTF-8 file.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return reading.text(path)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}", "give a UTF-8 text file") from None
    except UnicodeDecodeError as error:
        raise DataError(f"cannot read {path}: {error}", "give a UTF-8 text file") from None


def lines_of(words: str, where: str) -> list[str]:
    """The lines of a text without blank ones and # comments, in order.

    Raises:
        DataError: there is none; the message says `where`.
    """
    lines = map(str.strip, clean(words).split("\n"))
    kept = [line for line in lines if line and not line.startswith("#")]
    if not kept:
        raise DataError(
            f"{where}: no line to use", "write one entry a line; blank lines and # comments are skipped"
        )
    return kept


def _entry(line: str, path: Path) -> tuple[str, str]:
    lemma, tab, definition = line.partition("\t")
    if not (tab and lemma.strip() and definition.strip()):
        raise DataError(f"{path}: {line[:60]!r} has no definition", "write lemma<TAB>definition")
    return lemma.strip().replace("_", " "), definition.strip()


def embedded(
    entries: Entries, embedder: Embedder, folder: Path | None = None, progress: Progress | None = None
) -> Vectors:
    """The entries as "lemma ### definition", embedded and L1-normalised: float32 (entries, dimension).

    Kept in `folder` under a name made of entries and embedder (its `fingerprint`, else its name); a torn or
    damaged file is made again, and several processes may do so at once.  Where nothing can be written the
    matrix is only held in memory.

    Args:
        folder: None is this user's cache folder.
        progress: called with the number of entries newly embedded.
    """
    folder = cache_folder() if folder is None else folder
    weights = embedder.fingerprint if isinstance(embedder, HasFingerprint) else embedder.name
    path = folder / f"vocabulary-{digest(_FORMAT, weights, *(part for e in entries for part in e))}.npy"
    kept = _read(path, len(entries))
    if kept is not None:
        if progress is not None:
            progress(len(entries))
        return kept
    rows = np.concatenate(list(_embed(entries, embedder, progress)))
    try:
        _write(path, rows)
    except OSError as error:
        log.warning("the embedded vocabulary cannot be kept in %s: %s", path, error)
        return rows
    kept = _read(path, len(entries))
    return rows if kept is None else kept


def _embed(entries: Entries, embedder: Embedder, progress: Progress | None) -> Iterator[Vectors]:
    for start in range(0, len(entries), _AT_ONCE):
        texts = [f"{lemma} ### {definition}" for lemma, definition in entries[start : start + _AT_ONCE]]
        yield l1_normalise(np.asarray(embedder.encode(texts), dtype=np.float32))
        if progress is not None:
            progress(len(texts))


def _write(path: Path, rows: Vectors) -> None:
    """The rows as .npy with their checksum behind; in one step, so that nobody ever reads half of it."""
    private.make_folder(path.parent)
    with private.replacing(path) as file:
        np.save(file, rows)
        file.write(_checksum(rows))


def _read(path: Path, count: int) -> Vectors | None:
    """The rows of a file that `_write` wrote, mapped into memory; None if it is not whole."""
    try:
        rows = np.load(path, mmap_mode="r")
        with path.open("rb") as file:
            file.seek(-4, os.SEEK_END)
            whole = rows.dtype == np.float32 and rows.ndim == 2 and len(rows) == count
            if whole and file.read() == _checksum(rows):
                return np.asarray(rows)  # a view: a plain array is sliced faster than a memmap
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError, SyntaxError, TokenError):  # the last two: numpy's, of a header
        pass
    log.warning("%s is damaged: the vocabulary is embedded again", path)
    return None


def _checksum(rows: Vectors) -> bytes:
    return zlib.crc32(np.ascontiguousarray(rows).data.cast("B")).to_bytes(4, "big")


def l1_normalise(rows: Vectors) -> Vectors:
    """Rows divided by their sum of absolute values; a zero row stays zero."""
    sums = np.abs(rows).sum(axis=1, keepdims=True)
    result: Vectors = np.divide(rows, sums, out=np.zeros_like(rows), where=sums > 0)
    return result


def square_norms(rows: Vectors) -> Vectors:
    """Squared Euclidean norm of each row, for `nearest`."""
    return np.asarray(np.einsum("ij,ij->i", rows, rows), dtype=np.float32)


def nearest(rows: Vectors, squares: Vectors, points: Vectors, k: int) -> npt.NDArray[np.intp]:
    """For each point the indices of the k nearest rows (Euclidean): nearest first, ties by index.

    The rows are never copied: one product in float32 leaves few candidates, of which the distance is then
    computed in float64, so that the result does not depend on how many points are asked about at once.

    Args:
        rows: shape (n, d), L1-normalised, n >= k.
        squares: `square_norms(rows)`.
        points: shape (p, d), L1-normalised.

    Returns:
        Shape (p, k).
    """
    found = np.empty((len(points), k), dtype=np.intp)
    products = points @ rows.T
    for i, point in enumerate(points):
        rough = squares - 2 * products[i]
        limit = np.partition(rough, k - 1)[k - 1] + _SLACK
        candidates = np.flatnonzero(rough <= limit)
        exact = np.concatenate(
            [
                ((rows[part].astype(np.float64) - point) ** 2).sum(axis=1)
                for part in np.array_split(candidates, -(-len(candidates) // _AT_ONCE))
            ]
        )
        found[i] = candidates[np.lexsort((candidates, exact))[:k]]
    return found
