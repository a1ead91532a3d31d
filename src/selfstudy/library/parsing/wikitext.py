"""Wikitext as plain text, with the rows of an infobox as `key: value` lines; one pass over the parsed page.

mwparserfromhell, whose time nobody bounds, does the parsing: this runs in the process that can be killed.  It
knows nothing of wikis, dumps and of that process.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

MAX_WIKITEXT = 4_000_000
"""Characters of a page; MediaWiki stores no more than 2 MB."""
_LONGEST_ROW = 300
"""Characters of an infobox's row; what is longer is markup of some kind."""
_MOST_ROWS = 60
_HIDDEN = frozenset(
    {
        "ref",
        "references",
        "table",
        "gallery",
        "math",
        "chem",
        "timeline",
        "score",
        "syntaxhighlight",
        "source",
    }
    | {"style", "templatestyles", "imagemap", "graph", "mapframe", "script", "inputbox"}
)
_MEDIA = frozenset(
    {"file", "image", "category", "media", "datei", "bild", "kategorie", "fichier", "catégorie", "archivo"}
    | {"categoría", "imagen", "immagine", "categoria", "ficheiro", "imagem", "bestand", "categorie", "plik"}
    | {"kategoria", "grafika", "файл", "категория", "изображение", "ファイル", "画像", "文件", "分类"}
)
"""Namespaces whose links show no text."""
_SWITCH = re.compile("__[A-Z]{3,20}__")
_EMPTY_BRACKETS = re.compile(r" ?\([\s,;/]{0,10}\)")
_LINES = re.compile(r"\n{3,}")
_SPACES = re.compile(r"[ \t\xa0]{2,}")


def plain(page: str) -> tuple[str, str]:
    """(text of a page of wikitext, why there is none or "")."""
    if len(page) > MAX_WIKITEXT:
        return "", f"more than {MAX_WIKITEXT:,} characters of wikitext"
    try:
        import mwparserfromhell
    except ImportError as error:
        return "", f"mwparserfromhell cannot be imported ({error}): pip install 'selfstudy[web]'"
    try:
        code = mwparserfromhell.parse(page, skip_style_tags=True)
        text = _text(code)
    except MemoryError:
        raise
    except Exception as error:  # any page must be survived
        return "", f"mwparserfromhell failed ({type(error).__name__}: {str(error)[:200]})"
    return _tidy(text), ""


def _tidy(text: str) -> str:
    text = _SWITCH.sub("", text).replace("'''", "").replace("''", "")
    text = _EMPTY_BRACKETS.sub("", _SPACES.sub(" ", text))
    return _LINES.sub("\n\n", "\n".join(line.strip() for line in text.split("\n"))).strip()


def _text(code: Any) -> str:
    """The text that a reader sees, of parsed wikitext."""
    return "".join(_READ.get(type(node).__name__, _nothing)(node) for node in code.nodes)


def _nothing(node: Any) -> str:
    return ""


def _link(node: Any) -> str:
    space, colon, _ = str(node.title).partition(":")
    if colon and space.strip().lower() in _MEDIA:
        return ""
    if node.text is None:
        return _text(node.title).lstrip(":")
    shown = _text(node.text)
    return "" if "|" in shown else shown  # only pictures have several parts


def _outside_link(node: Any) -> str:
    return _text(node.title) if node.title is not None else "" if node.brackets else str(node.url)


def _heading(node: Any) -> str:
    return f"\n\n{_text(node.title).strip()}\n"


def _tag(node: Any) -> str:
    name = str(node.tag).strip().lower()
    if name in _HIDDEN:
        return ""
    if name in ("br", "hr"):
        return "\n"
    return _text(node.contents) if node.contents is not None else ""


def _entity(node: Any) -> str:
    try:
        return str(node.normalize())
    except (ValueError, OverflowError):
        return ""


def _template(node: Any) -> str:
    name = " ".join(str(node.name).replace("_", " ").split()).lower()
    if name.startswith("infobox"):
        return _infobox(node)
    shown = _SHOWN.get(name)
    return shown([_text(one.value).strip() for one in node.params if not one.showkey]) if shown else ""


def _infobox(node: Any) -> str:
    rows = []
    for one in node.params[:_MOST_ROWS]:
        key = " ".join(str(one.name).replace("_", " ").split())
        value = " ".join(_text(one.value).split())
        if one.showkey and value and len(key) + len(value) < _LONGEST_ROW and "|" not in value:
            rows.append(f"{key}: {value}")
    return "\n".join([*rows, "\n"]) if rows else ""


def _first(values: list[str]) -> str:
    return values[0] if values else ""


def _last(values: list[str]) -> str:
    return values[-1] if values else ""


def _quantity(values: list[str]) -> str:
    """{{convert|100|km|mi}}: the number and its unit, and not what it is turned into."""
    return " ".join(values[:2])


def _calendar(values: list[str]) -> str:
    """{{birth date|1950|1|2}}: 1950-01-02."""
    numbers = [value.zfill(2) for value in values if value.isascii() and value.isdigit()]
    return "-".join(numbers[:3])


def _circa(values: list[str]) -> str:
    return f"c. {_first(values)}"


_SHOWN: dict[str, Callable[[list[str]], str]] = {
    **dict.fromkeys(("convert", "cvt"), _quantity),
    **dict.fromkeys(("lang", "transl", "transliteration"), _last),
    **dict.fromkeys(("nowrap", "nobr", "small", "big", "abbr", "ill", "formatnum", "val", "nihongo"), _first),
    **dict.fromkeys(("circa", "c."), _circa),
    **dict.fromkeys(
        (
            "birth date",
            "birth date and age",
            "death date",
            "death date and age",
            "start date",
            "end date",
            "dts",
        ),
        _calendar,
    ),
}
"""Templates that stand within a sentence, and what they show of their values: without them it has holes."""

_READ: dict[str, Callable[[Any], str]] = {
    "Text": lambda node: str(node.value),
    "Wikilink": _link,
    "ExternalLink": _outside_link,
    "Heading": _heading,
    "Tag": _tag,
    "HTMLEntity": _entity,
    "Template": _template,
}
"""What is read of each kind of node; comments and arguments of templates show nothing."""
