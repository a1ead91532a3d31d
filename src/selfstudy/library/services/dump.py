"""Articles of a dump: MediaWiki's XML export (.xml, .xml.gz, .xml.bz2), or a .zim file of Kiwix.

It is read as it comes, with a bound on everything, and nothing of it is loaded from elsewhere.  It knows
nothing of what articles are for.
"""

from __future__ import annotations

import bz2
import gzip
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, urlsplit

from selfstudy import text
from selfstudy.errors import DataError
from selfstudy.files import reading
from selfstudy.library.folder import MAX_LISTED, Contents
from selfstudy.library.parsing import pages
from selfstudy.library.parsing.formats import Text
from selfstudy.library.parsing.parser import ParserError
from selfstudy.library.parsing.parts import in_parts
from selfstudy.library.parsing.xml_stream import BLOCK, XmlError, events
from selfstudy.library.services.wikipedia import plain_text, with_revision
from selfstudy.library.web.web_url import web_address
from selfstudy.recipe.library import WikipediaSource
from selfstudy.records import Skipped

MOST_ARTICLES = 200_000
"""Articles of a dump without titles: a guess, some 2 GB of text; the rest is counted as left out."""
MAX_ARTICLE = 4_000_000
"""Characters of an article; MediaWiki stores no more than 2 MB."""
_MOST_RATIO, _RATIO_FREE = 300, 100_000_000
"""How much larger a file may be than it is compressed, beyond so many bytes; XML of a wiki takes 4 to 40."""


def dump_articles(block: WikipediaSource) -> Contents:
    """The articles of the dump that a block names.

    Redirects, pages of other namespaces, empty ones and those that cannot be read are counted by kind, and
    the first of each kind listed.

    Raises:
        DataError: the file is not there, is no dump, is damaged, or needs a package that is absent.
    """
    assert block.dump is not None
    path = Path(block.dump)
    try:
        reading.check(path)
    except OSError as error:
        raise DataError(
            f"library: the dump {path} cannot be read: {error.strerror}", "check `dump`"
        ) from None
    taken = _Taken(path.name)
    try:
        for article in _zim(path) if path.suffix.lower() == ".zim" else _export(path):
            taken.add(article)
    except (XmlError, OSError, EOFError, zlib.error, ValueError) as error:
        raise _damaged(path, error, taken) from None
    return taken.contents()


@dataclass(frozen=True, slots=True)
class _Article:
    """One page of a dump; `why_not`: of which kind it is, if it is no article."""

    title: str
    source: str
    text: str
    date: str = ""
    why_not: str = ""
    is_html: bool = False


@dataclass
class _Taken:
    """What was taken of a dump."""

    name: str
    found: Contents = field(default_factory=Contents)
    reasons: Counter[str] = field(default_factory=Counter)
    left_out: int = 0
    articles: int = 0

    def add(self, article: _Article) -> None:
        why_not = article.why_not
        documents = []
        if not why_not and self.articles >= MOST_ARTICLES:
            self.left_out += 1
            return
        if not why_not:
            read = _read_html(article) if article.is_html else plain_text(article.text)
            if isinstance(read, ParserError):
                why_not = read.what
            else:
                body = Text(read, article.title, date=article.date)
                documents = list(in_parts(text.clean(article.source)[: text.MAX_TITLE], body))
                why_not = "" if documents else "no text"
        if why_not:
            self.reasons[why_not] += 1
            if self.reasons[why_not] <= MAX_LISTED:
                self.found.skipped.append(Skipped(source=article.source[: text.MAX_TITLE], reason=why_not))
        else:
            self.articles += 1
            self.found.documents += documents

    def contents(self) -> Contents:
        """All of it, with what was counted.

        Raises:
            DataError: there is no article.
        """
        for reason, count in self.reasons.items():
            if count > MAX_LISTED:
                self.found.notes.append(f"{self.name}: {count:,} pages were not used: {reason}")
        if self.left_out:
            self.found.notes.append(
                f"{self.name}: {self.left_out:,} articles beyond the first {MOST_ARTICLES:,} were left out; "
                "take a smaller dump"
            )
        if not self.found.documents:
            why = ", ".join(f"{count:,} {reason}" for reason, count in self.reasons.most_common(5))
            raise DataError(f"library: {self.name} has no article ({why or 'no pages'})", "check `dump`")
        return self.found


def _damaged(path: Path, error: Exception, taken: _Taken) -> DataError:
    why = error.what if isinstance(error, XmlError) else getattr(error, "strerror", None) or str(error)
    return DataError(
        f"library: the dump {path} cannot be read: {why} (behind {taken.articles:,} articles)",
        "get it again: MediaWiki's XML export (.xml, .xml.gz, .xml.bz2), or a .zim file",
    )


def _blocks(path: Path) -> Iterator[bytes]:
    """The bytes of a file, unpacked.

    Raises:
        XmlError: it becomes far larger than any dump would.
    """
    openers: dict[str, Any] = {".bz2": bz2.open, ".gz": gzip.open}
    opener = openers.get(path.suffix.lower())
    packed = path.stat().st_size
    size = 0
    file: IO[bytes]
    with opener(path, "rb") if opener else path.open("rb") as file:
        while block := file.read(BLOCK):
            size += len(block)
            if opener and size > _RATIO_FREE + _MOST_RATIO * packed:
                raise XmlError(f"{packed:,} bytes become more than {size:,}: no dump is packed so well")
            yield block


_LEAVES = frozenset({"title", "ns", "id", "timestamp", "text", "model"})


def _export(path: Path) -> Iterator[_Article]:
    """The pages of an XML export; of several revisions the last one in the file."""
    base = ""
    page: dict[str, str] = {}
    above: list[str] = []
    for kind, name, content in events(_blocks(path), MAX_ARTICLE):
        if kind == "start":
            above.append(name)
            if name == "page":
                page = {}
            elif name == "redirect" and above[-2:-1] == ["page"]:
                page["redirect"] = "yes"
            continue
        above.pop()
        parent = above[-1] if above else ""
        if name == "base" and parent == "siteinfo":
            base = content
        elif name in _LEAVES and parent == "page":
            page[name] = content
        elif name in _LEAVES and parent == "revision":
            page[f"revision {name}"] = content
        elif name == "page":
            yield _page(page, base, path)
        elif not above and name != "mediawiki":
            raise XmlError(f"a file of <{name[:40]}>, and no export of a wiki")


def _page(page: dict[str, str], base: str, path: Path) -> _Article:
    title = " ".join(text.clean(page.get("title", "")).split())[: text.MAX_TITLE]
    wikitext = page.get("revision text", "")
    why_not = ""
    if page.get("ns", "0").strip() != "0":
        why_not = "a page of another namespace"
    elif "redirect" in page or wikitext.lstrip()[:9].upper() == "#REDIRECT":
        why_not = "a redirect"
    elif page.get("revision model", "wikitext") != "wikitext":
        why_not = "no wikitext"
    elif len(wikitext) > MAX_ARTICLE:
        why_not = f"more than {MAX_ARTICLE:,} characters"
    elif not title:
        why_not = "no title"
    place = quote(title.replace(" ", "_"))
    if root := web_address(base):
        parts = urlsplit(root)
        address = f"{parts.scheme}://{parts.netloc}{parts.path.rpartition('/')[0]}/{place}"
        source = with_revision(address, page.get("revision id", "").strip())
    else:
        source = f"{path.name}#{title}"
    return _Article(title, source, "" if why_not else wikitext, page.get("revision timestamp", ""), why_not)


def _zim(path: Path) -> Iterator[_Article]:
    """The pages of a .zim file; their date is that of the file, whose state of things they show."""
    try:
        from libzim.reader import Archive
    except ImportError:
        raise DataError(
            "library: a .zim file needs the package libzim", "pip install 'selfstudy[zim]'"
        ) from None
    try:
        archive = Archive(path)
        date = _metadata(archive, "Date")
        numbers: Sequence[int] = range(archive.all_entry_count)
    except RuntimeError as error:
        raise XmlError(f"no .zim file, or a damaged one ({str(error)[:200]})") from None
    for number in numbers:
        try:
            entry = archive._get_entry_by_id(number)
            article = _entry(entry, path, date)
        except (RuntimeError, UnicodeDecodeError) as error:
            article = _Article("", f"{path.name}#{number}", "", why_not=f"damaged ({type(error).__name__})")
        if article is not None:
            yield article


def _entry(entry: Any, path: Path, date: str) -> _Article | None:
    """A page; None for what is none, such as a picture."""
    title = " ".join(text.clean(entry.title).split())[: text.MAX_TITLE]
    source = (
        f"{path.name}#{text.clean(entry.path)}"  # of one file: one source, as of a dump without addresses
    )
    if entry.is_redirect:
        return _Article(title, source, "", why_not="a redirect")
    item = entry.get_item()
    if not item.mimetype.lower().startswith("text/html"):
        return None
    if item.size > MAX_ARTICLE:
        return _Article(title, source, "", why_not=f"more than {MAX_ARTICLE:,} bytes")
    page = bytes(item.content).decode("utf-8", "replace")
    return _Article(title, source, page, date, is_html=True)


def _read_html(article: _Article) -> str | ParserError:
    try:
        return pages.main_text(article.text)[1]
    except ParserError as error:
        return error


def _metadata(archive: Any, name: str) -> str:
    return archive.get_metadata(name).decode("utf-8", "replace")[:40] if name in archive.metadata_keys else ""
