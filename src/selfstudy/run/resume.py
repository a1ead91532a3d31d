"""What is done again after a kill, and what is not; `Run` and `Round` and the stages go by it.

Opening a run repairs its files (`repair`).  A stage with its marker is not run again; the marker is dropped
once records that it counted are lost.  A stage without one runs again: items that are done (`done`) are
skipped, block by block (`pending`, `begun`); `ANSWERED` and its like say by which record.  A training begins
again from its first step, and so does whatever writes a folder under another name first (`own.unfinished`).
Knows nothing of what a stage does.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Generic, Literal, TypeVar

from pydantic_core import to_json

from selfstudy.errors import RunError
from selfstudy.files import jsonl, own
from selfstudy.records import (
    Answer,
    Check,
    CitedCheck,
    Failure,
    KnownFact,
    Proposal,
    Recheck,
    Record,
    RefusalCheck,
    Score,
    Verdict,
)
from selfstudy.run.record_files import RecordFiles

T = TypeVar("T")
R = TypeVar("R", bound=Record)

log = logging.getLogger(__name__)

ASKING = "asking"
"""The first part of probe, which has a marker of its own where others answer what one process asks."""
RoundPart = Literal["ask", "shard", "merge", "probe", "gather", "teach", "verify"]
"""What a job of a queue may do of a round (loop/jobs.py): `ask` is that first part of probe; `shard` all that
follows in probe and gather, of some questions; `merge` joins the shards; the others are whole stages."""
_DONE = ".done"
"""Ends the name of the marker of a finished stage."""


@dataclass(frozen=True)
class Step(Generic[R]):
    """How it is told that an item of a step is done.

    Attributes:
        kind: the record that the step writes last for an item.
        item: the item of such a record.
        stage: an item that failed in it has a Failure, and no such record; None: it has such a record, with
            the error.  Failures of other stages say nothing of this one.
    """

    kind: type[R]
    item: Callable[[R], Hashable]
    stage: str | None = None


PROPOSED = Step(Proposal, lambda proposal: (proposal.ask, proposal.index))
ANSWERED = Step(Answer, lambda answer: answer.question_id, "probe")
SCORED = Step(Score, lambda score: (score.scorer, score.question_id))
GATHERED = Step(Verdict, lambda verdict: verdict.question_id, "gather")
CHECKED = Step(Check, lambda check: check.id)
GENERAL = Step(KnownFact, lambda fact: fact.id)
RECHECKED = Step(Recheck, lambda check: check.id)
CITED = Step(CitedCheck, lambda check: check.id)
REFUSED = Step(RefusalCheck, lambda check: check.id)


def done(round_: RecordFiles, step: Step[R]) -> set[Hashable]:
    """The items of a step that need not be done again."""
    found = {step.item(record) for record in round_.iter(step.kind)}
    if step.stage is not None:
        found |= {failure.item_id for failure in round_.iter(Failure) if failure.stage == step.stage}
    return found


def pending(
    items: Sequence[T], size: int, done: Callable[[T], bool], first: int | None = None
) -> Iterator[list[T]]:
    """Cut `items` into fixed blocks of `size`; yield, whole, each block with an item not yet done.

    With `first` the first block is cut there once more: to see soon whether anything comes of it.

    A half-finished block is computed again entirely, so that batch shapes, and hence floats, equal those of
    an undisturbed run; `Round.append` skips what is already there.
    """
    starts = sorted({*range(0, len(items), size), *([first] if first and first < size else [])})
    for start, end in pairwise([*starts, len(items)]):
        block = list(items[start:end])
        if not all(done(item) for item in block):
            yield block


def begun(blocks: Sequence[Sequence[T]], has_records: Callable[[T], bool]) -> int:
    """The index of the block to begin with: the last one with records of its own, else the first.

    For a step of which an item may rightly get no record, so that `pending` cannot tell.  A block is written
    at once and in order: all blocks before the last one with records are whole, and this one may be torn.
    """
    return max((n for n, block in enumerate(blocks) if any(map(has_records, block))), default=0)


def marker(folder: Path, stage: str) -> Path:
    """The file in the folder of a round that says that `stage` has finished."""
    return folder / f"{stage}{_DONE}"


def mark(folder: Path, root: Path, stage: str) -> None:
    """Marks `stage` as finished. The marker holds the size of each record file: see `_distrust_markers`."""
    sizes = {path.name: path.stat().st_size for path in sorted(folder.glob("*.jsonl"))}
    jsonl.replace(marker(folder, stage), to_json(sizes), root)


def mark_again(folder: Path, root: Path) -> None:
    """Counts anew for every stage that has finished, after records were taken out on purpose."""
    for found in sorted(folder.glob(f"*{_DONE}")):
        mark(folder, root, found.name.removesuffix(_DONE))


def repair(root: Path, rounds: Iterable[Path], timings: Path, promoted: Path, aside: Path) -> None:
    """Repair what a kill or a full disk left: torn last lines of JSONL files, half a promotion.

    Args:
        root: the folder of the run, named in errors.
        rounds: the folders of its rounds.
        aside: what was promoted before, if a kill left it there.

    Raises:
        RunError: a folder that is not ours lies there.
    """
    if own.check(aside):
        if promoted.is_dir():
            own.remove(aside)
        else:
            aside.rename(promoted)
    jsonl.repair(timings, root)
    for folder in rounds:
        for path in sorted(folder.glob("*.jsonl")):
            if jsonl.repair(path, root):
                _distrust_markers(folder, path)


def _distrust_markers(folder: Path, repaired: Path) -> None:
    """Drop the marker of every stage that finished when `repaired` was longer than it is now."""
    size = repaired.stat().st_size
    for found in sorted(folder.glob(f"*{_DONE}")):
        if _counted(found, repaired.name) > size:
            log.warning("%s lost records that %s had written: the stage runs again", repaired, found.stem)
            found.unlink()


def _counted(found: Path, name: str) -> float:
    """The size of a record file when its stage finished; endless if the marker is damaged."""
    try:
        counted = (jsonl.read_object(found, "") or {}).get(name, 0)
    except RunError:
        return math.inf
    return counted if isinstance(counted, int) else math.inf
