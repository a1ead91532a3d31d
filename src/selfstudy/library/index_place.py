"""Where the table of a library lies: the contract, what tells one index from another, how a table is filled.

Knows no place, and nothing of what is in the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel, ConfigDict

from selfstudy.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 3
TABLE, SEARCHED = "passages", "search"
"""The table, and the column of it in which words are looked for."""


class IndexIdentity(BaseModel):
    """What an index was built from; one of another identity is built again, never trusted.

    Attributes:
        documents: a hash of them, with all that passages keep of them.
        chunk_tokens: the longest passage.
        embedder: which one made the vectors; None: there are none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    format: int = FORMAT
    documents: str
    chunk_tokens: int
    embedder: str | None


class IndexPlace(Protocol):
    """A place for tables of LanceDB."""

    @property
    def shared(self) -> bool:
        """Whether others may write there too, so that what is found is checked."""

    def reading(self) -> AbstractContextManager[None]:
        """Says what is wrong when a table cannot be read any more."""

    def find(self, identity: IndexIdentity) -> Any | None:
        """The table of this identity, finished; None: it has to be written.

        Raises:
            DataError: it is damaged.
            RunError: the place cannot be read.
        """

    def write(self, identity: IndexIdentity, batches: Iterator[pa.Table]) -> Any:
        """Writes a table in batches, with its index over words; until that is done `find` finds nothing.

        Raises:
            DataError: there is no batch.
            RunError: it cannot be written.
        """


def fill(
    create: Callable[[pa.Table], Any],
    batches: Iterator[pa.Table],
    writing: Callable[[], AbstractContextManager[None]],
) -> Any:
    """A table with all batches and its index over words: the same from the same batches, wherever it lies.

    Args:
        create: makes the table, of the first batch.
        writing: says what is wrong when a write fails; the batches are not made within.

    Raises:
        DataError: there is no batch.
    """
    from lancedb.index import FTS

    first = next(batches, None)
    if first is None:
        raise DataError("the library has no text", "check the files of the recipe's `library`")
    with writing():
        table = create(first)
    for batch in batches:
        with writing():
            table.add(batch)
    with writing():
        table.create_index(SEARCHED, config=FTS(num_workers=1))  # one worker: the same index every time
    return table
