"""The weights of a causal language model: loaded with their adapter, and made to answer while in training.

Knows nothing of chats and of what is trained.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from selfstudy.errors import ModelError
from selfstudy.models.local import loading
from selfstudy.recipe import LocalModel


def answering_model(model: Any) -> Any:
    """The transformers model inside of a peft model, whose layers hold the adapter; another is itself.

    Raises:
        ModelError: the adapter is none that lives in the layers (prompt tuning and the like).
    """
    if not hasattr(model, "peft_config"):
        return model
    if any(getattr(config, "is_prompt_learning", False) for config in model.peft_config.values()):
        raise ModelError("an adapter that changes the prompt is not supported", "use LoRA")
    return model.get_base_model()


@contextmanager
def answering(model: Any) -> Iterator[None]:
    """Evaluation mode for a while; afterwards every module is as it was.

    Trainers put a forward of their own in the place of the model's; it waits too.
    """
    modes = [(module, module.training) for module in model.modules()]
    replaced = vars(model).pop("forward", None)
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
        if replaced is not None:
            model.forward = replaced


def load(block: LocalModel, path: str, is_folder: bool, device: torch.device) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source: dict[str, Any] = {
        "revision": block.revision,
        "trust_remote_code": block.trust_remote_code,
        "local_files_only": is_folder or not loading.hub_answers(),
    }
    tokenizer = AutoTokenizer.from_pretrained(path, **source)
    model, info = AutoModelForCausalLM.from_pretrained(
        path,
        dtype=loading.pick_dtype(block.dtype, device),
        use_safetensors=True,
        output_loading_info=True,
        **source,
    )
    loading.check_complete(block.path, info)
    if block.adapter is not None:
        model = _adapted(model, block.path, block.adapter)
    return model.to(device).eval(), tokenizer


def _adapted(model: Any, path: str, folder: Path) -> Any:
    """The model with its PEFT adapter merged in: one matrix to multiply where there would be three."""
    from peft import PeftModel

    for name in ("adapter_config.json", "adapter_model.safetensors"):
        if not (folder / name).is_file():
            raise ModelError(
                f"adapter {str(folder)!r} has no {name}", "give a PEFT adapter folder (safetensors)"
            )
    try:
        return PeftModel.from_pretrained(model, str(folder)).merge_and_unload()
    except Exception as error:
        line = str(error).splitlines()[0][:300]
        raise ModelError(
            f"adapter {str(folder)!r} does not fit model {path!r}: {line}",
            "it belongs to another model",
        ) from None
