"""Rewards by what an answer lacks: a judge rates it and says what is missing (prompts/missing.txt).

(1 - zeta) r + zeta c, see `missing.reward` (Stranges & Yang 2026, arXiv 2603.04429); zeta 0 is the rating
alone.  It knows nothing of who judges.
"""

from __future__ import annotations

from collections.abc import Sequence

from selfstudy.judging import missing
from selfstudy.judging.judge import Judge, JudgeQuestion
from selfstudy.judging.missing import Missing, Unscored
from selfstudy.judging.rewards import Response, Reward
from selfstudy.models.base import Embedder, Progress

PROMPT = "missing"
LIMIT = 256
"""Tokens of a reply: a short assessment, the rating, a sentence or two."""
ZETA = 0.5
"""Half rating, half similarity; the paper compares 0, .5 and 1."""


class MissingReward:
    """Values answers in [-1, 1] by a rating and what is missing; fulfils `rewards.Rewarder`."""

    def __init__(self, judge: Judge, zeta: float = ZETA, embedder: Embedder | None = None) -> None:
        """`embedder` says how near an answer is to what it lacks; with zeta 0 none is needed.

        Raises:
            ValueError: zeta is not in [0, 1], or above 0 without an embedder.
        """
        if not 0 <= zeta <= 1 or (zeta and embedder is None):
            raise ValueError(f"zeta must be in [0, 1], and above 0 it needs an embedder; found {zeta}")
        self.name = "missing" if zeta else "rating"
        self._judge = judge
        self._zeta = zeta
        self._embedder = embedder

    def rewards(self, responses: Sequence[Response], progress: Progress | None = None) -> list[Reward]:
        """See `Rewarder.rewards`; the sentence is what is missing."""
        return [reward for _, reward in self.judged(responses, progress)]

    def judged(
        self, responses: Sequence[Response], progress: Progress | None = None
    ) -> list[tuple[Missing | Unscored, Reward]]:
        """What the judge said of each answer, and the reward that comes of it, in order."""
        asked = [asked_of(one) for one in responses]
        said = self._judge.judgements(asked, [missing.read] * len(asked), progress)
        near = self._similarities(responses, said)
        return [(one, self._reward(one, c)) for one, c in zip(said, near, strict=True)]

    def _reward(self, said: Missing | Unscored, similarity: float) -> Reward:
        if isinstance(said, Unscored):
            return Reward(None, problem=said.reason)
        return Reward(missing.reward(said, similarity, self._zeta), said.missing or "nothing is missing")

    def _similarities(self, responses: Sequence[Response], said: Sequence[Missing | Unscored]) -> list[float]:
        """Of each answer with what it lacks; 0, which counts for nothing, where nothing is."""
        near = [0.0] * len(said)
        lacking = [(i, one.missing) for i, one in enumerate(said) if isinstance(one, Missing) and one.missing]
        if self._embedder is None or not self._zeta or not lacking:
            return near
        texts = [responses[i].text for i, _ in lacking]
        found = missing.similarities(texts, [what for _, what in lacking], self._embedder)
        for (i, _), value in zip(lacking, found, strict=True):
            near[i] = value
        return near


def asked_of(response: Response) -> JudgeQuestion:
    """What a judge is asked about an answer."""
    return JudgeQuestion(PROMPT, {"prompt": response.prompt, "response": response.text}, LIMIT)
