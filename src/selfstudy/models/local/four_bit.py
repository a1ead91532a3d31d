"""Linear layers in 4 bits: NF4 of bitsandbytes (Dettmers et al. 2023, QLoRA, arXiv 2305.14314, section 3).

Weights stay as they were read: no adapter is ever merged into them, which would round them once more.  One
that was trained before stands beside its layer, frozen, while the next is trained (`_shifting`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import Parameter
from torch.nn.functional import linear

from selfstudy.errors import MissingExtraError, ModelError
from selfstudy.models.local import loading
from selfstudy.models.local.forward import Forward

if TYPE_CHECKING:
    from selfstudy.models.local.pretrained import ModelFiles

PACKAGE, EXTRA = "bitsandbytes", "4bit"
DEVICES = ("cpu", "cuda", "xpu")


def is_held(model: Any) -> bool:
    """Whether layers of a model, or of the model in a peft model, are held so."""
    return bool(getattr(model, "is_loaded_in_4bit", False))


def load(auto: Any, source: ModelFiles, dtype: torch.dtype, device: torch.device) -> Any:
    """The model that an Auto class of transformers makes of a folder, on its device.

    Args:
        dtype: what is computed in, and what all but the linear layers is held in; float32 for float16.

    Raises:
        ModelError: bitsandbytes is not there or does not run here, the model has no layer for it, or as of
            `pretrained.read_weights`; or it does not compute with such layers.
    """
    from transformers import BitsAndBytesConfig

    from selfstudy.models.local import pretrained

    require(source.name, device)
    if dtype is torch.float16:
        dtype = torch.float32  # in which gradients do not vanish
    how = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    placed = {"quantization_config": how, "device_map": {"": str(device)}}
    model = pretrained.read_weights(auto, source, dtype, **placed)
    layers = list(_layers(model))
    if not layers:
        raise ModelError(
            f"model {source.name!r} has no linear layer that can be held in 4 bits",
            "leave out load_in_4bit",
        )
    for _, layer in layers:
        # On processors with AVX512-BF16 a layer that answers would repack its weights for good, with scales
        # rounded to bfloat16: what answers and what is trained would be two models.
        layer.support_avx512bf16_for_cpu = False
    _require_computing(model, source.name)
    return model


def _require_computing(model: Any, name: str) -> None:
    """Refuses a model that reads the weights of its layers past them, as Mamba's does."""
    tokens = torch.zeros(1, 2, dtype=torch.long, device=model.device)
    try:
        with torch.no_grad(), loading.computing(name):
            Forward(model).next_logits(tokens, torch.ones_like(tokens))
    except ModelError as error:
        raise ModelError(
            f"{error.what} (with layers of 4 bits)",
            "leave out load_in_4bit: some architectures need weights of 16 or 32 bits; if it fails then too, "
            "its files do not fit each other",
        ) from None


def require(name: str, device: torch.device) -> None:
    """Refuses what would fail after the weights are read, or not say why.

    Raises:
        ModelError: bitsandbytes is not there or does not run on the device; the message says why.
    """
    if find_spec(PACKAGE) is None:
        raise MissingExtraError(PACKAGE, EXTRA, f"load_in_4bit of model {name!r}")
    if device.type not in DEVICES:
        raise ModelError(
            f"model {name!r}: bitsandbytes holds no 4 bits on device {device.type!r}",
            f"use {', '.join(DEVICES)}, or leave out load_in_4bit",
        )
    try:
        layer = _kind()(64, 64, bias=False, compute_dtype=torch.float32).to(device)
        with torch.no_grad():
            layer(torch.zeros(2, 64, device=device))
    except Exception as error:  # a library that is not built for this machine fails in its own ways
        raise ModelError(
            f"load_in_4bit of model {name!r}: bitsandbytes does not run here: {_said(error)}",
            "leave out load_in_4bit; `python -m bitsandbytes` says what it misses",
        ) from None


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def with_frozen(model: Any) -> Any:
    """The transformers model of a peft model with the adapter beside its layers of 4 bits, frozen, in place.

    What the adapter changes of other layers is merged into these, in their number type.
    """
    from peft.tuners.lora import LoraLayer

    plain = model.get_base_model()
    for name, layer in [*plain.named_modules()]:
        if isinstance(layer, LoraLayer) and isinstance(layer.get_base_layer(), _kind()):
            plain.set_submodule(name, _shifted(layer))
    return model.merge_and_unload()


def plain_layers(model: Any) -> None:
    """Puts layers of the same shape without weights in the place of those of 4 bits, in place."""
    if not is_held(model):
        return
    for name, layer in list(_layers(model)):
        shape = (layer.in_features, layer.out_features, layer.bias is not None)
        model.set_submodule(name, torch.nn.Linear(*shape, device="meta"))
    model.is_loaded_in_4bit = False


def _kind() -> Any:
    from bitsandbytes import nn

    return nn.Linear4bit


def _layers(model: Any) -> Iterator[tuple[str, Any]]:
    return ((name, one) for name, one in model.named_modules() if isinstance(one, _kind()))


def _shifted(layer: Any) -> Any:
    """The layer inside of one of LoRA, with all that its adapters change."""
    base = layer.get_base_layer()
    a = [layer.lora_A[name].weight for name in layer.active_adapters]
    b = [layer.lora_B[name].weight * layer.scaling[name] for name in layer.active_adapters]
    if isinstance(base, _shifting()):
        a, b = [base.shift_a, *a], [base.shift_b, *b]
    base.__class__ = _shifting()
    base.shift_a = Parameter(torch.cat([one.detach().float() for one in a], 0), requires_grad=False)
    base.shift_b = Parameter(torch.cat([one.detach().float() for one in b], 1), requires_grad=False)
    return base


@cache
def _shifting() -> Any:
    """A layer of 4 bits with the change of earlier adapters: y = x W^T + (x A^T) B^T, in float32."""

    class Shifted(_kind()):  # type: ignore[misc]
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = super().forward(x)
            shift = linear(linear(x.to(self.shift_a.dtype), self.shift_a), self.shift_b)
            return torch.as_tensor(y + shift.to(y.dtype))

    return Shifted
