"""The recipe's `library`: where documents come from, and how pages are fetched.

`library: docs`, `library: [docs, {type: urls, sitemap: "https://..."}]` and the block itself are all the same
thing; one folder with nothing else said is written back as its path.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer

from selfstudy.recipe.base import Block, Count, Positive


class FolderSource(Block):
    """A folder or file of texts (their formats: library/formats.py), or `atlas`, the embedded world."""

    type: Literal["folder"] = "folder"
    path: str


class WikipediaSource(Block):
    """Articles by their titles, or all of a dump; with neither, those that a search finds by question."""

    type: Literal["wikipedia"] = "wikipedia"
    titles: tuple[str, ...] = ()
    dump: str | None = None
    """A file: MediaWiki's XML export (.xml, .xml.bz2, .xml.gz) or .zim."""
    url: str = "https://en.wikipedia.org/w/api.php"
    """The Action API that is asked, of any wiki."""
    results: Positive = 3
    """Articles per question."""


class WebSource(Block):
    """Pages that a search engine finds by question."""

    type: Literal["web"] = "web"
    engine: Literal["searxng", "serpapi", "google", "brave", "ddgs"]
    url: str | None = None
    """Of the instance (searxng), or of what stands for the service; null: the service's own."""
    api_key_env: str | None = None
    """Variable with the key: serpapi, google and brave need one."""
    engine_id: str | None = None
    """google: the id of the custom search engine (cx)."""
    results: Positive = 5
    """Pages per question."""


class UrlsSource(Block):
    """Pages by their addresses."""

    type: Literal["urls"] = "urls"
    urls: tuple[str, ...] = ()
    file: str | None = None
    """A file of addresses, one a line."""
    sitemap: str | None = None
    """Address of a sitemap, or of an index of sitemaps."""
    most: Positive = 1000
    """Pages; the rest is counted as left out."""


def _folder_unless_said(value: Any) -> Any:
    if isinstance(value, str):
        return {"type": "folder", "path": value}
    return value


LibrarySource = Annotated[
    Annotated[FolderSource | WikipediaSource | WebSource | UrlsSource, Field(discriminator="type")],
    BeforeValidator(_folder_unless_said),
]
"""Where documents come from, told apart by `type`; a text is a folder."""


class FetchBlock(Block):
    """How pages are fetched (library/fetch.py); guesses, but for the delay, which is what crawlers keep."""

    allow_hosts: tuple[str, ...] = ()
    """Hosts (or host:port) that may lie at private addresses: tests and intranets. No others do."""
    delay: Annotated[float, Field(ge=0, le=60)] = 1.0
    """Least seconds between two requests to one host; its robots.txt may ask for more."""
    contact: str | None = None
    """An address or page where you can be reached, for the User-Agent; Wikimedia asks for one."""
    timeout: Annotated[float, Field(gt=0, le=600)] = 30.0
    """Seconds for one page, redirects included."""
    max_bytes: Positive = 10_000_000
    """Of one page, content codings undone."""
    redirects: Count = 5
    patience: Annotated[float, Field(ge=0, le=3600)] = 60.0
    """Longest wait, in seconds, that a host may ask for (Retry-After, Crawl-delay) before it is given up."""
    offline: bool = False
    """Fetch nothing: what the run has kept, or is cached, is all there is."""


class LibraryBlock(Block):
    """Where documents come from: any number of sources, fetched alike."""

    sources: Annotated[tuple[LibrarySource, ...], Field(min_length=1)]
    fetch: FetchBlock = FetchBlock()

    @model_serializer(mode="wrap")
    def _briefly(self, whole: SerializerFunctionWrapHandler) -> Any:
        """A folder alone as its path, as recipes had it before there were other sources."""
        only = self.sources[0]
        if len(self.sources) == 1 and isinstance(only, FolderSource) and self.fetch == FetchBlock():
            return only.path
        return whole(self)


def sources_of(value: Any) -> Any:
    """Plain data of a `library` in its long form."""
    if isinstance(value, str):
        return {"sources": [value]}
    if isinstance(value, list | tuple):
        return {"sources": value}
    if isinstance(value, Mapping) and "type" in value:
        return {"sources": [value]}
    return value


LibraryChoice = Annotated[LibraryBlock | None, BeforeValidator(sources_of)]
