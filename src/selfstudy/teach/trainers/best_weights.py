"""The weights that did best so far in a training: in memory, and beside its checkpoint.

Knows nothing of what makes them good.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from selfstudy.files import private
from selfstudy.teach.trainers.checkpoint import trained


class BestWeights:
    """A copy, on the CPU, of all that is trained of a model; empty before any is kept or loaded."""

    def __init__(self) -> None:
        self._weights: dict[str, Tensor] = {}

    def keep(self, model: nn.Module) -> None:
        """Those of now are the best."""
        self._weights = {
            name: one.detach().cpu().clone(memory_format=torch.contiguous_format)
            for name, one in trained(model)
        }

    @torch.no_grad()
    def restore(self, model: nn.Module) -> None:
        """Puts them into the model."""
        for name, one in model.named_parameters():
            if name in self._weights:
                one.copy_(self._weights[name])

    def save(self, folder: Path, step: int) -> None:
        """Beside the checkpoint, under the number of the step that they are of."""
        from safetensors.torch import save

        private.make_folder(folder)
        with private.replacing(folder / _file(step)) as file:
            file.write(save(self._weights))

    def load(self, folder: Path, step: int, model: nn.Module) -> bool:
        """Takes those of a step; False, and nothing is changed, if they are not there, damaged or of no such
        model.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            found = load_file(folder / _file(step))
        except (OSError, SafetensorError):
            return False
        if {name: one.shape for name, one in found.items()} != {n: p.shape for n, p in trained(model)}:
            return False
        self._weights = found
        return True

    @staticmethod
    def tidy(folder: Path, step: int) -> None:
        """Removes those of other steps."""
        for path in folder.glob("best-*.safetensors"):
            if path.name != _file(step):
                path.unlink()


def _file(step: int) -> str:
    return f"best-{step}.safetensors"
