"""The nouns of WordNet from its own database file `data.noun` (wndb(5WN)), where it is installed.

Knows nothing of topics or embeddings.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from selfstudy.errors import DataError
from selfstudy.files import reading

FILE = "data.noun"

SYSTEM = (
    "/usr/share/wordnet",
    "/usr/local/WordNet-3.0/dict",
    "/opt/homebrew/opt/wordnet/dict",
    "/usr/share/nltk_data/corpora/wordnet",
)
"""Folders in which packages install it."""

_EXAMPLE = re.compile(r'[;:]\s*"')
_HINT = (
    "install WordNet 3.0 (Debian, Ubuntu: apt install wordnet-base; others: set WNSEARCHDIR to the folder "
    f"of its {FILE}), or set `source` to a vocabulary file of lemma<TAB>definition lines"
)


def find_wordnet() -> Path:
    """The `data.noun` of this machine.

    Raises:
        DataError: it is in none of the usual places; the message says how to get it.
    """
    for folder in _places():
        if (folder / FILE).is_file():
            return folder / FILE
    raise DataError("method oracle: no `source` given, and no WordNet on this machine", _HINT)


def _places() -> Iterator[Path]:
    """Folders of a WordNet database: WordNet's own variables, packages, NLTK's downloads."""
    for variable, below in (("WNSEARCHDIR", "."), ("WNHOME", "dict")):
        if value := os.environ.get(variable):
            yield Path(value).expanduser() / below
    yield from map(Path, SYSTEM)
    for data in [*os.environ.get("NLTK_DATA", "").split(os.pathsep), "~/nltk_data"]:
        if data:
            yield Path(data).expanduser() / "corpora" / "wordnet"


def nouns(path: Path) -> list[tuple[str, str]]:
    """(lemma, definition) of every lemma of every synset, in file order; a lemma returns with each sense.

    The definition is the gloss up to its first quoted example; the underscores of lemmas become spaces.

    Raises:
        DataError: the file cannot be read or a line of it is no synset; the message names the line.
    """
    entries: list[tuple[str, str]] = []
    try:
        with reading.readable(path).open(encoding="utf-8") as file:
            for number, line in enumerate(reading.lines(file), 1):
                if not line.startswith("  "):  # so do the lines of the licence, at the head
                    entries += _synset(line, f"{path}, line {number}")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}", _HINT) from None
    return entries


def _synset(line: str, where: str) -> Iterator[tuple[str, str]]:
    """One line: offset lex_filenum ss_type w_cnt(hex) word lex_id [word lex_id ...] p_cnt [...] | gloss"""
    head, bar, gloss = line.partition(" | ")
    fields = head.split()
    try:
        count = int(fields[3], 16)
        words = [fields[4 + 2 * i] for i in range(count)]
    except (IndexError, ValueError):
        words = []
    definition = _EXAMPLE.split(gloss, maxsplit=1)[0].strip()
    if not (bar and words and definition):
        raise DataError(f"{where}: no synset of WordNet: {line.strip()[:60]!r}", _HINT)
    for word in words:
        yield word.replace("_", " "), definition
