"""What doctor finds for a recipe, by name."""

from __future__ import annotations

from pathlib import Path

from selfstudy.verbs.doctor import Finding, examine


def findings(recipe: Path, folder: Path) -> dict[str, Finding]:
    """What is found, by name."""
    return {one.name: one for one in examine(folder, recipe)}


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "my.yaml"
    path.write_text(text)
    return path
