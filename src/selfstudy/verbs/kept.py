"""Work that survives a kill: a record for each item, appended a block at a time.

A block is the same items whenever the work is taken up, and it is made again whole if a record of it is
missing: what a model says may depend on what else is in its batch.  For the same reason nothing of a block is
kept in which a model failed: the same command makes it again.  Beside the records stands what they were made
with; other settings are refused, with what differs.  Knows nothing of what is made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from pydantic import Field, ValidationError

from selfstudy.errors import DataError, RunError
from selfstudy.files import jsonl, private
from selfstudy.files.rows import shown
from selfstudy.records import Record


class Identified(Protocol):
    """What something is made of; knows only what tells it from others."""

    @property
    def id(self) -> str: ...


class Made(Record):
    """What is kept of an item (`id`)."""

    key_fields = ()
    model_failed: bool = Field(default=False, exclude=True)
    """A model gave no answer (a server that was down): such a record is never kept."""


R = TypeVar("R", bound=Made)
T = TypeVar("T", bound=Identified)
SETTINGS = ".settings.json"
"""Behind the stem of a file of records: what these were made with."""
_HINT = "undo the change, or give another place with --out"


@dataclass(frozen=True, slots=True)
class KeptFolder:
    """Where records are kept, and how many items are one block."""

    path: Path
    block: int

    def keep(
        self,
        name: str,
        kind: type[R],
        items: Sequence[T],
        make: Callable[[Sequence[T]], Sequence[R]],
        settings: Mapping[str, object],
        advance: Callable[[int], None] = lambda count: None,
    ) -> list[R]:
        """A record for each item, in order, made or read; `make` gives those of a block, in its order.

        A block in which a model failed is given back and not kept.

        Args:
            name: of the file, without its ending.
            advance: called with the number of items of a block that is there already.

        Raises:
            RunError: the file was made with other settings, is damaged, or cannot be written.
        """
        path = self.path / f"{name}.jsonl"
        private.make_folder(self.path)
        settle(path, {**settings, "block": self.block})
        found = _read(path, kind)
        for start in range(0, len(items), self.block):
            block = items[start : start + self.block]
            if all(one.id in found for one in block):
                advance(len(block))
                continue
            fresh = [record for record in make(block) if record.id not in found]
            if not any(record.model_failed for record in fresh):
                self.append(path, fresh)
            found |= {record.id: record for record in fresh}
        return [found[one.id] for one in items]

    def kept(self, name: str, kind: type[R]) -> list[R]:
        """The records that are kept so far, in the order in which they were made.

        Raises:
            RunError: the file is damaged.
        """
        return list(_read(self.path / f"{name}.jsonl", kind).values())

    def append(self, path: Path, records: Sequence[Record]) -> None:
        """Appends records in one write."""
        jsonl.append(path, b"".join(map(jsonl.encode_record, records)), None)


def require_any(what: str, errors: Sequence[str | None], options: str) -> None:
    """Refuses to end well where everything broke off.

    Args:
        what: those that the errors are of; an error of None: it did not break off.
        options: name the models.

    Raises:
        DataError: says the commonest error.
    """
    broken = [error for error in errors if error]
    if errors and len(broken) == len(errors):
        raise DataError(
            f"all {len(errors):,} {what} broke off: {Counter(broken).most_common(1)[0][0]}",
            f"try the models (selfstudy doctor --model MODEL), or give others with {options}",
        )


def settle(path: Path, settings: Mapping[str, object]) -> None:
    """Writes down what a file is made with, or compares."""
    if path.is_dir():
        raise RunError(f"{path} is a folder, not a file", "name a file in it")
    beside = path.with_name(path.stem + SETTINGS)
    before = jsonl.read_object(beside, _HINT)
    if before is None or not path.exists():
        if path.exists():
            raise RunError(f"{beside} is missing, which says what {path.name} was made with", _HINT)
        jsonl.replace(beside, jsonl.encode(settings), None)
        return
    jsonl.repair(path, None)  # it is ours
    changed = [name for name in {**before, **settings} if before.get(name) != settings.get(name)]
    if changed:
        lines = "".join(
            f"\n    {name}: {shown(before.get(name))} -> {shown(settings.get(name))}" for name in changed
        )
        raise RunError(f"{path} was made with other settings:{lines}", _HINT)


def _read(path: Path, kind: type[R]) -> dict[str, R]:
    found = {}
    for number, line, _ in jsonl.read_lines(path, parse=False):
        try:
            record = kind.model_validate_json(line)
        except ValidationError as error:
            why = str(error).splitlines()[0]
            raise RunError(
                f"{path}, line {number} is damaged: {why}", "delete it: it is made again"
            ) from None
        found[record.id] = record
    return found
