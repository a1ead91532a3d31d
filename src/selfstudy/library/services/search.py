"""Pages that a search engine finds for a question: addresses, titles and snippets; a row per engine.

Requests go through the `Fetches` that is given, but for ddgs, a package that makes its own.  A key comes from
the environment and goes to the engine alone.  It knows nothing of what becomes of the pages.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from selfstudy import secrets, text
from selfstudy.errors import DataError
from selfstudy.library.parsing import visible
from selfstudy.library.services.replies import NoReply, object_in, refusal, said
from selfstudy.library.web.fetched import Fetched, Fetches, NotFetched
from selfstudy.library.web.web_url import web_address
from selfstudy.models.remote.permissions import KeySource, check_http, check_key
from selfstudy.recipe.library import WebSource

LONGEST_QUERY, MOST_WORDS = 400, 50
"""Characters and words of a question that are searched: what Brave takes; the others take more."""
_MOST_LOOKED_AT = 1_000
_LONGEST_SNIPPET = 500


@dataclass(frozen=True, slots=True)
class Found:
    """A page that a search found; `snippet` is the engine's, and no evidence: it may be cut or made up."""

    url: str
    title: str
    snippet: str


_Reply = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Engine:
    """How an engine is asked, and what its replies look like.

    Attributes:
        url: the service's own; None: the recipe must name one.
        variable: of the environment, with a key that may go to `url` unasked; None: the engine has no keys.
        most: results that it gives at once.
        asked: the parameters of a question.
        key_name: of the parameter or header that takes the key.
        results: the list of results in a reply; None where it has none of the form.
        fields: of a result, those with address, title and snippet.
        complaint: what a reply says went wrong; "" for nothing.
    """

    url: str | None
    variable: str | None
    most: int
    asked: Callable[[WebSource, str, int], dict[str, str]]
    results: Callable[[_Reply], object]
    fields: tuple[str, str, str]
    complaint: Callable[[_Reply], str]
    key_name: str = ""
    key_in_header: bool = False
    path: str = ""


def _searxng_complaint(reply: _Reply) -> str:
    silent = reply.get("unresponsive_engines")
    if reply.get("results") or not isinstance(silent, list) or not silent:
        return ""
    names = ", ".join(" ".join(map(str, one)) if isinstance(one, list) else str(one) for one in silent[:10])
    return f"its engines do not answer ({names})"


def _serpapi_complaint(reply: _Reply) -> str:
    """An `error` beside the status Success means that nothing was found."""
    about = reply.get("search_metadata")
    fine = isinstance(about, Mapping) and about.get("status") == "Success"
    return "" if fine else _error(reply)


def _error(reply: _Reply) -> str:
    """`error` as services shape it: a text, or an object with a message, code, detail or reason."""
    error = reply.get("error")
    if not isinstance(error, Mapping):
        return str(error) if error else ""
    parts = [error.get(name) for name in ("code", "status", "message", "detail")]
    errors = error.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], Mapping):
        parts.append(errors[0].get("reason"))
    return " ".join(dict.fromkeys(str(part) for part in parts if part)) or "an error"


def _within(*names: str) -> Callable[[_Reply], object]:
    """The list under these names; an empty one where the last is missing, which is how they say "nothing"."""

    def found(reply: _Reply) -> object:
        value: object = reply
        for name in names:
            value = value.get(name) if isinstance(value, Mapping) else None
        return [] if value is None else value

    return found


ENGINES: dict[str, _Engine] = {
    # https://docs.searxng.org/dev/search_api.html
    "searxng": _Engine(
        url=None,
        variable=None,
        path="/search",
        most=100,
        asked=lambda block, question, most: {"q": question, "format": "json"},
        results=lambda reply: reply.get("results"),
        fields=("url", "title", "content"),
        complaint=_searxng_complaint,
    ),
    # https://serpapi.com/search-api, https://serpapi.com/api-status-and-error-codes
    "serpapi": _Engine(
        url="https://serpapi.com/search.json",
        variable="SERPAPI_API_KEY",
        most=100,
        asked=lambda block, question, most: {"engine": "google", "q": question, "num": str(most)},
        results=_within("organic_results"),
        fields=("link", "title", "snippet"),
        complaint=_serpapi_complaint,
        key_name="api_key",
    ),
    # https://developers.google.com/custom-search/v1/reference/rest/v1/cse/list
    "google": _Engine(
        url="https://www.googleapis.com/customsearch/v1",
        variable="GOOGLE_API_KEY",
        most=10,
        asked=lambda block, question, most: {"cx": block.engine_id or "", "q": question, "num": str(most)},
        results=_within("items"),
        fields=("link", "title", "snippet"),
        complaint=_error,
        key_name="key",
    ),
    # https://api-dashboard.search.brave.com/documentation/services/web-search
    "brave": _Engine(
        url="https://api.search.brave.com/res/v1/web/search",
        variable="BRAVE_API_KEY",
        most=20,
        asked=lambda block, question, most: {
            "q": question,
            "count": str(most),
            "text_decorations": "false",
        },
        results=_within("web", "results"),
        fields=("url", "title", "description"),
        complaint=_error,
        key_name="X-Subscription-Token",
        key_in_header=True,
    ),
}
"""The engines that are asked over HTTP; ddgs is none of them."""

_QUOTA = ("quota", "limit", "run out of searches", "rate_limited", "too many requests", "exhausted")


def check_search(block: WebSource) -> None:
    """Whether an engine can be asked as its block says; nothing is sent.

    Raises:
        DataError: what it needs is missing: the address, the key, the id, the package.
        ModelError: the user has not allowed that its host gets the key.
    """
    if block.engine == "ddgs":
        _ddgs()
        return
    engine = ENGINES[block.engine]
    url = _url(block, engine)
    if block.engine == "google" and not block.engine_id:
        raise DataError(
            "library: engine google needs the id of a custom search engine",
            "set `engine_id` to its cx, from https://programmablesearchengine.google.com",
        )
    if engine.key_name:
        _key(block, engine, url)


def search(
    block: WebSource, question: str, fetches: Fetches, *, offline: bool = False
) -> list[Found] | NoReply:
    """The first `block.results` pages for a question, best first: fewer, or none, if no more are found.

    Args:
        offline: whether nothing will be sent, so that no key is needed: a reply is kept without it.

    Raises:
        DataError, ModelError: as `check_search`.
    """
    query = " ".join(text.clean(question)[: 4 * LONGEST_QUERY].split()[:MOST_WORDS])[:LONGEST_QUERY].strip()
    if not query:
        return []
    if block.engine == "ddgs":
        if offline:
            return NoReply("refused", "ddgs: what it finds is not kept", "use another engine")
        return _ask_ddgs(block, query)
    engine = ENGINES[block.engine]
    url = _url(block, engine)
    parameters = engine.asked(block, query, min(block.results, engine.most))
    headers = {"Accept": "application/json"}
    if engine.key_name:
        key = "" if offline else _key(block, engine, url)
        (headers if engine.key_in_header else parameters)[engine.key_name] = key
    reply = fetches.ask(url, parameters, headers)
    found = _read(block, engine, reply)
    if isinstance(found, NoReply) and isinstance(reply, Fetched) and reply.kept:  # of an earlier day
        found = _read(block, engine, fetches.ask(url, parameters, headers, again=True))
    return found


def _url(block: WebSource, engine: _Engine) -> str:
    url = block.url or engine.url
    if url is None:
        raise DataError(
            f"library: engine {block.engine} needs the address of an instance",
            "set `url`, for example to http://localhost:8888, and its host in `library.fetch.allow_hosts`",
        )
    if engine.path and not urlsplit(url).path.endswith(engine.path):
        url = url.rstrip("/") + engine.path
    return url


def _key(block: WebSource, engine: _Engine, url: str) -> str:
    """The key, if the user lets the engine's host have it.

    A recipe may be a stranger's, and name any variable: only the usual one goes to the service unasked.
    """
    variable = block.api_key_env
    if variable is None:
        raise DataError(
            f"library: engine {block.engine} needs a key",
            f"put it into a variable of the environment and name it: `api_key_env: {engine.variable}`",
        )
    value = os.environ.get(variable, "").strip()
    if not value:
        raise DataError(f"library: ${variable} is empty", f"put the key for {block.engine} into it")
    if len(value) < secrets.SHORTEST or not value.isascii() or not value.isprintable() or " " in value:
        raise DataError(
            f"library: ${variable} holds no key: it is too short, or has spaces or odd characters",
            "put the key alone there, exactly as its provider shows it",
        )
    if block.url is not None or variable != engine.variable:
        check_http(url)
        check_key(KeySource(variable), url)
    secrets.keep(value)
    return value


def _read(block: WebSource, engine: _Engine, came: Fetched | NotFetched) -> list[Found] | NoReply:
    read = object_in(block.engine, came)
    if isinstance(read, NoReply):
        return _with_hint(block, read)
    status, reply = read
    complaint = said(engine.complaint(reply))
    if complaint and any(sign in complaint.lower() for sign in _QUOTA):
        return NoReply(
            "quota",
            f"{block.engine}: {complaint}",
            "wait, or see to the plan; then give the same command again",
        )
    if not 200 <= status < 300:
        return _with_hint(block, refusal(block.engine, status, complaint))
    if complaint:
        lasting = block.engine != "searxng"
        return NoReply("refused" if lasting else "broken", f"{block.engine}: {complaint}", "see what it says")
    results = engine.results(reply)
    if not isinstance(results, list):
        names = ", ".join(str(name)[:40] for name in list(reply)[:10]) or "nothing"
        return NoReply(
            "broken", f"{block.engine}: a reply without results (it has {said(names)})", "check `url`"
        )
    return _usable(results, engine.fields, block.results)


def _with_hint(block: WebSource, trouble: NoReply) -> NoReply:
    if block.engine == "searxng" and trouble.kind == "refused":
        hint = "check `url`, and that its settings.yml lists json under search.formats"
        return NoReply("refused", trouble.message, hint)
    return trouble


def _usable(results: Iterable[object], fields: tuple[str, str, str], most: int) -> list[Found]:
    """The first results with an address that can be fetched, each once."""
    found: dict[str, Found] = {}
    for result in islice(results, _MOST_LOOKED_AT):
        if not isinstance(result, Mapping):
            continue
        address, title, snippet = (result.get(name) for name in fields)
        url = web_address(address)
        if url and url not in found:
            found[url] = Found(url, _shown(title), _shown(snippet))
        if len(found) == most:
            break
    return list(found.values())


def _shown(value: object) -> str:
    """A title or snippet as plain text; engines mark what they found."""
    if not isinstance(value, str):
        return ""
    return text.one_line(text.clean(visible.read(value[: 4 * _LONGEST_SNIPPET])[1]), _LONGEST_SNIPPET)


def _ddgs() -> Any:
    try:
        return importlib.import_module("ddgs")
    except ImportError:
        raise DataError("library: engine ddgs needs the package ddgs", "pip install ddgs") from None


def _ask_ddgs(block: WebSource, query: str) -> list[Found] | NoReply:
    """DuckDuckGo and others, read off their pages by a package that makes its own requests."""
    module = _ddgs()
    try:
        results = module.DDGS().text(query, max_results=min(block.results, 50))
    except Exception as error:  # of the package or of what it uses
        kind = type(error).__name__
        if "no results" in str(error).lower():
            return []
        if "ratelimit" in kind.lower():
            return NoReply("quota", f"ddgs: {said(error) or kind}", "wait, or use another engine")
        return NoReply("unreachable", f"ddgs: {kind}: {said(error)}", "try again later")
    return _usable(results or [], ("href", "title", "body"), block.results)
