"""Which addresses may be connected to: public ones of single hosts, and what the user has allowed.

Names are resolved here, once per request, and every address that is found must be allowed: a name that means
a public address now and a private one in a moment has nothing to gain.  Knows nothing of HTTP.
"""

from __future__ import annotations

import ipaddress
import queue
import re
import socket
import threading
from collections.abc import Callable, Sequence

from selfstudy.errors import RecipeError
from selfstudy.library.web.fetched import RefusedError
from selfstudy.library.web.web_url import WebURL

Resolve = Callable[[str, int], Sequence[str]]
"""Addresses of a host, for a port; an OSError says why there is none."""

_ENTRY = re.compile(r"(?P<name>\[[0-9a-fA-F:.]{2,45}\]|[^\s:/=@\[\]]{1,253})(?::(?P<port>[0-9]{1,5}))?")
_WEB = (80, 443)
_LOWEST = 1024
"""Below are ports of mail, files and shells, which a request in HTTP may set in motion."""
_MOST = 32
"""Addresses of one name that are looked at."""

_CLOSED_4 = tuple(
    ipaddress.IPv4Network(one)
    for one in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24"),
        *("192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
        *("224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32"),
    )
)
"""Registered for special purposes (RFC 6890 and its registry); the last is a cloud's metadata."""
_OPEN_6 = ipaddress.IPv6Network("2000::/3")
"""All that is given out as addresses of hosts."""
_CLOSED_6 = tuple(
    ipaddress.IPv6Network(one)
    # protocols (Teredo, ORCHID, benchmarks), documentation, 6to4, direct delegation
    for one in ("2001::/23", "2001:db8::/32", "3fff::/20", "2002::/16", "2620:4f:8000::/48")
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""Where a network without IPv4 puts all of it."""


def why_closed(address: str) -> str | None:
    """Why an address may not be connected to; None if it may.

    Public unicast alone may.  An IPv4 address within one of IPv6 (mapped, NAT64) counts as itself; those of
    6to4, Teredo and their like are all closed.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "it is no address"
    if isinstance(found, ipaddress.IPv6Address):
        if found.scope_id:
            return "it is of one network interface"
        if found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        elif found in _NAT64:
            found = ipaddress.IPv4Address(int(found) % 2**32)
    if isinstance(found, ipaddress.IPv4Address):
        closed = any(found in network for network in _CLOSED_4)
    else:
        closed = found not in _OPEN_6 or any(found in network for network in _CLOSED_6)
    return "it is not public" if closed or not found.is_global or found.is_multicast else None


class AllowedHosts:
    """What a user lets lie at private addresses: HOST, for any port, or HOST:PORT.

    Raises:
        RecipeError: an entry is neither.
    """

    def __init__(self, entries: Sequence[str]) -> None:
        self._entries: set[tuple[str, int | None]] = set()
        for entry in entries:
            found = _ENTRY.fullmatch(entry.strip())
            if found is None:
                raise RecipeError(
                    f"library.fetch.allow_hosts: {entry!r} is no host",
                    "give a name or an address, with a port or without: wiki.example, 10.0.0.7:8080, [::1]",
                )
            try:
                host = WebURL.of(f"http://{found['name']}/").host
            except RefusedError as error:
                raise RecipeError(
                    f"library.fetch.allow_hosts: {error.detail}", "give a name or an address"
                ) from None
            self._entries.add((host, int(found["port"]) if found["port"] else None))

    def has(self, url: WebURL) -> bool:
        return bool(self._entries & {(url.host, None), (url.host, url.port)})


def system_addresses(host: str, port: int) -> list[str]:
    """What the system's resolver says."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def addresses_of(url: WebURL, resolve: Resolve, seconds: float, *, trusted: bool) -> list[str]:
    """The addresses of a URL's host, in the resolver's order; to these and no others it is connected.

    Args:
        trusted: the user has allowed this host to lie anywhere.

    Raises:
        RefusedError: there is none, or one that is not allowed, or finding out takes longer than `seconds`.
    """
    if not trusted and url.port < _LOWEST and url.port not in _WEB:
        raise RefusedError("address", f"{url.place}: port {url.port} is none of the web")
    try:
        found = [str(ipaddress.ip_address(url.host))]
    except ValueError:
        found = list(dict.fromkeys(_asked(resolve, url.host, url.port, seconds)))[:_MOST]
    if not found:
        raise RefusedError("connection", f"{url.host} has no address")
    for address in found:
        why = None if trusted else why_closed(address)
        if why is not None:
            at = "" if address == url.host else f" is at {address[:60]}"
            raise RefusedError(
                "address", f"{url.host}{at}: {why}, and library.fetch.allow_hosts does not name it"
            )
    return found


def _asked(resolve: Resolve, host: str, port: int, seconds: float) -> list[str]:
    """What a resolver says in time; one that never answers is left behind in a thread that ends with us."""
    answers: queue.Queue[list[str] | OSError | ValueError] = queue.Queue()

    def ask() -> None:
        try:
            answers.put([str(address) for address in resolve(host, port)])
        except (OSError, ValueError) as error:  # ValueError: a name that cannot be encoded
            answers.put(error)
        except BaseException as error:
            answers.put(OSError(f"{type(error).__name__}: {error}"))
            raise

    threading.Thread(target=ask, name=f"addresses of {host[:40]}", daemon=True).start()
    try:
        found = answers.get(timeout=max(0.0, seconds))
    except queue.Empty:
        raise RefusedError("time", f"the addresses of {host} were not found in time") from None
    if isinstance(found, Exception):
        why = getattr(found, "strerror", None) or str(found) or type(found).__name__
        raise RefusedError("connection", f"the address of {host} was not found: {why}")
    return found
