"""What a training leaves: the folder of a LoRA adapter, or of a whole model where all weights were trained.

Knows nothing of training, nor of what is in either but for the files that tell them apart.
"""

from __future__ import annotations

from pathlib import Path

from selfstudy.files import own, private
from selfstudy.models import lora

_MODEL = "config.json"
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
"""Of a whole model: in one file, or what lists several."""


def is_complete(folder: Path) -> bool:
    """Whether `folder` holds an adapter or a whole model; `publish` makes folders whole or not at all."""
    adapter = (folder / lora.WEIGHTS).is_file() and (folder / lora.CONFIG).is_file()
    return adapter or is_whole(folder)


def is_whole(folder: Path) -> bool:
    """Whether it holds a whole model, which needs no other to answer."""
    return (folder / _MODEL).is_file() and any((folder / name).is_file() for name in _WEIGHTS)


def publish(temporary: Path, folder: Path) -> None:
    """Moves a finished folder to its place in one step, where nothing or an empty folder is.

    Raises:
        RunError: something else is there.
    """
    own.remove(folder)
    private.close_tree(temporary)
    temporary.rename(folder)
