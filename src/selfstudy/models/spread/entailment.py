"""An entailment model of transformers whose copies judge batches in other processes.

Here are its tokenizer and settings, the cache and the windows (models/pairs.py); there, the weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from selfstudy.models.workers import Lost, ModelSpec, Workers
from selfstudy.recipe import NLIBlock, Seq2SeqNLI

if TYPE_CHECKING:
    from selfstudy.files.cache import Cache
    from selfstudy.models.pairs import Encoded, Logits, PairModel
    from selfstudy.models.worker import JudgeFacts
    from selfstudy.recipe import EntailmentBlock


def spread_nli(block: EntailmentBlock, workers: Workers, cache: Cache | None = None) -> PairModel:
    """The entailment model of a block, judging in `workers`; with a cache it judges no pair that is in it.

    Raises:
        ModelError: it cannot be loaded, here or there.
        TypeError: the block names no weights.
    """
    if isinstance(block, Seq2SeqNLI):
        from selfstudy.models.seq2seq_entailment import Seq2SeqEntailment

        return Seq2SeqEntailment(block, cache, SpreadJudges(block, workers))
    if isinstance(block, NLIBlock):
        from selfstudy.models.nli import EntailmentClassifier

        return EntailmentClassifier(block, cache, SpreadJudges(block, workers))
    raise TypeError(f"nli: {block.type} has no weights that workers could load")


class SpreadJudges:
    """Copies of an entailment model in workers; fulfils `pairs.Judges`."""

    def __init__(self, block: NLIBlock | Seq2SeqNLI, workers: Workers) -> None:
        """One worker loads it now.

        Raises:
            ModelError: it cannot be loaded.
        """
        self._spec = ModelSpec("nli", block.model_dump_json())
        self._workers = workers
        facts: JudgeFacts = workers.call(self._spec, "facts")
        self.budget, self.fingerprint = facts.budget, facts.fingerprint

    def judged(self, batches: Sequence[Sequence[Encoded]]) -> Iterator[tuple[int, Sequence[Logits | None]]]:
        """See `pairs.Judges`."""
        for done in self._workers.share(self._spec, "judge", batches):
            yield done.unit, [None if isinstance(row, Lost) else row for row in done.results]
