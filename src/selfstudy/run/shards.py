"""A shard: some of the questions of a round, in a folder with a writer of its own, beside other shards.

A run has one writer, so what many jobs answer at once they answer in runs of their own:

    RUN/shards/003-of-008/    questions by a hash of their id, and the records, costs and caches of one job

Everything that was settled for the run (recipe, threshold, the day it began, what was promoted in earlier
rounds, the index of the library) is read from RUN, where it lies, so a shard cannot differ in it; what a
shard writes is its own until it is joined (merging.py).  A question does not move to another shard when
others are added.  Knows nothing of queues, nor of what is done with a question.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import zip_longest
from math import floor
from pathlib import Path

from selfstudy.errors import RunError
from selfstudy.files import jsonl, lock, own, private
from selfstudy.library.web.kept_pages import take_over
from selfstudy.recipe import BudgetBlock, Recipe
from selfstudy.records import Question, digest
from selfstudy.run import resume
from selfstudy.run.budget import seconds_spent, spent_by_stage, total_of
from selfstudy.run.directory import Round, Run, is_ours

MOST = 10_000
"""Shards of a round."""
_SPELLED = re.compile(r"([0-9]{1,5})/([0-9]{1,5})")
_FOLDER = re.compile(r"([0-9]{3,5})-of-([0-9]{3,5})")
SETTLED = frozenset(
    {
        *(Run.recipe_file, Run.provenance_file, Run.threshold_file, Run.entailment_file, Run.forgotten_file),
        *(Run.library_folder, Run.kept_apart_file, Run.corrections_file),
    }
)
"""What a shard reads in the run that it is a part of."""


@dataclass(frozen=True, order=True)
class QuestionShard:
    """One of `count` shards, which count from 1."""

    count: int
    number: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count <= MOST:
            raise RunError(f"there is no shard {self}", f"N/M with N from 1 to M, M at most {MOST:,}")

    @classmethod
    def parse(cls, spelled: str) -> QuestionShard:
        """From "3/8".

        Raises:
            RunError: it is no shard.
        """
        found = _SPELLED.fullmatch(spelled)
        if found is None:
            raise RunError(f"--shard {spelled[:40]!r} is no shard", "write it as 3/8, the third of eight")
        return cls(int(found[2]), int(found[1]))

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @property
    def folder(self) -> str:
        return f"{self.number:03d}-of-{self.count:03d}"

    def holds(self, question_id: str) -> bool:
        """Whether a question is of it; of the shards of one count it is of exactly one."""
        return number_of(question_id, self.count) == self.number


def number_of(question_id: str, count: int) -> int:
    """Which of `count` shards a question is of, from 1."""
    return int(digest("shard", question_id), 16) % count + 1


class ShardRun(Run):
    """A part of round `number` of `main`, which is open for reading, or for writing in this process."""

    is_shard = True

    def __init__(self, main: Run, number: int, shard: QuestionShard, lock: int | None) -> None:
        self.main = main
        self.number = number
        self.shard = shard
        super().__init__(main.shards_folder / shard.folder, _share(main, shard.count), lock)

    def home_of(self, name: str) -> Path:
        return self.main.path if name in SETTLED else self.path

    def __enter__(self) -> ShardRun:
        return self

    def round(self, number: int) -> Round:
        """Its own round; earlier ones are those of the whole run."""
        return self.main.round(number) if number < self.number else super().round(number)

    def budget_for(self, name: str, enough: float) -> float:
        share, whole = (getattr(one.recipe.budget, name) for one in (self, self.main))
        return float(whole + (enough - share) * self.shard.count)

    @property
    def library_round(self) -> Round:
        return self.round(self.number)

    @property
    def rounds(self) -> list[Round]:
        """Its own: what it may repair."""
        return [one for one in super().rounds if one.run is self]


def open_shard(main: Run, number: int, shard: QuestionShard) -> ShardRun:
    """A shard of round `number`, begun if it is not there, with its questions; held until it is closed.

    Raises:
        RunError: not all of the round's questions are asked yet, they are others than the shard began with,
            another process writes to it, or something else lies there.
    """
    whole = main.round(number)
    if not whole.finished(resume.ASKING):
        raise RunError(
            f"round {number} of {main.path} has not asked all of its questions, which shards share",
            f"selfstudy job {main.path} ask --round {number}",
        )
    run = hold_shard(main, number, shard)
    try:
        _begin(run, whole)
        return run
    except BaseException:
        run.close()
        raise


def hold_shard(main: Run, number: int, shard: QuestionShard) -> ShardRun:
    """The same as it is: it may not have its questions yet, and they are not compared.

    Raises:
        RunError: another process writes to it, or something else lies there.
    """
    folder = main.shards_folder / shard.folder
    with jsonl.writing(folder, main.path):
        own.make(main.shards_folder)
        if folder.is_symlink():
            raise own.not_ours(folder, "is a link, which is not followed")
        private.make_folder(folder)
    run = ShardRun(main, number, shard, lock.take(folder / Run.lock_file, folder, "shard"))
    try:
        own.inspect(folder, is_ours, tidy=True)
        run._repair()
        return run
    except BaseException:
        run.close()
        raise


def _begin(run: ShardRun, whole: Round) -> None:
    """Gives a shard its questions, in their order."""
    part = run.round(run.number)
    if run.recipe.library is not None and run.recipe.library.searched:
        take_over(run.main.fetched_folder, run.fetched_folder, run.path)  # a run may be repeated offline
    wanted = (line for line, entry in whole.lines(Question) if run.shard.holds(str(entry.get("id"))))
    if not part.finished(resume.ASKING):
        part.rewrite_lines(Question, wanted)
        part.finish(resume.ASKING)
    elif any(a != b for a, b in zip_longest((line for line, _ in part.lines(Question)), wanted)):
        raise other_questions(run)


def other_questions(run: ShardRun) -> RunError:
    """The error for a shard that began with questions that are not the round's."""
    return RunError(
        f"the questions of shard {run.shard} are not those of round {run.number} of {run.main.path}",
        f"delete {run.main.shards_folder}: its questions are answered again",
    )


def shards_in(main: Run) -> list[QuestionShard]:
    """The shards that have been begun, in order.

    Raises:
        RunError: they are of different counts.
    """
    if not own.check(main.shards_folder):
        return []
    names = [_FOLDER.fullmatch(path.name) for path in main.shards_folder.iterdir()]
    found = sorted(QuestionShard(int(name[2]), int(name[1])) for name in names if name is not None)
    counts = sorted({one.count for one in found})
    if len(counts) > 1:
        raise RunError(
            f"{main.shards_folder} holds shards of different counts: {', '.join(map(str, counts))}",
            "delete those of all counts but one, or the folder: their questions are answered again",
        )
    return found


def require_count(main: Run, count: int) -> None:
    """Refuses to share the questions out in another way than was begun.

    Raises:
        RunError: shards of another count have been begun.
    """
    for shard in shards_in(main):
        if shard.count != count:
            raise RunError(
                f"{main.shards_folder} holds shards of {shard.count}, not of {count}",
                f"set cluster.shards: {shard.count}, or delete the folder: what is in it is done again",
            )


def _share(main: Run, count: int) -> Recipe:
    """The recipe, with an equal share of what is left of the budget: no shard sees what the others spend."""
    budget, spent = main.recipe.budget, total_of(spent_by_stage(main))

    def part(limit: float | None, used: float) -> float | None:
        return None if limit is None else max(0.0, limit - used) / count

    calls, tokens = part(budget.calls, spent.calls), part(budget.tokens, spent.tokens)
    update = {
        "calls": None if calls is None else floor(calls),
        "tokens": None if tokens is None else floor(tokens),
        "money": part(budget.money, spent.cost),
        "minutes": part(budget.minutes, seconds_spent(main) / 60),
    }
    own_budget: BudgetBlock = budget.model_copy(update=update)  # unchecked: nothing may be left
    return main.recipe.model_copy(update={"budget": own_budget})
