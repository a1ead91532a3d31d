"""A judge asked in both orders: by its script, by the place, and of answers that are the same."""

from __future__ import annotations

from selfstudy.judging.judge import PromptedJudge
from selfstudy.judging.pairwise import JudgedPair, compare
from selfstudy.judging.pairwise_judge import judged_pairs
from selfstudy.prompts import Prompts

from .judges import CountingLM


def test_both_orders_are_one_batch_and_identical_answers_are_asked_of_nobody() -> None:
    lm = CountingLM(
        {
            "First response: good.*Second response: bad": "first",
            "First response: bad.*Second response: good": "The answer is second.",
            "First response: a": "It is a tie.",
            "First response: b": "first",
            "response: odd": "I like both.",
        }
    )
    judge = PromptedJudge(lm, Prompts())
    pairs = [("?", "good", "bad"), ("?", "same", "same\n"), ("?", "a", "b"), ("?", "odd", "even")]
    assert judged_pairs(pairs, judge) == [
        JudgedPair("first", "second"),
        JudgedPair("tie", "tie"),
        JudgedPair("tie", "first"),
        JudgedPair(None, None),
    ]
    assert lm.batches == [6]


def test_a_judge_that_likes_the_first_place_is_seen() -> None:
    judge = PromptedJudge(CountingLM({".": "first"}), Prompts())
    found = compare(judged_pairs([("?", f"a{n}", f"b{n}") for n in range(10)], judge), seed=0)
    assert (found.position_bias, found.consistency, found.primacy) == (1.0, 0.0, 10)
    assert found.win_rate.value == 0.5


def test_a_document_is_shown_where_there_is_one_and_in_its_own_prompt() -> None:
    lm = CountingLM(
        {
            "Document: It is 5.*First response: five": "first",
            "Document: It is 5.*Second response: five": "second",
            "Document": "hm",
            ".": "tie",
        }
    )
    judge = PromptedJudge(lm, Prompts())
    pairs = [("?", "five", "six"), ("?", "five", "six"), ("?", "same", "same")]
    assert judged_pairs(pairs, judge, documents=["It is 5.", "", "x"]) == [
        JudgedPair("first", "second"),
        JudgedPair("tie", "tie"),
        JudgedPair("tie", "tie"),
    ]
    assert lm.batches == [4]
