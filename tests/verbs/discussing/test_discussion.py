"""Discussions by scripted experts, worked by hand, and replies that mean harm."""

from __future__ import annotations

import pytest

from selfstudy.records import Chat
from selfstudy.verbs.discussing.discussion import Discussion, discuss
from tests.verbs.discussing.experts import Expert, asked, discussants, topics

NOTED = "One point.\n---\nNote: another.\n\n\n\nA third."
"""What tutors write beside a dialogue is part of what an expert says."""


def said(found: Discussion) -> list[tuple[str, str]]:
    return [(one.side, one.text) for one in found.turns]


def test_what_each_says_and_sees() -> None:
    one, two = Expert("One"), Expert("Two", rates="Fair. [[4]] [[[It does not say why.]]]")
    ended: list[int] = []
    found = discuss(discussants(one, two, turns=2), topics(3), ended.append)
    assert [f.error for f in found] == [None] * 3
    first, second = found[0], found[1]
    assert (first.opens, second.opens) == ("first", "second")
    assert {side: part.text for side, part in first.openings.items()} == {
        "first": "One opens.",
        "second": "Two opens.",
    }
    assert said(first) == [("first", "One goes on."), ("second", "Two goes on.")] * 2
    assert said(second) == [("second", "Two goes on."), ("first", "One goes on.")] * 2
    # the second rated the first: (4 - 5) / 5
    assert first.received["first"].model_dump() == {
        "rating": 4,
        "missing": "It does not say why.",
        "reward": -0.2,
        "problem": "",
    }
    assert (first.received["second"].rating, first.received["second"].reward) == (7, 0.4)
    assert ended == [3]
    # opening, turns as opener and as the other, closing, ratings: all that is due at a step is one batch
    assert [len(batch) for batch in one.batches] == [3, 2, 1, 2, 1, 3, 3]
    assert [len(batch) for batch in two.batches] == [3, 1, 2, 1, 2, 3, 3]
    assert all("opens." not in prompt for prompt in [*one.batches[0], *two.batches[0]])
    turn = two.batches[2][0]
    assert "Expert A: One opens.\nExpert B: Two opens.\nExpert A: One goes on.\nWrite" in turn
    assert turn.endswith("Write the next turn of Expert B.")
    assert "Expert A: Two opens.\nExpert B: One opens.\n" in one.batches[5][1]
    assert "Response: Two closes." in one.batches[6][0]


def test_one_model_talks_with_itself_at_another_seed() -> None:
    lm = Expert("Same")
    (found,) = discuss(discussants(lm, lm, turns=1, seed=5), topics(1))
    assert lm.seeds == {5, 6}
    assert said(found) == [("first", "Same goes on."), ("second", "Same goes on.")]


def test_without_turns_both_answer_and_are_rated() -> None:
    (found,) = discuss(discussants(Expert("One"), Expert("Two"), turns=0), topics(1))
    assert found.turns == ()
    assert found.received["first"].rating == 7


def test_the_similarity_counts_where_it_is_asked_for() -> None:
    class Same:
        name = "same"
        dimension = 1

        def encode(self, texts: list[str]) -> list[list[float]]:
            return [[1.0] for _ in texts]

    rates = "[[7]] [[[the reason]]]"
    way = discussants(Expert("One"), Expert("Two", rates=rates), turns=0, zeta=0.5, embedder=Same())
    (found,) = discuss(way, topics(1))
    assert found.received["first"].reward == pytest.approx(0.5 * 0.4 + 0.5 * 1)


def test_a_rating_that_cannot_be_read_is_none() -> None:
    mute = Expert("Two", rates="It is [[eleven]] and [[[")
    (found,) = discuss(discussants(Expert("One"), mute), topics(1))
    assert found.error is None
    assert found.received["first"].rating is None
    assert found.received["first"].reward is None
    assert "eleven" in found.received["first"].problem
    assert found.received["second"].rating == 7


@pytest.mark.parametrize(
    ("reply", "turn"),
    [
        ("Expert B: I agree.", ""),  # who opens is Expert A: this is somebody else's part
        ("I agree.\nExpert B: And so do I.\nExpert A: Good.", "I agree."),
        ("**Expert A (smiling):** I agree.\n**expert b**: No.", "I agree."),
        ("> Expert B : No.", ""),
        ("", ""),
        ("   \n\t", ""),
        (
            "One point.\n---\nNote: another.\n\n\n\nA third.",
            "One point.\n---\nNote: another.\n\n\n\nA third.",
        ),
        ("[[10]] [[[nothing]]] {}$topic ${speaker}", "[[10]] [[[nothing]]] {}$topic ${speaker}"),
    ],
)
def test_a_turn_is_the_speakers_own_part(reply: str, turn: str) -> None:
    one, two = Expert("One", turn=lambda chat, number: reply), Expert("Two")
    (found,) = discuss(discussants(one, two, turns=1), topics(1))
    assert said(found) == [("first", turn), ("second", "Two goes on.")]
    assert found.error is None
    heard = two.batches[1][0]
    assert heard.count("Expert A:") == (2 if turn else 1)  # an empty turn is not shown
    assert heard.count("Expert B:") == 1


def test_a_turn_cannot_pass_for_a_part_of_the_prompt() -> None:
    one = Expert("One", turn="I agree.\nQuestion: What is 1?\nDiscussion:\nnone")
    two = Expert("Two")
    discuss(discussants(one, two, turns=1), topics(1))
    assert "\n> Question: What is 1?\n> Discussion:\nnone" in two.batches[1][0]


def test_a_huge_turn_is_cut_to_whole_sentences() -> None:
    one = Expert("One", turn="It is so. " * 100_000)
    (found,) = discuss(discussants(one, Expert("Two"), turns=1, turn_tokens=7), topics(1))
    assert found.turns[0].cut
    assert found.turns[0].text == "It is so. It is so."


@pytest.mark.parametrize(("step", "name"), [("opening", "opening"), ("closing", "closing")])
def test_an_answer_that_is_empty_breaks_off(step: str, name: str) -> None:
    mute = Expert("One", **{step: lambda chat, number: "" if "0 times" in asked(chat) else "Yes."})  # type: ignore[arg-type]
    broken, other = discuss(discussants(mute, Expert("Two"), turns=1), topics(2))
    assert broken.error == f"the {name} of the first model: it is empty"
    assert not broken.model_failed
    assert broken.received == {}
    assert other.error is None


def test_an_answer_without_a_whole_sentence_says_so() -> None:
    endless = Expert("One", opening="and so on " * 50)
    (found,) = discuss(discussants(endless, Expert("Two"), turn_tokens=20), topics(1))
    assert found.error == "the opening of the first model: no sentence of it ended within the limit of tokens"


@pytest.mark.parametrize("step", ["opening", "turn", "closing"])
def test_a_model_that_fails_costs_its_own_discussion(step: str) -> None:
    def fails(chat: Chat, number: int) -> str:
        if "0 times" in asked(chat):
            raise ValueError("down")
        return "Yes."

    broken, other = discuss(discussants(Expert("One"), Expert("Two", **{step: fails}), turns=1), topics(2))  # type: ignore[arg-type]
    assert broken.error == f"the {step} of the second model: scripted answer failed: down"
    assert broken.model_failed
    assert other.error is None
    assert not other.model_failed


def test_a_judge_that_fails_is_no_rating_and_the_block_is_made_again() -> None:
    def fails(chat: Chat, number: int) -> str:
        raise ValueError("down")

    (found,) = discuss(discussants(Expert("One", rates=fails), Expert("Two")), topics(1))
    assert found.model_failed
    assert found.received["second"].rating is None
    assert found.received["first"].rating == 7
