"""What is looked at for a library: files, packages, keys, and what would be fetched.  Nothing is."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from selfstudy.errors import SelfstudyError
from selfstudy.library.parsing.formats import FORMATS
from selfstudy.library.walk import files_of
from selfstudy.recipe.library import ATLAS, KEYED
from selfstudy.verbs.doctor.finding import Finding

if TYPE_CHECKING:
    from selfstudy.recipe import FolderSource, LibraryBlock, UrlsSource, WebSource, WikipediaSource

NAME = "library"
PACKAGES = ("hishel", "protego", "mwparserfromhell", "pypdfium2")
"""Those of the extra `web`."""


def of_library(library: LibraryBlock, *, follow_links: bool) -> Iterator[Finding]:
    """Whether each source can be used, as far as that shows without asking anybody."""
    if library.fetches:
        yield _extra()
    offline = library.fetch.offline
    for source in library.sources:
        if source.type == "folder":
            yield _folder(source, follow_links=follow_links)
        elif source.type == "web":
            yield from () if offline else _web(source)  # nobody is asked: no key is needed
        elif source.type == "wikipedia":
            yield _wikipedia(source, library.fetch.contact or ("nobody" if offline else None))
        else:
            yield _urls(source, library.fetch.delay)
    if library.fetches and offline:
        yield Finding("ok", NAME, "offline: nothing is fetched but what the run has kept, or is cached")


def _extra() -> Finding:
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        found = f"pages are fetched with packages that are not there: {', '.join(missing)}"
        return Finding("fail", NAME, found, "pip install 'selfstudy[web]'")
    return Finding("ok", NAME, "the packages of the extra web are there")


def _folder(source: FolderSource, *, follow_links: bool) -> Finding:
    if source.path == ATLAS:
        return Finding("ok", NAME, "atlas, the embedded one")
    path = Path(source.path)
    try:
        found_there = files_of(path, [], follow_links=follow_links)
        files = [one for one, _ in found_there if one.is_file()]
        readable = [one for one in files if os.access(one, os.R_OK)]
    except SelfstudyError as error:
        return Finding("fail", NAME, error.what.removeprefix("library: "), error.hint)
    except OSError as error:
        return Finding("fail", NAME, f"{path}: {error.strerror}", f"ls -l {path}")
    if not readable:
        found = f"{len(files)} files in {path}, none of them readable" if files else f"no file in {path}"
        return Finding("fail", NAME, found, f"set `library` to a folder of {FORMATS}")
    return Finding("ok", NAME, f"{len(readable):,} files in {path}")


def _web(source: WebSource) -> Iterator[Finding]:
    from selfstudy.library.services.search import check_search

    if source.engine in KEYED and source.api_key_env is not None:
        is_set = bool(os.environ.get(source.api_key_env, "").strip())
        if not is_set:
            fix = f"export {source.api_key_env}=... in the shell that runs selfstudy"
            yield Finding("fail", NAME, f"{source.engine}: ${source.api_key_env} is not set", fix)
            return
        yield Finding("ok", NAME, f"{source.engine}: ${source.api_key_env} is set")
    try:
        check_search(source)
    except SelfstudyError as error:
        yield Finding("fail", NAME, error.what.removeprefix("library: "), error.hint)
        return
    asked = f" at {source.url}" if source.url is not None else ""
    found = f"{source.engine}{asked}: a search for each question, and up to {source.results} pages it finds"
    yield Finding("ok", NAME, found)


def _wikipedia(source: WikipediaSource, contact: str | None) -> Finding:
    if source.dump is not None:
        path = Path(source.dump)
        if path.suffix.lower() == ".zim" and find_spec("libzim") is None:
            return Finding("fail", NAME, f"{path} needs libzim", "pip install 'selfstudy[zim]'")
        try:
            return Finding("ok", NAME, f"{path}: {path.stat().st_size / 2**20:,.1f} MB, read where it is")
        except OSError as error:
            return Finding("fail", NAME, f"{path}: {error.strerror}", f"ls -l {path}")
    host = urlsplit(source.url).hostname
    if not contact:
        fix = "set library.fetch.contact to your mail address or a page about you"
        return Finding("fail", NAME, f"{host} wants to know who asks, and the recipe does not say", fix)
    what = f"{len(source.titles):,} articles" if source.titles else f"{source.results} articles a question"
    return Finding("ok", NAME, f"{what} would be fetched from {host}")


def _urls(source: UrlsSource, delay: float) -> Finding:
    from selfstudy.library.services.sitemap import listed

    try:
        urls = listed(source)
    except SelfstudyError as error:
        return Finding("fail", NAME, error.what.removeprefix("library: "), error.hint)
    hosts = Counter(map(_host, urls))
    many = max(hosts.values(), default=0)
    found = f"{min(len(urls), source.most):,} pages of {len(hosts):,} hosts would be fetched"
    if source.sitemap is not None:
        found += f", and with the sitemap {source.sitemap} up to {source.most:,}"
        many = source.most
    return Finding("ok", NAME, f"{found}: {min(many, source.most) * delay / 60:.1f} minutes or more")


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
