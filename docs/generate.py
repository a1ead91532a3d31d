"""The pages of the reference, out of the code: verbs, Python API, files of a run, keys.

`make_site.py` writes them when the site is built, so that they cannot be stale; only the page of recipe keys
is also in the repository, because recipes and editors point to it (it has a test of its own).  Knows how
things are written on a page; what is said of them are the docstrings and help texts themselves.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typer

import selfstudy
from selfstudy import records
from selfstudy.cli import app
from selfstudy.run import directory

SECTIONS = {"Args:": "Arguments", "Returns:": "Returns", "Raises:": "Raises", "Yields:": "Yields"}
"""Headings inside docstrings."""


def write(folder: Path) -> None:
    """All pages, into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = {"verbs.md": verbs(), "python.md": python(), "run.md": files_of_a_run()}
    if find_spec("selfstudy.show.recipe_reference"):
        pages["recipe.md"] = import_module("selfstudy.show.recipe_reference").page()
    else:
        pages["recipe.md"] = "# Keys of a recipe\n\nThey are in `src/selfstudy/recipe`.\n"
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")


def verbs() -> str:
    """Every verb with its arguments and options."""
    parts = [
        "# Verbs\n\nMade from the command line itself. `selfstudy VERB --help` says the same in a terminal.\n"
        "Exit codes: 0 done; 1 `doctor` found what fails, a question was answered with no or not at all,\n"
        "who reads the output went away, or a fault of ours, with a traceback; 2 an error that you can fix;\n"
        "3 the budget is used up; 130 interrupted.\n"
    ]
    for name, command in commands():
        parts.append(f"## selfstudy {name}\n\n{_help(command.help or '')}\n")
        rows = [_option(option) for option in command.params if not getattr(option, "hidden", False)]
        parts.append("\n".join(["| option | what it does |", "|---|---|", *rows]) + "\n")
    return "\n".join(parts)


def commands() -> Iterator[tuple[str, Any]]:
    """Name ("learn", "cite eval") and command of every verb, sorted."""
    whole: Any = typer.main.get_command(app)
    for name, command in sorted(whole.commands.items()):
        inner = getattr(command, "commands", {})
        if inner:
            yield from ((f"{name} {second}", inner[second]) for second in sorted(inner))
        else:
            yield name, command


def _help(text: str) -> str:
    """A verb's help; what it wants as it stands (after a form feed's cousin, \\b) becomes a block."""
    parts = []
    for paragraph in re.split(r"\n\s*\n", text):
        if paragraph.startswith("\b\n"):
            head, _, block = paragraph.removeprefix("\b\n").partition("\n")
            language = "yaml" if "recipe" in head else "bash"
            parts.append(f"{head}\n\n```{language}\n{textwrap.dedent(block)}\n```" if block else head)
        else:
            parts.append(" ".join(paragraph.split()).replace("<", "&lt;"))
    return "\n\n".join(parts)


def _option(option: Any) -> str:
    names = ", ".join([*option.opts, *option.secondary_opts])
    if option.param_type_name == "argument":
        names = option.metavar or option.name.upper()
    elif option.metavar:
        names += f" {option.metavar}"
    said = " ".join((getattr(option, "help", "") or "").split())
    default = option.default
    if default not in (None, False, ()) and not callable(default) and "[default" not in said:
        said += f" Default: `{default}`."
    return f"| `{_cell(names)}` | {_cell(said)} |".replace("<", "&lt;")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def python() -> str:
    """The public names of the package."""
    parts = [
        "# Python\n\nThe names that `selfstudy` itself hands out; what is not here may change without\n"
        "a word. Longer examples: [notebooks](../tutorials/notebooks.md).\n"
    ]
    for name in selfstudy.__all__:
        thing = getattr(selfstudy, name)
        parts.append(f"## {name}\n")
        if not callable(thing):
            parts.append(f"`{name}` is `{thing!r}` here.\n")
            continue
        parts.append(_signed(name, thing))
        if inspect.isclass(thing):
            for inner, member in vars(thing).items():
                called = getattr(member, "__func__", member)
                if not inner.startswith("_") and inspect.isfunction(called) and called.__doc__:
                    parts.append(f"### {name}.{inner}\n\n{_signed(inner, called)}")
    return "\n".join(parts)


def _signed(name: str, thing: Any) -> str:
    """A signature as a block, and the docstring."""
    try:
        signature = re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(inspect.signature(thing)))
    except (TypeError, ValueError):
        signature = "(...)"
    if len(signature) > 400:  # a recipe's: its blocks are on a page of their own
        signature = "(...)"
    return f"```text\n{name}{signature}\n```\n\n{docstring(inspect.getdoc(thing) or '')}\n"


def docstring(text: str) -> str:
    """A docstring of ours as Markdown: its sections as lists, what is indented as it stands."""
    lines, section = [], ""
    for line in text.splitlines():
        if line.strip() in SECTIONS and not line.startswith(" "):
            section = line.strip()
            lines += [f"**{SECTIONS[section]}**", ""]
        elif section and (entry := re.fullmatch(r"    (\*{0,2}\w[\w, .*]*): (.*)", line)):
            lines.append(f"- `{entry[1]}`: {entry[2]}")
        elif section and line.startswith("    "):
            lines.append(line.strip() if section in {"Returns:", "Yields:"} else f"  {line.strip()}")
        else:
            section = section if not line else ""
            lines.append(line)
    return "\n".join(lines).replace("<", "&lt;")


def files_of_a_run() -> str:
    """Which files a run has, and the fields of every record."""
    overview = inspect.cleandoc(directory.__doc__ or "")
    parts = [
        "# Files of a run\n\nMade from `run/directory.py` and `records.py`. A run is a folder;\n"
        "everything in it is text that you can read, but for weights, indexes and caches.\n\n"
        f"```text\n{overview}\n```\n"
    ]
    for kind, where in ((directory.Run, "the folder of a run"), (directory.Round, "rounds/N/")):
        parts += [f"## In {where}\n", "| file | what it is |", "|---|---|"]
        parts += [f"| `{getattr(kind, name)}` | {_cell(about)} |" for name, about in attributes(kind)]
        parts.append("")
    parts.append(
        "## Records\n\nOne JSON line each, in `rounds/N/`. Every record has an `id`: a hash of what\n"
        "makes it what it is. Fields that end with `_id` name the record that it came from.\n"
    )
    for kind in record_kinds():
        parts.append(f"### {kind.file}\n\n`{kind.__name__}`: {docstring(inspect.getdoc(kind) or '')}\n")
        parts += ["| field | type | default |", "|---|---|---|"]
        for name, field in kind.model_fields.items():
            default = "" if field.is_required() else f"`{field.get_default(call_default_factory=True)!r}`"
            parts.append(f"| `{name}` | `{_cell(_type(kind, name))}` | {_cell(default)} |")
        parts.append("")
    return "\n".join(parts)


def record_kinds() -> list[type[records.Record]]:
    """All records that have a file, in the order of records.py."""
    found = [kind for kind in vars(records).values() if inspect.isclass(kind)]
    return [kind for kind in found if issubclass(kind, records.Record) and kind.file]


def _type(kind: type, name: str) -> str:
    """As it is written in the source."""
    for base in kind.__mro__:
        if name in vars(base).get("__annotations__", {}):
            return str(vars(base)["__annotations__"][name])
    return ""


def attributes(kind: type) -> Iterator[tuple[str, str]]:
    """Files that a class names, each with the string below it."""
    (body,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(body, ast.ClassDef)
    for line, below in zip(body.body, [*body.body[1:], None], strict=True):
        if isinstance(line, ast.Assign) and ast.unparse(line.value).startswith("_In("):
            said = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and below.value.value
            yield ast.unparse(line.targets[0]), " ".join(str(said or "").split())
