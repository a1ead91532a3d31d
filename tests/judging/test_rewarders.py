from __future__ import annotations

import pytest

from selfstudy.judging.judge import PromptedJudge
from selfstudy.judging.rewarders import PROMPTS, rewarder
from selfstudy.judging.rewards import Response
from selfstudy.judging.rubric import Criterion
from selfstudy.models.scripted import ScriptedLM
from selfstudy.prompts import Prompts
from selfstudy.recipe import RewardBlock

HELD = (Criterion("States: so.", "Essential"), Criterion("States: then.", "Essential"))
SAID = {
    "say what it lacks": "Hm. [[10]] [[[]]]",
    "Response": '[{"name": 1, "verdict": "yes"}, {"name": 2, "verdict": "no"}]',
}


def test_each_name_is_what_the_recipe_offers_and_has_a_prompt() -> None:
    offered = RewardBlock.model_fields["type"].annotation.__args__  # type: ignore[union-attr]
    assert {*offered} == {*PROMPTS, "random"}
    for prompt in PROMPTS.values():
        assert Prompts().text(prompt)


@pytest.mark.parametrize(("name", "value"), [("missing", 1.0), ("rating", 1.0), ("rubric", 0.5)])
def test_a_name_rewards_as_it_says(name: str, value: float) -> None:
    class Same:
        name = "same"

        def encode(self, texts: list[str]) -> object:
            import numpy as np

            return np.ones((len(texts), 1), dtype=np.float32)

    judge = PromptedJudge(ScriptedLM(SAID), Prompts())
    made = rewarder(name, judge, embedder=Same())  # type: ignore[arg-type]
    held, free = made.rewards([Response("Why?", "So.", HELD), Response("Why?", "So.")])
    assert (made.name, held.value) == (name, value)
    assert (free.value is None) == RewardBlock.model_validate({"type": name}).by_rubric


def test_there_is_no_other() -> None:
    with pytest.raises(KeyError):
        rewarder("random", PromptedJudge(ScriptedLM({}), Prompts()))
