"""Which sources are never evidence: a benchmark's own pages, by host, by the beginning of a URL, by pattern.

    example.org             the host and all hosts below it
    example.org/data        what begins so, at a whole part of the path; a scheme may stand before it
    docs/answers            the same of a file or folder of the library
    *.example.org/*/key*    a pattern: * is any run of characters, ? one, of the source without its scheme;
                            one without / is also compared with the host

Case, scheme, port, user, %-escapes, a dot behind the host and dots in a path do not matter, nor whether a
host is written in letters or as xn--.  It knows nothing of what is in a page.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
import unicodedata
from collections.abc import Callable, Sequence
from urllib.parse import unquote

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,20}://", re.IGNORECASE)
_PORT = re.compile(r":(?:[0-9]*|\*)\Z")
_WILD = re.compile(r"([*?])")
_LONGEST = 4_000
"""Characters of a source that are looked at."""
_LONGEST_LABEL = 63


class Excluded:
    """Tells the sources that entries of a recipe's `gather.exclude` name."""

    def __init__(self, entries: Sequence[str]) -> None:
        self._patterns: list[Callable[[str], object]] = []
        self._of_hosts: list[Callable[[str], object]] = []
        self._beginnings: list[str] = []
        self._of_pages: list[str] = []
        self._hosts: set[str] = set()
        for given in filter(None, map(str.strip, entries)):
            is_web = _SCHEME.match(given) is not None
            if "*" in given or "?" in given:
                self._add_pattern(given)
                if "*" in given or not is_web:
                    continue  # else it may be an address with a query
            if not is_web:  # without a scheme nobody can tell a host from a folder
                self._beginnings.append(_path(given))
            host, rest = _parts(given if is_web else f"http://{given}")
            if host and rest:
                # of a page a mark after # is no part; of a file it is one record
                is_record = not is_web and "#" in given
                (self._of_pages if is_record else self._beginnings).append(host + rest)
            elif host:
                self._hosts.add(host.removeprefix("."))

    def _add_pattern(self, given: str) -> None:
        host, slash, path = _SCHEME.sub("", given).partition("/")
        self._patterns.append(_matcher(_host(host) + slash + path))
        if _PORT.search(host) and not _SCHEME.match(given):  # `atlas:*`: without a host it is no port
            self._patterns.append(_matcher(given))
        if not slash:
            self._of_hosts.append(_matcher(_host(host)))

    def __bool__(self) -> bool:
        return bool(self._patterns or self._beginnings or self._of_pages or self._hosts)

    def __contains__(self, source: str) -> bool:
        host, rest = _parts(source[:_LONGEST])
        whole = host + rest
        spelled = {whole, f"{host}/{rest}"} if host and rest[:1] != "/" else (whole,)
        if any(match(one) for one in spelled for match in self._patterns):
            return True
        if any(_begins(whole, start) for start in self._beginnings):
            return True
        if not host:
            return False
        if any(match(host) for match in self._of_hosts) or any(_begins(whole, one) for one in self._of_pages):
            return True
        return any(host == one or host.endswith(f".{one}") for one in self._hosts)


def _matcher(pattern: str) -> Callable[[str], object]:
    """Whether a source fits a pattern, of which * and ? alone are no letters."""
    parts = (
        part if part in ("*", "?") else re.sub(r"([*?[])", r"[\1]", unquote(part))
        for part in _WILD.split(pattern)
    )
    return re.compile(fnmatch.translate(_one_form("".join(parts)))).match


def _begins(whole: str, start: str) -> bool:
    """Whether it begins so and no longer name stands there: docs/key is not the beginning of docs/keys."""
    return whole.startswith(start) and (start.endswith("/") or whole[len(start) :][:1] in ("", *"/?&#"))


def _parts(source: str) -> tuple[str, str]:
    """Host and rest of a source, each in one form; the host of a file is ""."""
    if not _SCHEME.match(source):
        return "", _path(source)
    # by hand: an address that is none must be told all the same
    place, mark, rest = _divided(_SCHEME.sub("", source, count=1).partition("#")[0])
    path, _, query = (mark + rest).partition("?")
    path = _path(path)
    query = f"?{unquote(query).casefold()}" if query else ""
    return _host(place), ("" if path in ("", "/") else path) + query


def _divided(source: str) -> tuple[str, str, str]:
    """Host, the mark behind it, and what follows."""
    found = re.search(r"[/?]", source)
    if found is None:
        return source, "", ""
    return source[: found.start()], found[0], source[found.end() :]


def _host(place: str) -> str:
    """A host without user, port, brackets and the dot behind it, in small letters of its own script."""
    name = _PORT.sub("", unquote(place).rpartition("@")[2]) if not _is_bare_ip6(place) else place
    name = name.removeprefix("[").removesuffix("]").rstrip(".")
    return ".".join(map(_in_letters, unicodedata.normalize("NFKC", name).casefold().split(".")))


def _is_bare_ip6(place: str) -> bool:
    return place.count(":") > 1 and "[" not in place and "@" not in place


def _in_letters(label: str) -> str:
    """xn--bcher-kva as bücher."""
    if not label.startswith("xn--") or len(label) > _LONGEST_LABEL:
        return label
    try:
        return label[4:].encode("ascii").decode("punycode").casefold()
    except UnicodeError:
        return label


def _path(path: str) -> str:
    plain = _one_form(unquote(path))
    end = "/" if plain.endswith("/") and len(plain) > 1 else ""
    normal = posixpath.normpath(plain) if plain else ""
    return (
        f"/{normal.lstrip('/')}{end}" if normal.startswith("//") else normal + (end if normal != "/" else "")
    )


def _one_form(name: str) -> str:
    """Without case, and with accents as one system of files spells them: another one takes them apart."""
    return unicodedata.normalize("NFC", name.casefold())
