"""The items of suites in a file, or for the moment: what is there is not asked for again.

One row an item, of all suites and arms (`records.SuiteItem`), appended a block at a time, with what they were
made with beside it; other settings are refused.  A failed item is tried again by the same command, and its
row replaced.  Knows nothing of what is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from selfstudy.errors import RunError
from selfstudy.files import jsonl
from selfstudy.records import SuiteItem
from selfstudy.verbs.kept import settle


class SuiteItems:
    """Items by suite and arm, in the order in which they were made; of none beside it, only for the moment.

    Args:
        path: a file for them; None: they are not kept.
        settings: what they are made with.

    Raises:
        RunError: the file is none of ours, was made with other settings, is damaged or cannot be written.
    """

    def __init__(self, path: Path | None = None, settings: Mapping[str, object] | None = None) -> None:
        self._path = path
        self._found: dict[tuple[str, str, str], SuiteItem] = {}
        self._rows = 0
        if path is not None:
            settle(path, settings or {})
            for number, line, _ in jsonl.read_lines(path, parse=False):
                self._take(_read(path, number, line))

    def of(self, suite: str, arm: str) -> list[SuiteItem]:
        """Those of a suite and an arm."""
        return [one for (named, asked, _), one in self._found.items() if (named, asked) == (suite, arm)]

    def add(self, items: Sequence[SuiteItem]) -> None:
        """Keeps a block of items, in the place of what is kept of them."""
        fresh = [one for one in items if self._found.get(_key(one)) != one]
        if self._path is not None and fresh:
            jsonl.append(self._path, b"".join(map(jsonl.encode_record, fresh)), None)
        for one in fresh:
            self._take(one)

    def close(self) -> None:
        """Writes the file anew if rows of it were replaced."""
        if self._path is not None and self._rows > len(self._found):
            jsonl.replace(self._path, b"".join(map(jsonl.encode_record, self._found.values())), None)
            self._rows = len(self._found)

    def _take(self, one: SuiteItem) -> None:
        self._found[_key(one)] = one
        self._rows += 1


def _key(one: SuiteItem) -> tuple[str, str, str]:
    return one.suite, one.arm, one.item


def _read(path: Path, number: int, line: bytes) -> SuiteItem:
    try:
        return SuiteItem.model_validate_json(line)
    except ValidationError as error:
        why = str(error).splitlines()[0]
        hint = "give another place with --out"
        raise RunError(f"{path}, line {number} is no item of a suite: {why}", hint) from None
