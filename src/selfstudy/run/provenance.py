"""What a run was made with (recipe, versions, machine, seed), and whether this version can go on with it.

Knows the two files in which a run keeps that, by the paths it is given.
"""

from __future__ import annotations

import platform
import time
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from selfstudy.errors import RunError
from selfstudy.recipe import Recipe
from selfstudy.recipe.file import parse_recipe, read_yaml, recipe_digest
from selfstudy.version import __version__

FORMAT = 2
"""Of the recipe and records of a run; 0.1.0 noted none.  Runs of another are refused."""

PACKAGES = ("torch", "transformers", "peft", "trl", "tokenizers", "numpy", "scikit-learn", "scipy", "lancedb")
"""Packages whose version can change a result."""


def provenance(recipe: Recipe) -> dict[str, Any]:
    """What a run of `recipe`, begun now, is made with."""
    versions = {}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return {
        "selfstudy": __version__,
        "format": FORMAT,
        "recipe_digest": recipe_digest(recipe),
        "seed": recipe.seed,
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": versions,
    }


def stored_recipe(recipe_file: Path, provenance_file: Path) -> Recipe:
    """The recipe of a run that exists.

    Raises:
        RunError: another version made the run, its recipe was edited since, or a file is damaged.
    """
    try:
        written = dict(from_json(provenance_file.read_bytes()))
    except (OSError, ValueError, TypeError):
        raise RunError(f"{provenance_file} is missing or damaged", "start a new run with --run DIR") from None
    if written.get("format") != FORMAT:
        raise RunError(
            f"the run {recipe_file.parent} was made by another version of selfstudy, "
            f"{written.get('selfstudy')}, whose runs {__version__} does not read",
            "start a new run with --run DIR, or go on with the version that began this one",
        )
    recipe = parse_recipe(read_yaml(recipe_file), str(recipe_file))
    # a newer version may know more keys, so only the version that wrote the digest can check it
    same_version = written.get("selfstudy") == __version__
    if same_version and written.get("recipe_digest") != recipe_digest(recipe):
        raise RunError(
            f"{recipe_file} was edited after the run began",
            "undo the edit, or start a new run with --run DIR",
        )
    return recipe
