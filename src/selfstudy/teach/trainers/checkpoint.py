"""Where a training goes on after a kill: what is trained, its optimizer and a state of the trainer's own.

The state names the file of the weights and is replaced last, in one step, so that it is always that of whole
weights.  No pickles: safetensors and JSON.  Knows nothing of what is trained, or how.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from pydantic_core import from_json, to_json
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from selfstudy.files import private

T = TypeVar("T")
STATE = "state.json"
_MOMENTS = ("exp_avg", "exp_avg_sq")
"""What AdamW keeps of a parameter, beside how often it has been updated."""
_SAMPLED = 64
"""Numbers of each matrix that tell a model from another one."""


class Checkpoint:
    """A folder with at most one checkpoint, for AdamW; only the same work on the same model takes it up."""

    def __init__(self, folder: Path, work: str) -> None:
        """`work`: tells what is trained on what, and how, from all else (`fingerprint`)."""
        self._folder = folder
        self._work = work

    def load(
        self, model: torch.nn.Module, optimizer: torch.optim.Optimizer, read: Callable[[Any], T]
    ) -> T | None:
        """Puts weights and optimizer back as they were saved.

        Args:
            read: makes of the state what the trainer knows; a ValueError: it cannot be used.

        Returns:
            The state; None, and nothing is changed, if there is none, it is that of other work, or damaged.
        """
        try:
            written = from_json(private.read(self._folder / STATE))
            if written["work"] != self._work:
                return None
            state, tensors = read(written["state"]), load_file(self._folder / written["weights"])
            weights = {name: tensors[f"{name}/weight"] for name, _ in trained(model)}
            moments = {
                name: {key: tensors[f"{name}/{key}"] for key in ("step", *_MOMENTS)}
                for name in weights
                if f"{name}/step" in tensors
            }
        except (OSError, ValueError, KeyError, TypeError, SafetensorError):
            return None
        with torch.no_grad():
            for name, parameter in trained(model):
                parameter.copy_(weights[name])
                if name in moments:
                    optimizer.state[parameter] = {
                        key: one if key == "step" else one.to(parameter.device)
                        for key, one in moments[name].items()
                    }
        return state

    def save(
        self, model: torch.nn.Module, optimizer: torch.optim.Optimizer, number: int, state: dict[str, Any]
    ) -> None:
        """Takes the place of the one before.

        Args:
            number: of the step: no two saves have the same.
            state: what JSON can hold.
        """
        tensors = {}
        for name, parameter in trained(model):
            tensors[f"{name}/weight"] = parameter.detach()
            tensors |= {f"{name}/{key}": tensor for key, tensor in optimizer.state[parameter].items()}
        private.make_folder(self._folder)
        weights = self._folder / f"step-{number}.safetensors"
        with private.replacing(weights) as file:
            file.write(save({name: tensor.contiguous() for name, tensor in tensors.items()}))
        with private.replacing(self._folder / STATE) as file:
            file.write(to_json({"work": self._work, "weights": weights.name, "state": state}))
        for path in self._folder.glob("step-*"):
            if path.name != weights.name:
                path.unlink()


def fingerprint(model: torch.nn.Module, *parts: str) -> str:
    """Of a model's weights, by some numbers of each matrix, and of what else the work depends on."""
    found = hashlib.sha256("\0".join(parts).encode())
    for name, parameter in model.named_parameters():
        sample = parameter.detach().flatten()[:_SAMPLED].float().cpu()
        found.update(name.encode() + sample.numpy().tobytes())
    return found.hexdigest()


def trained(model: torch.nn.Module) -> list[tuple[str, torch.nn.Parameter]]:
    """What is trained of a model, by name."""
    return [(name, one) for name, one in model.named_parameters() if one.requires_grad]
