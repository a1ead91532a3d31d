"""What each scorer costs: its seconds, and what it asks of models.

Work that scorers share (pairs, judgements of an ensemble's members) counts where it is first done.
Knows nothing of what a score is.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from selfstudy.models import Models
from selfstudy.models.base import Progress, Sampling, word_logprobs
from selfstudy.probe.scorers import Scorer
from selfstudy.records import Answer, Chat, Completion, Question, Score
from selfstudy.run import SCORING, Round

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from selfstudy.models.base import EntailmentModel, LanguageModel


class Meter:
    """Counts completions asked for and texts graded (`calls`), and pairs given to the entailment model.

    Attributes:
        models: the models, counted; the embedder as it is.
    """

    def __init__(self, models: Models) -> None:
        self.calls = self.pairs = 0
        own = models.own_judge
        self.models = Models(
            lm=_LM(models.lm, self),
            nli=_NLI(models.nli, self),
            embedder=models.embedder,
            own_judge=None if own is None else _LM(own, self),
        )

    @contextmanager
    def scoring(self, round_: Round, scorer: str, questions: int) -> Iterator[None]:
        """Notes in the run what happens inside as the cost of `scorer` for so many questions."""
        calls, pairs, start = self.calls, self.pairs, time.perf_counter()
        yield
        round_.run.note_cost(
            SCORING + scorer,
            round_.number,
            questions=questions,
            seconds=time.perf_counter() - start,
            calls=self.calls - calls,
            pairs=self.pairs - pairs,
        )

    def metered(self, scorer: Scorer, round_: Round) -> Scorer:
        """The scorer, noting what it costs; its questions do not count: their answers are not whole yet."""
        return _Metered(scorer, round_, self)


class _Metered:
    """A scorer whose every call is noted."""

    def __init__(self, scorer: Scorer, round_: Round, meter: Meter) -> None:
        self.name = scorer.name
        self._scorer = scorer
        self._round = round_
        self._meter = meter

    def score(self, questions: Sequence[Question], answers: Sequence[Answer]) -> list[Score]:
        with self._meter.scoring(self._round, self.name, 0):
            return self._scorer.score(questions, answers)


class _LM:
    """A language model whose calls are counted."""

    def __init__(self, lm: LanguageModel, meter: Meter) -> None:
        self._lm = lm
        self._meter = meter

    @property
    def name(self) -> str:
        return self._lm.name

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, progress: Progress | None = None
    ) -> list[list[Completion]]:
        self._meter.calls += len(chats) * sampling.total
        return self._lm.generate(chats, sampling, progress)

    def logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[float]]:
        self._meter.calls += len(chats)
        return self._lm.logprobs(chats, texts)

    def word_logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[tuple[str, float]]]:
        self._meter.calls += len(chats)
        return word_logprobs(self._lm, chats, texts)


class _NLI:
    """An entailment model whose pairs are counted."""

    def __init__(self, nli: EntailmentModel, meter: Meter) -> None:
        self._nli = nli
        self._meter = meter

    @property
    def name(self) -> str:
        return self._nli.name

    def probabilities(
        self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None
    ) -> npt.NDArray[np.float64]:
        self._meter.pairs += len(pairs)
        return self._nli.probabilities(pairs, progress)

    def classes(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        self._meter.pairs += len(pairs)
        return self._nli.classes(pairs)
