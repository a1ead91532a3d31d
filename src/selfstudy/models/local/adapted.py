"""An adapter on a model: put on, refused where it does not fit, merged in without loss.

Merging rounds: into bfloat16 a delta of a hundredth of the weights loses a sixth of itself, one of three
thousandths two fifths.  So adapters are merged in float32 or not at all.  Knows nothing of training.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from selfstudy.errors import ModelError
from selfstudy.models import lora_targets, taught
from selfstudy.models.local import adapter_settings, four_bit, pretrained
from selfstudy.models.lora import CONFIG, WEIGHTS


def put_on(model: Any, folder: Path, name: str) -> Any:
    """The peft model of `model` and the adapter in `folder`.

    Args:
        name: what messages call the model.

    Raises:
        ModelError: it is no adapter folder, or does not fit: the names of what is missing or left over.
    """
    require_files(folder)
    require_sound(folder)
    said = f"adapter {str(folder)!r} does not fit model {name!r}"
    try:
        config = pretrained.read_adapter_config(folder)
        lora_targets.resolve(model, config)
        wrapped, fitted = pretrained.read_adapter(model, folder, config)
    except ModelError:
        raise
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        # torch tells which sizes differ in the lines below its heading
        line = (next((line for line in lines if not line.endswith(":")), "") or type(error).__name__)[:300]
        raise ModelError(f"{said}: {line}", "it belongs to another model") from None
    missing, left = (
        [_file_key(key) for key in keys] for keys in (fitted.missing_keys, fitted.unexpected_keys)
    )
    if missing or left:
        parts = [f"it has no {_some(missing)}"] if missing else []
        parts += [f"the model has no place for its {_some(left)}"] if left else []
        raise ModelError(
            f"{said}: {', and '.join(parts)}",
            "without them it would answer as if it were not there, or half: give the adapter of this model, "
            "as peft's save_pretrained wrote it",
        )
    return wrapped


def require_files(folder: Path) -> None:
    """Refuses what is no folder of one adapter.

    Raises:
        ModelError: what it is instead, or what it lacks.
    """
    if taught.is_routed(folder):
        raise ModelError(
            f"{str(folder)!r} holds adapters of which a router picks one by prompt: "
            + (_some(list(taught.adapters_of(folder))) or "all were forgotten"),
            f"put on one of them alone: {folder}/NAME",
        )
    for file in (CONFIG, WEIGHTS):
        if not (folder / file).is_file():
            raise ModelError(
                f"adapter {str(folder)!r} has no {file}",
                "give a PEFT adapter folder (safetensors); a folder with a whole model is a `path` itself",
            )


def require_sound(folder: Path) -> None:
    """Refuses files that are damaged or unsafe, and weights that are no numbers, whatever the model is.

    Raises:
        ModelError: which file, and what is wrong with it.
    """
    from safetensors import SafetensorError, safe_open

    said = f"adapter {str(folder)!r}"
    damaged = f"its {WEIGHTS} is damaged or cut short: copy it again"
    try:
        adapter_settings.require_safe(folder)
        with safe_open(folder / WEIGHTS, framework="pt") as tensors:
            broken = [key for key in tensors.keys() if not tensors.get_tensor(key).isfinite().all()]  # noqa: SIM118
    except SafetensorError as error:
        raise ModelError(f"{said} cannot be read: {error}", damaged) from None
    if broken:
        raise ModelError(
            f"{said} has NaN or inf in its {_some(broken)}",
            "its training went wrong: train it again with a lower learning rate",
        )


def _file_key(key: str) -> str:
    return key.replace(".default.", ".")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def note_if_idle(wrapped: Any) -> str | None:
    """A line if the adapter changes nothing on a trial prompt, as an untrained one does; else None."""
    size = int(wrapped.get_input_embeddings().weight.shape[0])
    tokens = torch.arange(8, device=wrapped.device)[None] * 7 % size
    wrapped.eval()
    with torch.no_grad():
        adapted = wrapped(input_ids=tokens).logits
        with wrapped.disable_adapter():
            base = wrapped(input_ids=tokens).logits
    if not torch.equal(adapted, base):
        return None
    why = _why_idle(wrapped)
    return f"the adapter changes nothing: on a trial prompt the model says what it says without it ({why})"


def _why_idle(wrapped: Any) -> str:
    for matrix, said in (("B", ", as before training"), ("A", "")):
        found = [p for name, p in wrapped.named_parameters() if f".lora_{matrix}." in name]
        if found and not any(bool(p.any()) for p in found):
            return f"all its {matrix} matrices are zero{said}"
    from peft.tuners.lora import LoraLayer

    layers = [one for one in wrapped.modules() if isinstance(one, LoraLayer)]
    scales = [scale for layer in layers for scale in layer.scaling.values()]
    return "its lora_alpha is 0" if scales and not any(scales) else "its change is lost in rounding"


def merged(model: Any) -> Any:
    """The plain model with the adapter of a peft model merged in, in float32, in place; another is itself.

    Layers of 4 bits stay so, and have the adapter beside them (four_bit.py).
    """
    if hasattr(model, "merge_and_unload"):
        held = four_bit.is_held(model)
        model = four_bit.with_frozen(model) if held else model.float().merge_and_unload()
    vars(model).pop("forward", None)  # a trainer may have put its own in place
    return model
