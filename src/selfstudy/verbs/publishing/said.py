"""Other people's words in Markdown, in which they are text: no heading, link, picture, tag or end of a block.

Knows no template.
"""

from __future__ import annotations

import re

from selfstudy.screen import printable
from selfstudy.text import one_line

_MARKS = re.compile(r"([\\`*_\[\]~|])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;", "$": "&#36;"}
"""What opens tags, or makes links of addresses: some readers of Markdown heed no backslash before it."""
_ADDRESS = re.compile(r"(?i):(?=//)|(?<=mailto):|(?<=xmpp):|(?<=script):|(?<=\bwww)\.")
_BEGINS = re.compile(r"^(\d{1,9}(?=[.)](\s|$))|(?=[-+#=]([-+#=\s]|$)))")
"""What makes a line a heading, a list or a rule, at its beginning."""
_FENCES = re.compile(r"`{3,}")


class InMarkdown(str):
    """Markdown that was made here, and is not escaped again."""


def said(value: object, most: int = 2000) -> InMarkdown:
    """A text as a line of Markdown that shows it, at most so many characters of it."""
    line = one_line(printable(str(value)), most)
    for mark, entity in _ENTITIES.items():
        line = line.replace(mark, entity)
    line = _ADDRESS.sub(lambda mark: f"&#{ord(mark[0])};", _MARKS.sub(r"\\\1", line))
    return InMarkdown(_BEGINS.sub(r"\1\\", line))


def code(text: str, language: str = "") -> InMarkdown:
    """A block of code, whose fence is longer than any that stands in it."""
    text = printable(text).rstrip("\n")
    fence = "`" * max(3, *(len(found) + 1 for found in _FENCES.findall(text)), 3)
    return InMarkdown(f"{fence}{language}\n{text}\n{fence}")
