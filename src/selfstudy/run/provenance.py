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

from selfstudy.errors import RunError
from selfstudy.files import jsonl, own
from selfstudy.recipe import Recipe
from selfstudy.recipe.file import drop_gone, parse_recipe, read_yaml, recipe_digest
from selfstudy.version import __version__

FORMAT = 2
"""Of the recipe and records of a run; 0.1.0 noted none.  Runs of another are refused."""

MEANT: dict[str, dict[str, Any]] = {
    "gather": {"accept": "consistency", "temperature": None, "conflicts": "ignore"},
    "verify": {"orders": 1, "repeats": 0},
}
"""Keys that older versions did not have and whose defaults change results: what those versions did."""

PACKAGES = (
    "torch",
    "transformers",
    "peft",
    "trl",
    "bitsandbytes",
    "tokenizers",
    "numpy",
    "scikit-learn",
    "scipy",
    "lancedb",
)
"""Packages whose version can change a result."""


def provenance(recipe: Recipe) -> dict[str, Any]:
    """What a run of `recipe`, begun now, is made with."""
    versions = {}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return {
        "kind": own.RUN_KIND,  # first: see own.py
        "selfstudy": __version__,
        "format": FORMAT,
        "recipe_digest": recipe_digest(recipe),
        "seed": recipe.seed,
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": versions,
    }


def require_run(provenance_file: Path) -> dict[str, Any]:
    """What the file says that tells a run.

    Raises:
        RunError: it is missing, damaged, or not ours: whatever its files are called, the folder is no run.
    """
    written = jsonl.read_object(provenance_file, _ANOTHER, _TROUBLE)
    if written is None:
        raise RunError(f"{provenance_file} {_TROUBLE}: there is no such file", _ANOTHER)
    if not own.says_run(written):
        raise RunError(
            f"selfstudy did not write {provenance_file}, so the folder is no run: it was left as it is",
            "give a new or empty folder with --run DIR",
        )
    return written


_TROUBLE = "is missing or damaged"
_ANOTHER = "restore that file from a backup, or start a new run with --run DIR"


def stored_recipe(recipe_file: Path, provenance_file: Path) -> Recipe:
    """The recipe of a run that exists.

    Raises:
        RunError: another version made the run, its recipe was edited since, or a file is damaged.
    """
    written = require_run(provenance_file)
    if written.get("format") != FORMAT:
        raise RunError(
            f"the run {recipe_file.parent} was made by another version of selfstudy, "
            f"{written.get('selfstudy')}, whose runs {__version__} does not read",
            "start a new run with --run DIR, or go on with the version that began this one",
        )
    data = read_yaml(recipe_file)
    drop_gone(data)
    if written.get("selfstudy") != __version__:
        _settle(data)
    recipe = parse_recipe(data, str(recipe_file))
    # A newer version may know more keys, so only the version that wrote the digest can check it; runs without
    # `kind` are of before there was one, whatever number they have.
    same_version = written.get("selfstudy") == __version__ and "kind" in written
    if same_version and written.get("recipe_digest") != recipe_digest(recipe):
        raise RunError(
            f"{recipe_file} was edited after the run began",
            "undo the edit, or start a new run with --run DIR",
        )
    return recipe


def _settle(data: dict[str, Any]) -> None:
    """Says in the recipe of an older version's run what that version did where it had no key for it."""
    for block, keys in MEANT.items():
        given = data.setdefault(block, {})
        if isinstance(given, dict):
            for key, value in keys.items():
                given.setdefault(key, value)
    verify = data["verify"]
    if isinstance(verify, dict) and (merged := verify.pop("merge", None)) is not None:
        data.setdefault("deploy", "merged" if merged else "adapter")
