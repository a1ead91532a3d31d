"""Articles of a wiki through its Action API: by title in batches, and titles by question.

Any MediaWiki will do.  Wikimedia's rules are kept: a User-Agent that says who asks, `maxlag`, one request at
a time, waiting when asked to.  Requests go through the `Fetches` that is given; dumps are read in dump.py.
It knows nothing of what articles are for.  (https://www.mediawiki.org/wiki/API:Etiquette)
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from selfstudy import text
from selfstudy.errors import DataError
from selfstudy.library.folder import Contents
from selfstudy.library.parsing import parser
from selfstudy.library.parsing.formats import Text
from selfstudy.library.parsing.parser import ParserError
from selfstudy.library.parsing.parts import in_parts
from selfstudy.library.services.replies import NoReply, object_in, refusal, said
from selfstudy.library.web.fetched import Fetched, Fetches, NotFetched
from selfstudy.library.web.web_url import web_address
from selfstudy.models.base import Progress
from selfstudy.models.first_items import FirstItems
from selfstudy.recipe.library import WikipediaSource
from selfstudy.records import Document, Skipped

BATCH = 20
"""Titles a request.  The API takes 50, but 50 long articles are more than it gives, or we take, at once."""
_LONGEST_TITLES = 4_000
"""Bytes of the titles of a request: a URL of more than 8,000 is refused."""
_MOST_CONTINUED = 60
"""Replies to one batch: each holds one article at least."""
_MAXLAG = 5
"""Seconds by which the copies of the database may lag; Wikimedia's advice for programs."""
_TRIES = 4
_LONGEST_PAUSE = 60.0
_BUSY = ("maxlag", "ratelimited", "readonly")
_MOST_RESULTS = 50
_LONGEST_QUERY = 300
"""Bytes that MediaWiki's search takes."""
_MARKS = re.compile('["*~!|:(){}\\[\\]]')
"""What has a meaning of its own in a query."""

Wait = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class _Wiki:
    """Who is asked, and how."""

    url: str
    fetches: Fetches
    wait: Wait

    def ask(self, parameters: Mapping[str, str]) -> tuple[Fetched, Mapping[str, Any]] | NoReply | NotFetched:
        """The reply to a query, asked again while the wiki is busy; NotFetched where it is too large.

        A refusal that the run has kept is of an earlier day: what is asked now may be answered.
        """
        whole = {"action": "query", "format": "json", "formatversion": "2", "maxlag": str(_MAXLAG)}
        trouble = NoReply("broken", "nothing was asked")
        for number in range(_TRIES):
            reply = self.fetches.ask(self.url, {**whole, **parameters}, again=number > 0)
            if isinstance(reply, NotFetched) and reply.why == "size":
                return reply
            answer, pause = _answer(reply)
            if not isinstance(answer, NoReply):
                assert isinstance(reply, Fetched)
                return reply, answer
            trouble = answer
            if isinstance(reply, Fetched) and reply.kept:
                continue
            if pause is None:
                return trouble
            if number < _TRIES - 1:
                self.wait(pause)
        return trouble


def _answer(reply: Fetched | NotFetched) -> tuple[Mapping[str, Any] | NoReply, float | None]:
    """What a wiki says, or why it says nothing; and the seconds after which a busy one may say more."""
    found = object_in("wikipedia", reply)
    if isinstance(found, NoReply):
        return found, None
    status, answer = found
    error = answer.get("error")
    if not isinstance(error, Mapping):
        return (answer if 200 <= status < 300 else refusal("wikipedia", status)), None
    code = str(error.get("code", ""))
    message = f"wikipedia: {said(error.get('info') or code or 'an error')}"
    if code not in _BUSY:
        return NoReply("broken", message, "check `url`: it is that of the wiki's api.php"), None
    return NoReply("quota", message, "the wiki is busy: try again later"), _pause(error)


def _pause(error: Mapping[str, Any]) -> float:
    lag = error.get("lag")
    return min(_LONGEST_PAUSE, max(float(_MAXLAG), float(lag) if isinstance(lag, int | float) else 0.0))


def check_contact(block: WikipediaSource, contact: str | None) -> None:
    """Before anything is asked: whether the wiki would learn who asks.

    Raises:
        DataError: it would not.
    """
    if not (contact or "").strip():
        host = urlsplit(block.url).hostname or block.url
        raise DataError(
            f"library: {host} wants to know who asks it, and the recipe does not say",
            "set `library.fetch.contact` to your mail address, or to a page about you; it becomes part of "
            "the User-Agent (https://foundation.wikimedia.org/wiki/Policy:User-Agent_policy)",
        )


def articles(
    block: WikipediaSource,
    titles: Sequence[str],
    contact: str | None,
    fetches: Fetches,
    *,
    wait: Wait = time.sleep,
    progress: Progress | None = None,
) -> Contents:
    """The articles of these titles, in their order, each once; redirects are followed.

    A document's source is the article's canonical address with the revision that was read, its date that of
    the revision.  A title without an article, one that is none, a page that only lists meanings, and an
    article that cannot be read are skipped with the reason.

    Raises:
        DataError: no contact; or the first batches fail alike, and the message says why.
    """
    check_contact(block, contact)
    wiki = _Wiki(block.url, fetches, wait)
    contents = Contents()
    seen: set[str] = set()
    first = FirstItems()
    queue = list(_batches(titles))
    while queue:
        batch = queue.pop(0)
        found = _pages(wiki, batch)
        if isinstance(found, NotFetched):  # together they are too large
            if len(batch) > 1:
                middle = len(batch) // 2
                queue[:0] = [batch[:middle], batch[middle:]]
                continue
            contents.skipped.append(
                Skipped(source=batch[0], reason=f"the article is too large: {found.detail}")
            )
        elif isinstance(found, NoReply):
            first.saw([str(found)])
            if not first.works and (found.lasting or first.hopeless):
                raise DataError(f"library: {found.message}", found.hint)
            contents.skipped += [Skipped(source=title, reason=found.message) for title in batch]
        else:
            first.saw([None])
            _add(found, batch, block.url, contents, seen)
        if progress is not None:
            progress(len(batch))
    return contents


def titles_found(
    block: WikipediaSource,
    questions: Sequence[str],
    contact: str | None,
    fetches: Fetches,
    *,
    wait: Wait = time.sleep,
) -> list[list[str] | NoReply]:
    """The titles of up to `block.results` articles per question, best first, as the wiki's search finds them.

    Raises:
        DataError: no contact; or the first questions fail alike, and the message says why.
    """
    check_contact(block, contact)
    wiki = _Wiki(block.url, fetches, wait)
    first = FirstItems()
    found: list[list[str] | NoReply] = []
    for question in questions:
        last = _titles(wiki, question, min(block.results, _MOST_RESULTS))
        found.append(last)
        first.saw([str(last) if isinstance(last, NoReply) else None])
        if isinstance(last, NoReply) and not first.works and (last.lasting or first.hopeless):
            raise DataError(f"library: {last.message}", last.hint)
    return found


def _titles(wiki: _Wiki, question: str, most: int) -> list[str] | NoReply:
    query = " ".join(_MARKS.sub(" ", text.clean(question)[: 4 * _LONGEST_QUERY]).split())
    query = query.encode()[:_LONGEST_QUERY].decode("utf-8", "ignore").strip()
    if not query:
        return []
    reply = wiki.ask(
        {"list": "search", "srsearch": query, "srlimit": str(most), "srnamespace": "0", "srprop": ""}
    )
    if isinstance(reply, NotFetched):
        return NoReply("broken", f"wikipedia: {said(reply.detail)}")
    if isinstance(reply, NoReply):
        return reply
    results = _list(_object(reply[1].get("query")).get("search"))
    if "query" not in reply[1]:
        return NoReply("broken", "wikipedia: a reply without `query`", "check `url`: it is that of api.php")
    titles = (one.get("title") for one in results[:most] if isinstance(one, Mapping))
    return [title[: text.MAX_TITLE] for title in titles if isinstance(title, str) and title.strip()]


def _batches(titles: Sequence[str]) -> Iterator[list[str]]:
    """Titles as they are asked for, each once; a bar would part it into two."""
    batch: list[str] = []
    size = 0
    for title in dict.fromkeys(" ".join(text.clean(title).split()) for title in titles):
        length = len(quote(title)) + 3
        if batch and (len(batch) == BATCH or size + length > _LONGEST_TITLES):
            yield batch
            batch, size = [], 0
        batch.append(title)
        size += length
    if batch:
        yield batch


@dataclass
class _Replies:
    """What came of one batch, over all its continuations."""

    pages: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By title."""
    becomes: dict[str, str] = field(default_factory=dict)
    """Titles as they were asked for, and what the wiki made of them."""
    at: dict[str, Fetched] = field(default_factory=dict)
    """The reply in which the text of a page was."""


def _pages(wiki: _Wiki, batch: Sequence[str]) -> _Replies | NoReply | NotFetched:
    usable = [title for title in batch if title and "|" not in title]
    found = _Replies()
    if not usable:
        return found
    parameters = {
        "prop": "revisions|info|pageprops",
        "rvprop": "ids|timestamp|content",
        "rvslots": "main",
        "inprop": "url",
        "ppprop": "disambiguation",
        "redirects": "1",
        "titles": "|".join(usable),
    }
    more: dict[str, str] = {}
    for _ in range(_MOST_CONTINUED):
        reply = wiki.ask(parameters | more)
        if isinstance(reply, NoReply | NotFetched):
            return reply
        fetched, answer = reply
        if not isinstance(answer.get("query"), Mapping):
            return NoReply(
                "broken", "wikipedia: a reply without `query`", "check `url`: it is that of api.php"
            )
        _collect(answer["query"], fetched, found)
        following = {str(name): str(value) for name, value in _object(answer.get("continue")).items()}
        if not following or following == more:
            break
        more = following
    return found


def _collect(query: Mapping[str, Any], fetched: Fetched, found: _Replies) -> None:
    for name in ("normalized", "converted", "redirects"):
        for one in _list(query.get(name)):
            if isinstance(one, Mapping):
                found.becomes[str(one.get("from"))] = str(one.get("to"))
    for one in _list(query.get("interwiki")):
        if isinstance(one, Mapping):
            found.pages.setdefault(str(one.get("title")), {"interwiki": str(one.get("iw"))})
    for page in _list(query.get("pages")):
        if isinstance(page, Mapping) and isinstance(page.get("title"), str):
            known = found.pages.setdefault(page["title"], {})
            known.update(page)
            if page.get("revisions"):
                found.at[page["title"]] = fetched


def _add(found: _Replies, batch: Sequence[str], api: str, contents: Contents, seen: set[str]) -> None:
    """The documents of a batch, or why a title has none."""
    for asked in batch:
        title = asked
        for _ in range(5):  # normalised, then redirected, perhaps twice
            title = found.becomes.get(title, title)
        if title in seen:
            contents.skipped.append(Skipped(source=asked, reason=f"leads to {title}, which is there already"))
            continue
        page = found.pages.get(title)
        try:
            contents.documents += _documents(title, _text_of(page), page or {}, found.at.get(title), api)
            seen.add(title)
        except _NoArticleError as error:
            contents.skipped.append(
                Skipped(source=asked[: text.MAX_TITLE] or "an empty title", reason=str(error))
            )


class _NoArticleError(Exception):
    """Why a title has no document; never leaves this file."""


def _text_of(page: Mapping[str, Any] | None) -> str:
    """The wikitext of a page."""
    if page is None:
        raise _NoArticleError("no title of a wiki, or the reply does not mention it")
    if "interwiki" in page:
        raise _NoArticleError(f"leads to another wiki ({said(page['interwiki'])})")
    if page.get("missing"):
        raise _NoArticleError("the wiki has no such article")
    if page.get("invalid"):
        raise _NoArticleError(f"no title of a wiki: {said(page.get('invalidreason', ''))}")
    if page.get("ns", 0) != 0:
        raise _NoArticleError("no article, but a page of another namespace")
    if "disambiguation" in _object(page.get("pageprops")):
        raise _NoArticleError("a page that lists the meanings of a word: name one of them")
    revisions = _list(page.get("revisions"))
    slot = _object(_object(_object(revisions[0] if revisions else None).get("slots")).get("main"))
    if slot.get("contentmodel", "wikitext") != "wikitext":
        raise _NoArticleError(f"no article, but {said(slot['contentmodel'])}")
    content = slot.get("content")
    if not isinstance(content, str):
        raise _NoArticleError("the reply holds no text of it")
    return content


def _documents(
    title: str, wikitext: str, page: Mapping[str, Any], fetched: Fetched | None, api: str
) -> list[Document]:
    revision = _object(_list(page.get("revisions"))[0])
    address = web_address(page.get("canonicalurl")) or web_address(page.get("fullurl"))
    if not address:
        parts = urlsplit(api)
        address = f"{parts.scheme}://{parts.netloc}/wiki/{quote(title.replace(' ', '_'))}"
    source = with_revision(address, revision.get("revid"))
    body = plain_text(wikitext)
    if isinstance(body, str) and not body.strip():
        raise _NoArticleError("no text")
    if isinstance(body, ParserError):
        raise _NoArticleError(body.what)
    found = Text(body, title, date=str(revision.get("timestamp", "")))
    return list(in_parts(text.clean(source)[: text.MAX_TITLE], found, fetched))


def with_revision(address: str, revision: object) -> str:
    """The address of an article as it was in a revision."""
    number = str(revision)
    if not (number.isascii() and number.isdigit() and len(number) < 20):
        return address
    return f"{address}{'&' if '?' in address else '?'}oldid={number}"


def plain_text(wikitext: str) -> str | ParserError:
    """Wikitext as plain text, or why it cannot be read."""
    try:
        found, trouble = parser.parsed("wikitext", wikitext.encode("utf-8", "replace"))
    except ParserError as error:
        return error
    return ParserError(trouble) if trouble else found


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
