"""How far a training on rewarded answers is: what its checkpoint keeps, and what a person is told of it."""

from __future__ import annotations

from pydantic import BaseModel, Field

from selfstudy.records import TrainingStep


class PolicyProgress(BaseModel):
    """How far a training is; what a checkpoint keeps beside the weights.

    Attributes:
        answers: that were learned from.
        lost: that have no reward.
        problem: of the first one lost.
        start: mean reward of what was kept apart, before the first step; None: not measured.
        best: by the best weights so far.
        best_step: of these.
        packs: whether batches can be packed (`packed.Packing`): found out once, as digits depend on it.
    """

    step: int = 0
    answers: int = 0
    lost: int = 0
    problem: str = ""
    seconds: dict[str, float] = Field(default_factory=dict)
    curve: list[TrainingStep] = Field(default_factory=list)
    start: float | None = None
    best: float | None = None
    best_step: int = 0
    packs: bool | None = None

    @property
    def told(self) -> str:
        """In one line what came of it."""
        took = ", ".join(f"{what} {seconds:.1f} s" for what, seconds in self.seconds.items())
        lost = f", {self.lost} lost ({self.problem})" if self.lost else ""
        best = ""
        if self.best is not None:
            after = f"after step {self.best_step}" if self.best_step else "those it began with"
            start = "" if self.start is None else f"; at the start {self.start:+.3f}"
            best = f"; best weights: {after}, mean reward {self.best:+.3f}{start}"
        return f"{self.answers} answers{lost}; {took}{best}"
