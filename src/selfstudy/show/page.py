"""What every HTML page is made with: the templates and files of this folder, a policy, a write in one step.

A page is one file that reaches for nothing, and nothing that it shows can act: its policy (CSP) lets browsers
run its own program and use its own style sheet, each known by its SHA-256, and nothing else.  So styles live
in report.css, never in a `style` attribute, and no element has an event handler.  Knows nothing of what is
shown.
"""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfstudy import text
from selfstudy.errors import RunError
from selfstudy.files import own, private
from selfstudy.progress import duration
from selfstudy.show.words import auroc_with_interval, milliseconds, number, percent, points_of_percent

if TYPE_CHECKING:
    from jinja2 import Environment


def render(name: str, program: str = "", **values: Any) -> str:
    """The page that template `name` makes of `values`.

    Args:
        program: the page's own script; a page without one runs none.
    """
    from markupsafe import Markup

    css = file("report.css")
    return (
        _environment()
        .get_template(name)
        .render(css=Markup(css), js=Markup(program), policy=Markup(policy(css, program)), **values)
    )


def policy(css: str, program: str = "") -> str:
    """The Content-Security-Policy of a page with this style sheet and this program, and nothing else."""
    parts = [
        "default-src 'none'",
        f"style-src {_source(css)}",
        f"script-src {_source(program)}" if program else "script-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",  # text never becomes markup, not even by the page's own program
        "trusted-types 'none'",
    ]
    return "; ".join(parts)


def _source(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


@cache
def _environment() -> Environment:
    """For the templates of this folder: everything is escaped, and text is made printable."""
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
    return environment


def file(name: str) -> str:
    """A file of this folder."""
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def write(path: Path, html: str, *, force: bool = False, mode: int = private.SHARED) -> None:
    """Write a page in one step, and nothing beside it.

    Args:
        force: also in the place of a file that is no page of ours; never of a link or a device.
        mode: of the file, before the umask.

    Raises:
        RunError: the file cannot be written, or another one is there.
    """
    try:
        _require_ours(path, force)
        with private.replacing(path, mode) as file:
            file.write(html.encode("utf-8", "replace"))
    except OSError as error:
        raise RunError(
            f"cannot write the report {path}: {error.strerror or error}",
            "make room or choose another place, then run: selfstudy report",
        ) from None


def _require_ours(path: Path, force: bool) -> None:
    """Refuses to replace what is no page of ours: the file of somebody, a link, a device."""
    try:
        ours = own.is_page(path) or not path.stat().st_size
    except FileNotFoundError:
        return
    if not ours and not force:
        raise RunError(
            f"{path} exists, and is no page that selfstudy made: it was left as it is",
            "give another file, or replace it with --force",
        )
