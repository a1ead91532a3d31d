"""What a suite asks: rows of a file, of a data set on the Hub, or of the small sets of the package.

A row that cannot be used stops it with its place: a benchmark without some of its rows is another benchmark.
Knows nothing of models, nor of what the rows mean.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from selfstudy.errors import DataError
from selfstudy.files import reading
from selfstudy.files.rows import SUFFIXES, MalformedError, Row, list_in_text, read_rows, shown, text_of
from selfstudy.records import digest
from selfstudy.verify.suites import hub

T = TypeVar("T")

MOST = 200_000
"""Items of a suite that are held."""
LONGEST = 200_000
"""Characters of one text."""
_MOST_TEXTS = 1_000
"""Texts of one list."""
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}(?::[\w.-]{1,100})?")


def is_named_as_file(path: Path) -> bool:
    """Whether a path means a file by its name: a mistyped one is not looked for on the Hub."""
    return path.suffix.lower() in (*SUFFIXES, ".txt", ".md")


def own_file(name: str) -> Path:
    """A file that comes with the package."""
    return Path(str(resources.files("selfstudy.verify.suites") / "data" / name))


def read(
    suite: str,
    data: str | None,
    own: str,
    parse: Callable[[dict[str, Any]], Iterable[T]],
    hint: str,
    *,
    config: str = "",
) -> list[T]:
    """All items of a suite's data, in their order.

    Args:
        own: the file of the package that is read where there is no `data`.
        parse: gives the items of one row, or raises MalformedError.
        hint: what rows should look like.
        config: of a data set on the Hub, where `data` names none.

    Raises:
        DataError: the data cannot be read, a row cannot be used, there is none, or there are too many.
    """
    found: list[T] = []
    for row in _rows(suite, data, own, config):
        where = f"suite {suite}: {data or own}, {row.place}"
        if row.value is None:
            raise DataError(f"{where}: {row.problem}", hint)
        try:
            found += parse(row.value)
        except MalformedError as error:
            raise DataError(f"{where}: {error}", hint) from None
        if len(found) > MOST:
            raise DataError(f"{where}: more than {MOST:,} items", "give a part of the file")
    if not found:
        raise DataError(f"suite {suite}: {data or own} holds nothing to ask", hint)
    return found


def _rows(suite: str, data: str | None, own: str, config: str) -> Iterator[Row]:
    path = own_file(own) if data is None else reading.expanded(data)
    if data is not None and _HUB_ID.fullmatch(data) and not (is_named_as_file(path) or reading.exists(path)):
        name, _, named = data.partition(":")
        return hub.rows(name, named or config, f"suite {suite}")
    return read_rows(path)


def sha256(data: str | None) -> str:
    """Of the bytes of a file; "" of what is none, or cannot be read."""
    path = reading.expanded(data or "")
    if data is None or not reading.is_file(path):
        return ""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def distinct(items: Sequence[T], key: Callable[[T], Hashable]) -> list[T]:
    """The first item of each key, in order."""
    found: dict[Hashable, T] = {}
    for item in items:
        found.setdefault(key(item), item)
    return list(found.values())


def sampled(items: Sequence[T], most: int | None, seed: int, suite: str) -> list[T]:
    """At most so many, drawn by the seed, in their order; it is the same draw before and after teaching."""
    if most is None or len(items) <= most:
        return list(items)
    at = random.Random(int(digest("suite", suite, str(seed)), 16)).sample(range(len(items)), most)
    return [items[i] for i in sorted(at)]


def drawn(
    suite: str,
    data: str | None,
    parse: Callable[[dict[str, Any]], Iterable[T]],
    hint: str,
    key: Callable[[T], Hashable],
    most: int | None,
    seed: int,
    *,
    config: str = "",
) -> tuple[list[T], list[str]]:
    """What is asked of a suite's data, or of its own set of that name, and what a person must know of it.

    Items of one `key` are asked once; the rest is as in `read` and `sampled`.
    """
    every = read(suite, data, f"{suite}.jsonl", parse, hint, config=config)
    kept = distinct(every, key)
    asked = sampled(kept, most, seed, suite)
    return asked, told(data, len(asked), len(kept), len(every) - len(kept))


def open_blocks(
    items: Sequence[T], size: int, item: Callable[[T], str], done: frozenset[str]
) -> Iterator[list[T]]:
    """Blocks of items, without those of which all are done."""
    for start in range(0, len(items), size):
        block = list(items[start : start + size])
        if not all(item(one) in done for one in block):
            yield block


def told(data: str | None, asked: int, held: int, repeats: int) -> list[str]:
    """What a person must know of where the items come from."""
    said = f"{asked:,} items"
    said += f", drawn from {held:,}" if asked < held else ""
    notes = [said + (f" of {data}" if data is not None else " of our own: they show that it works, no more")]
    if repeats:
        notes.append(f"{repeats:,} items that are in the data more than once are asked once")
    return notes


def field(row: dict[str, Any], *names: str, needed: bool = True) -> str:
    """The text in the first of the fields that is filled; "" without one.

    Raises:
        MalformedError: it is needed and missing, no text, or too long.
    """
    for name in names:
        value = row.get(name)
        if value is None or value == "":
            continue
        text = text_of(value, name).strip()
        if len(text) > LONGEST:
            raise MalformedError(f"field {name!r} has {len(text):,} characters, more than {LONGEST:,}")
        if text:
            return text
    if needed:
        raise MalformedError(f"field {names[0]!r} is missing or empty")
    return ""


def texts(row: dict[str, Any], name: str, separator: str = "") -> tuple[str, ...]:
    """The texts of a field: a list, one text, or in a table a JSON list, or texts between separators.

    Without repeats, and without empty ones.

    Raises:
        MalformedError: it is something else, or too much.
    """
    value = list_in_text(row.get(name))
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        value = value.split(separator) if separator else [value]
    if not isinstance(value, list):
        raise MalformedError(f"field {name!r} must be a text or a list of texts, found {shown(value)}")
    if len(value) > _MOST_TEXTS:
        raise MalformedError(f"field {name!r} has {len(value):,} texts, more than {_MOST_TEXTS:,}")
    found = [field({name: one}, name, needed=False) for one in value]
    return tuple(dict.fromkeys(one for one in found if one))
