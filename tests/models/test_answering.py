"""Before and after teaching a question is put alike; reading has no penalty that would punish copying."""

from __future__ import annotations

from selfstudy.models.answering import from_document, from_memory
from selfstudy.recipe import AnsweringBlock

BLOCK = AnsweringBlock(temperature=0.7, repetition_penalty=1.2, max_new_tokens=20, reading_tokens=50)


def test_both_have_a_passage_and_as_many_samples_as_asked_for() -> None:
    told, read = from_memory(BLOCK, 4, seed=3), from_document(BLOCK, 4, seed=3)
    assert (told.max_new_tokens, told.repetition_penalty) == (20, 1.2)
    assert (read.max_new_tokens, read.repetition_penalty) == (50, 1.0)
    for sampling in (told, read):
        assert (sampling.total, sampling.temperature, sampling.seed) == (5, 0.7, 3)
        assert sampling.with_passage
    assert from_memory(BLOCK, 0, seed=3).total == 1
