"""Semantic entropy: how many meanings the samples have (Kuhn et al. 2023; Farquhar et al. 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from selfstudy.models.base import EntailmentModel
from selfstudy.probe.scorers.base import obstacle, unscored, usable
from selfstudy.probe.scorers.predictive_entropy import NO_TOKENS, token_logprobs
from selfstudy.records import Answer, Question, Score

UNJUDGED = -1
"""Cluster of a sample that the entailment model gave no label for."""


class SemanticEntropy:
    """Entropy over clusters of samples that mean the same, divided by log K for K usable samples.

    Args:
        discrete: a cluster's probability is its share of the samples; else the share of its samples'
            length-normalised probabilities, exp(log p / tokens).
    """

    def __init__(self, nli: EntailmentModel, discrete: bool = False) -> None:
        self.name = "semantic-entropy-discrete" if discrete else "semantic-entropy"
        self._nli = nli
        self._discrete = discrete

    def score(self, questions: Sequence[Question], answers: Sequence[Answer]) -> list[Score]:
        """See `Scorer.score`. `parts`: the entropy in nats, and the probability of each cluster.

        It needs two usable samples; without `discrete`, such with token counts (imported ones have none).
        """
        errors = [self._obstacle(answer) for answer in answers]
        texts = [
            [sample.text for sample in usable(answer)] if error is None else []
            for answer, error in zip(answers, errors, strict=True)
        ]
        found = cluster_meanings([question.text for question in questions], texts, self._nli)
        return [
            self._score(answer, clusters) if error is None else unscored(self.name, answer, error)
            for answer, clusters, error in zip(answers, found, errors, strict=True)
        ]

    def _obstacle(self, answer: Answer) -> str | None:
        error = obstacle(answer, samples=2)
        if error is None and not self._discrete and token_logprobs(usable(answer)) is None:
            error = NO_TOKENS
        return error

    def _score(self, answer: Answer, clusters: Sequence[int]) -> Score:
        if UNJUDGED in clusters:
            return unscored(self.name, answer, "the entailment model gave no label for some samples")
        logprobs = None if self._discrete else token_logprobs(usable(answer))
        shares = cluster_probabilities(clusters, logprobs)
        nats = entropy(shares)
        return Score(
            question_id=answer.question_id,
            scorer=self.name,
            value=min(1.0, nats / float(np.log(len(clusters)))),
            clusters=tuple(clusters),
            parts={"entropy": nats, **{f"cluster {i}": p for i, p in enumerate(shares.tolist())}},
        )


def cluster_probabilities(
    clusters: Sequence[int], logprobs: Sequence[float] | None = None
) -> npt.NDArray[np.float64]:
    """Probability of each cluster: shape (max(clusters) + 1,), sums to 1.

    Args:
        clusters: of each sample, from 0; at least one.
        logprobs: of each sample, any scale (they are renormalised); None: all samples count the same.
    """
    weights = np.zeros(len(clusters)) if logprobs is None else np.asarray(logprobs, dtype=np.float64)
    powers = np.exp(weights - weights.max())
    return np.asarray(np.bincount(clusters, powers / powers.sum()))


def entropy(probabilities: npt.ArrayLike) -> float:
    """Entropy in nats of a distribution, >= 0; what has probability 0 adds nothing."""
    p = np.asarray(probabilities, dtype=np.float64)
    p = p[p > 0]
    return max(0.0, float(-(p * np.log(p)).sum()))


def cluster_meanings(
    questions: Sequence[str], samples: Sequence[Sequence[str]], nli: EntailmentModel
) -> list[tuple[int, ...]]:
    """The cluster of every sample of every question, numbered from 0 in order of appearance.

    A sample joins the first cluster whose first member it entails and is entailed by, "question answer" being
    compared and entailment being the most probable of all classes (Kuhn et al. 2023, algorithm 1). Equal
    texts are of one cluster without asking.

    Done in waves over all questions, for large batches: the first text that is in no cluster yet begins one,
    and all others that are in none are compared with it. These are the very pairs of taking text after text.
    """
    work = [
        _Clustering(question, list(dict.fromkeys(texts)))
        for question, texts in zip(questions, samples, strict=True)
    ]
    while pairs := [pair for one in work for pair in one.begin()]:
        labels = iter(nli.classes(pairs))
        for one in work:
            one.settle([(next(labels), next(labels)) for _ in one.open])
    return [tuple(one.number[text] for text in texts) for one, texts in zip(work, samples, strict=True)]


@dataclass
class _Clustering:
    """The texts of one question that are in no cluster yet, and the cluster of the others."""

    question: str
    open: list[str]
    number: dict[str, int] = field(default_factory=dict)
    clusters: int = 0

    def begin(self) -> list[tuple[str, str]]:
        """The first open text begins a cluster: both pairs of it with each text that is still open."""
        if not self.open:
            return []
        first, *self.open = self.open
        self.number[first] = self.clusters
        self.clusters += 1
        one = f"{self.question} {first}"
        others = [f"{self.question} {text}" for text in self.open]
        return [pair for other in others for pair in ((one, other), (other, one))]

    def settle(self, labels: Sequence[tuple[str, str]]) -> None:
        """The open texts that mean the same join the newest cluster."""
        rest = []
        for text, both in zip(self.open, labels, strict=True):
            if both == ("entailment", "entailment"):
                self.number[text] = self.clusters - 1
            elif "" in both:
                self.number[text] = UNJUDGED
            else:
                rest.append(text)
        self.open = rest
