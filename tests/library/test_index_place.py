"""An identity is read strictly; a table without batches is none."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from pydantic import ValidationError

from selfstudy.errors import DataError
from selfstudy.library.index_place import FORMAT, IndexIdentity, fill

IDENTITY = IndexIdentity(documents="ab", chunk_tokens=64, embedder=None)


def test_an_identity_reads_back_and_everything_in_it_counts() -> None:
    assert IndexIdentity.model_validate_json(IDENTITY.model_dump_json()) == IDENTITY
    for changed in ({"documents": "b"}, {"chunk_tokens": 9}, {"embedder": "e"}, {"format": FORMAT - 1}):
        assert IDENTITY.model_copy(update=changed) != IDENTITY


@pytest.mark.parametrize(
    "text", ['{"format": 0}', "[]", '{"documents": 1, "chunk_tokens": 2, "embedder": null}']
)
def test_what_is_no_identity_is_none(text: str) -> None:
    with pytest.raises(ValidationError):
        IndexIdentity.model_validate_json(text)


def test_no_batch_is_no_table() -> None:
    made: list[object] = []
    with pytest.raises(DataError, match="no text"):
        fill(made.append, iter(()), nullcontext)
    assert made == []
