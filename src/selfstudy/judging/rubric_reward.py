"""Rewards by a rubric: a judge says of each criterion whether it is met, or rates by all (prompts/rubric_*).

Explicit: sum w_j c_j / sum w_j.  Implicit: one number, as (n - 1) / 9 (methods-more D; Gunjal et al. 2025,
arXiv 2507.17746).  It knows nothing of who judges, nor where criteria come from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from selfstudy.judging import rubric
from selfstudy.judging.judge import Judge, JudgeQuestion
from selfstudy.judging.missing import Unscored
from selfstudy.judging.rewards import Response, Reward
from selfstudy.judging.rubric import Criterion
from selfstudy.models.base import Progress
from selfstudy.text import shortened

VERDICTS, RATING = "rubric_verdicts", "rubric_rating"
NO_RUBRIC = "no rubric: nothing says what the answer is held to"
_LIMIT = 128
_LIMIT_OF_SOME, _SOME = 256, 4
"""Tokens of a reply, and more for every four verdicts: number, reason, yes or no.  Those of one limit are one
batch."""
_LONGEST_WHY = 300


class ExplicitRubricReward:
    """Values answers in [0, 1] by the weight of the criteria that they meet; fulfils `rewards.Rewarder`."""

    name = "rubric"

    def __init__(self, judge: Judge, at_once: int | None = None) -> None:
        """`at_once`: criteria of one call; None: all, which is cheap, but lets them influence each other."""
        self._judge = judge
        self._at_once = at_once

    def rewards(self, responses: Sequence[Response], progress: Progress | None = None) -> list[Reward]:
        """See `Rewarder.rewards`; the sentence names the criteria that are not met."""
        parts = [self._parts(one.criteria) for one in responses]
        asked, read = [], []
        for response, some in zip(responses, parts, strict=True):
            for criteria in some:
                asked.append(verdicts_of(response, criteria))
                read.append(partial(rubric.read_verdicts, count=len(criteria)))
        said = iter(self._judge.judgements(asked, read))
        found = [
            _by_verdicts(one.criteria, [next(said) for _ in some])
            for one, some in zip(responses, parts, strict=True)
        ]
        if progress is not None:
            progress(len(found))
        return found

    def _parts(self, criteria: Sequence[Criterion]) -> list[Sequence[Criterion]]:
        size = self._at_once or len(criteria) or 1
        return [criteria[start : start + size] for start in range(0, len(criteria), size)]


class ImplicitRubricReward:
    """Values answers in [0, 1] by one rating with the criteria in view; fulfils `rewards.Rewarder`."""

    name = "rubric-implicit"

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    def rewards(self, responses: Sequence[Response], progress: Progress | None = None) -> list[Reward]:
        """See `Rewarder.rewards`; the sentence is the judge's reply."""
        held = [one for one in responses if one.criteria]
        read: list[Callable[[str], tuple[float, str] | Unscored]] = [_rating] * len(held)
        said = iter(self._judge.judgements([rating_of(one) for one in held], read, progress))
        return [
            _by_rating(next(said)) if one.criteria else Reward(None, problem=NO_RUBRIC) for one in responses
        ]


def verdicts_of(response: Response, criteria: Sequence[Criterion]) -> JudgeQuestion:
    """What a judge is asked about an answer and some of its criteria."""
    return JudgeQuestion(
        VERDICTS, _texts(response, criteria), _LIMIT + _LIMIT_OF_SOME * -(-len(criteria) // _SOME)
    )


def rating_of(response: Response) -> JudgeQuestion:
    """What a judge is asked about an answer and all of its criteria."""
    return JudgeQuestion(RATING, _texts(response, response.criteria), _LIMIT)


def _texts(response: Response, criteria: Sequence[Criterion]) -> dict[str, str]:
    return {"prompt": response.prompt, "response": response.text, "criteria": rubric.numbered(criteria)}


def _by_verdicts(criteria: Sequence[Criterion], said: Sequence[tuple[bool, ...] | Unscored]) -> Reward:
    met: list[bool] = []
    for one in said:
        if isinstance(one, Unscored):
            return Reward(None, problem=one.reason)
        met += one
    if not criteria:
        return Reward(None, problem=NO_RUBRIC)
    lacking = [one.text for one, yes in zip(criteria, met, strict=True) if not yes]
    why = f"not met: {'; '.join(lacking)}" if lacking else "all criteria are met"
    return Reward(rubric.explicit(criteria, met), why)


def _rating(reply: str) -> tuple[float, str] | Unscored:
    value = rubric.read_rating(reply)
    return value if isinstance(value, Unscored) else (value, " ".join(reply.split()))


def _by_rating(said: tuple[float, str] | Unscored) -> Reward:
    if isinstance(said, Unscored):
        return Reward(None, problem=said.reason)
    return Reward(said[0], shortened(said[1], _LONGEST_WHY))
