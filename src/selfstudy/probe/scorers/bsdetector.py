"""BSDetector: consistency of the samples, and what a judge thinks (Chen & Mueller 2023; methods 2.4)."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

import numpy as np

from selfstudy.judging.choices import chosen
from selfstudy.models.base import EntailmentModel, LanguageModel, Sampling
from selfstudy.probe.scorers.base import obstacle, sentence_score, unscored, usable
from selfstudy.probe.scorers.grading import GRADES, grading
from selfstudy.prompts import Prompts
from selfstudy.records import Answer, Completion, Question, Score

BETA = 0.7
"""Weight of the observed consistency (the paper's)."""
GRADINGS = 5


class BSDetector:
    """1 - confidence, where confidence = BETA * observed + (1 - BETA) * reflected.

    Observed consistency: mean two-class P(entailment) of the pairs (passage, sample). Reflected certainty:
    mean of `GRADINGS` sampled gradings of the passage by the judge, which is the model itself unless the
    recipe names another; a grading that says none of `GRADES` is left out.
    """

    name = "bsdetector"

    def __init__(self, nli: EntailmentModel, judge: LanguageModel, prompts: Prompts, seed: int = 0) -> None:
        self._nli = nli
        self._judge = judge
        self._prompts = prompts
        self._sampling = Sampling(n=GRADINGS, temperature=1.0, max_new_tokens=8, seed=seed)

    def score(self, questions: Sequence[Question], answers: Sequence[Answer]) -> list[Score]:
        """See `Scorer.score`. `parts`: observed, reflected; per sample of the passage 1 - P(entailment)."""
        judged = [i for i, answer in enumerate(answers) if obstacle(answer) is None]
        pairs = [(answers[i].passage.text, sample.text) for i in judged for sample in usable(answers[i])]
        entailment = iter(self._nli.probabilities(pairs)[:, 0].tolist() if pairs else [])
        chats = [grading(self._prompts, questions[i], answers[i]) for i in judged]
        gradings = self._judge.generate(chats, self._sampling) if chats else []
        found = {
            i: self._score(answers[i], [next(entailment) for _ in usable(answers[i])], row)
            for i, row in zip(judged, gradings, strict=True)
        }
        return [
            found[i] if i in found else unscored(self.name, answer, obstacle(answer) or "")
            for i, answer in enumerate(answers)
        ]

    def _score(self, answer: Answer, entailment: Sequence[float], gradings: Sequence[Completion]) -> Score:
        passage = sentence_score(answer.passage.text, [1 - p if isfinite(p) else None for p in entailment])
        if passage is None:
            return unscored(self.name, answer, "the entailment model gave NaN or inf for every sample")
        said = [chosen(reply.text, GRADES) for reply in gradings]
        grades = [GRADES[grade] for grade in said if grade is not None]
        if not grades:
            first = gradings[0]
            error = f"no grading says {', '.join(GRADES)}; the first: {first.error or first.text!r}"
            return unscored(self.name, answer, error)
        parts = {"observed": 1 - passage.value, "reflected": float(np.mean(grades))}
        value = 1 - BETA * parts["observed"] - (1 - BETA) * parts["reflected"]
        return Score(
            question_id=answer.question_id,
            scorer=self.name,
            value=min(1.0, max(0.0, value)),
            sentences=(passage,),
            parts=parts,
        )
