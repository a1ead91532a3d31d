"""How many items of each step of a round are done, by the lines of its files.

Lines are counted, not read, so that a million questions take a second; of a very large file the number is
told from its size, and called about.  Knows which file a step writes; nothing of jobs.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from selfstudy.files import private
from selfstudy.recipe import Recipe
from selfstudy.records import Answer, Check, Proposal, Question, Record, Score, Verdict
from selfstudy.run import Round, resume

COUNTED = 256 * 2**20
"""Bytes of a file whose lines are counted; of a larger one its beginning tells how long they are."""
_BLOCK = 2**20


@dataclass(frozen=True)
class StepCount:
    """How many items of a step are done.

    Attributes:
        of: how many there are; None: nobody knows yet.
        about: whether the numbers are told from the sizes of files.
    """

    step: str
    done: int
    of: int | None = None
    about: bool = False


def lines_of(path: Path) -> tuple[int, bool]:
    """Whole lines of a file, and whether the number is only about right; 0 of one that cannot be read."""
    try:
        with os.fdopen(private.open_file(path, os.O_RDONLY), "rb") as file:
            size, seen, found = os.fstat(file.fileno()).st_size, 0, 0
            while seen < min(size, COUNTED) and (block := file.read(_BLOCK)):
                found += block.count(b"\n")
                seen += len(block)
    except OSError:
        return 0, False
    return (found, False) if seen >= size else (round(found * size / seen), True)


def steps_of(round_: Round, recipe: Recipe | None) -> tuple[StepCount, ...]:
    """The steps of a round that have begun.

    Args:
        recipe: says how many there are to be; None: it cannot be read.
    """
    questions, answers = _count(round_, Question), _count(round_, Answer)
    probed, asked = round_.finished("probe"), round_.finished(resume.ASKING)
    scorers = None if recipe is None else len(recipe.probe.scorers)
    wanted = None if recipe is None or round_.run.is_shard else sum(ask.count for ask in recipe.probe.ask)
    found = []
    if not round_.run.is_shard:
        proposed = questions if probed or asked else _count(round_, Proposal)
        found.append(_step("asking", proposed, proposed if probed or asked else (wanted, False)))
    found.append(_step("answering", answers, questions))
    if scorers is not None:
        found.append(_step("scoring", _count(round_, Score), (answers[0] * scorers, answers[1])))
    found.append(_step("gathering", _count(round_, Verdict), answers))
    if (checks := _count(round_, Check))[0]:
        found.append(_step("verifying", checks, checks if round_.finished("verify") else (None, False)))
    return tuple(one for one in found if one.done)


FILES: dict[str, type[Record]] = {
    "asking": resume.PROPOSED.kind,
    "answering": resume.ANSWERED.kind,
    "scoring": resume.SCORED.kind,
    "gathering": resume.GATHERED.kind,
    "verifying": resume.CHECKED.kind,
}
"""The record of each item that a step has done, as a run that goes on tells it."""


def _count(round_: Round, kind: type[Record]) -> tuple[int, bool]:
    return lines_of(round_.path / kind.file)


def _step(name: str, done: tuple[int, bool], of: tuple[int | None, bool]) -> StepCount:
    return StepCount(name, done[0], of[0], done[1] or of[1])


def seconds_left(round_: Round, step: StepCount) -> float | None:
    """Of a step that is being done, at the pace so far; None where that cannot honestly be told.

    Only where one session has done all of the step: else its beginning is not known.
    """
    earlier: dict[str, type[Record]] = {"answering": Question, "scoring": Answer, "gathering": Score}
    before = earlier.get(step.step)
    if before is None or not step.of or not 0 < step.done < step.of:
        return None
    try:
        began = (round_.path / before.file).stat().st_mtime
        last = (round_.path / FILES[step.step].file).stat().st_mtime
        session = round_.run.lock_file.stat().st_mtime
    except OSError:
        return None
    if session > began or last <= began:
        return None
    return (last - began) / step.done * (step.of - step.done)
