"""One vector a text, from a language model: its last hidden state at the text's last token (MAUVE's features:
Pillutla et al. 2021, arXiv 2102.01454, section 4).

Knows nothing of what vectors are compared with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from selfstudy.models import batching, content
from selfstudy.models.base import Progress
from selfstudy.models.local import loading, pretrained
from selfstudy.models.local.panics import panics_as_errors

MOST = 512
"""Tokens of a text that are read: the first ones."""


class TextVectors:
    """A causal language model that reads texts.

    Attributes:
        name: what reports call it: the path it was given as.
    """

    def __init__(self, path: str, device: str = "auto") -> None:
        """Loads the model, a folder or a Hub id, in float32.

        Raises:
            ModelError: it cannot be loaded.
        """
        from transformers import AutoModel

        self.name = path
        where, is_folder = loading.locate(path, "lm")
        self._device = loading.pick_device(device)
        with loading.explained(path, is_folder):
            source = pretrained.source(path, where, is_folder)
            self._tokenizer: Any = pretrained.read_tokenizer(source)
            model = pretrained.read_weights(AutoModel, source, torch.float32)
            self._model: Any = model.to(self._device).eval()
        self._content = content.of_tokenizer(self._tokenizer)
        own = getattr(self._model.config, "max_position_embeddings", None)
        self._most = min(MOST, own or MOST)
        cpu = self._device.type == "cpu"
        self._budget = batching.CPU_TOKENS if cpu else batching.GPU_TOKENS

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> npt.NDArray[np.float64]:
        """Shape (len(texts), hidden size).  A text without a token gives zeros. `progress` counts texts."""
        clean = [self._content(text.encode("utf-8", "replace").decode()) for text in texts]
        with panics_as_errors(f"the tokenizer of {self.name}"):
            rows = self._tokenizer(clean, verbose=False)["input_ids"] if clean else []
        found = np.zeros((len(texts), self._model.config.hidden_size))
        told = [at for at, ids in enumerate(rows) if ids]
        encoded = [{"input_ids": rows[at][: self._most]} for at in told]

        def settle(at: int, vector: npt.NDArray[np.float64]) -> None:
            found[told[at]] = vector
            if progress is not None:
                progress(1)

        self._budget = batching.in_batches(
            [len(one["input_ids"]) for one in encoded],
            self._budget,
            lambda places: self._last([encoded[at] for at in places]),
            settle,
            self._device,
        )
        return found

    @torch.inference_mode()
    def _last(self, batch: Sequence[dict[str, list[int]]]) -> npt.NDArray[np.float64]:
        # behind a text, and masked: a causal model sees no padding from the text's last token
        inputs = batching.padded(batch, 0, self._device)
        with loading.computing(self.name):
            states = self._model(**inputs).last_hidden_state
            last = inputs["attention_mask"].sum(1) - 1
            return np.asarray(states[torch.arange(len(batch)), last].double().cpu().numpy())
