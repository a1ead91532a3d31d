"""A call cut into its batches: each part alone gives the bits of the whole call, texts and floats."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from selfstudy.models.base import Sampling, chat
from selfstudy.models.local import parts
from selfstudy.models.local.decoding import Member, Prompt, TreeDecoder
from selfstudy.models.local.encoding import Answered
from selfstudy.models.local.lm import LocalLM
from selfstudy.recipe import LocalModel
from selfstudy.records import Chat

SAMPLED = Sampling(n=2, greedy_first=True, max_new_tokens=3, seed=3, repetition_penalty=1.3)
_WORDS = st.sampled_from(["one", "two", "three four", "the capital of", "of", "Paris is", "x"])
_TEXTS = st.lists(_WORDS, min_size=1, max_size=9).map(" ".join)
_SHARED = st.sampled_from(["", "Answer in one word, as briefly as you can, and say nothing else at all. "])
_CHATS = st.lists(st.tuples(_SHARED, _TEXTS).map("".join), min_size=1, max_size=14).flatmap(
    lambda texts: st.lists(st.sampled_from(texts), min_size=1, max_size=18)
)


@pytest.fixture(scope="module")
def small(model_folder: Callable[..., Path]) -> LocalLM:
    return LocalLM(LocalModel(path=str(model_folder("llama")), device="cpu", token_budget=64))


@pytest.fixture(scope="module")
def atlas() -> LocalLM:
    return LocalLM(LocalModel(device="cpu", token_budget=120))


def put_together(
    count: int, cut: Sequence[Sequence[int]], ask: Callable[[list[int]], list[Any]]
) -> list[Any]:
    """What the parts give when each is asked alone, the last first."""
    assert sorted(place for part in cut for place in part) == list(range(count))
    found: list[Any] = [None] * count
    for part in reversed(cut):
        for place, one in zip(part, ask(list(part)), strict=True):
            found[place] = one
    return found


def require_same(lm: LocalLM, texts: Sequence[str], sampling: Sampling = SAMPLED) -> int:
    """How many parts there were of what was generated."""
    chats: list[Chat] = [chat(text) for text in texts]
    whole = lm.generate(chats, sampling)
    cut = lm.parts(chats, sampling)
    assert (
        put_together(len(chats), cut, lambda part: lm.generate([chats[i] for i in part], sampling)) == whole
    )
    answers = [text[::-1] for text in texts]
    scored = lm.scored_parts(chats, answers)

    def logprobs(part: list[int]) -> list[Any]:
        return lm.logprobs([chats[i] for i in part], [answers[i] for i in part])

    def words(part: list[int]) -> list[Any]:
        return lm.word_logprobs([chats[i] for i in part], [answers[i] for i in part])

    assert put_together(len(chats), scored, logprobs) == lm.logprobs(chats, answers)
    assert put_together(len(chats), scored, words) == lm.word_logprobs(chats, answers)

    def plain(part: list[int]) -> list[Any]:
        return lm.text_logprobs([texts[i] for i in part], [answers[i] for i in part])

    assert put_together(len(chats), lm.text_parts(texts, answers), plain) == lm.text_logprobs(texts, answers)
    begun = [text[: len(text) // 2] for text in texts]

    def continued(part: list[int]) -> list[Any]:
        return lm.continued([chats[i] for i in part], [begun[i] for i in part], sampling)

    going_on = lm.continued_parts(chats, begun, sampling)
    assert put_together(len(chats), going_on, continued) == lm.continued(chats, begun, sampling)
    return len(cut)


@settings(max_examples=4)
@given(_CHATS)
def test_a_part_alone_is_answered_to_the_bit(small: LocalLM, texts: list[str]) -> None:
    require_same(small, texts)


def test_where_nothing_is_padded_too(model_folder: Callable[..., Path]) -> None:
    mamba = LocalLM(LocalModel(path=str(model_folder("mamba")), device="cpu", token_budget=64))
    assert require_same(mamba, ["one", "two of", "one", "x two", "of three four"]) > 1


def rows_of(shared: Sequence[int], *ends: Sequence[int]) -> list[list[int]]:
    return [[*shared, *end] for end in ends]


CHAIN = rows_of([1] * 6, [1] * 10, [1] * 7, [2, 1, 1, 1, 1, 1], [2, 2, 1, 1, 1, 1, 1, 1])
"""Of 16, 13, 12 and 14 tokens. The first and the last are like each other by way of the third alone."""


@settings(max_examples=150)
@given(
    st.lists(st.lists(st.integers(1, 2), min_size=3, max_size=16), min_size=1, max_size=12),
    st.integers(9, 60),
)
@example(CHAIN, 48)
def test_a_batch_alone_is_the_same_rows_in_the_same_order(
    small: LocalLM, rows: list[list[int]], budget: int
) -> None:
    """Nothing is computed, so that many batches can be looked at."""
    items = [Answered(index, row, 1) for index, row in enumerate(rows)]
    decoder = TreeDecoder(small._forward, SAMPLED, small._ends, budget)
    prompts = [
        Prompt(list(row), [Member(at, None)], 1) for at, row in enumerate(dict.fromkeys(map(tuple, rows)))
    ]

    def decoded(some: Sequence[Prompt]) -> list[list[Prompt]]:
        left, found = small._in_order(some), []
        while left:
            found.append(small._first_batch(left, decoder))
            left = left[len(found[-1]) :]
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(small, "_budget", budget)
        for batch in decoded(prompts):
            assert decoded([one for one in prompts if one in batch]) == [batch]
    for read in small._scorer.batches(items, budget):
        assert small._scorer.batches([one for one in items if one in read], budget) == [read]


def test_atlas_too(atlas: LocalLM) -> None:
    countries = ["France", "Chad", "Fiji", "Peru", "Chad"]
    asked = [
        "What is the capital of {}?",
        "Tell me all that you know about the borders of {}, please.",
        "{}?",
    ]
    texts = [one.format(country) for country in countries for one in asked]
    assert require_same(atlas, texts) > 3


def test_what_cannot_be_asked_is_in_some_part(small: LocalLM) -> None:
    chats: list[Chat] = [chat("one"), chat("\ud800"), chat("two " * 400), chat("one")]
    cut = small.parts(chats, SAMPLED)
    assert sorted(place for part in cut for place in part) == [0, 1, 2, 3]
    assert next(part for part in cut if 0 in part) == next(part for part in cut if 3 in part)
    assert small.scored_parts(chats, ["", "a", "b", ""])
    assert small.parts([], SAMPLED) == []


def test_a_search_is_one_part(small: LocalLM) -> None:
    searched = Sampling(n=1, greedy_first=True, penalty_alpha=0.4, top_k=3, max_new_tokens=3)
    assert small.parts([chat(f"{n} " * n) for n in range(1, 20)], searched) == [list(range(19))]


def test_what_is_in_no_batch_goes_with_the_last() -> None:
    assert parts.whole([[4, 0, 4], [2]], 5) == [[0, 4], [1, 2, 3]]
    assert parts.whole([], 3) == [[0, 1, 2]]
    assert parts.whole([], 0) == []


def test_places_of_one_text_are_in_one_part() -> None:
    said = {0: "a", 1: "b", 2: "a", 3: "c", 4: "b", 5: "d"}
    found = parts.together([[0, 1], [3], [2], [5], [4]], said)
    assert sorted(map(sorted, found)) == [[0, 1, 2, 4], [3], [5]]
