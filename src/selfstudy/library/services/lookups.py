"""Sources that are asked each question: what a search names is fetched and becomes documents.

It knows nothing of how passages are ranked, nor of how a service is spoken to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from selfstudy.errors import DataError
from selfstudy.library.excluded import Excluded
from selfstudy.library.parsing.documents import documents_of
from selfstudy.library.searching import LookedUp
from selfstudy.library.services.page_tally import PageTally
from selfstudy.library.services.replies import NoReply
from selfstudy.library.services.search import search
from selfstudy.library.services.wikipedia import articles, titles_found
from selfstudy.library.web.fetched import Fetched, Fetches, NotFetched
from selfstudy.progress import Reporter
from selfstudy.recipe import WebSource, WikipediaSource
from selfstudy.records import Document, Skipped
from selfstudy.text import shortened

ReadPage = list[Document] | Skipped
"""What became of a page."""
_LONGEST_REASON = 500
_TOGETHER = 100
"""Pages that are in memory together."""


def read_pages(
    urls: Sequence[str], fetches: Fetches, report: Reporter, tally: PageTally, named_by: str | None = None
) -> list[ReadPage]:
    """The documents of the page at each URL, in order, or why there are none; `tally` counts them.

    `named_by`: see `Fetches.pages`.

    Whoever is done with reading stops the parser: it takes a second to begin.
    """
    if not urls:
        return []
    found: dict[int, ReadPage] = {}
    waiting = list(range(len(urls)))
    with report.task(f"{tally.name}: pages", len(urls)) as advance:
        while waiting:
            now, waiting = waiting[:_TOGETHER], waiting[_TOGETHER:]
            pages = dict(
                zip(
                    now,
                    fetches.pages([urls[place] for place in now], advance, named_by=named_by),
                    strict=True,
                )
            )
            no_room = [
                place for place, page in pages.items() if isinstance(page, NotFetched) and page.no_room
            ]
            if len(no_room) < len(now):  # with fewer beside them
                waiting = no_room + waiting
                advance(-len(no_room))
                pages = {place: page for place, page in pages.items() if place not in no_room}
            found |= {place: _read(page, tally) for place, page in pages.items()}
    return [found[place] for place in range(len(urls))]


def _read(page: Fetched | NotFetched, tally: PageTally) -> ReadPage:
    if isinstance(page, NotFetched):
        tally.count(page.url, page.why)
        reason = f"not fetched ({page.why}): {page.detail}"
        return Skipped(source=page.url, reason=shortened(reason, _LONGEST_REASON))
    read = documents_of(page)
    tally.count(page.url, _kind(read.reason) if isinstance(read, Skipped) else None)
    return read


def _kind(reason: str) -> str:
    """A reason without what differs from page to page."""
    return shortened(reason.partition(":")[0], 60)


@dataclass
class WebSearch:
    """A `LooksUp`: pages that a search engine finds.

    A failure that every further question would meet (no right to ask, no quota left) stops everything, so
    that it can go on later.

    Args:
        offline: whether nothing is sent; a question that was never asked then has an error, nothing stops.
        without: pages that are not fetched.
    """

    block: WebSource
    fetches: Fetches
    report: Reporter
    tally: PageTally
    offline: bool = False
    without: Excluded = field(default_factory=lambda: Excluded(()))
    _unusable: dict[str, Skipped] = field(default_factory=dict, init=False, repr=False)
    """Pages that were tried in this session, and are not again."""

    def look_up(self, questions: Sequence[str]) -> list[LookedUp]:
        """What was found, read; pages of all questions are fetched together, for hosts answer side by side.

        Raises:
            DataError: no question can be asked any more; the message says why.
        """
        named: list[list[str] | NoReply] = []
        with self.report.task(f"{self.tally.name}: searching", len(questions)) as advance:
            for question in questions:
                named.append(self._named(question))
                advance(1)
        urls = list(dict.fromkeys(url for some in named if not isinstance(some, NoReply) for url in some))
        new = [url for url in urls if url not in self._unusable]
        pages = dict(
            zip(
                new, read_pages(new, self.fetches, self.report, self.tally, self.block.url or ""), strict=True
            )
        )
        self._unusable.update((url, page) for url, page in pages.items() if isinstance(page, Skipped))
        pages |= {url: self._unusable[url] for url in urls if url in self._unusable}
        return [
            LookedUp(error=str(some)) if isinstance(some, NoReply) else _looked([pages[url] for url in some])
            for some in named
        ]

    def _named(self, question: str) -> list[str] | NoReply:
        found = search(self.block, question, self.fetches, offline=self.offline)
        return (
            _or_stop(found, offline=self.offline)
            if isinstance(found, NoReply)
            else [one.url for one in found if one.url not in self.without]
        )


@dataclass
class WikiSearch:
    """A `LooksUp`: articles that the search of a wiki finds; see `WebSearch`."""

    block: WikipediaSource
    contact: str | None
    fetches: Fetches
    report: Reporter
    tally: PageTally
    offline: bool = False

    def look_up(self, questions: Sequence[str]) -> list[LookedUp]:
        """What was found, question by question: which articles are asked for together does not change.

        Raises:
            DataError: no question can be asked any more; the message says why.
        """
        found = []
        with self.report.task(f"{self.tally.name}: searching", len(questions)) as advance:
            for question in questions:
                found.append(self._looked_up(question))
                advance(1)
        return found

    def _looked_up(self, question: str) -> LookedUp:
        try:
            (titles,) = titles_found(self.block, [question], self.contact, self.fetches)
            if isinstance(titles, NoReply):
                return LookedUp(error=str(_or_stop(titles, offline=self.offline)))
            read = articles(self.block, titles, self.contact, self.fetches)
        except DataError as error:
            if self.offline:
                return LookedUp(error=error.what)
            raise DataError(error.what, f"{error.hint}; {_AGAIN}") from None
        for document in read.documents:
            self.tally.count(document.source.partition("#")[0])
        for skipped in read.skipped:
            self.tally.count(skipped.source, _kind(skipped.reason))
        return _looked([read.documents, *read.skipped] if read.documents else read.skipped)


def _or_stop(reply: NoReply, *, offline: bool) -> NoReply:
    """A question's error; or the end, where every further question would meet it."""
    if reply.lasting and not offline:
        raise DataError(f"library: {reply.message}", f"{reply.hint}; {_AGAIN}")
    return reply


_AGAIN = "then give the same command again: what is done is kept"


def _looked(pages: Sequence[ReadPage]) -> LookedUp:
    documents = [document for page in pages if not isinstance(page, Skipped) for document in page]
    skipped = [page for page in pages if isinstance(page, Skipped)]
    if documents or not pages:
        return LookedUp(documents, skipped)
    common, _ = Counter(_kind(one.reason) for one in skipped).most_common(1)[0]
    which = next(one for one in skipped if _kind(one.reason) == common)
    return LookedUp(
        (), skipped, f"none of its {len(pages)} pages could be read, such as {which.source}: {which.reason}"
    )
