"""The library: passages of documents in an embedded LanceDB table, found by BM25 and, if wanted, by meaning.

An index belongs to exactly the documents it was built from and is built again when they change.  It knows
nothing of where the table lies (index_folder.py, index_bucket.py), of models that generate, or runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfstudy import text
from selfstudy.errors import DataError
from selfstudy.library.index_folder import IndexFolder
from selfstudy.library.index_place import SEARCHED, IndexIdentity, IndexPlace
from selfstudy.library.words import index_words
from selfstudy.models.base import Embedder
from selfstudy.records import Document, digest

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 1024
"""Passages embedded and written at a time."""
THREADS = 4
"""LanceDB takes one query a call, milliseconds long; several at a time hide most of its overhead."""
RRF = 60
"""Constant of reciprocal rank fusion (Cormack et al. 2009)."""
TITLE_BONUS = 0.25
"""Per word of a title that the question names, added to a factor on BM25."""
POOL = 20
"""Fewest passages that are ranked again by title, or fused, per question."""
LONGEST_QUERY = 10_000
"""Characters of a question that are looked for."""
MOST_OF_ONE = 10_000
"""Passages of one document that are given."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found: text == document.text[start:end]; `relevance` is comparable within one query only.

    `date`, `fetched` and `sha256` are those of its document.
    """

    passage: int
    document_id: str
    source: str
    title: str
    text: str
    start: int
    end: int
    relevance: float
    date: str = ""
    fetched: str = ""
    sha256: str = ""


class Library:
    """Passages that can be searched. Made by `build`, opened again by `open`."""

    def __init__(
        self,
        table: Any,
        embedder: Embedder | None,
        place: IndexPlace,
        documents: Sequence[Document] | None = None,
    ) -> None:
        self._table = table
        self._embedder = embedder
        self._place = place
        self._documents = None if documents is None else {one.id: one for one in documents}
        """Where others may write to the table, what it may say; None: it is ours alone."""

    @classmethod
    def build(
        cls,
        documents: Sequence[Document],
        place: Path | IndexPlace,
        *,
        chunk_tokens: int,
        embedder: Embedder | None = None,
    ) -> Library:
        """The library of `documents`: opened if it is at its place already, else built there.

        Args:
            place: where its table lies; a path is a folder, which holds this one library.
            chunk_tokens: longest passage, in tokens as `text.estimate_tokens` counts them, on sentence ends.
            embedder: adds vectors, for hybrid search; None for BM25 alone.

        Raises:
            DataError: the documents have no text.
            RunError: the place cannot be read or written.
        """
        where = IndexFolder(place) if isinstance(place, Path) else place
        identity = IndexIdentity(
            documents=_identity(documents),
            chunk_tokens=chunk_tokens,
            embedder=embedder.name if embedder else None,
        )
        table = where.find(identity)
        if table is None:
            table = where.write(identity, _batches(documents, chunk_tokens, embedder))
        return cls(table, embedder, where, documents if where.shared else None)

    @classmethod
    def open(cls, folder: Path, embedder: Embedder | None = None) -> Library:
        """The library that `build` left in `folder`; `embedder` as it was built with, or None for BM25 alone.

        Raises:
            DataError: there is none, it is damaged, or it was built with another embedder.
        """
        place = IndexFolder(folder)
        found = place.identity()
        if found is None:
            raise DataError(f"no library index in {folder}", "build it with: selfstudy gather")
        if embedder is not None and found.embedder != embedder.name:
            raise DataError(
                f"the library index {folder} was built with embedder {found.embedder}, not {embedder.name}",
                "delete the folder; it is built again",
            )
        return cls(place.table(), embedder, place)

    def find(self, questions: Sequence[str], hits: int) -> list[list[Hit]]:
        """The best `hits` passages per question, best first, fewer if fewer match; ties as in the library.

        BM25 over "title. text" (English stemming and stop words, accents ignored); a passage whose title the
        question names ranks higher, the more the longer the title.  With an embedder the BM25 and the vector
        ranking are fused.  Scripts without spaces are served
        (words.py).  Questions are plain words: no character in them has a meaning.

        Raises:
            DataError: somebody else has written to the table.
            RunError: it cannot be read any more.
        """
        queries = [question[:LONGEST_QUERY] for question in questions]
        pool = max(POOL, 4 * hits)
        vectors = self._embedder.encode(queries) if self._embedder is not None and queries else None

        def one(i: int) -> list[Hit]:
            found = self._by_words(queries[i], pool)
            if vectors is not None:
                found = sorted(fuse([found, self._by_meaning(vectors[i], pool)]), key=_order)
            return found[:hits]

        with self._place.reading(), ThreadPoolExecutor(THREADS) as threads:
            return list(threads.map(one, range(len(queries))))

    def passages_of(self, document_id: str) -> list[Hit]:
        """The passages of a document, in its order; none if it is not in the library.

        Raises:
            DataError: somebody else has written to the table.
            RunError: it cannot be read any more.
        """
        if not re.fullmatch("[0-9a-zA-Z]{1,64}", document_id):  # it becomes part of a condition
            return []
        with self._place.reading():
            found = self._table.search().where(f"document_id = '{document_id}'").limit(MOST_OF_ONE)
            hits = [self._hit(row, 0.0) for row in found.select(_COLUMNS).to_list()]
        return sorted(hits, key=lambda hit: hit.start)

    def _by_words(self, query: str, limit: int) -> list[Hit]:
        from lancedb.query import MatchQuery

        words = index_words(text.clean(query)).strip()
        if not words:
            return []
        rows = (
            self._table.search(MatchQuery(words, SEARCHED))
            .limit(limit)
            .select([*_COLUMNS, "_score"])
            .to_list()
        )
        found = []
        for row in rows:
            hit = self._hit(row, row["_score"])
            bonus = TITLE_BONUS * words_named(query, hit.title)
            found.append(replace(hit, relevance=hit.relevance * (1 + bonus)))
        return sorted(found, key=_order)

    def _by_meaning(self, vector: Any, limit: int) -> list[Hit]:
        query = self._table.search(vector).distance_type("dot").limit(limit).select([*_COLUMNS, "_distance"])
        return sorted((self._hit(row, 1 - row["_distance"]) for row in query.to_list()), key=_order)

    def _hit(self, row: dict[str, Any], relevance: float) -> Hit:
        hit = Hit(**{name: row[name] for name in _COLUMNS}, relevance=float(relevance))
        if self._documents is not None and not _stands_in(hit, self._documents.get(str(hit.document_id))):
            raise DataError(
                f"the library index holds a passage of {str(hit.source)[:100]!r} that is in none of its "
                "documents",
                "somebody has changed it: delete it, and see who may write there; it is built again",
            )
        return hit


_COLUMNS = [
    *("passage", "document_id", "source", "title", "text", "start", "end"),
    *("date", "fetched", "sha256"),
]


def _stands_in(hit: Hit, document: Document | None) -> bool:
    return (
        document is not None
        and all(type(number) is int for number in (hit.passage, hit.start, hit.end))
        and 0 <= hit.start < hit.end
        and hit.text == document.text[hit.start : hit.end]
        and (hit.source, hit.title, hit.date, hit.fetched, hit.sha256)
        == (document.source, document.title, document.date, document.fetched, document.sha256)
    )


def _order(hit: Hit) -> tuple[float, int]:
    return -hit.relevance, hit.passage


def words_named(question: str, title: str) -> int:
    """Words of a title, if the question names it."""
    return len(text.tokens(title)) if text.contains(question, title) else 0


def fuse(rankings: Iterable[Sequence[Hit]]) -> list[Hit]:
    """Reciprocal rank fusion: relevance becomes the sum of 1 / (60 + rank) over the rankings.

    Of what is equally good that of the earlier ranking comes first.
    """
    total: dict[tuple[str, int, int], Hit] = {}
    for ranking in rankings:
        for rank, hit in enumerate(ranking, 1):
            gained = 1 / (RRF + rank)
            span = hit.document_id, hit.start, hit.end
            so_far = total.get(span)
            total[span] = replace(so_far or hit, relevance=gained + (so_far.relevance if so_far else 0.0))
    return sorted(total.values(), key=lambda hit: -hit.relevance)


def _identity(documents: Sequence[Document]) -> str:
    """Of documents, with all that passages keep of them."""
    return digest(*(part for d in documents for part in (d.id, d.title, d.date, d.fetched, d.sha256)))


def _batches(
    documents: Sequence[Document], chunk_tokens: int, embedder: Embedder | None
) -> Iterator[pa.Table]:
    import pyarrow as pa

    rows: list[dict[str, Any]] = []

    def table() -> pa.Table:
        batch = pa.Table.from_pylist(rows)
        if embedder is not None:
            vectors = embedder.encode([_titled(row["title"], row["text"]) for row in rows])
            column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
            batch = batch.append_column("vector", column)
        return batch

    for number, row in enumerate(_passages(documents, chunk_tokens)):
        rows.append({"passage": number, **row})
        if len(rows) == BATCH:
            yield table()
            rows.clear()
    if rows:
        yield table()


def _passages(documents: Sequence[Document], chunk_tokens: int) -> Iterator[dict[str, Any]]:
    for document in documents:
        for start, end in text.chunks(document.text, chunk_tokens, text.estimate_tokens):
            passage = document.text[start:end]
            yield {
                "document_id": document.id,
                "source": document.source,
                "title": document.title,
                "text": passage,
                "start": start,
                "end": end,
                "date": document.date,
                "fetched": document.fetched,
                "sha256": document.sha256,
                SEARCHED: index_words(_titled(document.title, passage)),
            }


def _titled(title: str, passage: str) -> str:
    """What is searched: a later part of a document may not name what it is about."""
    return f"{title}. {passage}"
