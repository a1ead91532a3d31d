"""What trainings share in which a model answers while it is trained.

The model that answers, as it is and as it was before; the prompts that leave it room; how long things took.
Knows nothing of what answers are worth.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from selfstudy.models.base import HasWeights, Progress, Sampling
from selfstudy.models.local.lm import LocalLM
from selfstudy.records import Chat, Completion
from selfstudy.teach.trainers import shared


def answering(lm: HasWeights, tokens: int) -> Callable[[Any], LocalLM]:
    """Makes live weights answer as `lm` does, in passes of at most so many tokens."""

    def around(live: Any) -> LocalLM:
        return LocalLM.around(live, lm.tokenizer, name=lm.name, token_budget=tokens, style=lm.style)

    return around


def without_room(model: Any, lm: HasWeights, chats: Sequence[Chat]) -> dict[int, str]:
    """The prompts that leave no room for an answer, by their places, and why.

    Raises:
        ModelError: none does.
    """
    prompts = shared.Tokens(lm).prompts(chats)
    rows = [{"prompt_ids": ids, "answer_ids": ids[-1:]} for ids in prompts]
    _, dropped = shared.readable(model, rows, [str(place) for place in range(len(rows))])
    return {int(place): why for place, why in dropped.items()}


@contextmanager
def timed(seconds: dict[str, float], what: str) -> Iterator[None]:
    """Adds how long it takes."""
    began = time.perf_counter()
    yield
    seconds[what] = seconds.get(what, 0.0) + time.perf_counter() - began


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
