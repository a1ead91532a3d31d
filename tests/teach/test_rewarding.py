from __future__ import annotations

from typing import Any

import pytest

from selfstudy.judging.rewards import Response
from selfstudy.judging.rubric import Criterion
from selfstudy.models.scripted import ScriptedLM
from selfstudy.prompts import Prompts
from selfstudy.recipe import OnlineDPOBlock, RewardBlock
from selfstudy.teach.rewarding import Rewards

ANSWERS = [Response("Why?", "So."), Response("Why?", "Because.")]


class Same:
    """All texts are one vector."""

    name = "same"

    def encode(self, texts: Any) -> Any:
        import numpy as np

        return np.ones((len(texts), 1), dtype=np.float32)


def values(**changes: Any) -> list[float | None]:
    judges = [ScriptedLM({".": f"Hm. [[{rating}]] [[[a reason]]]"}) for rating in (10, 5, 1)]
    rewards = Rewards(OnlineDPOBlock(**changes), Prompts(), Same(), judges[2], 0)
    return [one.value for one in rewards.rewarder(judges[0], judges[1]).rewards(ANSWERS)]


@pytest.mark.parametrize(("judge", "rating"), [("policy", 1.0), ("reference", 0.0), ("judge", -0.8)])
def test_who_judges_is_what_the_block_says(judge: str, rating: float) -> None:
    assert values(judge=judge, reward=RewardBlock(type="rating")) == pytest.approx([rating] * 2)
    wim = values(judge=judge, reward=RewardBlock(zeta=0.25))
    assert wim == pytest.approx([0.75 * rating + 0.25] * 2)


def test_a_rubric_is_judged_criterion_by_criterion_or_as_one_number() -> None:
    held = tuple(Criterion(text, "Essential") for text in ("States: so.", "States: then."))
    verdicts = '[{"name": 1, "verdict": "yes"}, {"name": 2, "verdict": "no"}]'
    for type_, reply, value in (("rubric", verdicts, 0.5), ("rubric-implicit", '{"rating": 10}', 1.0)):
        judge = ScriptedLM({".": reply})
        block = OnlineDPOBlock.model_validate({"reward": {"type": type_}, "judge": "judge"})
        rewarder = Rewards(block, Prompts(), Same(), judge, 0).rewarder(judge, judge)
        found = rewarder.rewards([Response("Why?", "So.", held), Response("Why?", "So.")])
        assert [one.value for one in found] == [value, None]
        assert rewarder.name == type_


def test_chance_rewards_one_text_always_alike() -> None:
    found = values(reward=RewardBlock(type="random"))
    assert found == values(reward=RewardBlock(type="random"))
    assert found[0] != found[1]
