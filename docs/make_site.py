"""Builds the documentation as a site, without a network: `make docs`, or `python docs/make_site.py FOLDER`.

Copies the pages to FOLDER/docs, adds those of the reference (generate.py), turns links that leave docs/ into
plain names (a site has no README beside it), and has zensical build FOLDER/site in strict mode.  Knows
nothing of what a page says.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

sys.path.insert(0, str(Path(__file__).parent))
import generate

ROOT = Path(__file__).parents[1]
SHOWN = {".md", ".png", ".ipynb"}
"""What of docs/ is part of the site; the rest is what makes it."""
LINK = re.compile(r"(?<!!)\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<to>[^()\s]+)\)")
"""A link of a page: [text](address)."""


def stage(folder: Path) -> None:
    """Everything that zensical needs, in `folder`, which is made again."""
    shutil.rmtree(folder, ignore_errors=True)
    pages = folder / "docs"
    for path in sorted((ROOT / "docs").rglob("*")):
        if path.suffix in SHOWN:
            target = pages / path.relative_to(ROOT / "docs")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    shutil.copyfile(ROOT / "zensical.toml", folder / "zensical.toml")
    generate.write(pages / "reference")
    for path in pages.rglob("*.md"):
        inside = path.relative_to(pages)
        path.write_text(_staying(path.read_text(encoding="utf-8"), inside), encoding="utf-8")


def _staying(text: str, page: Path) -> str:
    """`text` of docs/`page`, with links out of docs/ as the text that they show, and where that is."""

    def shown(link: re.Match[str]) -> str:
        to = urlsplit(link["to"])
        if to.scheme or not to.path:
            return link[0]
        target = (ROOT / "docs" / page.parent / to.path).resolve()
        if target.is_relative_to(ROOT / "docs"):
            return link[0]
        name = target.relative_to(ROOT).as_posix()
        return link["text"] if name in link["text"] else f"{link['text']} (`{name}`)"

    return LINK.sub(shown, text)


def build(folder: Path) -> Path:
    """The site: `folder`/site.

    Raises:
        SystemExit: zensical says what is wrong; it has been shown.
    """
    stage(folder)
    zensical = [sys.executable, "-m", "zensical", "build", "--strict"]
    done = subprocess.run(zensical, cwd=folder, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise SystemExit(f"{done.stdout}{done.stderr}".partition("Traceback")[0])
    return folder / "site"


class Page(HTMLParser):
    """What a built page links to, what it loads, and where it can be linked to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.anchors |= {name for name in (given.get("id"), given.get("name")) if name}
        leads = tag == "link" and given.get("rel") in {"canonical", "next", "prev"}
        if tag == "a" or leads:
            self.links.append(given.get("href") or "")
        else:
            self.loads += [given[name] or "" for name in ("src", "href", "data", "srcset") if name in given]


def broken(site: Path) -> Iterator[str]:
    """Sentences about links that lead nowhere, are not https, or load something from outside."""
    pages = {path.resolve(): Page(path) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        name = path.relative_to(site.resolve()).as_posix()
        if name == "404.html":  # its links are those of a server's root
            continue
        for to in page.loads:
            parts = urlsplit(to)
            if parts.netloc:
                yield f"{name} loads {to} from outside"
            elif not to.startswith(("data:", "#")) and not (path.parent / unquote(parts.path)).exists():
                yield f"{name} loads {to}, which is not there"
        for to in page.links:
            parts = urlsplit(to)
            if parts.scheme or parts.netloc:
                if parts.scheme != "https":
                    yield f"{name} links to {to}, which is not https"
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir():
                target /= "index.html"
            if not target.is_file():
                yield f"{name} links to {to}, which is not there"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                yield f"{name} links to {to}; that page has no such heading"


def main() -> int:
    site = build(Path(sys.argv[1] if len(sys.argv) > 1 else "build/docs").resolve())
    wrong = list(broken(site))
    print("\n".join(wrong) or f"{site}/index.html")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
