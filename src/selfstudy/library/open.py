"""A recipe's library, opened: documents of what is the same for all questions, and a retriever over all.

    fixed      folders, the embedded world, dumps, titles, addresses: documents, and one index over them
    searched   the web, an encyclopedia: asked each question (lookups.py, searching.py)

Knows nothing of runs or of what documents are used for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

from selfstudy.errors import DataError
from selfstudy.library.combined import Combined
from selfstudy.library.excluded import Excluded
from selfstudy.library.folder import Contents, read_documents
from selfstudy.library.index import Library
from selfstudy.library.index_bucket import IndexBucket
from selfstudy.library.index_folder import IndexFolder
from selfstudy.library.index_place import IndexPlace
from selfstudy.library.parsing import parser
from selfstudy.library.retriever import Retriever
from selfstudy.library.searching import Keep, LooksUp, Searching
from selfstudy.library.services.dump import dump_articles
from selfstudy.library.services.lookups import WebSearch, WikiSearch, read_pages
from selfstudy.library.services.page_tally import PageTally
from selfstudy.library.services.search import check_search
from selfstudy.library.services.sitemap import addresses
from selfstudy.library.services.wikipedia import articles, check_contact
from selfstudy.library.web.fetched import Fetches
from selfstudy.models.base import Embedder
from selfstudy.progress import Reporter, Silent
from selfstudy.recipe import FolderSource, LibraryBlock, UrlsSource, WebSource, WikipediaSource
from selfstudy.recipe.library import ATLAS
from selfstudy.records import Skipped

_NAMED = 10
"""Pages that are named where none could be used."""


@runtime_checkable
class Closes(Protocol):
    """What has to be closed."""

    def close(self) -> None: ...


@dataclass
class OpenLibrary:
    """A library whose sources can be read.

    Args:
        kept: where fetched pages are kept, and are looked for first; None: they are not.
        follow_links: whether links that leave a folder are followed.
        fetches: gets pages; None: as the library says.
        without: sources of which nothing is given, though they lie there, nor fetched.
        fresh: whether pages that are kept are fetched again, to see whether they have changed.
    """

    library: LibraryBlock
    kept: Path | None = None
    follow_links: bool = False
    report: Reporter = field(default_factory=Silent)
    fetches: Fetches | None = None
    without: Excluded = field(default_factory=lambda: Excluded(()))
    fresh: bool = False
    _searching: Searching | None = field(default=None, init=False, repr=False)
    _unfetched: int = field(default=0, init=False, repr=False)
    """Pages that were not fetched, for they were unlearned: what is fetched is kept."""

    def searched(self) -> list[str]:
        """What was looked up by question since this was last asked, in lines for a person."""
        return [] if self._searching is None else self._searching.told()

    def check(self) -> None:
        """Whether all sources can be asked, before anything is: packages, keys.

        Raises:
            MissingExtraError: a package is missing.
            DataError: a key is missing.
            ModelError: the user has not allowed that a host gets its key.
        """
        for source in self.library.sources:
            if self.library.fetch.offline:
                continue
            if isinstance(source, WebSource):
                check_search(source)
            elif isinstance(source, WikipediaSource) and source.dump is None:
                check_contact(source, self.library.fetch.contact)
        if self.library.fetches:
            _ = self._fetches

    @cached_property
    def contents(self) -> Contents:
        """The documents of the fixed sources, what was not used and why; read once.

        Raises:
            DataError: a source has nothing that can be used.
        """
        self.check()
        try:
            return self._kept(_together([self._read(source) for source in self.library.fixed]))
        finally:
            parser.stop()

    def _kept(self, read: Contents) -> Contents:
        kept = [one for one in read.documents if one.source not in self.without]
        if left_out := len(read.documents) - len(kept) + self._unfetched:
            read.notes.append(f"library: {left_out:,} documents are left out: they were unlearned")
        if left_out and not kept and not self.library.searched:
            raise DataError(
                f"library: all {left_out:,} documents were unlearned, so there is nothing to learn from",
                "add others, or start a new run with --run DIR",
            )
        read.documents = kept
        return read

    def close(self) -> None:
        """Ends what is under way; harmless if there is nothing."""
        parser.stop()
        if self.fetches is None and isinstance(opened := vars(self).get("_fetches"), Closes):
            opened.close()

    @cached_property
    def _fetches(self) -> Fetches:
        if self.fetches is not None:
            return self.fetches
        from selfstudy.library.web.fetch import open_fetcher

        return open_fetcher(self.library.fetch, self.kept, fresh=self.fresh)

    @property
    def _contact(self) -> str | None:
        """Who asks; offline nobody does."""
        fetch = self.library.fetch
        return fetch.contact or ("offline" if fetch.offline else None)

    def index_place(self, folder: Path) -> Path | IndexPlace:
        """Where the library has its index: in this folder, if it names no other place."""
        return folder if self.library.index is None else IndexBucket(self.library.index)

    def check_index(self) -> None:
        """Whether the index can be read where it lies, before anything is asked.

        Raises:
            RunError: the library names a place for it that does not answer, or gives it to nobody.
        """
        if self.library.index is not None:
            IndexBucket(self.library.index).check()

    def retriever(
        self,
        index: Path | IndexPlace,
        *,
        chunk_tokens: int,
        embedder: Embedder | None,
        keep: Keep,
        built: bool = False,
    ) -> Retriever:
        """What finds passages in all sources.

        Args:
            index: where the index over the fixed ones lies; a path is its folder.
            chunk_tokens, embedder: see `Library.build`.
            keep: see `Searching`.
            built: whether another process has built what is in the folder, and it is as it should be; what
                several runs share is always checked.

        Raises:
            DataError: there is none, though there has to be one.
        """
        self.check()
        found: list[Retriever] = []
        given = index if built and isinstance(index, Path) else None
        documents = self.contents.documents if self.library.fixed and given is None else []
        if given is not None and self.library.fixed and (_is_there(given) or not self.library.searched):
            found.append(Library.open(given, embedder))
        elif documents or (given is None and not self.library.searched):
            found.append(Library.build(documents, index, chunk_tokens=chunk_tokens, embedder=embedder))
        if self.library.searched:
            sources = [self._lookup(source) for source in self.library.searched]
            self._searching = Searching(sources, chunk_tokens, embedder, keep, self.without)
            found.append(self._searching)
        return found[0] if len(found) == 1 else Combined(found)

    def _lookup(self, source: WebSource | WikipediaSource) -> LooksUp:
        offline = self.library.fetch.offline
        if isinstance(source, WebSource):
            tally = PageTally(source.engine)
            return WebSearch(source, self._fetches, self.report, tally, offline, self.without)
        tally = PageTally("wikipedia")
        return WikiSearch(source, self._contact, self._fetches, self.report, tally, offline)

    def _read(self, source: FolderSource | WikipediaSource | UrlsSource) -> Contents:
        if isinstance(source, FolderSource):
            return _folder(source, follow_links=self.follow_links)
        if isinstance(source, UrlsSource):
            return self._pages(source)
        return self._articles(source) if source.dump is None else dump_articles(source)

    def _articles(self, source: WikipediaSource) -> Contents:
        with self.report.task("wikipedia: articles", len(source.titles)) as advance:
            found = articles(source, source.titles, self._contact, self._fetches, progress=advance)
        if not found.documents:
            raise _nothing(len(source.titles), "articles", found.skipped)
        return found

    def _pages(self, source: UrlsSource) -> Contents:
        named = addresses(source, self._fetches)
        tally = PageTally("library")
        urls = [url for url in named.urls if url not in self.without]
        self._unfetched += len(named.urls) - len(urls)
        pages = read_pages(urls, self._fetches, self.report, tally)
        read = [Contents(skipped=[one]) if isinstance(one, Skipped) else Contents(one) for one in pages]
        # several addresses may lead to one page
        found = _together([Contents(skipped=list(named.skipped), notes=list(named.notes)), *read])
        if urls or not named.urls:
            found.notes.append(tally.line())
            if not found.documents:
                raise _nothing(len(urls), "pages", found.skipped)
        return found


def open_library(
    library: LibraryBlock | None, *, follow_links: bool = False, report: Reporter | None = None
) -> Contents:
    """The documents of the fixed sources of a library, and what was not used; none without a library.

    Raises:
        DataError: nothing is there, or nothing there can be used.
    """
    if library is None:
        return Contents()
    return OpenLibrary(library, follow_links=follow_links, report=report or Silent()).contents


def open_here(library: LibraryBlock | None, *, follow_links: bool = False) -> Contents:
    """The documents of those sources for which nothing is fetched.

    Raises:
        DataError: nothing is there, or nothing there can be used.
    """
    if library is None or not library.here:
        return Contents()
    return open_library(library.model_copy(update={"sources": library.here}), follow_links=follow_links)


def _folder(source: FolderSource, *, follow_links: bool) -> Contents:
    if source.path == ATLAS:
        from selfstudy.atlas import world

        return Contents(world.documents())
    return read_documents(Path(source.path), follow_links=follow_links)


def _together(read: Sequence[Contents]) -> Contents:
    """One after the other; of texts that are equal but for case and white space the first one counts."""
    if len(read) == 1:
        return read[0]
    found = Contents()
    for contents in read:
        found.skipped += contents.skipped
        found.notes += contents.notes
        for document in contents.documents:
            if repeat := found.add(document):
                found.skipped.append(repeat)
    return found


def _nothing(pages: int, what: str, skipped: Sequence[Skipped]) -> DataError:
    lines = [f"    {item.source}: {item.reason}" for item in skipped[:_NAMED]]
    if len(skipped) > _NAMED:
        lines.append(f"    and {len(skipped) - _NAMED:,} more")
    return DataError(
        "\n".join([f"library: none of {pages:,} {what} could be used", *lines]),
        "check them, and library.fetch; then give the same command again",
    )


def _is_there(index: Path) -> bool:
    """Whether there is a whole index in a folder."""
    return IndexFolder(index).identity() is not None
