"""How many runs of words of a text stand in references: BLEU (Papineni et al. 2002), by sacrebleu.

Of single texts with effective order: a text of two words has no runs of four, which would make it 0.  Values
are in [0, 1], where sacrebleu says percent.  Knows nothing of questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import util
from itertools import zip_longest
from typing import Any

from selfstudy.errors import MissingExtraError

MOST = 50_000
"""Characters of a text that are compared."""


def is_here() -> bool:
    """Whether sacrebleu is installed."""
    return util.find_spec("sacrebleu") is not None


def bleu(text: str, references: Sequence[str]) -> float:
    """Sentence BLEU of a text against all references at once, smoothed as sacrebleu does it ("exp").

    Raises:
        MissingExtraError: sacrebleu is not installed.
        ValueError: there is no reference.
    """
    if not references:
        raise ValueError("no reference")
    scorer = _scorer(effective_order=True)
    return _unit(scorer.sentence_score(text[:MOST], [one[:MOST] for one in references]).score)


def corpus_bleu(texts: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """BLEU of all texts together, which is no mean: runs of words are summed over texts before the ratio.

    Args:
        references: of each text, at least one.

    Raises:
        MissingExtraError: sacrebleu is not installed.
        ValueError: there is no text.
    """
    if not texts:
        raise ValueError("no text")
    streams = zip_longest(*([one[:MOST] for one in some] for some in references))
    given = [[one or None for one in stream] for stream in streams]
    return _unit(_scorer().corpus_score([one[:MOST] for one in texts], given).score)


def _unit(percent: float) -> float:
    return min(1.0, percent / 100)  # rounding may make it more


@cache
def _scorer(**options: Any) -> Any:
    try:
        from sacrebleu.metrics.bleu import BLEU
    except ImportError:
        raise MissingExtraError("sacrebleu", "eval", "BLEU") from None
    return BLEU(**options)
