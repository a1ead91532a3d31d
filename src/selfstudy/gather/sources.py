"""How many independent sources say something: distinct publishers, as far as addresses tell.

Of a web page that is its host ("www." aside), of a record that names no address of its own its file, else the
document.  Passages with the same words count once, wherever they stand: one copied the other.  Two hosts of
one owner, or a copy in other words, cannot be told.  It knows nothing of what they say.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from selfstudy.records import Evidence
from selfstudy.text import folded


def independent(passages: Iterable[Evidence]) -> int:
    """How many of these passages' sources are independent."""
    origins: set[str] = set()
    seen: set[str] = set()
    for passage in passages:
        words = folded(passage.text)
        if words not in seen:
            seen.add(words)
            origins.add(origin(passage.source))
    return len(origins)


def origin(source: str) -> str:
    """Who stands behind a source: a host, else a file."""
    if source[:8].casefold().startswith(("http://", "https://")):
        try:
            host = (urlsplit(source).hostname or "").casefold().rstrip(".")
        except ValueError:
            host = ""
        return host.removeprefix("www.") or source
    return source.partition("#")[0]
