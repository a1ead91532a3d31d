"""What one GET asks, which part of it is secret, and where a redirect may take it.

Knows no connections and no limits.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qsl, urlencode

from selfstudy import secrets
from selfstudy.library.web.fetched import Fetched, RefusedError
from selfstudy.library.web.media import FULL, is_text, looks_like_text
from selfstudy.library.web.web_url import WebURL, shown

if TYPE_CHECKING:
    from selfstudy.library.web.exchange import Reply

_HARMLESS = ("accept", "accept-language")
"""Headers that hold no key."""
_OURS = (
    *("host", "user-agent", "connection", "accept-encoding", "content-length", "transfer-encoding", "te"),
    *("upgrade", "cookie", "referer", "range", "if-none-match", "if-modified-since"),
)
"""Headers that no caller sets."""
_HEADER = re.compile("[A-Za-z0-9-]{1,64}")


@dataclass(frozen=True, slots=True)
class WebRequest:
    """One GET.

    Attributes:
        public: its URL without secret parameters, for records and messages.
        headers: beside the usual ones, for this origin alone.
        keyed: whether it carries a key, so that no cache may have what comes of it.
        hidden: the secrets in it.
        trusted: False where it must not go to a private address, whatever the user has allowed.
        again: whether what a cache has of it will not do.
    """

    url: WebURL
    public: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    keyed: bool = False
    hidden: tuple[secrets.Secret, ...] = ()
    trusted: bool = True
    again: bool = False

    @classmethod
    def of(cls, url: str, parameters: Mapping[str, str], headers: Mapping[str, str]) -> Self:
        """What a service is asked: url?parameters, with `headers`.

        Raises:
            RefusedError: the URL is none that is asked for.
            ValueError: a header cannot be sent, or is not the caller's to set.
        """
        base = WebURL.of(url)
        added = urlencode(parameters)
        whole = WebURL.of(f"{base.text}{'&' if '?' in base.text else '?'}{added}" if added else base.text)
        path, _, query = whole.text.partition("?")
        pairs = parse_qsl(query, keep_blank_values=True)
        open_pairs = [(name, value) for name, value in pairs if not secrets.names_secret(name)]
        private = [value for name, value in pairs if secrets.names_secret(name)]
        public = whole.text
        if private:
            public = f"{path}?{urlencode(open_pairs)}" if open_pairs else path
        for name, value in headers.items():
            if not _HEADER.fullmatch(name) or name.lower() in _OURS:
                raise ValueError(f"the header {name[:80]!r} is not for callers to set")
            if not value.isascii() or not value.isprintable():
                raise ValueError(f"the header {name!r} holds what no header can")  # a key may be in it
            if name.lower() not in _HARMLESS:
                private += {value, value.rpartition(" ")[2]}
        hidden = tuple(filter(None, map(secrets.keep, private)))
        return cls(whole, public, tuple(headers.items()), bool(private), hidden)

    def redirected(self, location: str) -> Self:
        """What is asked instead, after a redirect.

        Raises:
            RefusedError: there it must not lead.
        """
        if not location:
            raise RefusedError("redirects", f"{self.url.place}: a redirect that does not say where to")
        url = self.url.join(location)
        if self.url.scheme == "https" and url.scheme == "http":
            raise RefusedError(
                "redirects", f"from https to {shown(url.text)!r}, where anybody could write the page"
            )
        if url.origin == self.url.origin:
            return replace(self, url=url)
        if any(secret.may_be_in(url.text) for secret in self.hidden):
            raise RefusedError("redirects", f"{url.place} would get a key that is meant for {self.url.place}")
        return replace(self, url=url, headers=())

    def answered(self, url: WebURL, reply: Reply) -> Fetched:
        """The page that a reply from `url` brings.

        Raises:
            RefusedError: it brings none.
        """
        if reply.status not in FULL:
            raise RefusedError("status", f"HTTP {reply.status}")
        kind = self.hide(reply.header("content-type"))[:200]
        if not is_text(kind) or (not kind and not looks_like_text(reply.body)):
            raise RefusedError("type", f"{url.place}: it is {kind[:80] or 'of no type'!r}, no text")
        body = reply.body
        if self.hidden:  # latin-1 has a character for each byte
            body = self.hide(body.decode("latin-1")).encode("latin-1")
        final = self.public if url.text == self.url.text else self.hide(url.text)
        digest = hashlib.sha256(body).hexdigest()
        return Fetched(self.public, final, reply.status, kind, body, digest, reply.at)

    def hide(self, text: str) -> str:
        """`text` without the secrets of this question."""
        for secret in self.hidden:
            text = secret.hide(text)
        return text
