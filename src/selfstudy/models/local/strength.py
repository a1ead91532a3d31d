"""A model with an adapter whose newest change can be turned down, in memory: one load for all strengths.

Each strength answers as the folder would that `lora.weaken` writes.  Knows nothing of why.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from selfstudy.models.local import loading, weights
from selfstudy.models.local.chat_format import style_of
from selfstudy.models.local.lm import LocalLM
from selfstudy.recipe import LocalModel


class Adjustable:
    """A local model with a plain LoRA adapter, unmerged.

    Attributes:
        lm: answers at the strength that was set last; at first in full.
    """

    def __init__(
        self, block: LocalModel, whole: int = 0, say: Callable[[str], object] = lambda text: None
    ) -> None:
        """Loads it.

        Args:
            block: names the adapter.
            whole: so many ranks, the first ones, keep their strength.
            say: told of what takes minutes.

        Raises:
            ModelError: as of `LocalLM`.
        """
        path, is_folder = loading.locate(block.path, "lm")
        with loading.explained(block.path, is_folder):
            model, tokenizer = weights.load(block, path, is_folder, loading.pick_device(block.device), say)
        self.lm = LocalLM.around(
            model, tokenizer, name=block.path, token_budget=block.token_budget, style=style_of(block)
        )
        self._whole = whole
        self._parts = [
            (matrix, matrix.detach()[:, whole:].clone())
            for name, matrix in model.named_parameters()
            if ".lora_B." in name
        ]

    @torch.no_grad()
    def set(self, strength: float) -> None:
        """From now on the newest change counts `strength` times; 0: the model as it was before."""
        for matrix, full in self._parts:
            matrix[:, self._whole :] = full * strength
