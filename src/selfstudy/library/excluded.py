"""Which sources are never evidence: a benchmark's own pages, by host, by the beginning of a URL, by pattern.

    example.org             the host and all hosts below it
    example.org/data        what begins so, at a whole part of the path; a scheme may stand before it
    docs/answers            the same of a file or folder of the library
    *.example.org/*/key*    a pattern: * is any run of characters, ? one, of the source without its scheme

Case, scheme, port, user, %-escapes and dots in a path do not matter.  It knows nothing of what is in a page.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Callable, Sequence
from urllib.parse import unquote, urlsplit

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,20}://", re.IGNORECASE)
_LONGEST = 4_000
"""Characters of a source that are looked at."""


class Excluded:
    """Tells the sources that entries of a recipe's `gather.exclude` name."""

    def __init__(self, entries: Sequence[str]) -> None:
        self._patterns: list[Callable[[str], object]] = []
        self._beginnings: list[str] = []
        self._hosts: set[str] = set()
        for entry in entries:
            given = entry.strip()
            if "*" in given or "?" in given:
                written = _SCHEME.sub("", given).casefold()
                self._patterns.append(re.compile(fnmatch.translate(written)).match)
            elif given:
                host, rest = _parts(given)
                if host and not rest:
                    self._hosts.add(host)
                else:
                    self._beginnings.append(host + rest)
                    if not host:  # without a scheme nobody can tell a host from a file
                        first, slash, behind = rest.partition("/")
                        if (written := _host(first)) != first:
                            self._beginnings.append(written + slash + behind)
                        if not slash:
                            self._hosts.add(written)

    def __bool__(self) -> bool:
        return bool(self._patterns or self._beginnings or self._hosts)

    def __contains__(self, source: str) -> bool:
        host, rest = _parts(source[:_LONGEST])
        whole = host + rest
        if any(match(whole) for match in self._patterns):
            return True
        if any(_begins(whole, start) for start in self._beginnings):
            return True
        return any(host == one or host.endswith(f".{one}") for one in self._hosts) if host else False


def _begins(whole: str, start: str) -> bool:
    """Whether it begins so and no longer name stands there: docs/key is not the beginning of docs/keys."""
    return whole.startswith(start) and (start.endswith("/") or whole[len(start) :][:1] in ("", *"/?#"))


def _parts(source: str) -> tuple[str, str]:
    """Host and rest of a source, each in one form; the host of a file is ""."""
    if not _SCHEME.match(source):
        return "", _path(source)
    try:
        found = urlsplit(source)
        host = _host((found.hostname or "").casefold().rstrip("."))
    except ValueError:
        return "", source.casefold()
    path = _path(found.path)
    query = f"?{unquote(found.query).casefold()}" if found.query else ""
    return host, ("" if path in ("", "/") else path) + query


def _host(name: str) -> str:
    """A host as it is asked for, in ASCII; what is none stays as it is."""
    if name.isascii():
        return name
    from selfstudy.library.web_url import web_address

    return urlsplit(web_address(f"http://{name}/")).hostname or name


def _path(path: str) -> str:
    plain = unquote(path).casefold()
    end = "/" if plain.endswith("/") and len(plain) > 1 else ""
    normal = posixpath.normpath(plain) if plain else ""
    return (
        f"/{normal.lstrip('/')}{end}" if normal.startswith("//") else normal + (end if normal != "/" else "")
    )
