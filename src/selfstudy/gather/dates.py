"""Dates of documents, which may be a year or a month alone: what they may mean, in days.

They are said by whoever wrote the document.  One that cannot be read, or lies in the future, is none.  It
knows nothing of what is compared, or why.
"""

from __future__ import annotations

import calendar
import re
from datetime import date, timedelta

_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")


def days(written: str, as_of: date) -> tuple[date, date] | None:
    """The first and the last day that a date may mean; None where it is none, or begins after `as_of`."""
    found = _DATE.match(written.strip())
    if found is None:
        return None
    year, month, day = (int(part) if part else None for part in found.groups())
    try:
        first = date(year or 0, month or 1, day or 1)
    except ValueError:
        return None
    if first > as_of:
        return None
    last_month = month or 12
    last = first if day else date(first.year, last_month, calendar.monthrange(first.year, last_month)[1])
    return first, min(last, as_of)


def is_stale(written: str, most: int, as_of: date) -> bool:
    """Whether a document of that date is certainly more than `most` days old; one without a date never is."""
    found = days(written, as_of)
    return found is not None and as_of - found[1] > timedelta(days=most)


def latest(sides: list[list[str]], as_of: date) -> int | None:
    """Which of several sides has a date after every date of all others; None if some side has none.

    Args:
        sides: the dates of each.
    """
    found = [[one for text in side if (one := days(text, as_of)) is not None] for side in sides]
    if not all(found):
        return None
    for i, own in enumerate(found):
        begins = max(first for first, _ in own)
        if all(begins > last for j, other in enumerate(found) if j != i for _, last in other):
            return i
    return None
