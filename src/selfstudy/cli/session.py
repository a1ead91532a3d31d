"""What every verb shares: the app, common options, and a session in which each way of ending is said well."""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import shlex
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from selfstudy.cli.interrupts import Interrupts
from selfstudy.errors import SelfstudyError
from selfstudy.screen import LastResort, printable, say
from selfstudy.secrets import without_secrets
from selfstudy.text import shortened
from selfstudy.version import __version__

if TYPE_CHECKING:
    from selfstudy.recipe import Recipe

QUIET = {
    "TRANSFORMERS_VERBOSITY": "error",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRL_EXPERIMENTAL_SILENCE": "1",
    "TQDM_DISABLE": "1",
}
"""What keeps the libraries below from talking over our own progress; a value set by the user wins."""

INTERRUPTS = Interrupts()

# plain help: rich markup would triple the time that --help takes
app = typer.Typer(
    name="selfstudy",
    help="Find what a language model does not know, find the evidence, teach it, and prove that it learned.",
    epilog="Start with: selfstudy demo",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)

RecipeFile = Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe in YAML.", show_default=False)]


def runs(incomplete: str) -> list[str]:
    """What a shell offers for a run: those of a folder that is begun, else of `runs`; else the shell's files.

    Names that a shell might take for more than a name are left out.
    """
    from selfstudy.files import own

    begun = incomplete.rpartition("/")[0] if "/" in incomplete else ""
    folder = begun + "/" if begun or incomplete.startswith("/") else "runs/"
    start = incomplete if "/" in incomplete else f"runs/{incomplete}"
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in islice(entries, _MOST_OFFERED))
    except OSError:
        return []
    offered = (folder + name for name in names if _PLAIN_NAME.fullmatch(name))
    return [path for path in offered if path.startswith(start) and own.is_run(Path(path))]


_MOST_OFFERED = 1000
_PLAIN_NAME = re.compile("[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
RunFolder = Annotated[
    Path,
    typer.Argument(metavar="RUN", help="A run directory.", show_default=False, autocompletion=runs),
]
RunOption = Annotated[
    Path | None,
    typer.Option("--run", metavar="DIR", help="The run directory [default: runs/NAME OF RECIPE]."),
]


def _keys(incomplete: str) -> list[str]:
    """What a shell offers after --set: the keys of a recipe; of a list, those of its first item."""
    from selfstudy.recipe.described import fields

    offered = (f"{one.path.replace('[]', '.0')}=" for one in fields())
    return [key for key in dict.fromkeys(offered) if key.startswith(incomplete)]


SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override a key of the recipe; may be given several times.",
        autocompletion=_keys,
    ),
]
SeedOption = Annotated[int | None, typer.Option("--seed", help="The same as --set seed=N.")]
ModelOption = Annotated[
    str | None, typer.Option("--model", help="A model folder or Hub id; the same as --set model.path=MODEL.")
]

AllowOption = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-key",
        "--allow-http",
        metavar="VARIABLE=HOST | HOST",
        help="Let HOST have the key in $VARIABLE (or in a file: PATH=HOST), or be asked over plain http.",
    ),
]
NoCacheOption = Annotated[
    bool, typer.Option("--no-cache", help="Ask remote models again what they have answered before.")
]


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        say(f"selfstudy {__version__}")
        raise typer.Exit()


@contextmanager
def session(allow: Sequence[str] | None = None) -> Iterator[None]:
    """What every verb runs in: quiet libraries, and each way of ending said so that a person can act on it.

    Exit codes: 2 for what the user can fix, 3 for a budget that is used up, 130 for Ctrl-C, 1 for what is
    our fault.

    Args:
        allow: which keys may go where, and what may be asked over plain http (`AllowOption`).
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    logging.lastResort = LastResort(logging.WARNING)
    command = without_secrets(shlex.join(["selfstudy", *sys.argv[1:]]))
    try:
        INTERRUPTS.listen()
        from selfstudy.models.remote.permissions import allowed

        with allowed(allow or (), _asks if sys.stdin.isatty() and sys.stderr.isatty() else None):
            yield
    except typer.Exit:
        raise
    except KeyboardInterrupt:
        raise _stopped(command) from None
    except typer.Abort:
        if INTERRUPTS.came:
            raise _stopped(command) from None
        say("\nnobody answered what was asked: it was not done", err=True)  # the input has ended
        raise typer.Exit(1) from None
    except SelfstudyError as error:
        if INTERRUPTS.came:  # what failed was interrupted
            raise _stopped(command) from None
        say(without_secrets(f"error: {error}"), err=True)
        raise typer.Exit(error.exit_code) from None
    except OSError as error:
        if INTERRUPTS.came:
            raise _stopped(command) from None
        if (hint := _hint(error)) is None:
            _say_fault(command)
            raise typer.Exit(1) from None
        say(without_secrets(f"error: {_named(error)}{error.strerror}\n  -> {hint}"), err=True)
        raise typer.Exit(2) from None
    except Exception:
        if INTERRUPTS.came:
            raise _stopped(command) from None
        _say_fault(command)
        raise typer.Exit(1) from None
    finally:
        INTERRUPTS.forget()


_PLACES = {
    *(errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR),
    *(errno.EACCES, errno.EPERM, errno.EROFS),
}
"""Errors of the system whose cause is a place: who uses it can mend that, who reads a traceback cannot."""
_FULL = {errno.ENOSPC, errno.EDQUOT}


def _hint(error: OSError) -> str | None:
    """What to do about it; None where the fault is ours."""
    if error.errno in _FULL:
        return "make room, then give the same command again: what is done is kept"
    named = isinstance(error.filename, str | bytes) and error.filename
    return "check this name and its permissions" if named and error.errno in _PLACES else None


def _named(error: OSError) -> str:
    """The file that the system named, if it did; a number is a descriptor, which says nothing to a person."""
    if not isinstance(error.filename, str | bytes):
        return ""
    return f"{shortened(without_secrets(os.fsdecode(error.filename)), 300)}: "


def _say_fault(command: str) -> None:
    say(without_secrets(traceback.format_exc()), err=True)
    say(
        "This is a fault in selfstudy, not in what you gave it; what is done is kept.\n"
        "`selfstudy doctor` checks the installation. Please report the lines above. To go on:\n"
        f"  {command}",
        err=True,
    )


def _stopped(command: str) -> typer.Exit:
    INTERRUPTS.enough()
    say(f"\nstopped; what is done is kept. To go on:\n  {command}", err=True)
    return typer.Exit(130)


def _asks(question: str) -> bool:
    """Puts a question to the person at the terminal; no answer is a no."""
    try:
        return typer.confirm(printable(question), default=False, err=True)
    except typer.Abort:
        return False


def load(recipe: Path, overrides: list[str]) -> Recipe:
    from selfstudy.recipe.file import load_recipe

    return load_recipe(recipe, overrides)


def overrides(
    model: str | None,
    seed: int | None,
    rest: list[str] | None,
    no_cache: bool = False,
    **others: str | None,
) -> list[str]:
    """Changes of a recipe; `others` are models by their key in it, such as judge."""
    named = {"model": model, **others}
    chosen = [f"{key}.path={json.dumps(path)}" for key, path in named.items() if path is not None]
    if seed is not None:
        chosen.append(f"seed={seed}")
    if no_cache:
        chosen.append("cache=false")
    return chosen + (rest or [])


def say_next(verb: str, run: Path) -> None:
    say(f"next: {shlex.join(['selfstudy', verb, str(run)])}")
