"""Dates of documents: ISO 8601 as people and pages write it, or none.

A wrong date makes fresh evidence stale, and lets a page win over a newer one: what is not surely a date is
none, and so is one in the future.  It knows nothing of files and of what a date is used for.
"""

from __future__ import annotations

import html
import re
from datetime import UTC, date, datetime, timedelta

_ISO = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ][\d:.,+\-Z ]{2,30})?)?)?", re.ASCII)
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T[\d:.,+\-Z]{2,30})?", re.ASCII)
_EARLIEST = 1000
_TAG = re.compile(r"<(meta|time)\s([^<>]{1,1000})>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([a-zA-Z-]{1,30})\s{0,5}=\s{0,5}(?:"([^"]{0,200})"|'([^']{0,200})')""")
_LINKED = re.compile(r'"date(Modified|Published)"\s{0,20}:\s{0,20}"([^"]{4,50})"')
_CHANGED = frozenset(
    {"article:modified_time", "og:updated_time", "datemodified", "last-modified", "dcterms.modified"}
)
_PUBLISHED = frozenset(
    {
        "article:published_time",
        "datepublished",
        "dcterms.created",
        "dc.date",
        "dc.date.issued",
        "date",
        "pubdate",
    }
)
_LONGEST_HEAD = 2_000_000
"""Characters of a page in which a date is looked for."""


def iso_date(value: str, today: date | None = None) -> str:
    """`value` as 2026, 2026-11 or 2026-11-28; "" if it is no date in ISO 8601, or lies in the future.

    Args:
        today: what is future; None: today in UTC. A day more is allowed, for the time zones.
    """
    value = value.strip()
    found = _ISO.fullmatch(value) or _COMPACT.fullmatch(value)
    if found is None:
        return ""
    year, month, day = (int(part or 1) for part in found.groups())
    try:
        first = date(year, month, day)
    except ValueError:
        return ""
    if year < _EARLIEST or first > (today or datetime.now(UTC).date()) + timedelta(days=1):
        return ""
    return "-".join(part for part in found.groups() if part)


def page_date(page: str, today: date | None = None) -> str:
    """When an HTML page says that it was last changed, else published; "" if it does not say.

    Only what is meant for programs counts: <meta>, JSON-LD, and <time> that is marked as the page's own.  A
    date that stands in the text may be that of anything.
    """
    page = page[:_LONGEST_HEAD]
    changed, published = [], []
    for tag in _TAG.finditer(page):
        named = {name.lower(): html.unescape(a or b) for name, a, b in _ATTRIBUTE.findall(tag[2])}
        names, value = _said(tag[1].lower(), named)
        if names & _CHANGED:
            changed.append(value)
        elif names & _PUBLISHED:
            published.append(value)
    for which, value in _LINKED.findall(page):
        (changed if which == "Modified" else published).append(value)
    dates = (iso_date(value, today) for value in (*changed, *published))
    return next(filter(None, dates), "")


def _said(tag: str, attributes: dict[str, str]) -> tuple[set[str], str]:
    """What a tag calls its date, and the date."""
    names = {attributes.get(name, "").lower() for name in ("property", "name", "itemprop", "http-equiv")}
    if tag == "meta":
        return names, attributes.get("content", "")
    classes = attributes.get("class", "").lower().split()
    if "published" in classes or "entry-date" in classes:
        names.add("datepublished")
    if "updated" in classes:
        names.add("datemodified")
    return names, attributes.get("datetime", "")
