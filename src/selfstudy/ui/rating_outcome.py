"""What comes of answers that were rated: `selfstudy rate` makes pairs of them, and who answered is told.

Knows no page.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from selfstudy.errors import RunError
from selfstudy.files import jsonl, private
from selfstudy.show.words import ARMS
from selfstudy.stats import Interval, bootstrap_mean
from selfstudy.ui import processes
from selfstudy.ui.rating import Rated, RatingPlace, read

REWARDS = {
    "missing": "the rating, and how near the answer is to what is missing",
    "rating": "the rating alone",
}
"""By which the best answer is told from the worst."""


@dataclass(frozen=True)
class RatingOutcome:
    """What came of the command.

    Attributes:
        runs: whether it is at work.
        log: the last lines of what it said.
        pairs, judged: rows that it wrote; None: it wrote no such file.
    """

    runs: bool
    log: tuple[str, ...]
    pairs: int | None
    judged: int | None


def start(place: RatingPlace, reward: str) -> None:
    """Starts the command that makes judgements and pairs of what was said.

    Args:
        reward: of `REWARDS`.

    Raises:
        RunError: it is at work already, nothing is rated, or it cannot be started.
    """
    if not any(one.rating is not None for one in read(place)):
        raise RunError("nothing is rated yet", "rate some answers first")
    command = processes.last(place.folder)
    if command is None or not processes.runs(command):
        for old in (place.pairs, place.judged):  # what is there when it has ended is what it made
            with jsonl.writing(old, None):
                old.unlink(missing_ok=True)
    files = [str(place.answers), f"--import={place.sheet}", f"--out={place.pairs}"]
    kind = reward if reward in REWARDS else next(iter(REWARDS))
    processes.start(place.folder, ["rate", *files, f"--reward={kind}"])


def outcome(place: RatingPlace) -> RatingOutcome | None:
    """How far it is; None: it was never started."""
    command = processes.last(place.folder)
    if command is None:
        return None
    runs = processes.runs(command)
    pairs, judged = (None if runs else _count(path) for path in (place.pairs, place.judged))
    return RatingOutcome(runs, tuple(processes.tail(place.folder)), pairs, judged)


def _count(path: Path) -> int | None:
    try:
        with os.fdopen(private.open_file(path, os.O_RDONLY), "rb") as file:
            return sum(1 for _ in file)
    except OSError:
        return None


@dataclass(frozen=True)
class ArmRatings:
    """Ratings of the answers that one model gave.

    Attributes:
        mean: with its 95% bootstrap interval, of answers.
    """

    arm: str
    count: int
    mean: Interval


def by_arm(place: RatingPlace, rated: Sequence[Rated]) -> list[ArmRatings]:
    """The ratings by who gave the answer, one that several gave for each; empty where one alone gave all.

    Raises:
        RunError: the file that says who is damaged.
    """
    arms = {str(entry.get("id")): entry.get("arms") for _, _, entry in jsonl.read_lines(place.who)}
    found: dict[str, list[float]] = {}
    for one in rated:
        said = arms.get(one.id)
        for arm in said if one.rating is not None and isinstance(said, list) else ():
            if isinstance(arm, str) and arm in ARMS:
                found.setdefault(arm, []).append(float(one.rating or 0))
    if len(found) < 2:
        return []
    return [
        ArmRatings(arm, len(found[arm]), bootstrap_mean(found[arm], seed=0)) for arm in ARMS if arm in found
    ]
