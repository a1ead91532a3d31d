"""LoRA for the CPU: the formula of peft's layer in one autograd step, with fewer passes over memory.

    y = x W^T + b + s (x A^T) B^T          Hu et al. 2021, arXiv 2106.09685, equation 3

peft multiplies, scales and adds in separate steps, each of which keeps and re-reads a tensor of the size of
y.  On a CPU those passes cost as much as the products.  The products run in bfloat16 where the processor has
instructions for it, as autocast would do, but W is converted once instead of at every step.
Measured (hidden 256, 6 layers, rank 32, 32 x 35 tokens, one core): 453 ms a step with peft, 412 so in
float32, 280 so in bfloat16.

Knows nothing of data or trainers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def accelerate(model: torch.nn.Module) -> int:
    """Gives every plain LoRA linear layer of a peft model on the CPU the fast forward pass; how many.

    Others stay as they are: those with dropout, bias terms of their own or variants, and all on accelerators.
    What is trained, saved and merged does not change, nor does what the model answers in evaluation mode.
    """
    from peft.tuners.lora import Linear

    dtype = compute_dtype()
    count = 0
    for module in model.modules():
        if isinstance(module, Linear) and _is_plain(module):
            module.forward = _Forward(module, dtype)
            count += 1
    return count


def compute_dtype() -> torch.dtype:
    """bfloat16 where this CPU multiplies it natively, else float32."""
    tests = (
        getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    )
    return torch.bfloat16 if any(test is not None and test() for test in tests) else torch.float32


def _is_plain(module: Any) -> bool:
    base = module.get_base_layer()
    return (
        type(base) is torch.nn.Linear
        and base.weight.device.type == "cpu"
        and base.weight.dtype == torch.float32
        and not base.weight.requires_grad
        and module.active_adapters == ["default"]
        and not module.lora_variant
        and not module.merged
        and isinstance(module.lora_dropout["default"], torch.nn.Identity)
        and module.lora_A["default"].bias is None
        and module.lora_B["default"].bias is None
    )


class _Forward:
    """Replaces the forward method of one layer."""

    def __init__(self, module: Any, dtype: torch.dtype) -> None:
        self._module = module
        self._weight = module.get_base_layer().weight.detach().to(dtype)
        self._bias = module.get_base_layer().bias

    def __call__(self, x: Tensor) -> Tensor:
        module = self._module
        if not module.training:  # answers are those of the saved adapter, to the last bit
            return torch.as_tensor(type(module).forward(module, x))
        if module.disable_adapters:
            return torch.as_tensor(module.get_base_layer()(x))
        a, b = module.lora_A["default"].weight, module.lora_B["default"].weight
        result = _LoraLinear.apply(x, self._weight, a, b, module.scaling["default"])  # type: ignore[no-untyped-call]
        return torch.as_tensor(result if self._bias is None else result + self._bias)


class _LoraLinear(torch.autograd.Function):
    """(x, W, A, B, s) -> x W^T + s (x A^T) B^T with products in the type of W; W gets no gradient.

    Shapes: x (..., inputs), W (outputs, inputs), A (rank, inputs), B (outputs, rank) -> (..., outputs).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, a: Tensor, b: Tensor, scale: float) -> Tensor:
        rows = x.reshape(-1, x.shape[-1]).to(weight.dtype)
        a, b = a.to(weight.dtype), b.to(weight.dtype)
        low = rows @ a.t()
        result = rows @ weight.t()
        result.addmm_(low, b.t(), alpha=scale)
        ctx.save_for_backward(rows, weight, a, b, low)
        ctx.scale, ctx.shape, ctx.dtype = scale, x.shape, x.dtype
        return result.to(x.dtype).view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None, Tensor, Tensor, None]:
        rows, weight, a, b, low = ctx.saved_tensors
        grad = grad.reshape(-1, grad.shape[-1]).to(weight.dtype)
        low_grad = (grad @ b).mul_(ctx.scale)
        b_grad = (grad.t() @ low).mul_(ctx.scale)
        a_grad = low_grad.t() @ rows
        x_grad = None
        if ctx.needs_input_grad[0]:
            x_grad = (grad @ weight).addmm_(low_grad, a).to(ctx.dtype).view(ctx.shape)
        return x_grad, None, a_grad.float(), b_grad.float(), None
