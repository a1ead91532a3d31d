"""Beam search finds the answer that is known to be best; in few calls, whatever else is searched for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from selfstudy.errors import ModelError
from selfstudy.models.base import Sampling
from selfstudy.models.scripted import ScriptedLM
from selfstudy.recipe import RejectionBlock
from selfstudy.records import Completion
from selfstudy.teach.beam import beam
from tests.teach.cited import SAID, SUPPORTED, WRONG, Writer, exercise, rewards

BLOCK = RejectionBlock()
WIDE = RejectionBlock(continuations=16)
"""Enough that chance leaves nothing out."""
ITEMS = tuple(f"{one.removeprefix('Rome is ')} [{at}]" for at, one in enumerate(SAID[:3], 1))


def search(lm: Any, *exercises: Any, block: RejectionBlock = BLOCK, level: Any = "fine") -> Any:
    return beam(exercises, lm, rewards(level)[0], block)


def test_the_best_answer_is_found_where_no_sample_has_it() -> None:
    """Three sentences of seven, in any order, and none of the others: 1.8 = 3 x (0.2 + 0.2 + 0.2)."""
    lm = Writer([*SUPPORTED, *WRONG])
    names = [exercise(f"q{at}") for at in range(6)]
    found = search(lm, *names, block=WIDE)
    samples = lm.generate([one.prompt for one in names], Sampling(n=16, max_new_tokens=200))
    best = [
        max(one.total for one in row)
        for row in rewards()[0].rewards(names, [[one.text for one in row] for row in samples])
    ]
    assert all(one.total >= 1.8 - 1e-9 for one in found)
    assert sum(one.total for one in found) > sum(best) + 1
    for one in found:
        assert all(sentence in one.text for sentence in SUPPORTED)
        assert not any(sentence in one.text for sentence in WRONG)
    assert all(one.candidates > 60 and one.spread > 1 for one in found)


def test_a_depth_is_one_call_and_one_judging() -> None:
    lm = Writer([*SUPPORTED, *WRONG])
    judged_by, judge = rewards()
    beam([exercise("a"), exercise("b")], lm, judged_by, BLOCK)
    assert len(lm.calls) <= BLOCK.depth
    assert lm.calls[0] == (["", ""], 16)
    assert all(count == 2 for _, count in lm.calls[1:])
    assert all(len(begun) <= 2 * BLOCK.beams for begun, _ in lm.calls)
    assert len(judge.asked) <= 4 * BLOCK.depth  # three turns for citations, one for claims


def test_what_else_is_searched_for_changes_nothing() -> None:
    names = [exercise(f"q{at}") for at in range(3)]
    lm = Writer([*SUPPORTED, *WRONG])
    assert search(lm, *names) == [one for name in names for one in search(lm, name)]


def test_of_a_list_the_items_are_searched() -> None:
    lm = Writer([*ITEMS, "loud [1]", "far", "old [2]"], between=", ")
    one, other = exercise("list", "qampari"), exercise("text")
    # so many beams that a random choice leaves none out
    block = RejectionBlock(beams=40, continuations=12, depth=2, list_depth=3)
    (found, _) = search(lm, one, other, block=block)
    assert set(found.text.rstrip(".").split(", ")) == set(ITEMS)
    assert not found.text.endswith(",")
    assert len(lm.calls) > block.list_depth  # those of the other one too


def test_the_start_of_a_list_may_be_chosen_at_random(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [exercise(f"q{at}", "qampari") for at in range(8)]
    pool = [f"thing {at} [1]" for at in range(20)] + list(ITEMS)
    block = RejectionBlock(beams=2, list_depth=1)

    def kept() -> Sequence[float]:
        return [one.total for one in search(Writer(pool, between=", "), *names, block=block)]

    chosen = kept()
    assert chosen == kept()
    monkeypatch.setattr("selfstudy.teach.beam._RANDOM", 0.0)
    best = kept()
    assert all(one <= other for one, other in zip(chosen, best, strict=True))
    assert sum(chosen) <= sum(best)


def test_an_answer_that_has_ended_stays_a_candidate() -> None:
    class Ends(Writer):
        def _write(self, stream: str, before: str, sampling: Any, enough: Any) -> Completion:
            if before:  # whoever goes on says what is wrong, and nothing but that
                return Completion(text=f" {WRONG[0]}", tokens=4, logprob=-1.0)
            return Completion(text=SUPPORTED[0], tokens=4, logprob=-1.0)

    (found,) = search(Ends([]), exercise())
    assert found.text == SUPPORTED[0]


def test_a_line_ends_the_answer_and_what_is_behind_it_is_forgotten() -> None:
    class Lines(Writer):
        def _write(self, stream: str, before: str, sampling: Any, enough: Any) -> Completion:
            return Completion(text=f"\n {SUPPORTED[0]}\n\n{WRONG[0]} More", tokens=9, finish="length")

    (found,) = search(Lines([]), exercise())
    assert found.text == SUPPORTED[0]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (Completion(text="Rome is", tokens=64, finish="length"), "no end of a statement within 64 tokens"),
        (Completion(text="", finish="error", error="no room"), "no room"),
        (Completion(text=" ", tokens=1), "an empty answer"),
        (Completion(text="word " * 200, tokens=9), "longer than 200 tokens"),
    ],
)
def test_where_nothing_can_be_judged_there_is_an_error(said: Completion, why: str) -> None:
    class Says(Writer):
        def _write(self, stream: str, before: str, sampling: Any, enough: Any) -> Completion:
            return said

    (found,) = search(Says([]), exercise())
    assert found.error == f"no answer: 16 x {why}"
    assert found.total is None


def test_a_beam_that_cannot_go_on_is_a_candidate() -> None:
    class Stuck(Writer):
        def _write(self, stream: str, before: str, sampling: Any, enough: Any) -> Completion:
            if before:
                return Completion(text="", finish="error", error="no room")
            return Completion(text=f"{SUPPORTED[0]} Rome", tokens=5, finish="length")

    (found,) = search(Stuck([]), exercise())
    assert (found.text, found.error) == (SUPPORTED[0], "")


def test_the_control_goes_by_the_rewards_of_others() -> None:
    lm = Writer([*SUPPORTED, *WRONG])
    names = [exercise(f"q{at}") for at in range(6)]
    found = search(lm, *names, level="random")
    assert found == search(lm, *names, level="random")
    real = rewards()[0].rewards(names, [[one.text] for one in found])
    assert sum(row[0].total for row in real) < 6 * 1.2
    assert all(one.total is not None for one in found)


def test_a_model_that_cannot_go_on_with_answers_is_told_what_can_be_done() -> None:
    with pytest.raises(ModelError, match="begun") as caught:
        search(ScriptedLM({}), exercise())
    assert "best-of" in caught.value.hint
