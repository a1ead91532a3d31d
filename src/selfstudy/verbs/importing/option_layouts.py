"""Options of a multiple choice that stand in no column of their own: in several columns, or within a text.

    {"A": "volt", "B": "ohm"}, {"option_a": ...}, {"option1": ...}, {"opa": ...}
    "Which unit? A) volt B) ohm", or one option a line
    "a ) 38 , b ) 1,027.675 , c ) 30", as MathQA has them

Knows nothing of which option is right.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_COLUMN = re.compile(r"(opt(?:ion)?|op|choice|candidate|)[ _.\-]?([a-h]|\d)", re.IGNORECASE)
_MARK = re.compile(r"(?:^|(?<=[\s;,?]))(?:\(([A-Ha-h1-9])\)|([A-Ha-h1-9])[).:](?=\s))\s*")
_SPACED = re.compile(r"(?:^\[?|,)\s*['\"]?([a-e])\s?\)\s*")
_BARE = re.compile(r"\(?\s*([A-Ha-h1-9])\s*[).:]*")
_SEQUENCES = ("abcdefgh", "123456789", "012345678")


def in_columns(row: Mapping[str, Any]) -> dict[str, Any]:
    """Label and text of the options that have a column each, in order; empty where there are not two."""
    found: dict[str, dict[str, Any]] = {}
    for name, value in row.items():
        match = _COLUMN.fullmatch(name.strip())
        named = match is not None and (match[1] or match[2].isalpha())
        if match and named and value is not None and str(value).strip():
            found.setdefault(match[1].lower(), {})[match[2].lower()] = value
    for some in found.values():
        if len(some) > 1 and any("".join(sorted(some)) == order[: len(some)] for order in _SEQUENCES):
            return {label.upper(): some[label] for label in sorted(some)}
    return {}


def option_columns(row: Mapping[str, Any]) -> list[str]:
    """The columns that `in_columns` may take."""
    return [name for name in row if _COLUMN.fullmatch(name.strip())] if in_columns(row) else []


def in_text(text: str) -> dict[str, str]:
    """Label and text of the options that a text lists, in order; empty where there are not two."""
    marks = list(_MARK.finditer(text))
    labels = [(mark[1] or mark[2]).lower() for mark in marks]
    start = max((i for i, label in enumerate(labels) if label in ("a", "1")), default=-1)
    labels, marks = labels[start:], marks[start:]
    count = len(labels)
    if start < 0 or count < 2 or all("".join(labels) != order[:count] for order in _SEQUENCES):
        return {}
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    texts = [text[mark.end() : end].strip().rstrip(";,") for mark, end in zip(marks, ends, strict=True)]
    texts[-1] = texts[-1].split("\n")[0].strip()
    return dict(zip(map(str.upper, labels), texts, strict=True)) if all(texts) else {}


def in_one_line(text: str) -> dict[str, str]:
    """Label and text of options in MathQA's layout, in order; empty where the text is not all of them."""
    marks = list(_SPACED.finditer(text))
    if len(marks) < 2 or marks[0].start() or "".join(mark[1] for mark in marks) != "abcde"[: len(marks)]:
        return {}
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    texts = [text[mark.end() : end].strip(" ,'\"]\n") for mark, end in zip(marks, ends, strict=True)]
    return {mark[1].upper(): said for mark, said in zip(marks, texts, strict=True)} if all(texts) else {}


def spelled_out(answers: Sequence[str], question: str) -> list[str]:
    """`answers`; in place of a letter or number alone the text of the option in the question."""
    marks = [_BARE.fullmatch(answer.strip()) for answer in answers]
    options = in_text(question) if any(marks) else {}
    return [
        options.get(mark[1].upper(), answer) if mark else answer
        for answer, mark in zip(answers, marks, strict=True)
    ]
