"""A URL that may be asked for: http or https, one host and one port, nothing hidden in it.

It is read once, by one parser, and what was read is what is asked: two readings of one text could name two
hosts.  Knows no addresses, and no network.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from selfstudy.library.web.fetched import RefusedError
from selfstudy.secrets import without_secrets

LONGEST = 8000
"""Characters; what servers must take at least (RFC 9110, section 4.1), and no page needs more."""
_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9_-]{1,63}(?<!-)){0,126}")
_NUMBER = re.compile("[0-9]+|0x[0-9a-f]*")
_PORTS = {"http": 80, "https": 443}
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class WebURL:
    """Where a page is, as it will be asked for.

    Attributes:
        text: the whole URL in ASCII, without a fragment.
        host: a name in ASCII, or an address, IPv6 without brackets.
        target: path and query.
    """

    text: str
    scheme: str
    host: str
    port: int
    target: bytes

    @classmethod
    def of(cls, text: str) -> WebURL:
        """Reads a URL.

        Raises:
            RefusedError: it is none that is asked for.
        """
        return _read(text, None)

    def join(self, location: str) -> WebURL:
        """Where a redirect from here leads.

        Raises:
            RefusedError: to nothing that is asked for.
        """
        return _read(location, self)

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    @property
    def place(self) -> str:
        """Host, and port where it is not the scheme's, as the Host header has them."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == _PORTS[self.scheme] else f"{name}:{self.port}"


def web_address(value: object) -> str:
    """A URL that may be asked for, as it will be, of what a stranger says; "" where it is none."""
    if not isinstance(value, str) or not value:
        return ""
    try:
        return WebURL.of(value).text
    except RefusedError:
        return ""


def shown(text: str) -> str:
    """The start of a URL for a message, without passwords and keys."""
    safe = without_secrets(text[: 4 * LONGEST])
    return safe if len(safe) <= _SHOWN else f"{safe[:_SHOWN]}..."


def _read(text: str, base: WebURL | None) -> WebURL:
    import httpx2

    text = text.strip(" ")
    if len(text) > LONGEST:
        raise RefusedError(
            "scheme", f"a URL of {len(text):,} characters, and at most {LONGEST:,} are asked for"
        )
    try:
        url = httpx2.URL(text)
        if base is not None:
            url = httpx2.URL(base.text).join(url)
        url = url.copy_with(fragment=None)
        scheme, host, port = url.scheme, url.raw_host.decode("ascii").removesuffix("."), url.port
        whole, target, userinfo = str(url), url.raw_path, url.userinfo
    except (httpx2.InvalidURL, UnicodeError, ValueError, TypeError) as error:
        raise RefusedError("scheme", f"{shown(text)!r} is no URL: {shown(str(error))}") from None
    if scheme not in _PORTS:
        raise RefusedError("scheme", f"{shown(text)!r}: only http and https are asked for")
    if userinfo:
        raise RefusedError(
            "scheme", f"{shown(text)!r} holds a name or password, and nobody is logged in anywhere"
        )
    if len(whole) > LONGEST:
        raise RefusedError(
            "scheme", f"a URL of {len(whole):,} characters, and at most {LONGEST:,} are asked for"
        )
    _check_host(host, text)
    number = _PORTS[scheme] if port is None else port
    if not 0 < number < 2**16:
        raise RefusedError("scheme", f"{shown(text)!r}: there is no port {number}")
    found = WebURL("", scheme, host, number, target)
    return WebURL(f"{scheme}://{found.place}{target.decode('ascii')}", scheme, host, number, target)


def _check_host(host: str, text: str) -> None:
    """A name as DNS has it, or an address in its plain spelling: 0x7f.1 is 127.0.0.1 to some alone."""
    import ipaddress

    if ":" in host:  # an IPv6 address that the parser has checked; with a zone it is of this machine's links
        if "%" in host:
            raise RefusedError("address", f"{shown(text)!r} names a network interface")
        return
    if len(host) > 253 or not _HOST.fullmatch(host):
        raise RefusedError("scheme", f"{shown(text)!r} names no host")
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        try:
            ipaddress.IPv4Address(host)
        except ValueError:
            raise RefusedError("address", f"{shown(text)!r}: an address in an odd spelling") from None
