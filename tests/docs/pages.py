"""The pages of the documentation, and the scripts that make them, for the tests of this folder."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))
import generate  # noqa: E402
import make_site  # noqa: E402

__all__ = ["PAGES", "ROOT", "TUTORIALS", "Block", "blocks", "generate", "make_site"]

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TUTORIALS = [page for page in PAGES if page.parent.name == "tutorials"]
FENCE = re.compile(r'^```(?P<language>\w+)?(?: title="(?P<title>[^"]*)")?\n(?P<text>.*?)^```$', re.M | re.S)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page; `line` counts from 1."""

    language: str
    title: str
    text: str
    line: int


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    whole = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(whole):
        line = whole.count("\n", 0, found.start()) + 2
        yield Block(found["language"] or "", found["title"] or "", found["text"], line)
