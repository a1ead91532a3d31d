"""What every HTML page is made with: the templates and files of this folder, and a write in one step.

Knows nothing of what a page shows.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfstudy import text
from selfstudy.errors import RunError
from selfstudy.files.jsonl import unfinished
from selfstudy.progress import duration
from selfstudy.show.words import auroc_with_interval, milliseconds, number, percent, points_of_percent

if TYPE_CHECKING:
    from jinja2 import Template


def template(name: str) -> Template:
    """A template of this folder: everything is escaped, and text is made printable."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    def printable(value: Any) -> Any:
        return text.clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=printable,
        loader=FunctionLoader(file),
    )
    environment.filters.update(
        percent=percent,
        points=points_of_percent,
        duration=duration,
        auroc=auroc_with_interval,
        milliseconds=milliseconds,
        number=number,
    )
    return environment.get_template(name)


def file(name: str) -> str:
    """A file of this folder."""
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def write(path: Path, html: str) -> None:
    """Write a page in one step.

    Raises:
        RunError: the file cannot be written.
    """
    temporary = unfinished(path)
    try:
        temporary.write_text(html, encoding="utf-8", errors="replace", newline="\n")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise RunError(
            f"cannot write the report {path}: {error.strerror or error}",
            "make room or choose another place, then run: selfstudy report",
        ) from None
