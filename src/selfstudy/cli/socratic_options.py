"""Which options of the verb socratic go together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from selfstudy.errors import RecipeError

if TYPE_CHECKING:
    from selfstudy.verbs.socratic.rows import RejectedBy
    from selfstudy.verbs.socratic.sources import ExerciseSource, SourceKind
    from selfstudy.verbs.socratic.talk import TutorKind


def chosen_source(
    given: Mapping[SourceKind, Path | None], dialogues: Path | None, columns: Mapping[str, str]
) -> ExerciseSource | None:
    """The one source that was given; None: dialogues of others.

    Raises:
        RecipeError: none was, or several, or columns are named where there are none.
    """
    from selfstudy.verbs.socratic.sources import ExerciseSource

    sources = [ExerciseSource(kind, path, columns) for kind, path in given.items() if path is not None]
    if len(sources) + (dialogues is not None) != 1:
        raise RecipeError(
            "one source of exercises is wanted",
            "give FILE with exercises, or --run RUN, or --documents PATH, or --dialogues FILE to measure",
        )
    if sources and columns and sources[0].kind != "file":
        raise RecipeError(
            f"--column names columns of FILE; --{sources[0].kind} has none", "leave --column out"
        )
    return sources[0] if sources else None


def require_taught(tutor: TutorKind, rejected: RejectedBy) -> None:
    """Refuses rows of a tutor that is no example.

    Raises:
        RecipeError: says which are.
    """
    if tutor != "socratic" and (tutor, rejected) != ("plain", "outcome"):
        raise RecipeError(
            f"rows of a {tutor} tutor teach nothing",
            "leave --tutor out, or --rows; by --rejected outcome a plain tutor's own turns are compared",
        )


def require_used(context: typer.Context, rejected: RejectedBy, *, rows: bool) -> None:
    """Refuses options of rows that would do nothing, rather than drop them.

    Args:
        rows: whether any are written.

    Raises:
        RecipeError: names one, and what it is for.
    """
    wants = {"rejected": None, "splits": None, "weak": "weak", "candidates": "outcome"}
    for name, kind in wants.items():
        if _is_given(context, name) and not (rows and kind in (None, rejected)):
            needed = " and ".join([f"--rejected {kind}"] * (kind is not None) + ["--rows FILE"] * (not rows))
            raise RecipeError(f"--{name} does nothing without {needed}", "give it, or leave that out")


def require_alone(context: typer.Context) -> None:
    """Refuses options that measuring dialogues of others does not know, rather than drop them.

    Raises:
        RecipeError: names them.
    """
    known = {"dialogues", "column", "seed", "allow"}
    dropped = [
        max(option.opts, key=len)
        for option in context.command.params
        if option.name and option.name not in known and _is_given(context, option.name)
    ]
    if dropped:
        raise RecipeError(
            f"--dialogues asks no model: {', '.join(dropped)} would do nothing",
            "leave that out, or give FILE, --run or --documents",
        )


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
