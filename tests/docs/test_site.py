"""The site builds without a network, every link leads somewhere, and nothing is loaded from outside."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from .pages import ROOT, make_site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_site.build(tmp_path_factory.mktemp("docs") / "built")


def test_all_links_lead_somewhere(site: Path) -> None:
    assert list(make_site.broken(site)) == []


def test_links_of_the_readme_lead_somewhere(site: Path) -> None:
    wrong = []
    for found in make_site.LINK.finditer((ROOT / "README.md").read_text(encoding="utf-8")):
        to = urlsplit(found["to"])
        if to.scheme:
            if to.scheme != "https":
                wrong.append(found[0])
            continue
        target = ROOT / unquote(to.path)
        built = site / Path(to.path).relative_to("docs").with_suffix(".html") if "docs/" in to.path else None
        if not target.exists() or (
            to.fragment and built and to.fragment not in make_site.Page(built).anchors
        ):
            wrong.append(found[0])
    assert wrong == []


def test_every_page_is_in_the_menu_once() -> None:
    menu = (ROOT / "zensical.toml").read_text(encoding="utf-8")
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert {page for page in pages if menu.count(f'"{page}"') != 1} == set()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('<script src="https://example.org/x.js"></script>', "from outside"),
        ('<link rel="stylesheet" href="//fonts.example.org/x.css">', "from outside"),
        ('<img src="gone.png">', "not there"),
        ('<a href="http://example.org">x</a>', "not https"),
        ('<a href="gone.html">x</a>', "not there"),
        ('<a href="#gone">x</a>', "no such heading"),
    ],
)
def test_what_is_wrong_is_found(line: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(f"<h1 id='here'>A page</h1><a href='#here'>x</a>{line}")
    (wrong,) = make_site.broken(tmp_path)
    assert said in wrong


def test_links_out_of_the_documentation_become_names(site: Path) -> None:
    page = (site.parent / "docs/folders.md").read_text(encoding="utf-8")
    assert "src/selfstudy/library/parsing/formats.py" in page
    assert "](../src" not in page
