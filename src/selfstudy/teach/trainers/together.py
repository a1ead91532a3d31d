"""What transformers' Trainer needs so that several processes train exactly as one does.

Started by `accelerate launch` each process sees its part of every batch, and gradients are summed.  One
batch is the same rows as in one process: where the last one of an epoch is short, rows that count for nothing
fill it up, and the loss of an optimizer step is divided by what all processes learn from in it.  Knows
nothing of losses.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, repeat
from typing import Any

import torch
from torch import Tensor

from selfstudy.models.local.weights import answering_model
from selfstudy.teach.trainers import packed


class Together:
    """Beside a trainer of TRL: says `learned`, gets `num_items_in_batch` of all processes in `compute_loss`.

    What `compute_loss` gives is `scaled`.
    """

    accelerator: Any
    model: Any
    packing: packed.Packing
    is_fsdp_enabled: bool
    loss_is_scaled_for_ga = True
    """TRL's: nobody divides the loss by the number of forward passes once more."""
    sharded = False
    """Whether FSDP divides the weights; Trainer's own `is_fsdp_enabled`, which waits until it is built."""

    def learned(self, batch: Mapping[str, Tensor]) -> Tensor:
        """How much a batch is learned from, in the unit by which a loss is divided."""
        raise NotImplementedError

    def _get_num_items_in_batch(self, batch_samples: Sequence[Any], device: torch.device) -> Tensor | None:
        """Of all forward passes of an optimizer step, in all processes."""
        if not batch_samples:
            return None
        own = sum(float(self.learned(batch)) for batch in batch_samples)
        return torch.as_tensor(self.accelerator.gather(torch.tensor([own], device=device)).sum())

    def scaled(self, total: Tensor, count: Tensor | int) -> Tensor:
        """A sum over this process's rows as a share of what all learn from; gradients are averaged later."""
        return total / torch.as_tensor(count).clamp(min=1e-9) * int(self.accelerator.num_processes)

    def create_accelerator_and_postprocess(self) -> None:
        """As Trainer does; but TRL does not hear of FSDP, for it would read the model anew as a reference."""
        super().create_accelerator_and_postprocess()  # type: ignore[misc]
        self.sharded, self.is_fsdp_enabled = self.is_fsdp_enabled, False

    @property
    def divides(self) -> str:
        """Who divides the weights, so that no process has them all; else empty."""
        if self.sharded:
            return "FSDP"
        plugin = getattr(self.accelerator.state, "deepspeed_plugin", None)
        return "ZeRO-3" if plugin is not None and plugin.zero_stage == 3 else ""

    @contextmanager
    def dividing(self) -> Iterator[None]:
        """While it trains; afterwards `model` is whole again, in every process."""
        self.is_fsdp_enabled = self.sharded
        if not self.divides:
            yield
            self.model = self.accelerator.unwrap_model(self.model)
            return
        # to try it takes passes of which the other processes know nothing, and a packed pass beside one that
        # is not gathered weights in another order: the processes ended over it
        self.packing.works = False
        empty = shell(self.model)
        yield
        self.model = gathered(self.accelerator.unwrap_model(self.model), empty)


class Filled(torch.utils.data.Sampler[int]):
    """An order of rows, filled up with one that counts for nothing, so that all processes get equally many.

    Args:
        filler: number of that row.
        multiple: rows of one forward pass in all processes.
    """

    def __init__(self, order: torch.utils.data.Sampler[int], filler: int, multiple: int) -> None:
        self._order, self._filler, self._multiple = order, filler, multiple

    def __len__(self) -> int:
        count = len(self._order)  # type: ignore[arg-type]
        return count + -count % self._multiple

    def __iter__(self) -> Iterator[int]:
        missing = len(self) - len(self._order)  # type: ignore[arg-type]
        return chain(self._order, repeat(self._filler, missing))


def inside(model: Any, core: Any, compute: Callable[[], Tensor]) -> Tensor:
    """A loss that calls `core`, or what is in it, where what is wrapped around `core` must know of the pass.

    DDP, FSDP and DeepSpeed prepare a pass when the outermost module is called.  So it is, and the loss takes
    the place of its forward.

    Args:
        model: what accelerate has made of `core`.
    """
    if model is core and not (is_sharded(core) and answering_model(core) is not core):
        return compute()
    replaced = vars(core).pop("forward", None)

    def restore() -> None:
        vars(core).pop("forward", None)
        if replaced is not None:
            core.forward = replaced

    def once(*_: Any, **__: Any) -> Tensor:
        restore()
        return compute()

    core.forward = once
    try:
        return torch.as_tensor(model())
    finally:
        restore()


def is_sharded(model: Any) -> bool:
    """Whether FSDP has divided its weights."""
    from torch.distributed.fsdp import FSDPModule

    return isinstance(model, FSDPModule)


def shell(model: Any) -> Any:
    """The same model without weights; those that are no parameters (buffers) are copied."""
    empty = {
        id(one): torch.nn.Parameter(torch.empty_like(one, device="meta"), requires_grad=one.requires_grad)
        for one in model.parameters()
    }
    return copy.deepcopy(model, empty)


@torch.no_grad()
def gathered(sharded: Any, empty: Any) -> Any:
    """The whole model that was trained in parts; all processes must call it, and all get it.

    Args:
        sharded: whose weights are divided.
        empty: its `shell`, which gets them.
    """
    whole = {}
    for name, one in sharded.named_parameters(remove_duplicate=False):
        if id(one) not in whole:
            whole[id(one)] = torch.nn.Parameter(_full(one), requires_grad=one.requires_grad)
        place, _, last = name.rpartition(".")
        setattr(empty.get_submodule(place), last, whole[id(one)])
    return empty


def _full(one: Any) -> Tensor:
    """A copy of all of a parameter, whoever divided it."""
    from torch.distributed.tensor import DTensor

    if hasattr(one, "ds_id"):
        import deepspeed

        with deepspeed.zero.GatheredParameters([one]):
            return torch.as_tensor(one.detach().clone())
    full = one.full_tensor() if isinstance(one, DTensor) else one
    return torch.as_tensor(full.detach().clone())
