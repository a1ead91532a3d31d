"""Rewards by a rubric: verdicts by hand, in one call and in several, one number, and what is unscored."""

from __future__ import annotations

import json

import pytest

from selfstudy.judging.judge import PromptedJudge
from selfstudy.judging.rewards import Response, Reward
from selfstudy.judging.rubric import from_evidence
from selfstudy.judging.rubric_reward import NO_RUBRIC, ExplicitRubricReward, ImplicitRubricReward
from selfstudy.prompts import Prompts

from .judges import CountingLM

CRITERIA = from_evidence(["It is Tolm."], ["It lies by the Ferro."], ["It is Barl."])  # 1, .7, .9
FIRST = json.dumps([{"name": n, "verdict": said} for n, said in ((1, "yes"), (2, "no"), (3, "yes"))])
ONE = json.dumps([{"name": 1, "reason": "it does", "verdict": "yes"}])
NONE = json.dumps([{"name": 1, "reason": "it does not", "verdict": "no"}])
SCRIPT = {
    "Response: Tolm.*JSON list": FIRST,
    "Response: few.*JSON list": ONE,
    "Response: Tolm.*as JSON:": '{"reason": "It lacks the Ferro.", "rating": 7}',
    "Response: few.*as JSON:": "A seven.",
}


def response(text: str) -> Response:
    return Response("Which town?", text, CRITERIA)


def test_verdicts_by_hand() -> None:
    lm = CountingLM(SCRIPT)
    rewarder = ExplicitRubricReward(PromptedJudge(lm, Prompts()))
    tolm, few, bare = rewarder.rewards([response("Tolm"), response("few"), Response("Which town?", "Tolm")])
    assert tolm.value == pytest.approx(1.9 / 2.6)
    assert tolm.why == "not met: States: It lies by the Ferro."
    assert few == Reward(None, problem="1 verdicts on 3 criteria")
    assert bare == Reward(None, problem=NO_RUBRIC)
    assert lm.batches == [2]


def test_one_criterion_a_call_is_still_one_batch() -> None:
    lm = CountingLM({r"1\. \((Essential|Pitfall)\)": ONE, r"1\. \(Important\)": NONE})
    rewarder = ExplicitRubricReward(PromptedJudge(lm, Prompts()), at_once=1)
    (found,) = rewarder.rewards([response("Tolm")])
    assert found.value == pytest.approx(1.9 / 2.6)
    assert lm.batches == [3]


def test_all_met() -> None:
    lm = CountingLM({".": ONE})
    (found,) = ExplicitRubricReward(PromptedJudge(lm, Prompts()), at_once=1).rewards([response("x")])
    assert found == Reward(1.0, "all criteria are met")


def test_one_number_for_all_criteria() -> None:
    rewarder = ImplicitRubricReward(PromptedJudge(CountingLM(SCRIPT), Prompts()))
    bare, tolm, few = rewarder.rewards([Response("Which town?", "Tolm"), response("Tolm"), response("few")])
    assert tolm.value == pytest.approx(6 / 9)
    assert "It lacks the Ferro." in tolm.why
    assert few == Reward(None, problem='no "rating" in JSON')
    assert bare == Reward(None, problem=NO_RUBRIC)


@pytest.mark.parametrize("name", ["rubric_verdicts", "rubric_rating", "missing", "compare"])
def test_the_demonstrations_of_a_prompt_can_be_read(name: str) -> None:
    """What base models are shown is what the reader of this prompt takes."""
    from selfstudy.judging import missing, rubric
    from selfstudy.judging.choices import chosen

    turns = Prompts().demonstrations(name)
    for asked, said in zip(turns[::2], turns[1::2], strict=True):
        found: object = {
            "rubric_verdicts": lambda a, s: rubric.read_verdicts(s, a.content.count(". (")),
            "rubric_rating": lambda a, s: rubric.read_rating(s),
            "missing": lambda a, s: missing.read(s),
            "compare": lambda a, s: chosen(s, ("first", "second", "tie")),
        }[name](asked, said.content)
        assert found is not None
        assert not isinstance(found, missing.Unscored), (said.content, found)
        last_line = Prompts().bare(name).splitlines()[-1]
        assert asked.content.splitlines()[-1] == last_line
