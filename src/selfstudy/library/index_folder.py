"""An index in a folder of ours, which holds this one; an `IndexPlace`.

    library.json    its identity, written last: without it the folder counts as unfinished
    passages.lance  the table

Knows nothing of what is in the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from selfstudy.errors import DataError, RunError
from selfstudy.files import own, private
from selfstudy.library.index_place import FORMAT, TABLE, IndexIdentity, fill

if TYPE_CHECKING:
    import pyarrow as pa

META = "library.json"
_FILES = (META, f"{TABLE}.lance")
"""All that an index consists of."""


class IndexFolder:
    """One on this machine."""

    shared = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def reading(self) -> AbstractContextManager[None]:
        """See `IndexPlace`: a disk that fails is no case of its own."""
        return nullcontext()

    def identity(self) -> IndexIdentity | None:
        """Of the index that is there; None: there is none of this version, or it is not finished."""
        try:
            found = IndexIdentity.model_validate_json(private.read(self._folder / META, 10_000))
        except (OSError, ValidationError):
            return None
        return found if found.format == FORMAT else None

    def table(self) -> Any:
        """The table that is there.

        Raises:
            DataError: it is damaged.
        """
        import lancedb

        try:
            return lancedb.connect(str(self._folder)).open_table(TABLE)
        except (OSError, RuntimeError, ValueError) as error:
            raise DataError(
                f"the library index {self._folder} is damaged: {error}", "delete it; it is built again"
            ) from None

    def find(self, identity: IndexIdentity) -> Any | None:
        """See `IndexPlace`."""
        return self.table() if self.identity() == identity else None

    def write(self, identity: IndexIdentity, batches: Iterator[pa.Table]) -> Any:
        """See `IndexPlace`: what was there of ours goes first."""
        import lancedb

        folder = self._folder
        with self._writing():
            if self.identity() is not None and not folder.is_symlink():
                own.mark(folder)  # one of before the mark is told by what it says of itself
            if own.check(folder, _FILES):
                (folder / META).unlink(missing_ok=True)
                own.remove(folder, _FILES)
            own.make(folder)
        fill(lambda first: lancedb.connect(str(folder)).create_table(TABLE, first), batches, self._writing)
        with self._writing():
            private.close_tree(folder)
            with private.replacing(folder / META) as file:
                file.write(identity.model_dump_json(indent=2).encode())
        return self.table()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Says how to go on when a write fails: LanceDB too raises RuntimeError, so no embedder runs here."""
        try:
            yield
        except (OSError, RuntimeError) as error:
            raise RunError(
                f"cannot write the library index {self._folder}: {error}",
                "nothing else is lost: make room (or check permissions) and give the same command again",
            ) from None
