"""What the verb socratic says, and the rows that it writes."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from selfstudy.cli.items import counted, say_failed, say_without
from selfstudy.screen import console, say

if TYPE_CHECKING:
    from selfstudy.verbs.socratic.exercises import Exercises
    from selfstudy.verbs.socratic.measures import TutorMeasures
    from selfstudy.verbs.socratic.rows import PreferredTurns


def say_exercises(exercises: Exercises) -> None:
    """How many there are; what is none is named."""
    say_failed("no exercise", exercises.failed)
    usable, failed = len(exercises.usable), len(exercises.failed)
    known = f", {counted(exercises.known, 'question')} that the model knows" if exercises.known else ""
    unread = f", {counted(len(exercises.unread), 'document')} not read" if exercises.unread else ""
    repeats = counted(exercises.repeats, "repeat")
    say(f"{counted(usable, 'exercise')}, {repeats}, {failed:,} failed{known}{unread}")


def show_given(path: Path, columns: dict[str, str], seed: int) -> None:
    from selfstudy.verbs.socratic.given import read_given
    from selfstudy.verbs.socratic.shown import by_rule

    given = read_given(path, columns, seed)
    say_failed("no dialogue", given.failed)
    rows, dialogues = counted(given.rows, "row"), counted(given.by_rule.dialogues, "dialogue")
    say(f"{rows} of {dialogues}, {len(given.failed):,} failed")
    for name, cell in by_rule(given.by_rule):
        say(f"{name:<28} {cell}")


def print_measures(found: Sequence[TutorMeasures]) -> None:
    from rich.table import Table

    from selfstudy.verbs.socratic.shown import lines

    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
    table.add_column("tutor", no_wrap=True)
    for one in found:
        table.add_column(one.tutor, no_wrap=True)
    for name, cells in lines(found):
        table.add_row(name, *cells)
    screen = console()
    screen.width = max(screen.width, 32 + 34 * len(found))  # a table that is cut says nothing
    screen.print(table)


def write_rows(path: Path, made: Sequence[PreferredTurns]) -> None:
    from selfstudy.files import jsonl, private
    from selfstudy.verbs.socratic.rows import trl_rows

    private.make_folder(path.parent)
    jsonl.replace(path, trl_rows(made), None, private.SHARED)


def say_rows(path: Path, made: Sequence[PreferredTurns]) -> None:
    count = sum(len(one.pairs) for one in made)
    without: Counter[str] = Counter()
    for one in made:
        without.update(one.without)
    say(f"preference rows: {count:,} in {path}")
    say_without("place", without)
    if count:
        say(f"next: {shlex.join(['selfstudy', 'import', str(path)])} --model MODEL")
