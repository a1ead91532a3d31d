"""The model as it was before a training that goes on: the reference of what it learns meanwhile."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from selfstudy.models.base import Progress, Sampling
from selfstudy.models.local.lm import LocalLM
from selfstudy.records import Chat, Completion


class Before:
    """The model as it was before this training; fulfils `LanguageModel`."""

    def __init__(self, model: Any, around: Callable[[Any], LocalLM]) -> None:
        """`model`: with an adapter, which can be switched off, or to be trained as a whole: it is copied."""
        self._has_adapter = hasattr(model, "peft_config")
        self._model = model if self._has_adapter else copy.deepcopy(model).requires_grad_(False)
        self._lm = around(self._model)
        self.name = self._lm.name

    @contextmanager
    def weights(self) -> Iterator[Any]:
        """The transformers or peft model, for so long."""
        with self._model.disable_adapter() if self._has_adapter else nullcontext():
            yield self._model

    @property
    def wants_demonstrations(self) -> bool:
        return self._lm.wants_demonstrations

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, progress: Progress | None = None
    ) -> list[list[Completion]]:
        with self.weights():
            return self._lm.generate(chats, sampling, progress)

    def logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[float]]:
        with self.weights():
            return self._lm.logprobs(chats, texts)
