"""What a model thinks of given answers, token by token, in batches that fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from selfstudy.models.local import loading, prefixes
from selfstudy.models.local.encoding import Answered
from selfstudy.models.local.forward import Forward

_LOGIT_BUDGET = 2**28
"""Most logits (rows x positions x vocabulary) that are held at once: 1 GiB of float32."""


class LogprobScorer:
    """Scores rows of tokens with one model."""

    def __init__(self, model: Any, forward: Forward) -> None:
        self._forward = forward
        self._device = model.device
        self._vocabulary: int = model.config.get_text_config().vocab_size

    def score(self, items: Sequence[Answered], budget: int) -> Iterator[tuple[int, list[float]]]:
        """The index of every item, and the natural-log probability of each token of its answer.

        An item that does not even fit into memory alone has none.

        Args:
            budget: most tokens of a batch; halved when memory runs out.
        """
        for index, values in self.read(items, budget, _logprobs):
            yield index, values.tolist()

    def read(
        self, items: Sequence[Answered], budget: int, reader: Callable[[Tensor, Tensor], Tensor]
    ) -> Iterator[tuple[int, Tensor]]:
        """The index of every item, and what `reader` finds at each token of its answer.

        Args:
            reader: is given logits (rows, tokens, vocabulary) and the tokens that follow (rows, tokens), and
                returns a tensor (rows, tokens, ...).
        """
        items = self._in_order(items)
        while items:
            batch = self._first_batch(items, budget)
            scored: list[Tensor] | None = None
            try:
                scored = self._score(batch, reader)
            except RuntimeError as error:
                if not loading.is_out_of_memory(error):
                    raise
            if scored is None:
                loading.free_memory(self._device)  # not in the handler: its traceback holds tensors
                if len(batch) > 1:
                    budget //= 2
                    continue
                scored = [torch.empty(0)]
            yield from ((item.index, values) for item, values in zip(batch, scored, strict=True))
            items = items[len(batch) :]

    def batches(self, items: Sequence[Answered], budget: int) -> list[list[Answered]]:
        """What is read together, where memory does not run out; a batch alone is read to the same bits."""
        items, found = self._in_order(items), []
        while items:
            found.append(self._first_batch(items, budget))
            items = items[len(found[-1]) :]
        return found

    def _in_order(self, items: Sequence[Answered]) -> list[Answered]:
        """The order in which batches are cut."""
        rows, adapters = [item.tokens for item in items], [item.adapter for item in items]
        return [items[at] for at in prefixes.order(self._forward, rows, adapters)]

    def _first_batch(self, items: Sequence[Answered], budget: int) -> list[Answered]:
        """The first items, as many as go together, in an order of their own (as `LocalLM._first_batch`)."""
        first = items[: self._size(items, budget)]
        return sorted(first, key=lambda item: (item.adapter, item.tokens, item.answer, item.index))

    def _size(self, items: Sequence[Answered], budget: int) -> int:
        """How many of the first items go together."""
        length, answer = 0, 0
        for count, item in enumerate(items):
            answer = max(answer, item.answer)
            unpaddable = count and len(item.tokens) != length and not self._forward.pads
            length = max(length, len(item.tokens))
            rows = count + 1
            too_many = rows * length > budget or rows * (answer + 1) * self._vocabulary > _LOGIT_BUDGET
            if count and (unpaddable or too_many):
                return count
        return len(items)

    @torch.inference_mode()
    def _score(self, items: Sequence[Answered], reader: Callable[[Tensor, Tensor], Tensor]) -> list[Tensor]:
        every, count = [item.tokens for item in items], max(item.answer for item in items)
        adapters = [item.adapter for item in items]
        cache = prefixes.read(self._forward, every, [item.answer + 1 for item in items], adapters)
        tokens, mask, _ = prefixes.padded(every, self._device)
        adapter = torch.tensor(adapters, device=self._device)
        logits = self._forward.last_logits(tokens, mask, count + 1, cache, adapter)[:, :-1]
        found = reader(logits, tokens[:, -count:])
        return [row[count - item.answer :] for row, item in zip(found, items, strict=True)]


def _logprobs(logits: Tensor, tokens: Tensor) -> Tensor:
    total = torch.cat([part.logsumexp(2) for part in torch.split(logits, 1)])  # exponentials of one at a time
    return logits.gather(2, tokens[..., None])[..., 0] - total


def with_others(count: int) -> Callable[[Tensor, Tensor], Tensor]:
    """Reads (rows, tokens, 1 + 2 * count): of each token its log-probability, then `most_probable` flat."""

    def reader(logits: Tensor, tokens: Tensor) -> Tensor:
        own = _logprobs(logits, tokens).double()[..., None]
        return torch.cat([own, most_probable(count)(logits, tokens).flatten(2)], 2) if count else own

    return reader


def most_probable(count: int) -> Callable[[Tensor, Tensor], Tensor]:
    """Reads the `count` most probable tokens, and their natural-log probabilities: (rows, tokens, count, 2).

    Token ids are exact in float64.
    """

    def reader(logits: Tensor, tokens: Tensor) -> Tensor:
        values, ids = logits.topk(min(count, logits.shape[-1]), dim=-1)
        return torch.stack([ids.double(), (values - logits.logsumexp(-1, keepdim=True)).double()], -1)

    return reader
