"""Records as HTML: templates of this package, in which other people's text is text and nothing else.

Everything is escaped and made printable.  Braces and dollars are escaped too: gradio reads templates of its
own out of the HTML that it is given.  Addresses of pages are made here (`address`), never out of a text.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from markupsafe import Markup, escape

from selfstudy import text
from selfstudy.errors import SelfstudyError
from selfstudy.progress import duration
from selfstudy.show.words import number, percent

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = {ord("{"): "&#123;", ord("}"): "&#125;", ord("$"): "&#36;"}


def render(template: str, /, **values: Any) -> str:
    """The HTML that a template (templates/NAME.html.j2) makes of `values`."""
    return _environment().get_template(f"{template}.html.j2").render(**values)


def shown(value: object) -> Markup:
    """A text as HTML that shows it."""
    return Markup(str(escape(text.clean(str(value)))).translate(_TEMPLATES))


def problem(error: SelfstudyError) -> str:
    """What failed and what to do next, as one text."""
    return f"{error.what}. {error.hint}" if error.hint else error.what


def address(page: str, **query: object) -> str:
    """Of a page of ours, such as address("question", run="demo", id="ab12"); not yet escaped."""
    given = {key: str(value) for key, value in query.items() if value not in (None, "")}
    return f"/{quote(page)}" + (f"?{urlencode(given, errors='replace')}" if given else "")


def template_file(name: str) -> str:
    """A file of templates/."""
    return resources.files(__package__).joinpath(f"templates/{name}").read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    def finalize(value: Any) -> Any:
        return value if isinstance(value, Markup) else shown("" if value is None else value)

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=finalize,
        loader=FunctionLoader(template_file),
    )
    environment.filters.update(percent=percent, duration=duration, number=number)
    environment.globals.update(address=address)
    return environment
