"""Rejection sampling: of many answers with citations the best one of each exercise is kept, to be learned.

Huang et al. 2024, arXiv 2402.04315: best-of goes by the total reward of whole answers, the beam search
(`beam`) by that of answers so far.  An exercise that has no winner has an error, never a score.

Exercises go through in blocks.  After each its winners are written down, one line a block, so that a search
that was killed goes on behind its last whole block.  Random streams depend on the prompts, so that it ends
with the same winners.  Knows nothing of training.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, FiniteFloat

from selfstudy.errors import RunError
from selfstudy.files import jsonl, private
from selfstudy.judging import citations
from selfstudy.models.base import LanguageModel, Sampling
from selfstudy.records import Completion, Example, digest
from selfstudy.teach.beam import beam
from selfstudy.teach.candidates import (
    CitedCandidate,
    Search,
    Winner,
    judge,
    merged,
    whole_statements,
    winner,
)
from selfstudy.teach.cited_practice import CitationRewards, CitedExercise
from selfstudy.text import clean

FILE = "winners.jsonl"


class _Block(BaseModel):
    """The winners of a block of exercises as they are written down: of which work, from which one on."""

    model_config = ConfigDict(extra="forbid")
    work: str
    start: int
    winners: list[tuple[str, FiniteFloat | None, int, FiniteFloat, str]]


def search(
    exercises: Sequence[CitedExercise],
    lm: LanguageModel,
    rewards: CitationRewards,
    options: Search,
    *,
    keep: Path | None = None,
    work: str = "",
    advance: Callable[[int], object] = lambda count: None,
    block: int = 64,
) -> list[Winner]:
    """The winner of each exercise, in their order.

    Args:
        keep: a folder for the winners found so far; None: none are kept.
        work: tells what the model's name does not, such as its weights; winners of other work are thrown
            away.
        advance: told how many more exercises are done, those of an earlier try among them.
        block: exercises that are asked and judged together, 1 or more.

    Raises:
        ModelError: the model cannot be searched so.
        RunError: winners cannot be written.
    """
    kept = None if keep is None else _Kept(keep, _digest(exercises, lm, rewards, options, work))
    found = [] if kept is None else kept.winners(exercises)
    advance(len(found))
    for start in range(len(found), len(exercises), block):
        some = exercises[start : start + block]
        won = (beam if options.method == "beam" else best_of)(some, lm, rewards, options)
        if kept is not None:
            kept.add(won, start)
        found += won
        advance(len(won))
    return found


def best_of(
    exercises: Sequence[CitedExercise], lm: LanguageModel, rewards: CitationRewards, options: Search
) -> list[Winner]:
    """The best of several answers to each exercise; all are asked, and all judged, together.

    What is judged is kept: the first line.  One that was cut off has its whole sentences, or items.
    """
    prompts = list(dict.fromkeys(one.prompt for one in exercises))  # what comes up again is said once
    sampling = Sampling(
        n=options.samples,
        temperature=options.temperature,
        top_k=options.top_k,
        max_new_tokens=options.max_new_tokens,
        seed=options.seed,
    )
    said = dict(zip(prompts, lm.generate(prompts, sampling), strict=True))
    problems: list[Counter[str]] = [Counter() for _ in exercises]
    candidates = [
        merged(_answers(one, said[one.prompt], own)) for one, own in zip(exercises, problems, strict=True)
    ]
    judged = judge(exercises, candidates, rewards, options.seed, problems)
    return [winner(one, row, row, own) for one, row, own in zip(exercises, judged, problems, strict=True)]


def examples(winners: Sequence[Winner]) -> list[Example]:
    """What is learned from those that there are."""
    return [
        Example(
            prompt=one.exercise.prompt,
            completion=one.text,
            question_id=one.exercise.question_id,
            kind="cited",
            question=one.exercise.item.question,
        )
        for one in winners
        if not one.error
    ]


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


def _digest(
    exercises: Sequence[CitedExercise],
    lm: LanguageModel,
    rewards: CitationRewards,
    options: Search,
    work: str,
) -> str:
    """Names all that the winners depend on."""
    return digest(work, lm.name, rewards.told, repr(options), *map(repr, exercises))


class _Kept:
    """The winners found so far, in a file of one line a block; each line names the work that it is of."""

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
                block = _Block.model_validate(entry)
                if (block.work, block.start) != (self._work, len(found)):
                    raise ValueError("it is of other work")
                found += [
                    Winner(one, *row)
                    for one, row in zip(exercises[len(found) :], block.winners, strict=False)
                ]
                lines.append(line)
        except (RunError, ValueError):  # what stands before it is as good as it was
            jsonl.replace(self._path, b"".join(lines), None)
        return found

    def add(self, winners: Sequence[Winner], start: int) -> None:
        rows = [(one.text, one.total, one.candidates, one.spread, one.error) for one in winners]
        line = _Block(work=self._work, start=start, winners=rows).model_dump_json()
        jsonl.append(self._path, f"{line}\n".encode(), None)
