"""The files of a publication: adapters as PEFT reads them, or the whole model, and the tokenizer.

Nothing of a run but weights and settings is copied: no curriculum, no router, no questions.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from selfstudy.errors import ModelError
from selfstudy.files import private
from selfstudy.models import lora
from selfstudy.verbs.publishing.chosen import BaseModelId, Publication

GGUF = "adapter.gguf"
_WHOLE = ("config.json", "generation_config.json", "model*.safetensors", "model.safetensors.index.json")
_PLACES = ("_name_or_path", "name_or_path")
"""Keys in which transformers notes where a model or a tokenizer came from."""
_SETTINGS = ("config.json", "generation_config.json", "tokenizer_config.json")


def write_model(
    chosen: Publication,
    folder: Path,
    tokenizer: Any,
    *,
    merged: bool,
    gguf: bool,
    say: Callable[[str], object],
) -> None:
    """Writes weights, settings and tokenizer into an empty folder of ours.

    Args:
        merged: the whole model in float32 with the adapter merged in, instead of the adapter.
        gguf: also the adapter as a GGUF file.

    Raises:
        ModelError: an adapter is damaged, weights hold more than numbers, or cannot be merged or exported.
    """
    from selfstudy.models.local import adapted, loading, weights

    for adapter in chosen.adapters.values():
        adapted.require_sound(adapter)
        _require_no_notes(adapter / lora.WEIGHTS)
    if merged and not chosen.whole:
        block = chosen.block.model_copy(update={"adapter": _only(chosen, "--merged")})
        weights.save_merged(block, folder)
    elif chosen.whole:
        for pattern in _WHOLE:
            for file in sorted(chosen.folder.glob(pattern)):
                if file.suffix == ".safetensors":
                    _require_no_notes(file)
                shutil.copyfile(file, folder / file.name)
    else:
        for name, adapter in chosen.adapters.items():
            _adapter(adapter, folder / name, chosen.base)
    with loading.quiet():
        tokenizer.save_pretrained(folder)
    for settings in _SETTINGS:
        _without_places(folder / settings)
    if gguf:
        from selfstudy.verbs.export import export

        export(_only(chosen, "--gguf"), folder / GGUF, chosen.block.path, say)


def _only(chosen: Publication, option: str) -> Path:
    if chosen.whole:
        raise ModelError(
            f"{option}: the run taught a whole model, not an adapter",
            "leave it out: the whole model is published",
        )
    if len(chosen.adapters) > 1:
        raise ModelError(
            f"{option}: the run has {len(chosen.adapters)} adapters, of which a router picks one by prompt",
            f"name one: --adapter {next(iter(chosen.adapters))}",
        )
    return next(iter(chosen.adapters.values()))


def _adapter(source: Path, folder: Path, base: BaseModelId) -> None:
    private.make_folder(folder)
    shutil.copyfile(source / lora.WEIGHTS, folder / lora.WEIGHTS)
    config = json.loads((source / lora.CONFIG).read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = base.name if base.on_hub else None
    config["revision"] = base.revision if base.on_hub else None
    (folder / lora.CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _require_no_notes(weights: Path) -> None:
    """Refuses a safetensors file that says more than its format: nobody looked at what."""
    from safetensors import safe_open

    with safe_open(weights, framework="pt") as file:
        notes = sorted(set(file.metadata() or {}) - {"format"})
    if notes:
        raise ModelError(
            f"{weights} has notes of its own ({', '.join(notes)[:200]}), which would be published with it",
            "save the adapter again without them",
        )


def _without_places(file: Path) -> None:
    """Takes out where on this machine it was loaded from."""
    if not file.is_file():
        return
    settings = json.loads(file.read_text(encoding="utf-8"))
    if any(settings.pop(key, None) is not None for key in _PLACES):
        file.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def rank_of(adapter: Path) -> int:
    """The largest rank of an adapter's matrices."""
    config = json.loads((adapter / lora.CONFIG).read_text(encoding="utf-8"))
    return max([int(config.get("r") or 0), *map(int, (config.get("rank_pattern") or {}).values())])
