"""What a site's robots.txt lets us fetch (RFC 9309), and how slowly it wants us to.

None (4xx) allows everything; one that cannot be had (5xx, no connection) forbids everything.  Knows no
network: how one is fetched is given from outside.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from selfstudy.library.web.fetched import RefusedError
from selfstudy.library.web.media import FULL
from selfstudy.library.web.web_url import WebURL

if TYPE_CHECKING:
    from protego import Protego

    from selfstudy.library.web.exchange import Reply

LARGEST = 500 * 1024
"""Bytes that are read of one; RFC 9309, section 2.5, wants at least as many."""
AGENT = "selfstudy"
"""The name by which a robots.txt means us."""
_OF_THE_HOST = ("address", "time", "limit", "tls", "connection", "not kept")
"""Reasons that would keep us from the page as well, and are told as they are."""
_DAY = 86_400.0
_MOST_RULES = 200_000
"""Agents times lines: each rule of a group of agents is kept for each of them."""
_MOST_HELD = 5_000_000
"""Bytes of all that are held; rules take up to 40 times as much.  The oldest go, and are asked for again."""
_ASK_LATER = 429


@dataclass(slots=True)
class _Site:
    lock: threading.Lock = field(default_factory=threading.Lock)
    until: float = 0.0
    size: int = 0
    rules: Protego | None = None
    closed: RefusedError | None = None


class Robots:
    """The rules of the sites that were asked, each fetched once a day.

    Args:
        fetch: the reply at a URL, behind redirects.
        slow_down: told the host and the seconds that its robots.txt wants between two requests.
    """

    def __init__(
        self, fetch: Callable[[WebURL, bool], Reply], slow_down: Callable[[str, float], None]
    ) -> None:
        self._fetch = fetch
        self._slow_down = slow_down
        self._lock = threading.Lock()
        # whether a host may lie anywhere depends on who led to it, and so does what can be had of it
        self._sites: dict[tuple[tuple[str, str, int], bool], _Site] = {}

    def check(self, url: WebURL, trusted: bool) -> None:
        """Whether a page may be fetched.

        Args:
            trusted: its host may lie anywhere.

        Raises:
            RefusedError: it may not.
        """
        with self._lock:
            site = self._sites.setdefault((url.origin, trusted), _Site())
        with site.lock:
            if site.until < time.monotonic():
                self._read(site, url, trusted)
                self._make_room(site)
            closed, rules = site.closed, site.rules  # who comes a day later may read it anew meanwhile
        if closed is not None:
            raise RefusedError(closed.why, closed.detail)
        if rules is not None and not rules.can_fetch(url.text, AGENT):
            raise RefusedError("robots", f"robots.txt of {url.place} forbids it")

    def _read(self, site: _Site, url: WebURL, trusted: bool) -> None:
        site.rules, site.closed, site.size = None, None, 0
        try:
            reply = self._fetch(url.join("/robots.txt"), trusted)
            if reply.status >= 500 or reply.status == _ASK_LATER:
                raise RefusedError("robots", f"HTTP {reply.status}, so everything is forbidden")
            if reply.status in FULL:
                site.rules, site.size = parsed(reply.body), len(reply.body)
        except RefusedError as error:
            why = error.why if error.why in _OF_THE_HOST else "robots"
            site.closed = RefusedError(why, f"robots.txt of {url.place}: {error.detail}")
        wanted = site.rules.crawl_delay(AGENT) if site.rules is not None else None
        if wanted:
            self._slow_down(url.host, wanted)
        # what could not be had is asked for again, but not for each page
        site.until = time.monotonic() + (_DAY if site.closed is None else _DAY / 24)

    def _make_room(self, newest: _Site) -> None:
        with self._lock:
            held = sum(site.size for site in self._sites.values())
            for name, site in list(self._sites.items()):
                if held > _MOST_HELD and site is not newest and site.size:
                    del self._sites[name]
                    held -= site.size


def parsed(body: bytes) -> Protego:
    """The rules in a robots.txt.

    Raises:
        RefusedError: they are too many to be read.
    """
    from protego import Protego

    text = body[:LARGEST].decode("utf-8-sig", "replace")
    lowered = text.lower()
    lines = len(text.splitlines())
    if lines * lowered.count("agent") > _MOST_RULES:
        raise RefusedError("robots", "it holds more rules than are read, so everything is forbidden")
    return Protego.parse(text)
