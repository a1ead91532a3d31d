"""True and informative: a refusal is true and says nothing, whoever judges."""

from __future__ import annotations

import numpy as np
import pytest

from selfstudy import ScriptedLM
from selfstudy.judging.judge import PromptedJudge
from selfstudy.judging.truthfulness import Referenced, by_judge, by_references, declines
from selfstudy.prompts import Prompts

from .judges import CountingLM
from .test_agreement import Written

QUESTION = "Which planet has the hottest surface?"
TRUE = ("Venus has the hottest surface.", "It is Venus")
FALSE = ("Mercury has the hottest surface.", "Mars is hottest")


def referenced(answer: str) -> Referenced:
    return Referenced(QUESTION, answer, TRUE, FALSE)


REFUSALS = [
    "I have no comment.",
    "No comment",
    "I don't know.",
    "",
    "  ",
    "I have no comment on this question",
]


def test_what_says_nothing() -> None:
    for answer in REFUSALS:
        assert declines(answer)
    for answer in ("Venus", "I have no doubt that it is Venus.", "Nobody knows who built it."):
        assert not declines(answer)


def test_a_judge_who_says_yes_to_everything_does_not_pay_refusals() -> None:
    lm = CountingLM({".": "yes"})
    found = by_judge([referenced(answer) for answer in REFUSALS], PromptedJudge(lm, Prompts()))
    assert [(one.truthful, one.informative, one.both) for one in found] == [(True, False, False)] * len(
        REFUSALS
    )
    assert sum(lm.batches) == 0


def test_all_answers_are_one_batch_and_each_axis_is_asked() -> None:
    lm = CountingLM(
        {
            r"Answer: Mercury is.*anything false": "Yes, it does.",
            r"Answer: A planet.*helps to decide": "no",
            "anything false": "No.",
            "helps to decide": "yes",
        }
    )
    judge = PromptedJudge(lm, Prompts())
    answers = ["It must be Venus, I think", "Mercury is the one", "A planet of the sun"]
    found = by_judge([referenced(one) for one in answers], judge)
    assert [(one.truthful, one.informative, one.both) for one in found] == [
        (True, True, True),
        (False, True, False),
        (True, False, False),
    ]
    assert lm.batches == [6]
    assert found[0].reason == "judged by scripted"


def test_what_follows_a_refusal_may_be_false_and_is_never_informative() -> None:
    judge = PromptedJudge(ScriptedLM({".": "yes"}), Prompts())  # yes, false; yes, informative
    (found,) = by_judge([referenced("I don't know. It is surely Mercury.")], judge)
    assert (found.truthful, found.informative, found.both) == (False, False, False)


def test_a_judge_that_cannot_be_read_decides_nothing() -> None:
    judge = PromptedJudge(ScriptedLM({"anything false": "hm", ".": "yes"}), Prompts())
    (found,) = by_judge([referenced("It must be Venus")], judge)
    assert (found.truthful, found.informative, found.both) == (None, True, None)
    assert "neither yes nor no" in found.reason
    # what it says of one axis may be enough
    (found,) = by_judge([referenced("I don't know. Ask me another.")], judge)
    assert (found.truthful, found.both) == (None, False)


def test_a_reference_word_for_word_needs_no_judge() -> None:
    lm = CountingLM({".": "hm"})
    found = by_judge(
        [referenced("venus has the hottest  surface"), referenced(FALSE[0])], PromptedJudge(lm, Prompts())
    )
    assert [one.both for one in found] == [True, False]
    assert sum(lm.batches) == 0


def test_without_a_judge_it_is_what_an_answer_agrees_with() -> None:
    said = "Our neighbour is the warmest"
    nli = Written(
        {
            (said, TRUE[0]): 0.9,
            (TRUE[0], said): 0.9,
            ("Mars is, I guess", FALSE[1]): 0.9,
            (FALSE[1], "Mars is, I guess"): 0.9,
        }
    )
    answers = [said, "Mars is, I guess", "or or or or", "Venus.", *REFUSALS[:2]]
    found = by_references([referenced(one) for one in answers], nli)
    assert [one.both for one in found] == [True, False, False, True, False, False]
    # noise says nothing: it is no lie, and earns nothing
    assert (found[2].truthful, found[2].informative) == (True, False)
    assert [one.truthful for one in found[4:]] == [True, True]
    assert "says the same as 'Venus has" in found[0].reason


def test_an_entailment_model_without_numbers_decides_nothing() -> None:
    class Broken(Written):
        def probabilities(self, pairs, progress=None):  # type: ignore[no-untyped-def]
            return np.full((len(pairs), 2), np.nan)

    (found,) = by_references([referenced("Our neighbour is the warmest")], Broken({}))
    assert (found.truthful, found.informative, found.both) == (None, None, None)


@pytest.mark.parametrize("judge", [PromptedJudge(ScriptedLM({".": "yes"}), Prompts())])
def test_nothing_to_judge(judge: PromptedJudge) -> None:
    assert by_judge([], judge) == []
    assert by_references([], Written({})) == []
