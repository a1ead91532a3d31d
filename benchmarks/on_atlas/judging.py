"""Judging in batches beside judging one answer at a time: the same texts, the same judge, greedy."""

from __future__ import annotations

import time
from typing import Any

from on_atlas.missing import prompts_of
from on_atlas.skills import atlas
from selfstudy.atlas import world
from selfstudy.judging.judge import PromptedJudge
from selfstudy.judging.missing_reward import MissingReward
from selfstudy.judging.rewards import Response
from selfstudy.models.base import Sampling
from selfstudy.prompts import Prompts

ANSWERS = 128


def compare(*, seed: int) -> dict[str, Any]:
    """Seconds of both ways, which are done twice in turn, their ratio, and how many rewards differ."""
    lm = atlas()
    asked = [one for one, _ in prompts_of(world.entities(), ANSWERS, seed)]
    said = lm.generate([one.prompt for one in asked], Sampling(temperature=1.0, max_new_tokens=96, seed=seed))
    responses = [Response(one.shown, answer.text) for one, (answer,) in zip(asked, said, strict=True)]
    rewarder = MissingReward(PromptedJudge(lm, Prompts()), zeta=0.0)
    seconds: dict[str, list[float]] = {"one at a time": [], "in batches": []}
    for _ in range(2):
        began = time.perf_counter()
        alone = [rewarder.rewards([one])[0] for one in responses]
        seconds["one at a time"].append(time.perf_counter() - began)
        began = time.perf_counter()
        together = rewarder.rewards(responses)
        seconds["in batches"].append(time.perf_counter() - began)
    best = {name: min(values) for name, values in seconds.items()}
    found = {
        **{name: round(value, 2) for name, value in best.items()},
        "answers": len(responses),
        "ratio": round(best["one at a time"] / best["in batches"], 2),
        "verdicts that differ": sum(a != b for a, b in zip(alone, together, strict=True)),
        "unscored": sum(one.value is None for one in together),
    }
    print(found, flush=True)
    return found
