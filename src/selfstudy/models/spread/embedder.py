"""An embedder whose copies read batches of texts in other processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from selfstudy.errors import ModelError
from selfstudy.models.workers import Lost, ModelSpec, Workers
from selfstudy.recipe import EmbedderBlock

if TYPE_CHECKING:
    from selfstudy.models.worker import EmbedderFacts


class SpreadEmbedder:
    """An encoder of sentence-transformers elsewhere; fulfils `base.Embedder` and `base.HasFingerprint`."""

    def __init__(self, block: EmbedderBlock, workers: Workers) -> None:
        """One worker loads it now.

        Raises:
            MissingExtraError, ModelError: it cannot be loaded.
        """
        self._spec = ModelSpec("embedder", block.model_dump_json())
        self._workers = workers
        facts: EmbedderFacts = workers.call(self._spec, "facts")
        self.name, self.fingerprint, self._dimension = facts.name, facts.fingerprint, facts.dimension

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Shape (len(texts), dimension), rows of length 1.

        Raises:
            ModelError: no worker could read one of the texts.
        """
        found = np.zeros((len(texts), self._dimension), dtype=np.float32)
        parts: list[list[int]] = self._workers.call(self._spec, "parts", list(texts)) if texts else []
        units = [[texts[place] for place in part] for part in parts]
        for done in self._workers.share(self._spec, "encode", units):
            for place, row in zip(parts[done.unit], done.results, strict=True):
                if isinstance(row, Lost):
                    raise ModelError(
                        f"embedder {self.name} cannot read text {place + 1} of {len(texts)}: {row.error}",
                        "give the same command again; with `scale: null` it is read in this process",
                    )
                found[place] = row
        return found
