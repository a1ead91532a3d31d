"""Topics of the hour: the titles of a feed (RSS 2.0, RSS 1.0, Atom) at a URL or in a file (methods 1).

Feeds are often broken XML: it is read as far as it goes, with no entity and nothing loaded.  It knows nothing
of hours, nor of what is asked about the topics.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from selfstudy import text
from selfstudy.errors import DataError
from selfstudy.files import reading
from selfstudy.library.parsing import visible
from selfstudy.library.web.fetched import Fetches, NotFetched

PER_HOUR = 100
"""Topics: what the paper took."""
FEED_SUFFIXES = (".rss", ".atom", ".rdf", ".xml")
"""How files are called that hold a feed."""
_LARGEST = 5_000_000
"""Bytes of a feed: its elements take some thirty times as much memory."""
_LONGEST = 200
"""Characters of a topic."""
_MOST_READ = 10_000
_STEP = 1 << 14
"""Bytes that are parsed at once."""
_LONGEST_SPACE = 200
"""Characters of a namespace: the parser looks at it anew for each element, for as long as it is."""
_SPACES = (
    None,
    "http://purl.org/rss/1.0/",
    "http://www.w3.org/2005/Atom",
    "http://my.netscape.com/rdf/simple/0.9/",
)
"""Namespaces of an entry's own title; media:title is that of a picture."""


def trending(url: str, fetches: Fetches) -> list[str]:
    """The titles of the feed at a URL, as they come, each once.

    Raises:
        DataError: it cannot be fetched, or is no feed.
    """
    reply = fetches.ask(url, {})
    if isinstance(reply, NotFetched):
        raise DataError(
            f"the feed {url} was not fetched: {reply.detail}",
            "check `probe.ask.source`; a host of your own must stand in `library.fetch.allow_hosts`",
        )
    return feed_titles(reply.body, url)


def feed_file(path: Path) -> list[str]:
    """The same of a file.

    Raises:
        DataError: it cannot be read, or holds no feed.
    """
    try:
        return feed_titles(reading.content(path, _LARGEST), str(path))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}", "give an RSS or Atom feed") from None


def feed_titles(body: bytes, where: str) -> list[str]:
    """The titles of a feed's entries as topics: a line of plain text each, but for case and punctuation once.

    Args:
        where: it is from, for messages.

    Raises:
        DataError: it is no feed, or has no titles.
    """
    if len(body) > _LARGEST:
        raise DataError(f"{where}: a feed of more than {_LARGEST:,} bytes", "name another feed")
    from lxml import etree

    root = _root(body.lstrip(), where)
    if root is None or etree.QName(root).localname.lower() not in ("rss", "feed", "rdf"):
        found = "nothing that is XML" if root is None else f"<{etree.QName(root).localname[:40]}>"
        raise DataError(f"{where}: no feed, but {found}", "name the address of an RSS or Atom feed")
    titles = distinct_topics(_titles(root))
    if not titles:
        raise DataError(f"{where}: a feed without titles", "name another feed, or try again in an hour")
    return titles


def _root(body: bytes, where: str) -> Any:
    """The outermost element of what can be read as XML, else None."""
    from lxml import etree

    parser = etree.XMLPullParser(
        events=("start-ns",),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        recover=True,
        remove_comments=True,
    )
    try:
        for at in range(0, len(body), _STEP):
            parser.feed(body[at : at + _STEP])
            for _, (_, space) in parser.read_events():
                if len(space) > _LONGEST_SPACE:
                    size = f"a namespace of {len(space):,} characters"
                    raise DataError(f"{where}: no feed, but {size}", "name another feed")
        return parser.close()
    except (etree.XMLSyntaxError, ValueError):
        return None


def distinct_topics(titles: Iterable[str], known: Iterable[str] = ()) -> list[str]:
    """Titles as topics, each once, without those that are `known`."""
    seen = {_same(one) for one in known}
    found = []
    for title in titles:
        topic = text.one_line(text.clean(visible.read(title[: 10 * _LONGEST])[1]), _LONGEST)
        if topic and (same := _same(topic)) not in seen:
            seen.add(same)
            found.append(topic)
    return found


def _same(topic: str) -> str:
    """What two spellings of a topic have in common."""
    return text.normalise(topic) or text.folded(topic)


def _titles(root: Any) -> Iterator[str]:
    from lxml import etree

    for element in islice(root.iter("{*}item", "{*}entry"), _MOST_READ):
        for child in element.iterchildren("{*}title"):
            if etree.QName(child).namespace in _SPACES:
                yield "".join(_texts(child))
                break


def _texts(element: Any) -> Iterator[str]:
    """The text in an element, also between elements of its own, without entities."""
    from lxml import etree

    yield element.text or ""
    for child in element.iterdescendants():
        if not isinstance(child, etree._Entity | etree._Comment | etree._ProcessingInstruction):
            yield child.text or ""
        yield child.tail or ""
