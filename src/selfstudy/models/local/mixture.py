"""Several LoRA adapters beside one model, none of them merged: each row of a pass has its own, or none.

The change of a layer is B A x (Hu et al. 2021, arXiv 2106.09685, section 4.1).  For a pass, the matrices of
all adapters that it needs stand beside each other: two products, however many they are, and between them all
is zero that an adapter would make of another one's row.  So a row is changed by its own adapter alone, and
one without any is what the model makes of it.  The model itself stays as it was: hooks last for one pass.

Knows nothing of prompts and names; adapters have numbers from 1, and 0 is the model itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from selfstudy.errors import ModelError

LayerChange = tuple[Tensor, Tensor]
"""A (rank, in) and B (out, rank) of a layer, the adapter's scale in B."""


@dataclass(frozen=True, slots=True)
class _Layer:
    """The changes that a pass needs of one layer: A one below the other, B one beside the other."""

    module: Any
    a: Tensor
    b: Tensor
    owner: tuple[tuple[int, int], ...]
    """Whose they are, in this order: number and rank of each."""


class Mixture:
    """Adapters for the layers of a model."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._changes: list[Mapping[str, LayerChange]] = []
        self._held: tuple[tuple[int, ...], list[_Layer]] = ((), [])
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._changes)

    def add(self, changes: Mapping[str, LayerChange]) -> None:
        """One more adapter: of each layer, by the name of its module."""
        self._changes.append(changes)

    @contextmanager
    def of_rows(self, adapter: Tensor | None, length: int) -> Iterator[None]:
        """While it lasts the model's layers give row i what adapter[i] makes of it; for one pass at a time.

        Args:
            adapter: (rows,), numbers; None: all are the model's own.
            length: tokens of a row that the pass reads.
        """
        with self._lock:
            numbers = set() if adapter is None else set(adapter.tolist())
            present = tuple(sorted(numbers - {0}))
            foreign = _Foreign(adapter if len(numbers) > 1 else None)
            handles = []
            try:
                for layer in self._layers(present):
                    hook = _changing(layer, foreign.of(layer), length)
                    handles.append(layer.module.register_forward_hook(hook))
                yield
            finally:
                for handle in handles:
                    handle.remove()

    def _layers(self, present: tuple[int, ...]) -> list[_Layer]:
        """What these adapters change; kept, as one pass needs what the last one did."""
        if self._held[0] != present:
            chosen = {number: self._changes[number - 1] for number in present}
            names = dict.fromkeys(name for changes in chosen.values() for name in changes)
            self._held = present, [self._layer(name, chosen) for name in names]
        return self._held[1]

    def _layer(self, name: str, chosen: Mapping[int, Mapping[str, LayerChange]]) -> _Layer:
        parts = {number: changes[name] for number, changes in chosen.items() if name in changes}
        return _Layer(
            module=self._model.get_submodule(name),
            a=torch.cat([a for a, _ in parts.values()], 0),
            b=torch.cat([b for _, b in parts.values()], 1),
            owner=tuple((number, len(a)) for number, (a, _) in parts.items()),
        )


class _Foreign:
    """Which of the ranks of a layer are another adapter's than a row's, in a pass."""

    def __init__(self, adapter: Tensor | None) -> None:
        self._adapter = adapter
        self._found: dict[tuple[tuple[int, int], ...], Tensor] = {}

    def of(self, layer: _Layer) -> Tensor | None:
        """(rows, ranks); None: all rows have the one adapter that there is."""
        if self._adapter is None:
            return None
        if layer.owner not in self._found:
            numbers = [number for number, rank in layer.owner for _ in range(rank)]
            owner = torch.tensor(numbers, device=self._adapter.device)
            self._found[layer.owner] = owner != self._adapter[:, None]
        return self._found[layer.owner]


def _changing(
    layer: _Layer, foreign: Tensor | None, length: int
) -> Callable[[Any, tuple[Tensor, ...], Tensor], Tensor]:
    """What adds the change to a layer's output."""

    def hook(module: Any, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
        inner = linear(args[0].to(layer.a.dtype), layer.a)
        if foreign is not None:
            # filled, not multiplied: what overflows in another adapter's ranks would stay NaN
            inner = inner.masked_fill(_like(foreign, inner, length), 0.0)
        return (output + linear(inner, layer.b)).to(output.dtype)

    return hook


def _like(foreign: Tensor, inner: Tensor, length: int) -> Tensor:
    """Whose rank is foreign where, for a layer that is given rows, or the tokens of all rows as one list.

    Raises:
        ModelError: it is given something else, such as the tokens that go to one expert.
    """
    if len(inner) == len(foreign) * length and inner.dim() == 2 and length > 1:
        foreign = foreign.repeat_interleave(length, 0)
    if len(inner) != len(foreign):
        raise ModelError(
            "this model has layers that are not given its rows, and adapters change them",
            "let one adapter answer at a time, or teach other layers (teach.lora.target_modules)",
        )
    return foreign.view(len(foreign), *[1] * (inner.dim() - 2), foreign.shape[1])
