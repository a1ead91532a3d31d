"""Fetches pages as a good citizen and as a suspicious one.

Good: robots.txt, one request at a time per host with a delay, Retry-After, a User-Agent that says who asks,
and nothing that is still good in a cache or kept by the run.  Suspicious: http(s) alone, every address
checked before each hop, limits on time, size, type and redirects.  Each URL gets a page or a reason, and no
server can make it an exception.  Knows nothing of what is in a page.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from selfstudy import secrets
from selfstudy.errors import MissingExtraError, RecipeError
from selfstudy.library.web.addresses import AllowedHosts, Resolve, addresses_of, system_addresses
from selfstudy.library.web.fetched import Fetched, Fetches, NotFetched, RefusedError
from selfstudy.library.web.hosts import Hosts
from selfstudy.library.web.kept_pages import KeptPages
from selfstudy.library.web.media import ACCEPT, is_text
from selfstudy.library.web.request import WebRequest
from selfstudy.library.web.side_by_side import side_by_side
from selfstudy.library.web.web_url import LONGEST, WebURL, shown
from selfstudy.models.remote.retry_after import retry_after
from selfstudy.recipe.library import FetchBlock
from selfstudy.version import __version__

if TYPE_CHECKING:
    import httpcore2

    from selfstudy.library.web.exchange import Limits, Reply
    from selfstudy.library.web.page_cache import PageCache
    from selfstudy.models.base import Progress

_REDIRECTS = (301, 302, 303, 307, 308)
_ROBOTS_REDIRECTS = 5
"""What RFC 9309, section 2.3.1.2, has a robots.txt do at most."""
_TOO_MANY, _UNAVAILABLE = 429, 503
_TRIES = 3
_BUSY = 2.0
"""Seconds to wait for a host that is asked too much and says no number, doubled each time: a guess."""
_WORKERS = 8
"""Hosts that are asked at the same time."""
MOST_TOGETHER = 200_000_000
"""Bytes of the pages of one call, which are all in memory."""


def open_fetcher(
    block: FetchBlock,
    kept: Path | None = None,
    *,
    fresh: bool = False,
    resolve: Resolve = system_addresses,
    trust: ssl.SSLContext | None = None,
    network: httpcore2.NetworkBackend | None = None,
    cache: bool = True,
) -> Fetcher:
    """What fetches by the rules of a recipe; to be closed.

    Args:
        kept: the folder in which all that comes is kept, and found before anything is asked again.
        fresh: whether what is kept is asked for again all the same, to see whether it has changed.
        resolve: gives the addresses of hosts.
        trust: whose certificates count; None: the system's, or those of $SSL_CERT_FILE.
        network: connects to addresses that were checked; None: the system does.
        cache: whether the user's cache of pages is used.

    Raises:
        MissingExtraError: the packages for it are not there.
        RecipeError: a value of `block` cannot be used.
        RunError: what is kept is damaged.
    """
    for package in ("hishel", "protego"):
        if find_spec(package) is None:
            raise MissingExtraError(package, "web", "fetching pages")
    from selfstudy.library.web.page_cache import open_cache

    return Fetcher(
        block,
        kept=None if kept is None else KeptPages(kept, fresh=fresh and not block.offline),
        cache=open_cache(stale=block.offline) if cache else None,
        resolve=resolve,
        trust=trust,
        network=network,
    )


class Fetcher(Fetches):
    """Fetches over the network; several threads may use one."""

    def __init__(
        self,
        block: FetchBlock,
        *,
        kept: KeptPages | None = None,
        cache: PageCache | None = None,
        resolve: Resolve = system_addresses,
        trust: ssl.SSLContext | None = None,
        network: httpcore2.NetworkBackend | None = None,
    ) -> None:
        import httpcore2

        from selfstudy.library.web.robots import Robots

        self._block = block
        self._kept = kept
        self._cache = cache
        self._resolve = resolve
        self._trust = httpcore2.default_ssl_context() if trust is None else trust
        self._network = httpcore2.SyncBackend() if network is None else network
        self._agent = agent(block.contact)
        self._allowed = AllowedHosts(block.allow_hosts)
        self._closed = threading.Event()
        self._hosts = Hosts(block.delay, block.patience, self._closed)
        self._robots = Robots(self._robots_txt, self._hosts.slow_down)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends all waiting; what is not fetched yet will not be."""
        self._closed.set()
        if self._cache is not None:
            self._cache.close()

    def pages(
        self, urls: Sequence[str], progress: Progress | None = None, *, named_by: str | None = None
    ) -> list[Fetched | NotFetched]:
        """The page at each URL, in order; hosts side by side, the pages of one host one after another.

        Raises:
            RunError: what came cannot be kept.
        """
        found: dict[int, Fetched | NotFetched] = {}
        wanted: dict[str, list[int]] = {}
        by_host: dict[str, dict[str, WebURL]] = {}
        for number, given in enumerate(urls):
            try:
                url = WebURL.of(given)
            except RefusedError as error:
                found[number] = self._written(NotFetched(_named(given), error.why, error.detail), "page")
                continue
            wanted.setdefault(url.text, []).append(number)
            by_host.setdefault(url.host, {})[url.text] = url
        if progress is not None and found:
            progress(len(found))
        held = 0
        fetch = partial(self._page, trusted=named_by is None or self._is_allowed(named_by))
        for one in side_by_side([one.values() for one in by_host.values()], fetch, _WORKERS):
            if isinstance(one, Fetched):
                held += len(one.body)
                if held > MOST_TOGETHER:
                    said = f"the pages before it have {MOST_TOGETHER:,} bytes: ask for fewer at once"
                    one = NotFetched(one.url, "size", said, no_room=True)
            numbers = wanted[one.url]
            for number in numbers:
                found[number] = replace(one, url=urls[number])
            if progress is not None:
                progress(len(numbers))
        return [found[number] for number in range(len(urls))]

    def ask(
        self,
        url: str,
        parameters: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
        *,
        again: bool = False,
    ) -> Fetched | NotFetched:
        """What a service replies to GET url?parameters.

        Raises:
            ValueError: a header that cannot be sent.
            RunError: what came cannot be kept.
        """
        try:
            question = WebRequest.of(url, parameters, headers or {})
        except RefusedError as error:
            return NotFetched(shown(url), error.why, secrets.hide(error.detail))
        again = again and not self._block.offline
        known = None if again else self._known(question.public, "ask")
        if known is not None:
            return known
        return self._written(self._got(replace(question, again=again), robots=False), "ask")

    def _is_allowed(self, service: str) -> bool:
        try:
            return self._allowed.has(WebURL.of(service))
        except RefusedError:
            return False

    def _page(self, url: WebURL, *, trusted: bool) -> Fetched | NotFetched:
        known = self._known(url.text, "page")
        if known is not None:
            return known
        found = self._got(WebRequest(url, url.text, trusted=trusted), robots=not self._block.offline)
        self._hosts.tell(url.host, found.why if isinstance(found, NotFetched) else "")
        return self._written(found, "page")

    def _known(self, url: str, of: str) -> Fetched | NotFetched | None:
        """What this run has of a URL; without a network also why there was nothing."""
        found = None if self._kept is None else self._kept.find(url, of)
        return found if isinstance(found, Fetched) or self._block.offline else None

    def _written(self, found: Fetched | NotFetched, of: str) -> Fetched | NotFetched:
        if self._kept is not None and not self._block.offline and not self._closed.is_set():
            self._kept.keep(found, of, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
        return found

    def _got(self, question: WebRequest, *, robots: bool) -> Fetched | NotFetched:
        from selfstudy.library.web.exchange import Clock, Limits

        limits = Limits(Clock(self._block.timeout), self._block.max_bytes, is_wanted=is_text)
        try:
            url, reply = self._followed(question, limits, robots=robots)
            return question.answered(url, reply)
        except RefusedError as error:
            return NotFetched(question.public, error.why, question.hide(secrets.hide(error.detail)))

    def _robots_txt(self, url: WebURL, trusted: bool) -> Reply:
        from selfstudy.library.web.exchange import Clock, Limits
        from selfstudy.library.web.robots import LARGEST

        limits = Limits(Clock(self._block.timeout), LARGEST, cut=True)
        question = WebRequest(url, url.text, trusted=trusted)
        return self._followed(question, limits, robots=False, most=_ROBOTS_REDIRECTS)[1]

    def _followed(
        self, question: WebRequest, limits: Limits, *, robots: bool, most: int | None = None
    ) -> tuple[WebURL, Reply]:
        """The reply that is no redirect, and where it was."""
        most = self._block.redirects if most is None else most
        # a stranger's page must not lead to hosts that the user has allowed for its own use
        trusted = self._allowed.has(question.url) and question.trusted
        seen = []
        while True:
            url = question.url
            if robots:
                self._robots.check(url, trusted)
            reply = self._patiently(question, limits, trusted=trusted)
            if reply.status not in _REDIRECTS:
                return url, reply
            seen.append(url.text)
            question = question.redirected(reply.header("location"))
            if question.url.text in seen:
                raise RefusedError("redirects", f"{shown(question.url.text)}: redirects go in a circle")
            if len(seen) > most:
                raise RefusedError("redirects", f"more than {most} redirects")
            trusted = trusted and self._allowed.has(question.url)

    def _patiently(self, question: WebRequest, limits: Limits, *, trusted: bool) -> Reply:
        """The reply, after the waits that a host asks for."""
        host = question.url.host
        for number in range(_TRIES):
            reply = self._replied(question, limits, trusted=trusted)
            pause = _pause(reply, number)
            if pause is None:
                return reply
            self._hosts.pause(host, pause)
        raise RefusedError("limit", f"HTTP {reply.status}: {host} still asks to wait after {_TRIES} tries")

    def _replied(self, question: WebRequest, limits: Limits, *, trusted: bool) -> Reply:
        url = question.url
        if question.keyed and url.scheme != "https" and not trusted:
            raise RefusedError("tls", f"{url.place} would get a key without encryption: nothing was sent")

        def send(conditions: list[tuple[str, str]]) -> Reply:
            if self._block.offline:
                raise RefusedError("not kept", "nothing is fetched offline, and it was not kept before")
            return self._sent(question, limits, conditions, trusted=trusted)

        if self._cache is None or question.keyed or question.again:
            return send([])
        headers = [("User-Agent", self._agent), *_told(question)]
        return self._cache.reply(url, limits, send, trusted=trusted, headers=headers)

    def _sent(
        self, question: WebRequest, limits: Limits, conditions: list[tuple[str, str]], *, trusted: bool
    ) -> Reply:
        """One request to the server, when it is its turn."""
        from selfstudy.library.web.exchange import HTTPGet

        url = question.url
        if limits.clock.left <= 0:
            raise RefusedError("time", f"no time was left for {url.place}")
        with self._hosts.turn(url.host):
            start = time.monotonic()
            addresses = addresses_of(url, self._resolve, limits.clock.left, trusted=trusted)
            limits.clock.left -= time.monotonic() - start
            headers = [*_told(question), *conditions]
            return HTTPGet(url, addresses, self._agent, limits, self._trust, self._network, headers).reply()


def agent(contact: str | None) -> str:
    """The User-Agent.

    Raises:
        RecipeError: `contact` cannot stand in it.
    """
    if contact is None:
        return f"selfstudy/{__version__}"
    if not contact.isascii() or not contact.isprintable() or len(contact) > 200 or set(contact) & set("()\\"):
        raise RecipeError(
            f"library.fetch.contact cannot stand in a header: {contact[:80]!r}",
            "give an e-mail address or a URL",
        )
    return f"selfstudy/{__version__} (+{contact.strip()})"


def _told(question: WebRequest) -> Sequence[tuple[str, str]]:
    """The headers of a question: what it says itself, or else what types we read."""
    return question.headers or [("Accept", ACCEPT)]


def _named(given: str) -> str:
    """What was asked for and is no URL for us, for a record."""
    return secrets.without_secrets(given) if len(given) <= LONGEST else shown(given)


def _pause(reply: Reply, tried: int) -> float | None:
    """Seconds that a host asks to wait; None: it has answered."""
    if reply.status not in (_TOO_MANY, _UNAVAILABLE):
        return None
    seconds = retry_after(reply.header("retry-after"))
    if seconds is None and reply.status == _TOO_MANY:
        return float(_BUSY * 2**tried)
    return seconds
