"""The contract of all scorers, and what several of them share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from selfstudy.judging import selfcheck
from selfstudy.records import Answer, Completion, Question, Score, SentenceScore


class Scorer(Protocol):
    """Judges answers by their own samples."""

    @property
    def name(self) -> str:
        """What its scores are called in records: its key in SCORERS."""

    def score(self, questions: Sequence[Question], answers: Sequence[Answer]) -> list[Score]:
        """One score per answer, in order; questions[i] is what answers[i] answers.

        A value is in [0, 1], higher = less consistent; an answer that cannot be judged gets value None and an
        error. Failed samples are left out.
        """


class Remembering:
    """A scorer that need not do the same answers twice in a row: an ensemble and its members share them."""

    def __init__(self, scorer: Scorer) -> None:
        self.name = scorer.name
        self._scorer = scorer
        self._answers: tuple[Answer, ...] = ()
        self._scores: list[Score] = []

    def score(self, questions: Sequence[Question], answers: Sequence[Answer]) -> list[Score]:
        """See `Scorer.score`. The same answers are the same objects, in the same order."""
        known = self._answers
        if len(known) != len(answers) or any(a is not b for a, b in zip(known, answers, strict=True)):
            self._scores = self._scorer.score(questions, answers)
            self._answers = tuple(answers)
        return list(self._scores)


def usable(answer: Answer) -> list[Completion]:
    """The samples that did not fail; an empty text is an answer too."""
    return [sample for sample in answer.samples if sample.error is None]


def obstacle(answer: Answer, samples: int = 1) -> str | None:
    """Why an answer cannot be judged by at least so many samples (0: by its passage alone), if it cannot."""
    if not answer.passage.text.strip():
        return "the passage is empty"
    count = len(usable(answer))
    if count >= samples:
        return None
    if count:
        return f"it needs {samples} samples, there is {count}"
    return "all samples failed" if answer.samples else "there are no samples"


def unscored(scorer: str, answer: Answer, error: str) -> Score:
    """The score of an answer that could not be judged."""
    return Score(question_id=answer.question_id, scorer=scorer, value=None, error=error)


def unlikely(scorer: str, answer: Answer, logprob: float, half: float) -> Score:
    """nll / (nll + half) for a log-probability in nats: monotone, and tells apart what 1 - p calls 1.

    Args:
        half: nats at which the value is 0.5.
    """
    nll = max(0.0, -logprob)
    return Score(question_id=answer.question_id, scorer=scorer, value=nll / (nll + half), parts={"nll": nll})


def sentence_score(sentence: str, per_sample: Sequence[float | None]) -> SentenceScore | None:
    """A sentence with the mean over the samples that were judged; None if none was."""
    judged = [value for value in per_sample if value is not None]
    if not judged:
        return None
    return SentenceScore(text=sentence, value=sum(judged) / len(judged), per_sample=tuple(per_sample))


def scored(
    scorer: str,
    answer: Answer,
    sentences: Sequence[SentenceScore | None],
    error: str,
    parts: dict[str, float] | None = None,
) -> Score:
    """The mean over the sentences that have a value; unscored, with `error`, if none has."""
    judged = tuple(sentence for sentence in sentences if sentence is not None)
    value = selfcheck.passage_score(judged)
    if value is None:
        return unscored(scorer, answer, error)
    return Score(
        question_id=answer.question_id, scorer=scorer, value=value, sentences=judged, parts=parts or {}
    )
