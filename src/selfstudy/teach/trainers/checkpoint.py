"""Where a training goes on after a kill: what is trained, its optimizer and a state of the trainer's own.

The state names the file of the weights and is replaced last, in one step, so that it is always that of whole
weights.  No pickles: safetensors and JSON.  Knows nothing of what is trained, or how.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from pydantic_core import from_json, to_json
from safetensors.torch import load_file, save

from selfstudy.files import private

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

    def load(self, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any] | None:
        """Puts weights and optimizer back as they were saved.

        Returns:
            The state; None, and nothing is changed, if there is none, or it is that of other work.
        """
        try:
            written = from_json(private.read(self._folder / STATE))
        except FileNotFoundError:
            return None
        if written["work"] != self._work:
            return None
        tensors = load_file(self._folder / written["weights"])
        with torch.no_grad():
            for name, parameter in _trained(model):
                parameter.copy_(tensors[f"{name}/weight"])
                if f"{name}/step" in tensors:
                    moments = {key: tensors[f"{name}/{key}"].to(parameter.device) for key in _MOMENTS}
                    optimizer.state[parameter] = {"step": tensors[f"{name}/step"], **moments}
        return dict(written["state"])

    def save(
        self, model: torch.nn.Module, optimizer: torch.optim.Optimizer, number: int, state: dict[str, Any]
    ) -> None:
        """Takes the place of the one before.

        Args:
            number: of the step: no two saves have the same.
            state: what JSON can hold.
        """
        tensors = {}
        for name, parameter in _trained(model):
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


def _trained(model: torch.nn.Module) -> list[tuple[str, torch.nn.Parameter]]:
    return [(name, one) for name, one in model.named_parameters() if one.requires_grad]
