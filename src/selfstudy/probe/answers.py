"""The model's passage and samples for each question (docs/methods.md).

All samples at once, or in waves: then a question gets no more of them when its verdict is settled.  Sampling
depends on (seed, chat, sample number) alone, so what waves draw is a prefix of what would be drawn at once.

Knows nothing of where questions come from; what answers are worth it asks the scorer it is given.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import comb, exp, lgamma, log

from selfstudy.models.base import LanguageModel, Progress, Sampling
from selfstudy.probe.scorers import Scorer
from selfstudy.prompts import Prompts
from selfstudy.recipe import AdaptiveBlock
from selfstudy.records import Answer, Chat, Completion, Failure, Question, Score
from selfstudy.run.threshold import is_inconsistent


@dataclass(frozen=True)
class Stop:
    """When to stop drawing samples: `scorer` judges each wave, against `threshold`.

    Its value must be a mean of one number in [0, 1] per sample (recipe.MEANS_OVER_SAMPLES).
    """

    scorer: Scorer
    threshold: float
    rule: AdaptiveBlock


def answer(
    questions: Sequence[Question],
    model: LanguageModel,
    prompts: Prompts,
    sampling: Sampling,
    advance: Progress | None = None,
    stop: Stop | None = None,
) -> list[Answer | Failure]:
    """One record per question, in order: its passage (greedy) with its samples, or why not.

    All completions of a question share one prompt.  A failed sample stays in the answer, marked by its
    `error`, and is not scored; without a passage, or if all its samples failed, there is no answer.

    Args:
        sampling: how, with a passage first; it draws `n` samples, or with `stop` at most as many.
        stop: see Stop; None draws all samples of all questions.
    """
    drafts = [_Draft(q, prompts.chat("answer", question=q.text)) for q in questions]
    unfinished = drafts
    for first, n in _waves(sampling.n, stop):
        wave = replace(sampling, first=first, n=n)
        # with several waves the model does not know which of them is a question's last
        rows = model.generate([draft.chat for draft in unfinished], wave, None if stop else advance)
        for draft, row in zip(unfinished, rows, strict=True):
            draft.add(row, with_passage=wave.with_passage)
        if stop is not None:
            still = _unsettled(unfinished, n, sampling.n - first - n, stop)
            if advance is not None:
                advance(len(unfinished) - len(still))
            unfinished = still
        if not unfinished:
            break
    return [draft.record() for draft in drafts]


def settled(inconsistent: float, judged: float, rest: int, threshold: float, error: float) -> bool:
    """Whether `rest` more samples will hardly take the mean to the other side of the threshold.

    The mean now is inconsistent / judged.  Each further sample adds 0 or 1; how many add 1 is Beta-binomial,
    from the prior Beta(1/2, 1/2) on the inconsistency of a sample and what was seen so far.  True if the
    chance that the mean over all judged + rest samples ends on the other side is at most `error`.  With
    error 0 that is only when no further samples, of any values in [0, 1], can take it there.

    Args:
        inconsistent: sum of the values of the samples judged so far.
        judged: how many they are; >= 0.
        rest: samples that may still be drawn.
    """
    if judged <= 0:
        return rest == 0
    above = is_inconsistent(inconsistent / judged, threshold)
    a, b = 0.5 + inconsistent, 0.5 + judged - inconsistent
    chance = sum(
        exp(log(comb(rest, more)) + _log_beta(a + more, b + rest - more) - _log_beta(a, b))
        for more in range(rest + 1)
        if is_inconsistent((inconsistent + more) / (judged + rest), threshold) != above
    )
    return chance <= error


@dataclass
class _Draft:
    """An answer in the making. `inconsistent` is the sum of the values of `judged` samples."""

    question: Question
    chat: Chat
    passage: Completion | None = None
    samples: list[Completion] = field(default_factory=list)
    inconsistent: float = 0.0
    judged: float = 0.0

    def add(self, row: Sequence[Completion], *, with_passage: bool) -> None:
        if with_passage:
            self.passage, *row = row
        self.samples += row

    def newest(self, count: int) -> Answer:
        """What the last wave drew, as an answer of its own: only that is not yet judged."""
        assert self.passage is not None
        return Answer(
            question_id=self.question.id, passage=self.passage, samples=tuple(self.samples[-count:])
        )

    def judge(self, score: Score) -> None:
        """Adds the score of a wave; samples that could not be judged count as not drawn."""
        if score.value is not None and score.sentences:
            per_sentence = [sum(v is not None for v in s.per_sample) for s in score.sentences]
            judged = sum(per_sentence) / len(per_sentence)
            self.inconsistent += score.value * judged
            self.judged += judged

    def record(self) -> Answer | Failure:
        assert self.passage is not None
        if self.passage.error is not None:
            return self._failure(f"no passage: {self.passage.error}")
        if self.samples and all(sample.error is not None for sample in self.samples):
            return self._failure(f"no sample: {self.samples[0].error}")
        return Answer(question_id=self.question.id, passage=self.passage, samples=tuple(self.samples))

    def _failure(self, message: str) -> Failure:
        return Failure(stage="probe", item_id=self.question.id, message=message)


def _waves(samples: int, stop: Stop | None) -> Iterator[tuple[int, int]]:
    """(number of the first sample, how many) of each wave; the first brings the passage, samples or none."""
    first, n = 0, samples if stop is None else stop.rule.first
    while True:
        yield first, min(n, samples - first)
        first += n
        n = samples if stop is None else stop.rule.wave
        if first >= samples:
            return


def _unsettled(unfinished: Sequence[_Draft], wave: int, rest: int, stop: Stop) -> list[_Draft]:
    """Those that need more samples, after a wave; `rest` may still be drawn of each."""
    answered = [draft for draft in unfinished if draft.passage is not None and draft.passage.error is None]
    if not rest or not answered:
        return []
    scores = stop.scorer.score([d.question for d in answered], [d.newest(wave) for d in answered])
    for draft, score in zip(answered, scores, strict=True):
        draft.judge(score)
    return [
        draft
        for draft in answered
        if not settled(draft.inconsistent, draft.judged, rest, stop.threshold, stop.rule.error)
    ]


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)
