"""Keys of a recipe that hold a path: relative ones are resolved against the file that they stand in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from selfstudy.errors import RecipeError
from selfstudy.files import reading
from selfstudy.recipe import MODEL_KEYS, STDIN
from selfstudy.recipe.library import is_url
from selfstudy.recipe.models import NAMES_OF_STORES
from selfstudy.recipe.scale import LaunchName
from selfstudy.recipe.values import without_keys, wrong

MODEL = (
    *(f"{block}.{name}" for block in MODEL_KEYS for name in ("path", "model", "weights")),
    "nli.path",
    "verify.nli.path",
    "embedder.path",
    "verify.suites.data",
)
"""Keys that hold a folder, a Hub id or an alias."""
LIBRARY = (
    "library",
    "library.sources",
    *(f"library.{inside}{name}" for inside in ("", "sources.") for name in ("path", "dump", "file")),
)
"""Keys that hold a path, or the address of a page."""
LAUNCH = "teach.launch.config"
"""Holds a path, or a name of ours."""
PATHS = (
    *(f"{block}.{name}" for block in MODEL_KEYS for name in ("adapter", "api_key_file")),
    *LIBRARY,
    "answer_key",
    "verify.known_questions",
    "verify.suites.include_path",
    "prompts",
    "probe.ask.source",
    "teach.online_dpo.prompts",
    "teach.phases.prompts",
    *(f"teach.{phase}.data" for phase in ("rejection", "ppo", "grpo", "phases")),
    LAUNCH,
)
"""Keys that hold a path (or the alias `atlas`)."""

LAUNCH_NAMES = get_args(LaunchName)
_LONGEST = 4096
"""Characters of a path that the system takes."""


def absolute(value: Any, base: Path, key: str = "") -> Any:
    """Plain data with its relative paths made absolute against `base`; aliases, ids and names stay."""
    if isinstance(value, dict):
        named = key in MODEL_KEYS and is_name(value)
        return {
            name: part
            if named and name == "model"
            else absolute(part, base, f"{key}.{name}" if key else str(name))
            for name, part in value.items()
        }
    if isinstance(value, list):
        return [absolute(part, base, key) for part in value]
    if (
        not isinstance(value, str)
        or not value.strip()
        or "\0" in value  # refused later, with what else is wrong
        or value in ("atlas", str(STDIN))
        or (key == LAUNCH and value in LAUNCH_NAMES)
        or (key == "probe.ask.source" and is_url(value))
        or key not in (*MODEL, *PATHS)
        or (key in LIBRARY and is_url(value))
    ):
        return value
    try:
        # of ./~x a Path makes ~x, which is somebody's home
        path = base / (Path(value).expanduser() if value.startswith("~") else value)
    except RuntimeError as error:  # ~somebody, who has no account here
        raise RecipeError(
            f"{key} = {wrong(value)}: {without_keys(str(error))}", "write the folder out"
        ) from None
    is_path = value.startswith((".", "/", "~")) or value.lower().endswith(".gguf") or reading.exists(path)
    if key in MODEL and not is_path:
        return value
    plain = os.path.normpath(path)
    if ".." in path.parts and len(str(path)) < _LONGEST and os.path.realpath(plain) != os.path.realpath(path):
        return os.path.realpath(path)  # behind a link, which normpath passes over
    return plain


def is_name(block: Mapping[str, Any]) -> bool:
    """Whether `model` of a model's block is what a server calls it, and no path."""
    return block.get("type") == "remote" or bool(block.get("url")) or block.get("engine") in NAMES_OF_STORES
