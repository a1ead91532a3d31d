"""The questions of a run that are nearest to what a person asks."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from selfstudy import text
from selfstudy.verbs.nearest import MOST_ALIKE, nearest

FIJI, PERU, PALAU = (f"What is the capital of {name}?" for name in ("Fiji", "Peru", "Palau"))
RUN = [("f", FIJI), ("p", PERU), ("r", "Which river flows through Peru?"), ("f", FIJI)]


def ids(asked: str, most: int = 1) -> list[str]:
    return [one.question_id for one in nearest(RUN, asked, most)]


def test_the_same_words_come_before_all_others() -> None:
    assert ids("what is the capital of fiji") == ["f"]
    assert nearest(RUN, "what is the capital of fiji")[0].exact
    assert ids("Fiji, the capital of, what is?") == ["f"]
    assert not nearest(RUN, "Fiji, the capital of, what is?")[0].exact


def test_what_is_equally_near_is_all_there_and_the_next_ones_if_wanted() -> None:
    assert ids(PALAU) == ["f", "p"]
    assert ids("rivers of Peru", most=3) == ["p", "f", "r"]
    assert not nearest(RUN, "How do magnets work?")
    assert not any(one.is_near for one in nearest(RUN, "Which magnets?", 3))


WORDS = ("what", "is", "capital", "of", "fiji", "peru", "a", "?")
words = st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join)


@given(st.lists(words, max_size=30), words)
def test_nearness_is_token_f1(questions: list[str], asked: str) -> None:
    found = nearest(((str(n), said) for n, said in enumerate(questions)), asked)
    values = [text.token_f1(said, asked) for said in questions]
    if not any(values):
        assert not found
        return
    assert found[0].nearness == max(values)
    assert all(one.nearness == values[one.place] for one in found)


def test_many_alike_are_neither_kept_nor_slow() -> None:
    many = [(str(n), f"What is the capital of place {n}?") for n in range(20_000)]
    start = time.perf_counter()
    found = nearest(many, "What is the capital of Mars?")
    assert time.perf_counter() - start < 5
    assert [one.place for one in found] == list(range(MOST_ALIKE))
