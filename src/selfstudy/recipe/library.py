"""The recipe's `library`: where documents come from, and how pages are fetched.

`library: docs`, `library: [docs, {type: urls, sitemap: "https://..."}]` and the block itself are all the same
thing; one folder with nothing else said is written back as its path.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import parse_qsl, urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from selfstudy.recipe.base import SECRET, Block, Count, Positive, no_secret
from selfstudy.recipe.models import Url, VariableName
from selfstudy.secrets import looks_random, looks_secret, names_secret

ATLAS = "atlas"
"""The folder that is none: the embedded world."""


def a_page(value: str) -> str:
    """The address of a page, as it is; refused if it is none, or holds a name, a password or a key."""
    try:
        where = urlsplit(value)
        named = is_url(value) and where.hostname and where.port != 0
    except ValueError:  # no port, no IPv6 address
        named = False
    if not named or any(char <= " " or char in "\\\x7f" for char in value):
        raise PydanticCustomError("url", "must begin with http:// or https://, and name a host")
    if "@" in where.netloc or looks_secret(value):
        raise no_secret()
    if any(names_secret(name) for name, _ in parse_qsl(where.query)):
        raise no_secret()
    return value


PageUrl = Annotated[str, AfterValidator(a_page)]
"""Of a page: it may have a query, in which nothing is called a key."""


class FolderSource(Block):
    """A folder or file of texts (library/parsing/formats.py), or `atlas`, the embedded world."""

    type: Literal["folder"] = "folder"
    path: str
    """Of the folder or file."""


class WikipediaSource(Block):
    """Articles by their titles, or all of a dump; with neither, those that a search finds by question."""

    type: Literal["wikipedia"] = "wikipedia"
    titles: tuple[str, ...] = ()
    """Titles of articles."""
    dump: str | None = None
    """A file: MediaWiki's XML export (.xml, .xml.bz2, .xml.gz) or .zim."""
    url: Url = "https://en.wikipedia.org/w/api.php"
    """The Action API that is asked, of any wiki."""
    results: Positive = 3
    """Articles per question."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.titles and self.dump is not None:
            raise PydanticCustomError("sources", "has titles and dump: give one of them, or two sources")
        return self


class WebSource(Block):
    """Pages that a search engine finds by question."""

    type: Literal["web"] = "web"
    engine: Literal["searxng", "serpapi", "google", "brave", "ddgs"]
    """Which search engine is asked."""
    url: Url | None = None
    """Of the instance (searxng), or of what stands for the service; null: the service's own."""
    api_key_env: VariableName | None = None
    """Variable with the key: serpapi, google and brave need one."""
    engine_id: str | None = None
    """google: the id of the custom search engine (cx)."""
    results: Positive = 5
    """Pages per question."""

    @model_validator(mode="after")
    def _has_what_its_engine_needs(self) -> Self:
        missing = {
            "url": self.engine == "searxng" and self.url is None,
            "api_key_env": self.engine in KEYED and self.api_key_env is None,
            "engine_id": self.engine == "google" and self.engine_id is None,
        }
        if wanted := [f"{name} ({_MEANT[name]})" for name, is_missing in missing.items() if is_missing]:
            raise PydanticCustomError("sources", f"engine {self.engine} needs {' and '.join(wanted)}")
        return self


KEYED = ("serpapi", "google", "brave")
"""Engines that answer nobody without a key."""
_MEANT = {
    "url": "the address of the instance",
    "api_key_env": "the name of the variable with your key",
    "engine_id": "the id of your custom search engine, cx",
}


class UrlsSource(Block):
    """Pages by their addresses."""

    type: Literal["urls"] = "urls"
    urls: tuple[PageUrl, ...] = ()
    """Addresses of pages."""
    file: str | None = None
    """A file of addresses, one a line."""
    sitemap: PageUrl | None = None
    """Address of a sitemap, or of an index of sitemaps."""
    most: Positive = 1000
    """Pages; the rest is counted as left out."""

    @model_validator(mode="after")
    def _names_some(self) -> Self:
        if not (self.urls or self.file or self.sitemap):
            raise PydanticCustomError("sources", "names no page: give urls, file or sitemap")
        return self


def is_url(value: str) -> bool:
    """Whether a text is the address of a page, and no path."""
    return value[:8].lower().startswith(("http://", "https://"))


def _from_text(value: Any) -> Any:
    """A text is a folder, but for the address of a page."""
    if isinstance(value, str):
        return {"type": "urls", "urls": [value]} if is_url(value) else {"type": "folder", "path": value}
    return value


LibrarySource = Annotated[
    Annotated[FolderSource | WikipediaSource | WebSource | UrlsSource, Field(discriminator="type")],
    BeforeValidator(_from_text),
]
"""Where documents come from, told apart by `type`; a text is a folder, or the address of a page."""


class FetchBlock(Block):
    """How pages are fetched (library/web/fetch.py); guesses, but for the delay, which is what crawlers keep.

    It is no part of what a run is: whoever resumes one may change it.
    """

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
    """Most redirects that are followed for one page."""
    patience: Annotated[float, Field(ge=0, le=3600)] = 60.0
    """Longest wait, in seconds, that a host may ask for (Retry-After, Crawl-delay) before it is given up."""
    offline: bool = False
    """Fetch nothing: what the run has kept, or is cached, is all there is."""


def _some(sources: tuple[LibrarySource, ...]) -> tuple[LibrarySource, ...]:
    if not sources:
        raise PydanticCustomError("sources", "must name a source: a folder, or a block with its type")
    return sources


def _a_prefix(value: str) -> str:
    if "@" in value or "?" in value or looks_random(value) or looks_secret(value):
        raise PydanticCustomError(
            SECRET, "must hold no user, key or query: credentials come from the environment (AWS_*)"
        )
    if not _PREFIX.fullmatch(value) or ".." in value or "/." in value:
        raise PydanticCustomError("place", "must be s3://BUCKET/PREFIX, of letters, digits and . _ - =")
    return value.rstrip("/")


_PREFIX = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/[A-Za-z0-9._=-]{1,100}){1,10}/?")
IndexUrl = Annotated[str, AfterValidator(_a_prefix)]


class LibraryBlock(Block):
    """Where documents come from: any number of sources, fetched alike."""

    short: ClassVar[str] = "sources"
    """The field for which a list, or one of its items, may stand alone."""

    sources: Annotated[tuple[LibrarySource, ...], AfterValidator(_some)]
    """One or more; a text is a folder, or the address of a page."""
    fetch: FetchBlock = FetchBlock()
    """How pages are fetched."""
    index: IndexUrl | None = None
    """Where the index over the fixed sources lies: a prefix on object storage, which other runs may use too;
    null: in the run directory."""

    @model_serializer(mode="wrap")
    def _briefly(self, whole: SerializerFunctionWrapHandler) -> Any:
        """A folder alone as its path, as recipes had it before there were other sources."""
        only = self.sources[0]
        plain = self.fetch == FetchBlock() and self.index is None
        if len(self.sources) == 1 and isinstance(only, FolderSource) and plain:
            return only.path
        return whole(self)

    @property
    def fixed(self) -> tuple[FolderSource | WikipediaSource | UrlsSource, ...]:
        """The sources whose documents are the same for all questions."""
        return tuple(one for one in self.sources if not isinstance(one, WebSource) and not _by_question(one))

    @property
    def searched(self) -> tuple[WikipediaSource | WebSource, ...]:
        """Those that are asked each question."""
        return tuple(
            one for one in self.sources if isinstance(one, WikipediaSource | WebSource) and _by_question(one)
        )

    @property
    def here(self) -> tuple[FolderSource | WikipediaSource, ...]:
        """The fixed ones that are on this machine: nothing is fetched for them."""
        return tuple(
            one
            for one in self.sources
            if isinstance(one, FolderSource) or (isinstance(one, WikipediaSource) and one.dump is not None)
        )

    @property
    def fetches(self) -> bool:
        """Whether anything comes over a network."""
        return len(self.here) < len(self.sources)


def _by_question(source: object) -> bool:
    if isinstance(source, WikipediaSource):
        return not source.titles and source.dump is None
    return isinstance(source, WebSource)


def folder_library(path: str | Path) -> LibraryBlock:
    """The library of one folder or file."""
    return LibraryBlock(sources=(FolderSource(path=str(path)),))


def sources_of(value: Any, *, written_out: bool = False) -> Any:
    """Plain data of a `library` in its long form.

    Args:
        written_out: whether a source that is a text becomes a block, too.
    """
    if isinstance(value, str) or (isinstance(value, Mapping) and "type" in value):
        value = {"sources": [value]}
    elif isinstance(value, list | tuple):
        value = {"sources": value}
    if written_out and isinstance(value, Mapping) and isinstance(value.get("sources"), list | tuple):
        return {**value, "sources": [_from_text(one) for one in value["sources"]]}
    return value


def without_fetching(value: Any) -> Any:
    """Plain data of a `library` without what changes no document: how it is fetched, and with which key.

    Where the index lies stays, though it changes none either: what is unlearned is looked for there.
    """
    if not isinstance(value, dict):
        return value
    sources = [
        {name: part for name, part in one.items() if name != "api_key_env"} for one in value["sources"]
    ]
    if (index := value.get("index")) is not None:
        return {"sources": sources, "index": index}
    if len(sources) == 1 and sources[0]["type"] == "folder":
        return sources[0]["path"]
    return {"sources": sources}


LibraryChoice = Annotated[LibraryBlock | None, BeforeValidator(sources_of)]
