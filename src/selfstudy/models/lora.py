"""Adapter folders (PEFT, safetensors): written, combined into one exactly, made weaker.

Knows nothing of training.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfstudy.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
LINEAGE = "lineage.json"
"""Beside an adapter that was made of another one: of which, and how."""
_SETS = ("target_modules", "modules_to_save")
"""What peft keeps as sets and writes in an order that differs between processes."""
_SPECIAL = (
    *("rank_pattern", "alpha_pattern", "use_dora", "lora_bias", "modules_to_save"),
    *("layer_replication", "alora_invocation_tokens", "trainable_token_indices", "target_parameters"),
)
_PREFIX, _A, _B = "base_model.model.", ".lora_A.weight", ".lora_B.weight"


def save(model: Any, folder: Path) -> None:
    """Writes the adapter of a peft model."""
    model.save_pretrained(str(folder))
    (folder / "README.md").unlink(missing_ok=True)  # a template for the Hub, without content
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    config |= {
        name: sorted(value) for name, value in config.items() if name in _SETS and isinstance(value, list)
    }
    (folder / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True), encoding="utf-8")


def require_plain(folder: Path) -> dict[str, Any]:
    """The configuration of an adapter of LoRA matrices of one rank; only such can be combined.

    Raises:
        ModelError: it is another kind of adapter, or holds more than that.
    """
    from safetensors import safe_open

    config: dict[str, Any] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    with safe_open(folder / WEIGHTS, "pt") as file:
        names = list(file.keys())
    special = [key for key in _SPECIAL if config.get(key)]
    matrices = 2 * sum(name.endswith(_A) for name in names)
    if config.get("peft_type") != "LORA" or special or len(names) != matrices:
        raise ModelError(
            f"adapter {folder} is no plain LoRA adapter" + (f" ({', '.join(special)})" if special else ""),
            "only LoRA matrices of one rank can be combined or exported: merge it into the model, or teach "
            "without it",
        )
    return config


def combine(folders: Sequence[Path], folder: Path) -> None:
    """One adapter that does what `folders`, merged one after the other, do together.

    The change of a weight is the sum of theirs: s1 B1 A1 + s2 B2 A2 = [s1 B1, s2 B2] [A1; A2].  So the ranks
    add up, the scales go into B and the new scale is 1; exact but for float32 rounding.

    Raises:
        ModelError: one of them is no plain LoRA adapter.
    """
    from safetensors.torch import save_file

    parts = [matrices(f) for f in folders]
    modules = sorted({name for _, weights in parts for name in weights})
    combined: dict[str, Tensor] = {}
    for name in modules:
        a, b = _concatenated(name, parts)
        combined[_PREFIX + name + _A], combined[_PREFIX + name + _B] = a, b
    total = sum(r for r, _ in parts)
    config = json.loads((folders[0] / CONFIG).read_text(encoding="utf-8"))
    config |= {"r": total, "lora_alpha": total, "use_rslora": False, "target_modules": modules}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True), encoding="utf-8")
    save_file(combined, folder / WEIGHTS, metadata={"format": "pt"})


def matrices(folder: Path) -> tuple[int, dict[str, tuple[Tensor, Tensor]]]:
    """Rank, and (A, B times the adapter's scale) of every module of an adapter, in float32.

    Raises:
        ModelError: it is no plain LoRA adapter.
    """
    from safetensors.torch import load_file

    config = require_plain(folder)
    weights = load_file(folder / WEIGHTS)
    names = [key.removeprefix(_PREFIX).removesuffix(_A) for key in weights if key.endswith(_A)]
    r = int(config["r"])
    scale = config["lora_alpha"] / (math.sqrt(r) if config.get("use_rslora") else r)
    return r, {
        name: (weights[_PREFIX + name + _A].float(), weights[_PREFIX + name + _B].float() * scale)
        for name in names
    }


def _concatenated(
    name: str, parts: Sequence[tuple[int, dict[str, tuple[Tensor, Tensor]]]]
) -> tuple[Tensor, Tensor]:
    """A and B of one module over all adapters; zeros for an adapter that leaves it alone."""
    import torch

    known_a, known_b = next(weights[name] for _, weights in parts if name in weights)
    rows, columns = [], []
    for r, weights in parts:
        a, b = weights.get(name) or (
            known_a.new_zeros(r, known_a.shape[1]),
            known_b.new_zeros(len(known_b), r),
        )
        rows.append(a)
        columns.append(b)
    return torch.cat(rows, 0).contiguous(), torch.cat(columns, 1).contiguous()


def weaken(folder: Path, target: Path, strength: float, whole: int = 0) -> None:
    """Writes the adapter of `folder` with its change times `strength`: B is multiplied, A and alpha are not.

    Args:
        target: a folder that is there; what the adapter was made from is noted in its lineage.json.
        strength: in (0, 1].
        whole: so many ranks, the first ones, keep their strength: what was promoted before and then combined.

    Raises:
        ModelError: it is no plain LoRA adapter.
    """
    from safetensors.torch import load_file, save_file

    config = require_plain(folder)
    weights = load_file(folder / WEIGHTS)
    for name, matrix in weights.items():
        if name.endswith(_B):
            matrix[:, whole:] *= strength
    save_file(weights, target / WEIGHTS, metadata={"format": "pt"})
    (target / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True), encoding="utf-8")
    with (folder / WEIGHTS).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    lineage = {"strength": strength, "of_sha256": digest, "ranks_at_full_strength": whole}
    (target / LINEAGE).write_text(json.dumps(lineage, indent=2) + "\n", encoding="utf-8")


def rank(folder: Path) -> int:
    """Of an adapter that `require_plain` takes."""
    return int(require_plain(folder)["r"])
