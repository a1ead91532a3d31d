"""All that the doctor looks at, in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from selfstudy.verbs.doctor.finding import Finding
from selfstudy.verbs.doctor.machine import of_machine
from selfstudy.verbs.doctor.needs import of_recipe


def examine(folder: Path, recipe: Path | None = None, changes: Sequence[str] = ()) -> Iterator[Finding]:
    """All findings, in order.

    Args:
        folder: where runs would be written.
        recipe: also look at what this recipe needs.
        changes: to the recipe, each "key=value".
    """
    yield from of_machine(folder)
    if recipe is not None:
        yield from of_recipe(recipe, changes, folder)
