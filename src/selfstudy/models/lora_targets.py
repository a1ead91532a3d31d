"""Which layers of a model get LoRA matrices, found out before any training.

Knows nothing of how an adapter is trained, and of adapter folders.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from selfstudy.errors import ModelError
from selfstudy.recipe import LoraBlock

if TYPE_CHECKING:
    from peft import LoraConfig

_PREFIX = "base_model.model."
"""What peft puts before the name of a module."""
ALL_LINEAR = "all-linear"


def lora_config(model: Any, block: LoraBlock) -> LoraConfig:
    """peft's settings for a new adapter of `model`.

    `all-linear` is resolved here: peft's own takes in the fused experts of some mixture-of-experts models,
    whose adapters can have no dropout and be added to no other.

    Raises:
        ModelError: as `require_trainable`.
    """
    modules = block.target_modules
    if modules == ALL_LINEAR:
        modules = _linear_layers(model)
    elif isinstance(modules, str):
        modules = _modules(model, modules, "teach.lora.target_modules")
    return _config(block, modules)


def require_trainable(model: Any, block: LoraBlock, *, combined: bool) -> None:
    """Tries the adapter out on a copy of the model without its weights: a matter of seconds, and no memory.

    Args:
        combined: whether it will be combined with another one.

    Raises:
        ModelError: the model has no such layers, peft cannot adapt them, or it could not be combined.
    """
    adapted = _try(model, lora_config(model, block))
    fused = sorted({name.rpartition(".base_layer")[0] or name for name in _fused(adapted)})
    if combined and fused:
        raise ModelError(
            f"teach.lora.target_modules takes in {fused[0]}, experts in one tensor: their adapters cannot be "
            "combined, and this training makes several",
            f"use {ALL_LINEAR} (it leaves them out), or name other layers, such as q_proj, v_proj",
        )


def resolve(model: Any, config: Any) -> None:
    """Puts names in the place of the regular expressions in an adapter's settings, which may be a stranger's.

    Raises:
        ModelError: one is none, or fits no module; what is to be left out need not be there.
    """
    for key in ("target_modules", "exclude_modules", "feedforward_modules"):
        pattern = getattr(config, key, None)
        if isinstance(pattern, str) and pattern != ALL_LINEAR:
            found = _modules(model, pattern, f"its {key}", may_fit_none=key == "exclude_modules")
            setattr(config, key, set(found))


def _modules(model: Any, pattern: str, said: str, *, may_fit_none: bool = False) -> tuple[str, ...]:
    """The modules of a model that a regular expression describes."""
    found = matching(pattern, [name for name, _ in model.named_modules() if name], said)
    if not found and not may_fit_none:
        raise ModelError(f"{said} {pattern[:200]!r} fits no module of the model", "give names of its layers")
    return found


def matching(pattern: str, names: Sequence[str], said: str) -> tuple[str, ...]:
    """The names that a regular expression describes from end to end, in a time linear in their length.

    Python's own expressions can take for ever; those of RE2 (in pyarrow) cannot.

    Args:
        said: what the pattern is, in a message.

    Raises:
        ModelError: it is none, or one that only a search with backtracking could match.
    """
    import pyarrow
    from pyarrow import compute

    try:
        found = compute.match_substring_regex(pyarrow.array(names, pyarrow.string()), rf"\A(?:{pattern})\z")
    except (pyarrow.ArrowInvalid, UnicodeError) as error:
        raise ModelError(
            f"{said} {pattern[:200]!r} cannot be matched: {' '.join(str(error).split())[:200]}",
            f"give a list of names such as [q_proj, v_proj], or {ALL_LINEAR}",
        ) from None
    return tuple(name for name, fits in zip(names, found.to_pylist(), strict=True) if fits)


def _linear_layers(model: Any) -> tuple[str, ...]:
    """Names of all linear layers but the vocabulary's that peft adapts as such.

    peft renames what it takes for the experts of an older version of the architecture; what it then adapts
    in another way is left out.
    """
    import torch
    from transformers.pytorch_utils import Conv1D

    model = _bones(model)
    head = model.get_output_embeddings()
    names = tuple(
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear | Conv1D) and module is not head
    )
    if not names:
        raise ModelError(
            "this model has no linear layer that LoRA could be added to",
            "set teach.lora.target_modules to the names of its layers",
        )
    adapted = _try(model, _config(LoraBlock(r=1, alpha=1, dropout=0.0), names))
    if not list(_fused(adapted)):
        return names
    plain = {name.removeprefix(_PREFIX) for name, module in adapted.named_modules() if _is_linear(module)}
    return tuple(name for name in names if name in plain)


def _config(block: LoraBlock, modules: str | Sequence[str]) -> LoraConfig:
    from peft import LoraConfig

    return LoraConfig(
        r=block.r,
        lora_alpha=block.alpha,
        lora_dropout=block.dropout,
        target_modules=modules if isinstance(modules, str) else list(modules),
        task_type="CAUSAL_LM",
    )


def _try(model: Any, config: LoraConfig) -> Any:
    """A peft model of the same layers without weights."""
    from peft import get_peft_model

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return get_peft_model(_bones(model), config)
        except ValueError as error:
            raise unsuitable(error) from None


def _bones(model: Any) -> Any:
    """A copy of a model without its weights, and without the adapter that its layers may hold."""
    import torch
    from peft.tuners.tuners_utils import BaseTunerLayer

    from selfstudy.models.local import four_bit

    empty = {
        id(one): torch.nn.Parameter(one.detach().to("meta"), requires_grad=one.requires_grad)
        if isinstance(one, torch.nn.Parameter)
        else one.to("meta")
        for one in (*model.parameters(), *model.buffers())
    }
    bones = copy.deepcopy(model, empty)
    four_bit.plain_layers(bones)
    for name, layer in [*bones.named_modules()]:
        if isinstance(layer, BaseTunerLayer):
            bones.set_submodule(name, layer.get_base_layer())
    return bones


def unsuitable(error: ValueError) -> ModelError:
    """What to tell of peft's refusal to adapt a model."""
    said = " ".join(str(error).split())[:300]
    if "ParamWrapper" in said:
        return ModelError(
            f"teach.lora.target_modules takes in experts in one tensor, which cannot be trained so: {said}",
            f"use {ALL_LINEAR} (it leaves them out), name other layers, or set teach.lora.dropout to 0",
        )
    return ModelError(
        f"this model cannot be trained: {said}",
        "set teach.lora.target_modules to the names of linear layers of this model",
    )


def _is_linear(module: Any) -> bool:
    from peft.tuners.lora import Linear

    return isinstance(module, Linear)


def _fused(adapted: Any) -> Iterator[str]:
    """Names of what peft adapts other than layer by layer."""
    from peft.tuners.lora.layer import ParamWrapper

    for name, module in adapted.named_modules():
        if isinstance(module, ParamWrapper):
            yield name.removeprefix(_PREFIX)
