"""Topics of a feed, hour by hour: what each round of a run was given, so that a resumed one asks the same.

The same hour gives the same topics; a later one only those that no earlier round had (methods 1: up to 100
trending titles an hour).  Knows nothing of feeds and of models.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from pydantic import BaseModel

from selfstudy.errors import DataError
from selfstudy.library.services.trends import PER_HOUR, distinct_topics
from selfstudy.run import Round

ReadFeed = Callable[[str], list[str]]
"""The titles of the feed at a URL."""


class _Hour(BaseModel):
    """What a round was given, and of which hour (UTC) it is."""

    round: int
    hour: str
    lines: list[str]


class _Hours(BaseModel):
    """All rounds of a run."""

    feed: str
    hours: list[_Hour] = []


def feed_lines(
    url: str, count: int, number: int, round_: Round, read: ReadFeed | None, now: datetime | None = None
) -> list[str]:
    """The topics of a round: at most `count`, and at most 100; none where the feed has no new ones.

    Args:
        number: which `Ask` of the recipe it is.
        read: reads the feed; None: nobody can.
        now: None: it is now.

    Raises:
        DataError: the feed cannot be read, or has no topics at all.
    """
    place = round_.run.external_file(number)
    kept = round_.run.read_as(place, _Hours) or _Hours(feed=url)
    for one in kept.hours:
        if one.round == round_.number:
            return one.lines
    hour = (now or datetime.now(UTC)).strftime("%Y-%m-%dT%HZ")
    if kept.hours and kept.hours[-1].hour == hour:
        lines = kept.hours[-1].lines
    else:
        if read is None:
            raise DataError(f"the feed {url} cannot be read here", "give the command that probes the run")
        had = [line for one in kept.hours for line in one.lines]
        lines = distinct_topics(read(url), had)[: min(count, PER_HOUR)]
    kept.hours.append(_Hour(round=round_.number, hour=hour, lines=lines))
    round_.run.write_json(place, kept.model_dump())
    return lines
