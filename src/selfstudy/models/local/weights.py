"""The weights of a causal language model: loaded with their adapter, and made to answer while in training.

Knows nothing of chats and of what is trained.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from selfstudy.errors import ModelError
from selfstudy.models.local import adapted, four_bit, loading, pretrained
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


def beside(model: Any) -> Any:
    """The same model again, of the very same weights: to put an adapter on one while the other answers.

    Modules and parameters are its own, the tensors in them are not: nothing may write into them.
    """
    same = {
        # what holds 4 bits is more than its tensor, and nobody trains it
        id(p): torch.nn.Parameter(p.detach(), requires_grad=False) if p.is_floating_point() else p
        for p in model.parameters()
    }
    return copy.deepcopy(model, same)


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


def load(
    block: LocalModel,
    path: str,
    is_folder: bool,
    device: torch.device,
    say: Callable[[str], object] = lambda text: None,
) -> tuple[Any, Any]:
    """The model and its tokenizer; with an adapter a peft model, if merging it in would round.

    Args:
        path, is_folder: see `loading.locate`.
        say: see `pretrained.source`.
    """
    from transformers import AutoModelForCausalLM

    source = pretrained.source(block.path, path, is_folder, block.revision, block.trust_remote_code, say)
    tokenizer = pretrained.read_tokenizer(source)
    dtype = loading.pick_dtype(block.dtype, device)
    if block.load_in_4bit:
        model = four_bit.load(AutoModelForCausalLM, source, dtype, device)
    else:
        model = pretrained.read_weights(AutoModelForCausalLM, source, dtype).to(device)
    model.eval()
    if block.adapter is not None:
        model = adapted.put_on(model, block.adapter, block.path).eval()
    return model, tokenizer


def settled(model: Any) -> Any:
    """A loaded model with its adapter merged in where that is exact: one matrix instead of three."""
    exact = all(p.dtype == torch.float32 for p in model.parameters() if p.is_floating_point())
    return adapted.merged(model) if exact and not four_bit.is_held(model) else model


def save(model: Any, tokenizer: Any, folder: Path) -> None:
    """Writes a folder with a whole model, as it is."""
    with loading.quiet():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


def save_merged(block: LocalModel, folder: Path) -> None:
    """Writes a model folder with the adapter of `block` merged in, in float32, so that none of it is lost."""
    path, is_folder = loading.locate(block.path, "lm")
    block = block.model_copy(update={"dtype": "float32", "device": "cpu", "load_in_4bit": False})
    with loading.explained(block.path, is_folder):
        model, tokenizer = load(block, path, is_folder, torch.device("cpu"))
        save(adapted.merged(model), tokenizer, folder)
