"""Other people's words in Markdown, in which they are text: no heading, link, picture, tag or end of a block.

Knows no template.
"""

from __future__ import annotations

import re

from selfstudy.text import clean, one_line

_MARKS = re.compile(r"([\\`*_{}\[\]()#+\-.!|~<>&:@$^=])")
_FENCES = re.compile(r"`{3,}")


class Said(str):
    """Markdown that was made here, and is not escaped again."""


def said(value: object, most: int = 300) -> Said:
    """A text as a line of Markdown that shows it, at most so many characters of it.

    `<`, `>` and `&` become entities, for some readers of Markdown let HTML through behind a backslash.
    """
    line = one_line(clean(str(value)), most)
    escaped = _MARKS.sub(r"\\\1", line)
    for mark, entity in (
        ("\\&", "&amp;"),
        ("\\<", "&lt;"),
        ("\\>", "&gt;"),
        ("\\:", "&#58;"),
        ("\\@", "&#64;"),
    ):
        escaped = escaped.replace(mark, entity)
    return Said(escaped)


def code(text: str, language: str = "") -> Said:
    """A block of code, whose fence is longer than any that stands in it."""
    text = clean(text)
    fence = "`" * max(3, *(len(found) + 1 for found in _FENCES.findall(text)), 3)
    return Said(f"{fence}{language}\n{text}\n{fence}")
