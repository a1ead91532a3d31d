"""Which reward a name stands for: the one table of `rate --reward` and of `reward` in online training."""

from __future__ import annotations

from selfstudy.judging.judge import Judge
from selfstudy.judging.missing_reward import PROMPT, ZETA, MissingReward
from selfstudy.judging.rewards import Rewarder
from selfstudy.judging.rubric_reward import RATING, VERDICTS, ExplicitRubricReward, ImplicitRubricReward
from selfstudy.models.base import Embedder

PROMPTS = {"missing": PROMPT, "rating": PROMPT, "rubric": VERDICTS, "rubric-implicit": RATING}
"""What each asks its judge; all but the control, which asks nobody."""


def rewarder(
    name: str,
    judge: Judge,
    *,
    zeta: float = ZETA,
    embedder: Embedder | None = None,
    at_once: int | None = None,
) -> Rewarder:
    """The reward of a name in `PROMPTS`, by this judge; zeta and `at_once` count where it has them.

    Raises:
        KeyError: there is none of that name.
        ValueError: see `MissingReward`.
    """
    if name == "rubric":
        return ExplicitRubricReward(judge, at_once)
    if name == "rubric-implicit":
        return ImplicitRubricReward(judge)
    return MissingReward(judge, {"missing": zeta, "rating": 0.0}[name], embedder)
