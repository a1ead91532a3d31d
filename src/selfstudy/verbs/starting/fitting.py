"""What a recipe sets so that its model fits the machine, and why.

By the size of the weights and of what is kept of each token; both are known without loading anything.  What
does not fit is lowered where that is possible, else said.  Knows numbers; no files and no screen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from selfstudy.recipe.goals import Reasons
from selfstudy.recipe.models import LocalModel
from selfstudy.verbs.doctor.numbers import GB, MachineNumbers
from selfstudy.verbs.starting.model_look import ModelLook

_ROOM = 1.2
"""Weights and what stands around them, against the weights alone. A guess."""
_FLOAT32, _HALF, _FOUR_BITS = 4.0, 2.0, 0.7
"""Bytes of a weight; of 4 bits with their scales, and with what is not held so. The last is a guess."""
_LEAST_TOKENS = 512
_USUAL_TOKENS = LocalModel().token_budget
_BLOCK = 32
"""Questions between two writes to disk where an answer takes seconds: so much is done again after a kill."""
SMALL = 50_000_000
"""Weights of a model that a CPU answers with at once."""


@dataclass(frozen=True, slots=True)
class Fit:
    """What suits model and machine.

    Attributes:
        model: keys of the model's block.
        answering: keys of the block `answering`.
        why: reasons, by dotted key.
        warnings: what does not fit, and what to do.
    """

    model: dict[str, Any]
    answering: dict[str, Any]
    why: Reasons
    warnings: tuple[str, ...] = ()


def fit(look: ModelLook, machine: MachineNumbers, *, four_bits: bool = False) -> Fit:
    """What to set for a local model.

    Args:
        four_bits: whether weights can be held in 4 bits here.
    """
    gpu = machine.kind == "cuda"
    free = machine.accelerator_memory if gpu else machine.memory
    model: dict[str, Any] = {"device": "auto"}
    why = {"model.device": _device(machine)}
    if look.chat is not None:
        model["prompt"] = "chat" if look.chat else "completion"
        why["model.prompt"] = (
            "It has a chat template, and is asked by it."
            if look.chat
            else "It has no chat template (a base model): it goes on with text, and is shown demonstrations."
        )
    if look.numbers is None:
        why["model.device"] += (
            " How large the model is shows when it is here: selfstudy doctor says whether it fits."
        )
        return Fit(model, {}, why)
    usual = _HALF if gpu else _FLOAT32
    size = f"{look.numbers / 1e6:,.0f} million weights"
    where = "the GPU's" if gpu else "free"
    taken = look.numbers * usual * _ROOM
    warnings: list[str] = []
    if taken > free:
        held = f"{size} take {taken / GB:.1f} GB as usual, and {where} memory is {free / GB:.1f} GB"
        if not gpu and look.numbers * _HALF * _ROOM <= free:
            model["dtype"], usual = "bfloat16", _HALF
            why["model.dtype"] = f"{held}: in bfloat16 half, if more slowly on most processors."
        elif four_bits and look.numbers * _FOUR_BITS <= free:
            model["load_in_4bit"], usual = True, _FOUR_BITS
            why["model.load_in_4bit"] = f"{held}: in 4 bits a quarter."
        else:
            warnings.append(
                f"{held}: it will not fit. Take a smaller model, or measure one behind the URL of a server"
            )
            why["model.device"] += f" CAUTION: {warnings[0]}."
            usual = 0.0
    if usual and (budget := _tokens(look, free - look.numbers * usual, usual)) < _USUAL_TOKENS:
        model["token_budget"] = budget
        why["model.token_budget"] = (
            f"{size}, {look.cached / 1000:,.0f} thousand numbers kept of each token: by an estimate so many "
            f"tokens at once fit into {free / GB:.1f} GB (usual: {_USUAL_TOKENS:,})."
        )
    answering: dict[str, Any] = {}
    if not gpu and look.numbers > SMALL:
        answering["block_size"] = _BLOCK
        why["answering.block_size"] = (
            "On a CPU an answer takes seconds: written often, little is done again after a stop."
        )
    return Fit(model, answering, why, tuple(warnings))


def _device(machine: MachineNumbers) -> str:
    if machine.kind == "cuda":
        return f"Here auto is the GPU: {machine.accelerator}, {machine.accelerator_memory / GB:.0f} GB."
    also = " (mps would be the Apple GPU)" if machine.kind == "mps" else ""
    return f"Here auto is the CPU{also}: {machine.cpu_words}."


def _tokens(look: ModelLook, room: float, size: float) -> int:
    """How many tokens at once half of the room holds, what is computed beside their cache included."""
    if not look.cached:
        return _USUAL_TOKENS
    most = room / 2 / (2 * look.cached * max(size, _HALF))
    budget = _LEAST_TOKENS
    while budget * 2 <= min(most, _USUAL_TOKENS):
        budget *= 2
    return budget
