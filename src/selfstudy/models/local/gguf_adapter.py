"""A LoRA adapter as a GGUF file, which llama.cpp puts on a model while it serves it.

llama.cpp's converter renames the layers of a model and turns the rows of some; so an adapter's matrices are
renamed and turned alike.  Only architectures are taken of which both are known.  Knows nothing of runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfstudy.errors import MissingExtraError, ModelError
from selfstudy.models import lora

if TYPE_CHECKING:
    from torch import Tensor

_TURNED = frozenset({"llama", "granite", "smollm3"})
"""Where the rows of queries and keys lie in another order: halves of a head interleaved, for another RoPE."""
_RENAMED = frozenset(
    {"qwen2", "qwen2moe", "qwen3", "qwen3moe", "gemma", "gemma2", "gemma3", "phi3", "olmo2", "starcoder2"}
)
"""Where layers have other names and nothing else."""
_ALSO_LLAMA = {"mistral": "llama", "mixtral": "llama"}
_BY_HAND = "llama.cpp's own convert_lora_to_gguf.py may know it"


@dataclass(frozen=True, slots=True)
class Written:
    """What is in the file.

    Attributes:
        architecture: as llama.cpp calls it.
        layers: how many are changed.
    """

    architecture: str
    rank: int
    layers: int


def require_package(purpose: str) -> None:
    """Raises MissingExtraError where the package that writes such files is absent."""
    if find_spec("gguf") is None:
        raise MissingExtraError("gguf", "gguf", purpose)


def architecture_of(config: Any) -> str:
    """What llama.cpp calls the architecture of a model of transformers."""
    kind = str(config.model_type).removesuffix("_text")
    return _ALSO_LLAMA.get(kind, kind.replace("_", ""))


def write(folder: Path, config: Any, architecture: str, file: Path) -> Written:
    """Writes the adapter in `folder`.

    Args:
        config: of the model that it belongs to, as transformers has it.
        architecture: as llama.cpp calls it.

    Raises:
        ModelError: the adapter is no plain LoRA, or does not fit the model; or its layers or the architecture
            have no place in such a file.
    """
    import gguf

    if architecture not in _TURNED | _RENAMED:
        known = ", ".join(sorted(_TURNED | _RENAMED))
        raise ModelError(
            f"an adapter of a model of architecture {architecture!r} is not exported",
            f"{_BY_HAND} (we: {known})",
        )
    rank, found = lora.matrices(folder)
    _require_fitting(folder, found, config)
    named = _named(found, config, architecture)
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    writer = gguf.GGUFWriter(str(file), architecture)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(
        gguf.Keys.Adapter.LORA_ALPHA, float(rank)
    )  # B is scaled, so that nothing is left to scale
    for name, (a, b) in named.items():
        part = name.split(".")[-2]
        if architecture in _TURNED and part in heads:
            b = _turned(b, heads[part])
        writer.add_tensor(f"{name}.lora_a", a.contiguous().numpy())
        writer.add_tensor(f"{name}.lora_b", b.contiguous().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return Written(architecture, rank, len(named))


def _named(
    found: Mapping[str, tuple[Tensor, Tensor]], config: Any, architecture: str
) -> dict[str, tuple[Tensor, Tensor]]:
    """The matrices by the names of llama.cpp's tensors."""
    import gguf

    kind = next(kind for kind, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
    names = gguf.get_tensor_name_map(kind, config.num_hidden_layers)
    named = {names.get_name(f"{module}.weight", (".weight",)): module for module in found}
    if None in named:
        raise ModelError(
            f"the adapter's {named[None]} has no name in a GGUF file of architecture {architecture!r}",
            f"teach layers that have one (teach.lora.target_modules=[q_proj, v_proj]); {_BY_HAND}",
        )
    return {str(name): found[module] for name, module in named.items()}


def _require_fitting(folder: Path, found: Mapping[str, tuple[Tensor, Tensor]], config: Any) -> None:
    """Refuses an adapter of another model: llama.cpp would do so when it is served."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        bones = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    layers = dict(bones.named_modules())
    for module, (a, b) in found.items():
        weight = getattr(layers.get(module), "weight", None)
        if weight is None or tuple(weight.shape) != (b.shape[0], a.shape[1]):
            has = "no such layer" if weight is None else f"one of {tuple(weight.shape)}"
            size = (b.shape[0], a.shape[1])
            raise ModelError(
                f"adapter {str(folder)!r} changes {module}, of size {size}, and the model has {has}",
                "it belongs to another model: give that one",
            )


def _turned(rows: Tensor, heads: int) -> Tensor:
    """Rows (heads x width, rank) in llama.cpp's order: of each head the two halves in turns."""
    width = rows.shape[0] // heads
    return rows.reshape(heads, 2, width // 2, -1).swapaxes(1, 2).reshape(rows.shape)
