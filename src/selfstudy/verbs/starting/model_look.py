"""What is known of a model by its small files and the headers of its weights; nothing of it is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfstudy.errors import ModelError

_LARGEST = 10**6
"""No model has more layers or heads; what claims more is not believed."""


@dataclass(frozen=True, slots=True)
class ModelLook:
    """A model as its files have it.

    Attributes:
        here: whether they are on this machine.
        numbers: weights; None: not here, or packed.
        chat: whether it has a chat template; None: not here.
        cached: numbers that it keeps of each token of a text; 0: its settings do not say.
    """

    here: bool = False
    numbers: int | None = None
    chat: bool | None = None
    cached: int = 0


def look(path: str) -> ModelLook:
    """A model by its folder, GGUF file, Hub id or alias.

    Raises:
        ModelError: there is no such folder, it cannot be used, or its files are damaged.
    """
    from selfstudy.files import reading
    from selfstudy.models.local import gguf, loading, pretrained, untrusted

    place, is_folder = loading.locate(path, "lm")
    folder = Path(place)
    if is_folder and reading.is_file(folder):
        return ModelLook(True, gguf.stored(folder).numbers, gguf.has_template(folder))
    if not is_folder:
        config = loading.cached(place, "config.json")
        if config is None:
            return ModelLook()
        folder = config.parent
    untrusted.require_servable(folder)
    return ModelLook(True, pretrained.numbers_of(path), _has_template(folder), _cached(folder))


def _has_template(folder: Path) -> bool:
    """As tokenizers find theirs: a file of its own, or in their settings."""
    from selfstudy.models.local import small_files

    if (folder / "chat_template.jinja").is_file() or (folder / "chat_template.json").is_file():
        return True
    file = folder / "tokenizer_config.json"
    settings = small_files.read_json(file, small_files.MAX_CONFIG) if file.is_file() else {}
    return isinstance(settings, dict) and bool(settings.get("chat_template"))


def _cached(folder: Path) -> int:
    """Numbers in the key-value cache of each token, by the settings; models without attention have fewer."""
    from selfstudy.models.local import small_files

    config = small_files.read_json(folder / "config.json", small_files.MAX_CONFIG)
    if not isinstance(config, dict):
        raise ModelError(f"{folder / 'config.json'} holds no settings", "copy or download the model again")
    text = config.get("text_config")
    settings: dict[str, Any] = {**config, **text} if isinstance(text, dict) else config
    layers = _count(settings, "num_hidden_layers", "n_layer")
    heads = _count(settings, "num_attention_heads", "n_head")
    groups = _count(settings, "num_key_value_heads") or heads
    hidden = _count(settings, "hidden_size", "n_embd")
    size = _count(settings, "head_dim") or (hidden // heads if heads else 0)
    return 2 * layers * groups * size


def _count(settings: dict[str, Any], *names: str) -> int:
    for name in names:
        value = settings.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _LARGEST:
            return value
    return 0
