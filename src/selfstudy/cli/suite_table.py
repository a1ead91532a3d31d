"""What the verb suite prints: figures before and after, and which suites there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from selfstudy.screen import console, say

if TYPE_CHECKING:
    from selfstudy.verify.suites.figures import SuiteResult


def print_results(results: Mapping[str, SuiteResult]) -> None:
    """A table for each suite, and below it what a person must know of its figures."""
    from selfstudy.show.suites import shown_suites
    from selfstudy.show.terminal import suite_table

    screen = console()
    screen.width = max(screen.width, 100)  # a table that is cut says nothing
    for one in shown_suites(results):
        say()
        screen.print(suite_table(one))
        for note in (one.decides, *one.notes):
            if note:
                say(f"  {note}")
        if one.trouble:
            say(f"{one.name}: {one.trouble}", err=True)


def print_list() -> None:
    """Every suite: what it is, what it needs, and what it measures."""
    from selfstudy.verbs.suite.listing import listed

    for one in listed():
        say(f"{one.name:<14}{one.says}")
        say(f"{'':<14}measures: {one.measures}")
        say(f"{'':<14}needs: {one.needs or 'nothing but the model'}")
        if one.may_use:
            say(f"{'':<14}uses, where it is there: {one.may_use}")
        say(f"{'':<14}options: {one.options}")
