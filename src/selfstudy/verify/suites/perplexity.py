"""How probable a model finds a text: perplexity of its tokens, and bits for each byte and character.

The text is cut at the ends of sentences into pieces; each is scored behind the text before it, so that every
token counts once and none but the first stands without context.  Perplexity depends on what a tokenizer calls
a token; bits per byte do not, and compare models of any kind.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from selfstudy.errors import DataError
from selfstudy.files import reading
from selfstudy.files.rows import SUFFIXES
from selfstudy.models.base import LanguageModel, Progress, text_logprobs
from selfstudy.recipe.suites import PerplexityBlock
from selfstudy.records import SuiteItem, digest
from selfstudy.text import chunks, shortened
from selfstudy.verify.suites import given
from selfstudy.verify.suites.base import Measure, SuiteTools

HINT = "give a text file, or rows like {text}"
PIECE = 400
"""Most characters of a piece."""
BEFORE = 1_600
"""Characters of the text before it that a piece is read behind."""
BLOCK = 128
_NAMES = ("text", "content", "page", "document")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text, [start, end), that knows what stands before it; `number` among the pieces of all."""

    whole: str
    start: int
    end: int
    number: int

    @property
    def text(self) -> str:
        return self.whole[self.start : self.end]

    @property
    def before(self) -> str:
        """What it is read behind, not from within a word."""
        behind = self.whole[max(0, self.start - BEFORE) : self.start]
        return behind[behind.find(" ") + 1 :] if self.start > BEFORE else behind

    @property
    def item(self) -> str:
        """Tells it from all others; the same piece twice is two."""
        return digest(self.before, self.text, str(self.number))


class PerplexitySuite:
    """Pieces of texts; fulfils `Suite`."""

    name = "perplexity"

    def __init__(self, pieces: Sequence[Piece], notes: Sequence[str]) -> None:
        self._pieces = list(pieces)
        self.notes: tuple[str, ...] = tuple(notes)

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Sums over sums, over all pieces, so that long ones count more."""
        lower: Literal["lower"] = "lower"
        return (
            Measure(
                "perplexity", "nats", "tokens", exp=True, better=lower, main=True, explanation="by token"
            ),
            Measure(
                "bits_per_byte", "bits", "bytes", better=lower, explanation="by byte of UTF-8, any tokenizer"
            ),
            Measure("bits_per_character", "bits", "characters", better=lower, explanation="by character"),
        )

    def __len__(self) -> int:
        return len(self._pieces)

    def run(
        self,
        lm: LanguageModel,
        tools: SuiteTools,
        arm: Literal["base", "taught"],
        before: Sequence[SuiteItem] = (),
        done: frozenset[str] = frozenset(),
        progress: Progress | None = None,
    ) -> Iterator[list[SuiteItem]]:
        """See `Suite.run`.

        Raises:
            NoLogprobsError: the model does not say how probable a text is.
        """
        for block in given.open_blocks(self._pieces, BLOCK, lambda one: one.item, done):
            scored = text_logprobs(lm, [one.before for one in block], [one.text for one in block])
            items = []
            for one, values in zip(block, scored, strict=True):
                bad = not values or not all(map(math.isfinite, values))
                items.append(
                    SuiteItem(
                        suite=self.name,
                        arm=arm,
                        item=one.item,
                        asked=shortened(one.text.strip(), PIECE),
                        parts={} if bad else parts(one.text, values),
                        error="the model gave no log-probabilities, or some that are no numbers"
                        if bad
                        else None,
                    )
                )
            yield items
            if progress is not None:
                progress(len(block))


def perplexity(block: PerplexityBlock, seed: int) -> PerplexitySuite:
    """The suite of a recipe's block, with its text read.

    Raises:
        DataError: it cannot be used; the message names the row.
    """
    pieces: list[Piece] = []
    for text in _texts(block.data):
        pieces += cut(text, len(pieces))
    if len(pieces) > given.MOST:
        raise DataError(f"suite perplexity: {block.data} has {len(pieces):,} pieces", "give a part of it")
    asked = given.sampled(pieces, block.questions, seed, "perplexity")
    return PerplexitySuite(asked, given.told(block.data, len(asked), len(pieces), 0))


def cut(text: str, first: int = 0) -> list[Piece]:
    """The pieces of a text: together they are all of it, white space included, but for that around it.

    Args:
        first: number of the first.
    """
    text = text.strip()
    ends = [0, *(end for _, end in chunks(text, PIECE, len))]
    return [Piece(text, start, end, first + at) for at, (start, end) in enumerate(pairwise(ends))]


def parts(text: str, values: Sequence[float]) -> dict[str, float]:
    """What is summed up of a piece.

    Args:
        values: natural-log probability of each token.
    """
    nats = -math.fsum(values)
    return {
        "nats": nats,
        "tokens": float(len(values)),
        "bits": nats / math.log(2),
        "bytes": float(len(text.encode("utf-8", "replace"))),
        "characters": float(len(text)),
    }


def _texts(data: str | None) -> list[str]:
    """The texts of rows, or the one of a text file."""
    path = given.own_file("perplexity.txt") if data is None else reading.expanded(data)
    if path.suffix.lower() in SUFFIXES or not reading.exists(path):
        return given.read("perplexity", data, "perplexity.txt", _text, HINT)
    try:
        text = reading.text(path)
    except UnicodeDecodeError as error:
        raise DataError(
            f"suite perplexity: {path} is not UTF-8 ({error.reason} at byte {error.start})",
            "save it as UTF-8",
        ) from None
    except OSError as error:
        raise DataError(
            f"suite perplexity: {path} cannot be read ({error.strerror or error})", HINT
        ) from None
    if not text.strip():
        raise DataError(f"suite perplexity: {path} is empty", HINT)
    return [text]


def _text(row: dict[str, Any]) -> list[str]:
    return [given.field(row, *_NAMES)]
