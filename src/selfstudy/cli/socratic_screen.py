"""What the verb socratic says, and the rows that it writes."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from selfstudy.errors import DataError
from selfstudy.screen import console, say

if TYPE_CHECKING:
    from selfstudy.verbs.socratic.exercises import Exercises
    from selfstudy.verbs.socratic.measures import TutorMeasures
    from selfstudy.verbs.socratic.rows import PreferredTurns
    from selfstudy.verbs.socratic.talk import Dialogue

FAILURES = 5
"""What is no exercise, and dialogues that broke off, that are named on the screen."""


def say_exercises(exercises: Exercises) -> None:
    """How many there are; what is none is named."""
    say_failed("no exercise", exercises.failed)
    usable, failed = len(exercises.usable), len(exercises.failed)
    known = f", {_counted(exercises.known, 'question')} that the model knows" if exercises.known else ""
    unread = f", {_counted(len(exercises.unread), 'document')} not read" if exercises.unread else ""
    repeats = _counted(exercises.repeats, "repeat")
    say(f"{_counted(usable, 'exercise')}, {repeats}, {failed:,} failed{known}{unread}")


def say_failed(what: str, failed: Sequence[str]) -> None:
    for line in failed[:FAILURES]:
        say(f"{what}: {line}", err=True)
    if len(failed) > FAILURES:
        say(f"and {len(failed) - FAILURES:,} more", err=True)


def show_given(path: Path, columns: dict[str, str], seed: int) -> None:
    from selfstudy.verbs.socratic.given import read_given
    from selfstudy.verbs.socratic.shown import by_rule

    given = read_given(path, columns, seed)
    say_failed("no dialogue", given.failed)
    rows, dialogues = _counted(given.rows, "row"), _counted(given.by_rule.dialogues, "dialogue")
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
    for reason, number in without.most_common():
        say(f"    {_counted(number, 'place')} without one: {reason}")
    if count:
        say(f"next: {shlex.join(['selfstudy', 'import', str(path)])} --model MODEL")


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def require_any(dialogues: Sequence[Dialogue]) -> None:
    """Refuses to end well where no dialogue did.

    Raises:
        DataError: all of them broke off; says the commonest reason.
    """
    reasons = [one.error for one in dialogues if one.error]
    if dialogues and len(reasons) == len(dialogues):
        why = Counter(reasons).most_common(1)[0][0]
        raise DataError(
            f"all {len(dialogues):,} dialogues broke off: {why}",
            "try the models (selfstudy doctor --model MODEL), or give others with --teacher and --student",
        )
