"""Which sources share an adapter, so that one of them can be forgotten without the others (`deploy.groups`).

Knows nothing of adapters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from selfstudy.library.excluded import Excluded
from selfstudy.recipe import DeployBlock
from selfstudy.text import folded

OTHER, IMPORTED = "other", "imported"
"""Groups of sources that fit no pattern, and of lessons that somebody else made."""
_NAME = re.compile(r"[^\w.-]+")
_LONGEST = 40


class SourceGroups:
    """The group of each source, by a recipe; names are safe as folders."""

    def __init__(self, block: DeployBlock) -> None:
        self._by_round = block.groups == "round"
        named: Mapping[str, Sequence[str]] = block.groups if isinstance(block.groups, dict) else {}
        joined: dict[str, list[str]] = {}
        for name, patterns in named.items():  # `a/b` and `a-b` are one folder, and so one group
            joined.setdefault(_safe(name), []).extend(patterns)
        self._patterns = {name: Excluded(tuple(patterns)) for name, patterns in joined.items()}

    def of(self, source: str) -> str:
        """The first pattern's name; without patterns the host, or the first folder, or `files`."""
        if self._by_round:
            return "all"
        for name, patterns in self._patterns.items():
            if source in patterns:
                return name
        return OTHER if self._patterns else _safe(_place(source))


def _place(source: str) -> str:
    try:
        host = urlsplit(source).netloc if "://" in source else ""
    except ValueError:  # what looks like a URL and is none, such as http://[x/
        host = ""
    if host:
        return host.rpartition("@")[2].partition(":")[0]
    first, slash, _ = source.replace("\\", "/").lstrip("/").partition("/")
    return first if slash else "files"


def _safe(name: str) -> str:
    return _NAME.sub("-", folded(name)).strip("-.")[:_LONGEST] or OTHER
