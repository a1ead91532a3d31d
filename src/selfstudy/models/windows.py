"""Texts longer than a model reads: windows of whole sentences that overlap, and one verdict out of many.

Pure functions; they know neither the model nor its tokenizer.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from selfstudy import text as texts

log = logging.getLogger(__name__)

MOST = 100
ClassShares = npt.NDArray[np.float64]


def windows(text: str, size: int, count: Callable[[str], int]) -> list[str]:
    """`text` in windows of at most `size` tokens; each begins with the last sentence of the one before.

    A sentence that is longer is cut at white space, or anywhere if it has none.  Of a very long text only the
    first `MOST` windows are looked at: two texts are compared window by window.

    Args:
        size: at least 1.
        count: tokens of a text.
    """
    if count(text) <= size:
        return [text]
    pieces = [piece for sentence in texts.sentences(text) for piece in _cut(sentence, size, count)]
    found: list[list[str]] = [[]]
    for piece in pieces:
        if found[-1] and (len(found[-1]) >= size or count(" ".join([*found[-1], piece])) > size):
            if len(found) == MOST:
                log.warning("of a text of %d characters the first %d windows are judged", len(text), MOST)
                break
            again = found[-1][-1:]
            found.append(again if count(" ".join([*again, piece])) <= size else [])
        found[-1].append(piece)
    return [" ".join(window) for window in found if window] or [text]


def _cut(piece: str, size: int, count: Callable[[str], int]) -> list[str]:
    if len(piece) < 2 or count(piece) <= size:
        return [piece]
    middle = len(piece) // 2
    space = piece.rfind(" ", 1, middle + 1)
    at = space if space > 0 else middle
    return [*_cut(piece[:at].rstrip(), size, count), *_cut(piece[at:].lstrip(), size, count)]


def over_premises(rows: ClassShares, entailment: int, contradiction: int) -> ClassShares:
    """The logits of the window of a premise that decides: most probable entailment or contradiction.

    What a text says anywhere it says; windows that speak of something else are neutral.

    Args:
        rows: logits, (windows, classes).
        entailment, contradiction: columns.
    """
    if not np.isfinite(rows).all():
        return np.asarray(rows[~np.isfinite(rows).all(1)][0])
    return np.asarray(rows[_shares(rows)[:, [entailment, contradiction]].max(1).argmax()])


def over_hypotheses(rows: ClassShares, entailment: int, contradiction: int) -> ClassShares:
    """The logits of the window of a hypothesis that decides: one that is contradicted, else as above.

    A contradiction counts wherever it stands.  Windows that speak of something else say nothing against the
    one that is entailed: P(contradiction) against P(entailment) alone would be noise there.
    """
    shares = _shares(rows)
    contradicted = shares.argmax(1) == contradiction
    if np.isfinite(rows).all() and contradicted.any():
        return np.asarray(rows[np.where(contradicted, shares[:, contradiction], -1.0).argmax()])
    return over_premises(rows, entailment, contradiction)


def over_supported(rows: ClassShares, entailment: int) -> ClassShares:
    """The logits of the window of a hypothesis that is entailed least: all of it has to follow.

    For models that tell no contradiction from what speaks of something else.
    """
    if not np.isfinite(rows).all():
        return np.asarray(rows[~np.isfinite(rows).all(1)][0])
    return np.asarray(rows[_shares(rows)[:, entailment].argmin()])


def _shares(rows: ClassShares) -> ClassShares:
    powers = np.exp(rows - rows.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))


def sizes(first: int, second: int, room: int) -> tuple[int, int]:
    """How many tokens of `room` each of two texts gets: the shorter all it needs, if that is at most half.

    Args:
        first, second: their tokens.
    """
    half = max(1, room // 2)
    if min(first, second) <= half:
        short = min(first, second)
        long = max(1, room - short)
        return (short, long) if first <= second else (long, short)
    return half, half


def product(premises: Sequence[str], hypotheses: Sequence[str]) -> list[tuple[str, str]]:
    """All pairs, the windows of one hypothesis together."""
    return [(premise, hypothesis) for hypothesis in hypotheses for premise in premises]
