"""What a training leaves: a folder with a LoRA adapter, a whole model, or adapters with their router.

    adapter_config.json adapter_model.safetensors    a LoRA adapter (lora.py)
    config.json model.safetensors ...                a whole model, where all weights were trained
    router.json router.npy NAME/ NAME/ ...           adapters that are never merged, and what picks one by
                                                     prompt (router.py); NAME is group-HASH of its weights

Knows nothing of training, nor of what is in any but for the files that tell them apart.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from selfstudy.files import own, private
from selfstudy.models import lora

ROUTER = "router.json"
_MODEL = "config.json"
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
"""Of a whole model: in one file, or what lists several."""


def is_complete(folder: Path) -> bool:
    """Whether `folder` holds an adapter or a whole model; `publish` makes folders whole or not at all."""
    return _is_adapter(folder) or is_whole(folder) or is_routed(folder)


def _is_adapter(folder: Path) -> bool:
    return (folder / lora.WEIGHTS).is_file() and (folder / lora.CONFIG).is_file()


def is_routed(folder: Path) -> bool:
    """Whether it holds a router; its adapters may all have been forgotten since."""
    return (folder / ROUTER).is_file()


def adapters_of(folder: Path) -> dict[str, Path]:
    """The adapters beside a router, by name, in order; a folder of an adapter alone holds none.

    A link is none: what it leads to is another's, and neither copied nor deleted with the rest.
    """
    return {
        one.name: one
        for one in sorted(folder.iterdir())
        if one.is_dir() and not one.is_symlink() and _is_adapter(one)
    }


def adapter_name(group: str, adapter: Path) -> str:
    """What an adapter is called beside a router: its group, and a hash of its weights."""
    with (adapter / lora.WEIGHTS).open("rb") as file:
        return f"{group}-{hashlib.file_digest(file, 'sha256').hexdigest()[:8]}"


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
