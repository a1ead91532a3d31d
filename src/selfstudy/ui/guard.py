"""Who may come in, and what a page may reach for: who was given the address, and this host alone.

The token in the address is exchanged for a cookie once, so that it stands in no other address, log or
referrer.  Every answer says to the browser that nothing may be fetched from elsewhere, and that no other site
may show these pages.  Knows nothing of what is in them.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode

from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from selfstudy.serve.guard import host_of, is_loopback, values_of

TOKEN = "token"
"""Its name in the address."""
POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",  # gradio's own page needs both
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "object-src 'none'",
        "frame-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
"""Nothing but this server is reached, whatever stands in a page."""
MANIFEST = "/manifest.json"
"""Browsers ask for it without a cookie; it says nothing that is not on the door."""
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


@dataclass(frozen=True)
class PageGuard:
    """Around all routes.

    Args:
        token: that the first request of a browser must have.
        cookie: the name of its cookie; one for each port, since browsers share cookies between ports.
        hosts: names of this host that may be asked for; None: any.
    """

    routes: ASGIApp
    token: str
    cookie: str
    hosts: Collection[str] | None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.routes(scope, receive, send)
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                ours = [(key.encode(), value.encode()) for key, value in HEADERS.items()]
                others = [pair for pair in message["headers"] if pair[0].decode().lower() not in HEADERS]
                message = {**message, "headers": [*others, *ours]}
            await send(message)

        answer = self._refusal(scope) or self._entrance(scope)
        await (self.routes if answer is None else answer)(scope, receive, sent)

    def _refusal(self, scope: Scope) -> Response | None:
        """To requests under the name of another host, or from the page of another site."""
        named = values_of(scope["headers"], b"host")
        ours = self.hosts is None or (len(named) == 1 and host_of(f"//{named[0]}") in self.hosts)
        if len(named) > 1 or not ours:
            return PlainTextResponse("The Host header names another host than this one.\n", 400)
        asked = named[0] if named else ""
        if not all(self._is_our_page(origin, asked) for origin in values_of(scope["headers"], b"origin")):
            said = "Requests of other sites' pages are not answered; --allow-host NAME names a proxy's.\n"
            return PlainTextResponse(said, 403)
        return None

    def _is_our_page(self, origin: str, asked: str) -> bool:
        """Whether a page is of this very server: on another port is another's, which gets our cookie too.

        Behind a proxy that asks under another name than its pages have, the page's name must be allowed.
        """
        name = host_of(origin)
        if name is None or origin.lower().partition("://")[2] == asked.lower():
            return name is not None
        return name in (self.hosts or ()) and not is_loopback(name) and name != host_of(f"//{asked}")

    def _entrance(self, scope: Scope) -> Response | None:
        """None for who has been let in; else the door."""
        if scope["path"] == MANIFEST:
            return JSONResponse({"name": "selfstudy"}, media_type="application/manifest+json")
        if self._is_ours(self._cookie_of(scope)):
            return None
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = [value for key, value in query if key == TOKEN]
        if len(given) != 1 or not self._is_ours(given[0]):
            said = "This page needs the address that `selfstudy ui` printed, with its token.\n"
            return PlainTextResponse(said, 403)
        rest = urlencode([(key, value) for key, value in query if key != TOKEN])
        path = "/" + scope["path"].lstrip("/\\")
        door = RedirectResponse(path + (f"?{rest}" if rest else ""), 303)
        door.set_cookie(self.cookie, self.token, httponly=True, samesite="strict")
        return door

    def _cookie_of(self, scope: Scope) -> str:
        try:
            found = SimpleCookie("; ".join(values_of(scope["headers"], b"cookie")))
        except CookieError:
            return ""
        return found[self.cookie].value if self.cookie in found else ""

    def _is_ours(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "replace"), self.token.encode())
