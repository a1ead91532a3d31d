"""Rejection sampling: of many answers with citations the best one of each exercise is kept, to be learned.

Huang et al. 2024, arXiv 2402.04315: best-of goes by the total reward of whole answers, the beam search
(`beam`) by that of answers so far.  An exercise that has no winner has an error, never a score.

Exercises go through in batches.  After each its winners are written down, one line a batch, so that a search
that was killed goes on behind its last whole batch.  Random streams depend on the prompts, so that it ends
with the same winners.  Knows of training only how weights are told apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, FiniteFloat

from selfstudy.errors import RunError
from selfstudy.files import jsonl, private
from selfstudy.judging import citations
from selfstudy.models.base import HasWeights, LanguageModel, Sampling
from selfstudy.progress import Reporter
from selfstudy.recipe import RejectionBlock
from selfstudy.records import Completion, Example, digest
from selfstudy.teach.beam import beam
from selfstudy.teach.candidates import (
    CitedCandidate,
    Winner,
    judge,
    merged,
    whole_statements,
    winner,
)
from selfstudy.teach.cited_practice import CitationRewards, CitedExercise
from selfstudy.text import clean

FILE = "winners.jsonl"

_SEARCHED = {
    *("search", "samples", "beams", "continuations", "depth", "list_depth", "temperature", "top_k"),
    *("max_new_tokens", "statement_tokens"),
}
"""Keys on which winners depend; how they are learned, and which of them, may change."""


class _Batch(BaseModel):
    """The winners of a batch of exercises as they are written down: of which work, from which one on."""

    model_config = ConfigDict(extra="forbid")
    work: str
    start: int
    winners: list[tuple[str, FiniteFloat | None, int, FiniteFloat, str]]


@dataclass(frozen=True)
class RejectionSampling:
    """What is asked, and how the best answer to it is found.

    Attributes:
        folder: keeps winners as they are found; None: none are kept.
        batch: exercises that are asked and judged together, 1 or more.
    """

    exercises: Sequence[CitedExercise]
    rewards: CitationRewards
    block: RejectionBlock
    seed: int = 0
    folder: Path | None = None
    batch: int = 64

    def examples(
        self, lm: LanguageModel, report: Reporter, fail: Callable[[str, str], None]
    ) -> list[Example]:
        """What is learned: the winners that earned enough.

        Args:
            fail: is told of questions without a winner, and why.
        """
        least, count = self.block.least, len(self.exercises)
        with report.task(f"answers sampled ({self.block.search})", count) as advance:
            winners = self.winners(lm, advance)
        for one in winners:
            if one.error:
                fail(one.exercise.question_id, one.error)
        won = [(one, one.total) for one in winners if one.total is not None]
        kept = [one for one, total in won if least is None or total > least]
        mean = sum(total for _, total in won) / max(1, len(won))
        less = f"; {len(won) - len(kept)} earned no more than {least} and are not learned from"
        report.note(
            f"best answers to {len(won)} of {count} questions, by {self.rewards.name}: "
            f"mean reward {mean:+.3f}" + (less if len(kept) < len(won) else "")
        )
        return [_example(one) for one in kept]

    def winners(
        self, lm: LanguageModel, advance: Callable[[int], object] = lambda count: None
    ) -> list[Winner]:
        """The winner of each exercise, in their order.

        Args:
            advance: told how many more exercises are done, those of an earlier try among them.

        Raises:
            ModelError: the model cannot be searched so.
            RunError: winners cannot be written.
        """
        kept = None if self.folder is None else _Kept(self.folder, self._work(lm))
        found = [] if kept is None else kept.winners(self.exercises)
        advance(len(found))
        best = beam if self.block.search == "beam" else best_of
        for start in range(len(found), len(self.exercises), self.batch):
            some = self.exercises[start : start + self.batch]
            won = best(some, lm, self.rewards, self.block, self.seed)
            if kept is not None:
                kept.add(won, start)
            found += won
            advance(len(won))
        return found

    def _work(self, lm: LanguageModel) -> str:
        """Names all that the winners depend on; winners of other work are thrown away."""
        search = self.block.model_dump_json(include=_SEARCHED)
        asked = map(repr, self.exercises)
        return digest(_weights(lm), lm.name, self.rewards.told, search, str(self.seed), *asked)


def best_of(
    exercises: Sequence[CitedExercise],
    lm: LanguageModel,
    rewards: CitationRewards,
    block: RejectionBlock,
    seed: int = 0,
) -> list[Winner]:
    """The best of several answers to each exercise; all are asked, and all judged, together.

    What is judged is kept: the first line.  One that was cut off has its whole sentences, or items.
    """
    prompts = list(dict.fromkeys(one.prompt for one in exercises))  # what comes up again is said once
    sampling = Sampling(
        n=block.samples,
        temperature=block.temperature,
        top_k=block.top_k,
        max_new_tokens=block.max_new_tokens,
        seed=seed,
    )
    said = dict(zip(prompts, lm.generate(prompts, sampling), strict=True))
    problems: list[Counter[str]] = [Counter() for _ in exercises]
    candidates = [
        merged(_answers(one, said[one.prompt], own)) for one, own in zip(exercises, problems, strict=True)
    ]
    judged = judge(exercises, candidates, rewards, seed, problems)
    return [winner(one, row, row, own) for one, row, own in zip(exercises, judged, problems, strict=True)]


def _answers(
    exercise: CitedExercise, said: Sequence[Completion], problems: Counter[str]
) -> Iterator[CitedCandidate]:
    for one in said:
        text = citations.said(clean(one.text))
        if one.finish == "length" and "\n" not in one.text.strip():
            text = whole_statements(text, exercise.item.kind)
        if one.finish == "error":
            problems[one.error or "generation failed"] += 1
        elif not text:
            cut = one.finish == "length"
            problems[f"no whole sentence in {one.tokens} tokens" if cut else "an empty answer"] += 1
        else:
            yield CitedCandidate(text, one.logprob, one.tokens)


def _example(winner: Winner) -> Example:
    exercise = winner.exercise
    return Example(
        prompt=exercise.prompt,
        completion=winner.text,
        question_id=exercise.question_id,
        kind="cited",
        question=exercise.item.question,
    )


def _weights(lm: LanguageModel) -> str:
    """What tells a model in training from another one of its name."""
    if not isinstance(lm, HasWeights):
        return ""
    from selfstudy.teach.trainers.checkpoint import fingerprint

    return fingerprint(lm.model)


class _Kept:
    """The winners found so far, in a file of one line a batch; each line names the work that it is of."""

    def __init__(self, folder: Path, work: str) -> None:
        self._path, self._work = folder / FILE, work
        with jsonl.writing(self._path, None):
            private.make_folder(folder)

    def winners(self, exercises: Sequence[CitedExercise]) -> list[Winner]:
        """Those of the first exercises; the file has these alone afterwards."""
        lines: list[bytes] = []
        found: list[Winner] = []
        try:
            jsonl.repair(self._path, None)
            for _, line, entry in jsonl.read_lines(self._path):
                batch = _Batch.model_validate(entry)
                if (batch.work, batch.start) != (self._work, len(found)):
                    raise ValueError("it is of other work")
                found += [
                    Winner(one, *row)
                    for one, row in zip(exercises[len(found) :], batch.winners, strict=False)
                ]
                lines.append(line)
        except (RunError, ValueError):  # what stands before it is as good as it was
            jsonl.replace(self._path, b"".join(lines), None)
        return found

    def add(self, winners: Sequence[Winner], start: int) -> None:
        rows = [(one.text, one.total, one.candidates, one.spread, one.error) for one in winners]
        line = _Batch(work=self._work, start=start, winners=rows).model_dump_json()
        jsonl.append(self._path, f"{line}\n".encode(), None)
