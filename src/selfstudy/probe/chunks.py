"""Cuts documents into what one question each is asked about, spread evenly over them (methods 2).

Knows nothing of models but how to count tokens, and nothing of questions.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from selfstudy import text
from selfstudy.records import Document

_HEAD = 4000
"""Characters in which the first sentence of a document is looked for."""


@dataclass(frozen=True)
class Chunk:
    """A part of a document; `text` begins with the document's first sentence."""

    document_id: str
    title: str
    topic: str
    text: str


def topic_name(document: Document) -> str:
    """What questions about a document are grouped by: its title, or the name of its file."""
    return document.title or PurePath(document.source).stem


def chunks_of(document: Document, max_tokens: int, count: Callable[[str], int]) -> list[Chunk]:
    """The chunks of a document, in order: whole sentences, at most `max_tokens` with the repeated header.

    The header is dropped where it would take more than half of the room.
    """
    first = next(iter(text.sentences(document.text[:_HEAD])), "")
    room = max_tokens - count(f"{first}\n")
    if room < max_tokens / 2:
        first, room = "", max_tokens
    chunks = []
    for start, end in text.chunks(document.text, room, count):
        part = document.text[start:end]
        header = "" if part.startswith(first) else f"{first}\n"
        chunks.append(Chunk(document.id, document.title, topic_name(document), header + part))
    return chunks


def over_documents(
    documents: Sequence[Document], max_tokens: int, per_chunk: int, count: Callable[[str], int], seed: int
) -> Iterator[Chunk]:
    """Every chunk `per_chunk` times: one of each document in a shuffled order, then the next of each.

    Lazy: a document is cut when it is first reached, so asking little of a large library costs little.
    """
    rng = random.Random(f"{seed}:documents")
    order = list(documents)
    rng.shuffle(order)
    queues: list[Iterator[Chunk]] = []
    for document in order:
        chunks = chunks_of(document, max_tokens, count)
        random.Random(f"{seed}:{document.id}").shuffle(chunks)
        queue = iter(chunks * per_chunk)
        if (chunk := next(queue, None)) is not None:
            yield chunk
            queues.append(queue)
    while queues:
        rest = []
        for queue in queues:
            if (chunk := next(queue, None)) is not None:
                yield chunk
                rest.append(queue)
        queues = rest
