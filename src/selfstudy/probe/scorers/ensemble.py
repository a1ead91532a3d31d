"""Ensemble: several scorers together, with equal weights or with weights learned from labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp

from selfstudy.errors import DataError, RecipeError
from selfstudy.probe.scorers.base import Scorer, unscored
from selfstudy.records import Answer, Question, Score


@dataclass(frozen=True)
class Weights:
    """A logistic model of P(the answer is wrong): sigmoid(bias + sum over members of weight * value)."""

    bias: float
    weights: Mapping[str, float]

    def value(self, values: Mapping[str, float]) -> float:
        """The probability for one value per member, in [0, 1]."""
        z = self.bias + sum(weight * values[name] for name, weight in self.weights.items())
        return 1 / (1 + exp(-z)) if z >= 0 else exp(z) / (1 + exp(z))


def fit_weights(values: Mapping[str, Sequence[float]], wrong: Sequence[bool]) -> Weights:
    """Weights by logistic regression, with scikit-learn's default L2 penalty (C = 1); deterministic.

    Args:
        values: of each member, one per labelled answer, in [0, 1].
        wrong: whether that answer is wrong.

    Raises:
        DataError: all labels are the same, so there is nothing to learn.
    """
    if len(set(wrong)) < 2:
        found = f"{len(wrong)} labels, {sum(wrong)} of them wrong answers"
        raise DataError(f"ensemble: cannot learn weights from {found}", "give labels of both kinds")
    from sklearn.linear_model import LogisticRegression

    rows = list(zip(*values.values(), strict=True))
    model = LogisticRegression().fit(rows, [int(label) for label in wrong])
    return Weights(
        float(model.intercept_[0]), dict(zip(values, map(float, model.coef_[0].tolist()), strict=True))
    )


class Ensemble:
    """Mean of its members' values, or `Weights.value` of them."""

    name = "ensemble"

    def __init__(self, members: Sequence[Scorer], weights: Weights | None = None) -> None:
        """Raises RecipeError: the weights were learned for other members."""
        names = [member.name for member in members]
        if weights is not None and set(weights.weights) != set(names):
            raise RecipeError(
                f"probe.ensemble = {sorted(names)}, but its weights are for {sorted(weights.weights)}",
                "learn the weights again (selfstudy calibrate), or name those members",
            )
        self._members = list(members)
        self._weights = weights

    def score(self, questions: Sequence[Question], answers: Sequence[Answer]) -> list[Score]:
        """See `Scorer.score`. `parts`: each member's value. Without one member's value there is none."""
        rows = [member.score(questions, answers) for member in self._members]
        return [
            self._score(answer, list(scores))
            for answer, scores in zip(answers, zip(*rows, strict=True), strict=True)
        ]

    def _score(self, answer: Answer, scores: Sequence[Score]) -> Score:
        values: dict[str, float] = {}
        for score in scores:
            if score.value is None:
                return unscored(self.name, answer, f"no {score.scorer} score: {score.error}")
            values[score.scorer] = score.value
        if self._weights is None:
            value = sum(values.values()) / len(values)
        else:
            value = self._weights.value(values)
        return Score(question_id=answer.question_id, scorer=self.name, value=value, parts=values)
