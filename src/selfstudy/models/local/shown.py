"""Whether a model will be shown the demonstrations of prompts, told before it is loaded.

Knows where a chat template lies; not what it says.  What is loaded decides for itself (chat_format.py).
"""

from __future__ import annotations

from pathlib import Path

from selfstudy.errors import ModelError
from selfstudy.files import reading
from selfstudy.models.local import gguf
from selfstudy.models.local.small_files import read_json
from selfstudy.recipe import LocalModel, ModelBlock, ServerModel
from selfstudy.recipe.entailment import ATLAS

_SETTINGS, _TEMPLATE = "tokenizer_config.json", "chat_template.jinja"


def may_show(block: ModelBlock) -> bool:
    """Whether demonstrations are shown to the model of a block, or whether that cannot be told."""
    if isinstance(block, LocalModel):
        if block.demonstrations is not None:
            return block.demonstrations
        if block.prompt != "auto":
            return block.prompt == "completion"
        return not _has_template(block.path, block.revision)
    if not isinstance(block, ServerModel) or block.url is not None or block.engine == "ollama":
        return False  # a server applies its template, the fake wants none
    here = reading.exists(reading.expanded(block.model))
    return here and not _has_template(block.model, None)


def _has_template(path: str, revision: str | None) -> bool:
    if path == ATLAS:
        return True
    folder = reading.expanded(path)
    try:
        if not reading.exists(folder):
            return _of_files([_cached(path, name, revision) for name in (_TEMPLATE, _SETTINGS)])
        file = None if (folder / "config.json").is_file() else gguf.model_file(folder)
        if file is not None:
            return gguf.has_template(file.resolve())
        return _of_files([folder / _TEMPLATE, folder / _SETTINGS])
    except (ModelError, OSError, ValueError):  # it is told when it is loaded
        return False


def _of_files(files: list[Path | None]) -> bool:
    template, settings = files
    if template is not None and template.is_file():
        return True
    if settings is None or not settings.is_file():
        return False
    found = read_json(settings)
    return isinstance(found, dict) and bool(found.get("chat_template"))


def _cached(hub_id: str, name: str, revision: str | None) -> Path | None:
    from selfstudy.models.local import loading

    return loading.cached(hub_id, name, revision)
