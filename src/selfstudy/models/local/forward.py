"""One forward pass over rows of tokens, whatever the architecture.

What a model can do is read off its forward signature and its cache, or tried out; never off its name.
Knows nothing of sampling.
"""

from __future__ import annotations

import copy
import inspect
from typing import Any

import torch
from torch import Tensor

from selfstudy.errors import ModelError
from selfstudy.models.local import kept, loading
from selfstudy.models.local.kept import KeptCache
from selfstudy.models.local.mixture import Mixture

Cached = Any
"""A transformers Cache whose rows can be selected; None when there is nothing cached."""
_MOVING_ROPE = {"dynamic", "longrope"}
"""Rotary positions that are others once a row is long: what was read before does not go with what follows."""


class Forward:
    """Calls a causal language model on left-padded rows, with its cache where the cache can follow the rows.

    Padding holds a real token of the row and a 0 in the mask, so no pad token is needed.

    Args:
        mixture: adapters of its layers, of which each row may have its own.
    """

    def __init__(self, model: Any, mixture: Mixture | None = None) -> None:
        self._model = model
        self._mixture = mixture
        self.device: torch.device = model.device
        self._accepts = set(inspect.signature(type(model).forward).parameters)
        self._cache_name = next((n for n in ("past_key_values", "cache_params") if n in self._accepts), None)
        self._pads: bool | None = None
        self._keeps: bool | None = None
        self._caches = self._cache_name is not None

    def next_logits(
        self, tokens: Tensor, mask: Tensor, cache: Cached = None, adapter: Tensor | None = None
    ) -> tuple[Tensor, Cached]:
        """Logits of the token that follows each row, and the cache that now holds the row.

        Args:
            tokens: (rows, length); those that are in the cache are not read again.
            mask: (rows, length), 0 where padded.
            cache: what the last call returned, rows selected to match; it is changed in place.
            adapter: (rows,), the number of each row's adapter, by which all of it is read; None: all are 0.

        Returns:
            float32 logits (rows, vocabulary), and a cache, or None if this model must read all anew.
        """
        if cache is None and self.keeps:
            cache = KeptCache()
        return self._next_logits(tokens, mask, cache, adapter)

    def next_states(
        self, tokens: Tensor, mask: Tensor, cache: Cached = None, adapter: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Cached]:
        """As `next_logits`, and between its two results the last layer's hidden state of every token read.

        Returns:
            float32 logits (rows, vocabulary), float32 states (rows, tokens read, size), and a cache or None.

        Raises:
            ModelError: the model does not show its hidden states.
        """
        seen: list[Tensor | None] = []

        def look(module: Any, args: Any, output: Any) -> None:
            seen.append(getattr(output, "last_hidden_state", None))

        # of one layer: `output_hidden_states` would keep those of all until the pass is over
        body = getattr(self._model, self._model.base_model_prefix or "model", None)
        hook = body.register_forward_hook(look) if isinstance(body, torch.nn.Module) else None
        try:
            logits, cache = self.next_logits(tokens, mask, cache, adapter)
        finally:
            if hook is not None:
                hook.remove()
        states = seen[-1] if seen else None
        if states is None:
            raise ModelError(
                f"{self._model.name_or_path} does not show the hidden states of its last layer",
                "contrastive search cannot be done with it: set penalty_alpha to 0",
            )
        return logits, states.float(), cache

    def _next_logits(
        self, tokens: Tensor, mask: Tensor, cache: Cached, adapter: Tensor | None = None
    ) -> tuple[Tensor, Cached]:
        output, logits = self._run(tokens, mask, cache, adapter, keep=1, use_cache=self._caches)
        if isinstance(cache, KeptCache):
            return logits[:, -1].float(), cache
        found = getattr(output, self._cache_name, None) if self._cache_name else None
        self._caches = _selectable(found)
        return logits[:, -1].float(), found if self._caches else None

    def last_logits(
        self, tokens: Tensor, mask: Tensor, count: int, cache: Cached = None, adapter: Tensor | None = None
    ) -> Tensor:
        """Float32 logits (rows, count, vocabulary) after each of the last `count` tokens; none is cached."""
        _, logits = self._run(tokens, mask, cache, adapter, keep=count, use_cache=cache is not None)
        return torch.as_tensor(logits[:, -count:].float())

    def _run(
        self,
        tokens: Tensor,
        mask: Tensor,
        cache: Cached,
        adapter: Tensor | None,
        *,
        keep: int,
        use_cache: bool,
    ) -> tuple[Any, Tensor]:
        """What the model returns, and the logits in it.

        Raises:
            ModelError: its code fails, as that of a config which does not fit it does.
        """
        with loading.computing(str(self._model.name_or_path)):
            inputs = self._inputs(tokens, mask, cache, keep=keep, use_cache=use_cache)
            if self._mixture is None:
                output = self._model(**inputs)
            else:
                with self._mixture.of_rows(adapter, _length(inputs)):
                    output = self._model(**inputs)
            return output, output.logits

    def _inputs(
        self, tokens: Tensor, mask: Tensor, cache: Cached, *, keep: int, use_cache: bool
    ) -> dict[str, Any]:
        inputs: dict[str, Any] = {"use_cache": use_cache}
        columns = tokens.shape[1] - 1 if cache is not None else 0
        if isinstance(cache, KeptCache):
            columns = cache.columns
        if "logits_to_keep" in self._accepts:
            inputs["logits_to_keep"] = keep
        if "position_ids" in self._accepts:
            inputs["position_ids"] = (mask.cumsum(1) - 1).clamp(min=0)[:, columns:]
        if self._cache_name and cache is not None:
            inputs[self._cache_name] = cache
        if "attention_mask" in self._accepts:
            inputs["attention_mask"] = mask
        # The model itself knows what else a step needs; recurrent ones drop the mask after the prompt.
        new = tokens[:, columns:]
        prepared = self._model.prepare_inputs_for_generation(new, is_first_iteration=not columns, **inputs)
        return {name: value for name, value in prepared.items() if name in self._accepts}

    @property
    @torch.inference_mode()
    def pads(self) -> bool:
        """Whether padding leaves the result alone. Tried out once: some models take a mask and ignore it."""
        if self._pads is None:
            vocabulary = self._model.config.get_text_config().vocab_size
            tokens = torch.tensor([[3, 1, 2, 1]], device=self._model.device) % vocabulary
            padding = torch.tensor([[7, 11, 5, 19, 23, 29, 31, 8]], device=self._model.device) % vocabulary
            mask = torch.ones_like(tokens)
            alone, _ = self.next_logits(tokens, mask)

            def moved(masked: bool) -> float:
                """How far padding moves the logits (root mean square), masked or taken for words."""
                before = torch.full_like(padding, not masked)
                found, _ = self.next_logits(torch.cat([padding, tokens], 1), torch.cat([before, mask], 1))
                return (found - alone).square().mean().sqrt().item()

            # What a model that ignores the mask would show is the measure, not the logits' spread: in
            # bfloat16 single logits of a deep model move by a tenth of that, by rounding alone.
            self._pads = moved(masked=True) < self._rounding * moved(masked=False)
        return self._pads

    @property
    @torch.inference_mode()
    def keeps(self) -> bool:
        """Whether rows may continue a beginning that was read before them, in a KeptCache. Tried out once."""
        if self._keeps is None:
            self._keeps = self._may_keep() and self._continues()
        return self._keeps

    def _may_keep(self) -> bool:
        config = self._model.config.get_text_config()
        given = getattr(config, "rope_parameters", None) or {}
        ropes = {str(one.get("rope_type")) for one in (given, *given.values()) if isinstance(one, dict)}
        with loading.computing(str(self._model.name_or_path)):
            return self._cache_name == "past_key_values" and not ropes & _MOVING_ROPE and kept.fits(config)

    def _continues(self) -> bool:
        """Whether two rows that continue the same beginning get the logits that they get alone."""
        vocabulary = self._model.config.get_text_config().vocab_size
        tokens = torch.tensor([[3, 1, 2, 7, 11, 5, 19, 23, 29, 31, 8, 13]], device=self._model.device)
        tokens = tokens % vocabulary
        mask = torch.ones_like(tokens)
        rows = torch.zeros(2, dtype=torch.long, device=tokens.device)
        alone, _ = self._next_logits(tokens, mask, None)

        def moved(beginning: Tensor) -> float:
            """How far reading the beginning first moves the logits (root mean square)."""
            _, cache = self._next_logits(beginning, mask[:, : beginning.shape[1]], KeptCache())
            cache = cache.selected(rows)
            for end in (tokens.shape[1] - 1, tokens.shape[1]):
                found, cache = self._next_logits(tokens[:, :end][rows], mask[:, :end][rows], cache)
            return (found - alone).square().mean().sqrt().item()

        try:
            return moved(tokens[:, :6]) < self._rounding * moved(tokens[:, :6].flip(1))
        except (ModelError, AttributeError, TypeError):
            return False  # a model with a cache of its own kind

    @property
    def _rounding(self) -> float:
        """What may be rounding, as a share of what a wrong result would show."""
        return 1e-3 if self._model.dtype == torch.float32 else 0.1


def _length(inputs: dict[str, Any]) -> int:
    """How many tokens of each row are read."""
    return int(inputs["input_ids"].shape[1])


def _selectable(cache: Any) -> bool:
    layers = getattr(cache, "layers", None)
    return layers is not None and len(layers) > 0 and all(hasattr(layer, "reorder_cache") for layer in layers)


def select_rows(cache: Cached, rows: Tensor, *, own: bool = False) -> Cached:
    """A cache of the given rows (any number, repeats allowed); the old one stays as it was, unless `own`.

    Args:
        own: nobody else needs the old one: it may be changed.
    """
    if isinstance(cache, KeptCache):
        if not own:
            return cache.selected(rows)
        cache.move(rows)
        return cache
    chosen = copy.copy(cache)
    chosen.layers = [copy.copy(layer) for layer in cache.layers]
    for layer in chosen.layers:
        for name, value in vars(layer).items():
            if isinstance(value, dict):  # recurrent layers keep their states in one
                setattr(layer, name, dict(value))
    chosen.reorder_cache(rows)
    return chosen
