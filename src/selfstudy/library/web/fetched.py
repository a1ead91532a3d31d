"""What comes of fetching a page: its bytes and where and when they came from, or why there are none.

Whoever needs pages takes a `Fetches`; fetch.py has the one that goes by the rules of good citizens.  It knows
nothing of connections, and nothing of what is in a page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from selfstudy.models.base import Progress

WhyNot = Literal[
    "scheme",
    "address",
    "robots",
    "redirects",
    "size",
    "time",
    "type",
    "status",
    "limit",
    "tls",
    "connection",
    "not kept",
]
"""Kinds of reasons: not http(s); an address that is private or otherwise not allowed; robots.txt forbids it;
too many redirects, or a circle; too large, too slow; no text; an answer such as 404; the host asked to wait
longer than we do; no trust; no connection; and, without a network, that it was never fetched before."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A page, as it came.

    Attributes:
        url: what was asked for; `final_url`: where it was, behind redirects.
        body: bytes, with every content coding undone.
        content_type: as the server says it, parameters included; "" if it does not.
        sha256: of `body`, in hex.
        at: when it was fetched, UTC, as 2026-11-28T17:20:00Z.
        kept: whether the run had it already, and nobody was asked.
    """

    url: str
    final_url: str
    status: int
    content_type: str
    body: bytes
    sha256: str
    at: str
    kept: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class NotFetched:
    """No page: `why` in a word, `detail` in a sentence with the value found.

    `no_room`: it came, and is only too much beside the other pages of the same call.
    """

    url: str
    why: WhyNot
    detail: str
    no_room: bool = False


class RefusedError(Exception):
    """Why there is no page, on its way to the `NotFetched` that tells it; only this room sees one."""

    def __init__(self, why: WhyNot, detail: str) -> None:
        super().__init__(detail)
        self.why = why
        self.detail = detail


class Fetches(Protocol):
    """Gets pages, and asks services."""

    def pages(
        self, urls: Sequence[str], progress: Progress | None = None, *, named_by: str | None = None
    ) -> list[Fetched | NotFetched]:
        """The page at each URL, in order, as robots.txt allows; a URL given twice is fetched once.

        Args:
            named_by: the address of the service that named them, "" of one that nobody named; None: the user
                did.  Hosts that the user allows may lie anywhere only if that service's is one of them."""

    def ask(
        self,
        url: str,
        parameters: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
        *,
        again: bool = False,
    ) -> Fetched | NotFetched:
        """What a service that the user named replies to GET url?parameters: no robots.txt, the rest alike.

        `headers` may hold a key: it goes to the host of `url` alone, never along a redirect to another one,
        and into no record, cache or message; nor do the parameters that `secrets.names_secret` knows.

        Args:
            again: what is kept or cached will not do, for it is a refusal; offline it is all there is.
        """
