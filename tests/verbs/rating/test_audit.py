"""Judges that must not be trusted are caught: yes-sayers, reciters, those who like a place or length."""

from __future__ import annotations

import json

import pytest

from selfstudy.judging.judge import PromptedJudge
from selfstudy.judging.missing_reward import MissingReward
from selfstudy.judging.rewards import Response, Rewarder
from selfstudy.judging.rubric import from_evidence
from selfstudy.judging.rubric_reward import ExplicitRubricReward
from selfstudy.prompts import Prompts
from selfstudy.verbs.rating.audit import BadAnswerFigures, bad_answers, longer_share, order_figures
from selfstudy.verbs.rating.choosing import RatedPair

from ...judging.judges import CountingLM
from .given import prompt, rewards

RUBRIC = from_evidence(["It is Tolm."], (), ["It is Barl."])
PROMPTS = [prompt("It is Tolm.", "It is Barl.", asked=f"Which town, {n}?", criteria=RUBRIC) for n in range(4)]


def verdicts(first: str, second: str) -> str:
    return json.dumps([{"name": 1, "verdict": first}, {"name": 2, "verdict": second}])


def tried(rewarder: Rewarder) -> dict[str, BadAnswerFigures]:
    usual = [rewarder.rewards([*one.responses]) for one in PROMPTS]
    return {one.kind: one for one in bad_answers(PROMPTS, usual, rewarder, seed=0)}


def test_a_judge_that_says_yes_to_everything_is_caught() -> None:
    found = tried(ExplicitRubricReward(PromptedJudge(CountingLM({".": verdicts("yes", "yes")}), Prompts())))
    assert list(found) == ["a refusal", "the prompt repeated", "the rubric repeated"]
    assert all(one.suspicious for one in found.values())
    assert {(one.earned, one.answers, one.tried) for one in found.values()} == {(1.0, 1.0, 4)}


def test_a_judge_that_rates_everything_ten_is_caught() -> None:
    found = tried(MissingReward(PromptedJudge(CountingLM({".": "[[10]] [[[]]]"}), Prompts()), 0.0))
    assert list(found) == ["a refusal", "the prompt repeated"]  # it sees no rubric that could be repeated
    assert all(one.suspicious for one in found.values())


def test_a_judge_that_is_taken_in_by_its_own_rubric_is_caught() -> None:
    script = {
        r"Response: 1\. \(Essential\)": verdicts("yes", "yes"),
        "Response: It is Tolm": verdicts("yes", "yes"),
        "Response: It is Barl": verdicts("no", "no"),
        ".": verdicts("no", "yes"),
    }
    found = tried(ExplicitRubricReward(PromptedJudge(CountingLM(script), Prompts())))
    assert found["the rubric repeated"].suspicious
    refusal = found["a refusal"]
    assert refusal.earned == pytest.approx(0.9 / 1.9)  # it avoids the pitfall, and that is all
    assert refusal.answers == 0.5  # median of 1 and 0
    assert not refusal.suspicious


def test_a_good_judge_is_not() -> None:
    script = {
        "Response: It is Tolm": "[[10]] [[[]]]",
        "Response: It is Barl": "[[5]] [[[The right town.]]]",
        ".": "[[1]] [[[A town.]]]",
    }
    found = tried(MissingReward(PromptedJudge(CountingLM(script), Prompts()), 0.0))
    assert [(one.earned, one.answers) for one in found.values()] == [(-0.8, 0.5)] * 2
    assert not any(one.suspicious for one in found.values())


def test_a_judge_that_says_nothing_is_no_proof_of_anything() -> None:
    found = tried(MissingReward(PromptedJudge(CountingLM({".": "Hm."}), Prompts()), 0.0))
    assert {(one.tried, one.scored, one.earned, one.suspicious) for one in found.values()} == {
        (4, 0, None, False)
    }


def pairs(*texts: tuple[str, str]) -> list[RatedPair]:
    return [
        RatedPair(prompt(good, bad, asked=f"{n}?"), good, bad, *rewards(1.0, 0.0))
        for n, (good, bad) in enumerate(texts)
    ]


def test_place_and_length_by_hand() -> None:
    lm = CountingLM(
        {
            "First response: good": "first",
            "First response: bad.*Second response: good": "second",
            "0\\?.*First response": "tie",
            "First response": "first",
        }
    )
    some = pairs(("x", "yyy"), ("good", "bad"), ("zz", "w"), ("u", "v"))
    found = order_figures(some, PromptedJudge(lm, Prompts()), seed=0)
    assert found is not None
    # tie; win; first place twice; first place twice
    assert found.judged.win_rate.value == pytest.approx((0.5 + 1 + 0.5 + 0.5) / 4)
    assert (found.judged.ties, found.judged.wins, found.judged.inconsistent) == (1, 1, 2)
    assert found.judged.position_bias == pytest.approx((5 - 1) / 6)
    assert found.longer == pytest.approx(2 / 3)  # "u" and "v" are of one length
    assert found.controlled is None  # too few


def test_nothing_read_is_nothing_known() -> None:
    assert order_figures(pairs(("a", "b")), PromptedJudge(CountingLM({".": "?"}), Prompts()), seed=0) is None
    assert longer_share(pairs(("a", "b"))) is None


def test_responses_of_a_prompt_carry_its_rubric() -> None:
    assert PROMPTS[0].responses[0] == Response("Which town, 0?", "It is Tolm.", RUBRIC)
