"""The verb library: what a library gives, before hours are spent on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from selfstudy.cli.items import counted
from selfstudy.cli.session import AllowOption, SetOption, app, session
from selfstudy.screen import say
from selfstudy.text import one_line

if TYPE_CHECKING:
    from selfstudy.library.folder import Contents
    from selfstudy.library.index import Hit
    from selfstudy.records import Skipped
    from selfstudy.verbs.try_library import TriedLibrary

_NAMED = 5
"""Documents and kinds of reasons that are named."""
_SHOWN = 300
"""Characters of a passage that are shown."""


@app.command(short_help="What a library gives: documents, what is not used, passages.")
def library(
    place: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE_OR_PATH",
            help="A recipe in YAML; or a folder, a file, atlas, the address of a page.",
            show_default=False,
        ),
    ],
    ask: Annotated[
        list[str] | None,
        typer.Option(
            "--ask", metavar="QUESTION", help="Show the passages found; may be given several times."
        ),
    ] = None,
    hits: Annotated[
        int | None, typer.Option(min=1, max=100, help="Passages per question [default: gather.hits].")
    ] = None,
    set_: SetOption = None,
    allow: AllowOption = None,
) -> None:
    """Open a library as a run would, fetching what it names, and show what is in it. No model is loaded.

    What was fetched is cached for the run. Sources that are searched by question are asked with --ask alone.

    \b
    Examples:
      selfstudy library my.yaml
      selfstudy library ./my-docs --ask "Who may sign a contract?"
      selfstudy library https://example.org/handbook.html
      selfstudy library my.yaml --ask "When was the bridge opened?" --hits 5
    """
    with session(allow):
        from selfstudy.progress import Terminal
        from selfstudy.verbs.try_library import opened, recipe_of

        recipe = recipe_of(place, set_ or [])
        with opened(recipe, Terminal()) as tried:
            _say_contents(tried.contents)
            searched = recipe.library.searched if recipe.library is not None else ()
            if searched and not ask:
                names = ", ".join(one.type for one in searched)
                say(f"searched by question: {names} (try it: --ask QUESTION)")
            for question in ask or ():
                _say_passages(question, tried.ask(question, hits or recipe.gather.hits))
            _say_searched(tried)


def _say_contents(contents: Contents) -> None:
    """Documents, notes, and what was not used."""
    found = contents.documents
    if found:
        size = sum(len(one.text) for one in found)
        dated = sum(bool(one.date) for one in found)
        say(f"{counted(len(found), 'document')}, {counted(size, 'character')}, {dated:,} with a date")
        for one in found[:_NAMED]:
            say(f"  {_place(one.source, one.title, one.date)}")
        if len(found) > _NAMED:
            say(f"  and {len(found) - _NAMED:,} more")
    for note in contents.notes:
        say(note)
    _say_skipped(contents.skipped)


def _say_skipped(skipped: list[Skipped]) -> None:
    from selfstudy.verbs.try_library import by_kind

    if not skipped:
        return
    kinds = by_kind(skipped)
    say(f"not used: {len(skipped):,}")
    for kind, count, first in kinds[:_NAMED]:
        more = "" if first.reason == kind else f": {first.reason}"
        say(f"  {count:,} times {kind}, such as {one_line(f'{first.source}{more}', _SHOWN)}")
    if len(kinds) > _NAMED:
        say(f"  and {counted(len(kinds) - _NAMED, 'other reason')}")


def _say_passages(question: str, found: list[Hit] | str) -> None:
    say()
    say(question)
    if isinstance(found, str):
        say(f"  could not be looked up: {found}", err=True)
        return
    if not found:
        say("  no passage was found")
    for number, hit in enumerate(found, 1):
        fetched = f", fetched {hit.fetched}" if hit.fetched else ""
        say(f"  [{number}] {_place(hit.source, hit.title, hit.date)}{fetched}")
        say(f"      {one_line(hit.text, _SHOWN)}")


def _say_searched(tried: TriedLibrary) -> None:
    """What a search found and could not be used."""
    for line in tried.sources.searched():
        say(line)
    _say_skipped(list(tried.skipped.values()))


def _place(source: str, title: str, date: str) -> str:
    named = f"{title} ({source}" if title else f"({source}"
    return f"{named}, {date})" if date else f"{named})"
