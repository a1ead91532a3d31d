"""Joins the shards of a round into their run: by question, in the order of the run's questions.

So the files are the same whichever shard ended first.  Each is replaced in one step, times and costs are
added once, and the markers of probe and gather come last, followed by the end of the shards' folder: after a
kill at any moment the same call begins again and ends with the same files.  Lines are copied as they are.

What an unsharded run writes is the same but for the order of records of one file about different questions
(scores go block by block there), and for the last bits of floats, whose batches are cut otherwise.
"""

from __future__ import annotations

import hashlib
import os
import resource
from array import array
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from selfstudy.errors import ModelError, RunError
from selfstudy.files import jsonl, own, private
from selfstudy.library.web.kept_pages import take_over
from selfstudy.records import (
    Answer,
    Conflict,
    Document,
    Evidence,
    Failure,
    NotEvidence,
    Question,
    Record,
    Reference,
    Score,
    Skipped,
    Verdict,
)
from selfstudy.run import budget
from selfstudy.run.directory import Round, Run
from selfstudy.run.shards import (
    QuestionShard,
    ShardRun,
    hold_shard,
    number_of,
    other_questions,
    shards_in,
)

OF_A_QUESTION: tuple[type[Record], ...] = (Answer, Score, Evidence, Reference, Conflict, Verdict)
"""Records that shards write of a question, which names it as `question_id`."""
STAGES_OF_SHARDS = ("probe", "gather")
_OPEN = 200
"""Files with records that are open together."""
_OTHERS = 300
"""Files that this process may have open beside."""


def merge(run: Run, number: int) -> bool:
    """Joins the shards of round `number`; whether there was anything left to join.

    Args:
        run: open for writing.

    Raises:
        RunError: shards are missing, have not finished, or are being written; the message names them.
        ModelError: no question of any of them could be answered.
    """
    whole = run.round(number)
    if whole.finished(STAGES_OF_SHARDS[-1]):
        own.remove(run.shards_folder)
        return False
    shards = _all_of(run, number)
    _allow_files(len(shards))
    with ExitStack() as open_:
        # held, so that nobody writes meanwhile; torn lines are cut off, and what they void shows
        parts = [open_.enter_context(hold_shard(run, number, shard)) for shard in shards]
        _require_finished(parts, number)
        _require_questions(parts, whole)
        _require_answers(parts, whole)
        _join(whole, [part.round(number) for part in parts])
        for part in parts:
            take_over(part.fetched_folder, run.fetched_folder, run.path)
        run.add_shards(number, [part.timings_file for part in parts])
        budget.add_shards(run, number, parts)
        for stage in STAGES_OF_SHARDS:
            whole.finish(stage)
    own.remove(run.shards_folder)
    return True


def tidy(run: Run, number: int) -> None:
    """Before round `number` asks: what a kill left of the shards of an earlier round, which are joined, goes.

    Else their costs would be added once more, as those of this round.
    """
    if number > 1 and run.round(number - 1).finished(STAGES_OF_SHARDS[-1]):
        begun = (run.shards_folder / one.folder / Run.rounds_folder / str(number) for one in shards_in(run))
        if not any(folder.is_dir() for folder in begun):
            own.remove(run.shards_folder)


def _all_of(run: Run, number: int) -> list[QuestionShard]:
    found = shards_in(run)
    if not found:
        raise RunError(
            f"no shard of round {number} of {run.path} has been begun",
            f"selfstudy job {run.path} shard --round {number} --shard 1/N, and so on; or `selfstudy submit`",
        )
    missing = sorted(set(range(1, found[0].count + 1)) - {one.number for one in found})
    if missing:
        raise _unfinished("have not been begun", [f"{one}/{found[0].count}" for one in missing], number)
    return found


def _allow_files(count: int) -> None:
    """All shards are held together, each by an open file; systems allow 1,024 of them until they are asked.

    Raises:
        RunError: this one does not allow as many.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + _OPEN + _OTHERS
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise RunError(
            f"{count:,} shards are joined with {wanted:,} open files, and this system allows {hard:,}",
            "raise the limit (ulimit -Hn), or join them on another machine",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _require_finished(parts: Sequence[ShardRun], number: int) -> None:
    left = [
        str(part.shard)
        for part in parts
        if not all(part.round(number).finished(stage) for stage in STAGES_OF_SHARDS)
    ]
    if left:
        raise _unfinished("have not finished", left, number)


def _require_questions(parts: Sequence[ShardRun], whole: Round) -> None:
    """Each has the round's questions that fall to it: all are read once, however many shards there are."""
    wanted = [hashlib.sha256() for _ in parts]
    for line, entry in whole.lines(Question):
        wanted[number_of(str(entry.get("id")), len(parts)) - 1].update(line)
    for part, expected in zip(parts, wanted, strict=True):
        found = hashlib.sha256()
        for line, _ in part.round(whole.number).lines(Question):
            found.update(line)
        if found.digest() != expected.digest():
            raise other_questions(part)


def _unfinished(how: str, shards: Sequence[str], number: int) -> RunError:
    named = ", ".join(shards[:20]) + (f" and {len(shards) - 20:,} more" if len(shards) > 20 else "")
    return RunError(
        f"round {number}: {len(shards):,} shards {how}: {named}",
        "`selfstudy status RUN` says why; `selfstudy submit` again, or `selfstudy job RUN shard --shard N/M`",
    )


def _require_answers(parts: Sequence[ShardRun], whole: Round) -> None:
    """As the first questions of an unsharded run must not all fail, not all of them may here."""
    rounds = [part.round(whole.number) for part in parts]
    if any(next(one.lines(Answer), None) for one in rounds) or next(whole.lines(Question), None) is None:
        return
    failed = next((fail for one in rounds for fail in one.iter(Failure)), None)
    raise ModelError(
        f"answering: no question of any shard was answered{'' if failed is None else f'; {failed.message}'}",
        f"fix the cause, delete {whole.run.shards_folder}, then give the same command again",
    )


def _join(whole: Round, parts: Sequence[Round]) -> None:
    """The records of all shards, file by file."""
    place = {str(entry.get("id")): at for at, (_, entry) in enumerate(whole.lines(Question))}
    owner = array("q", (number_of(name, len(parts)) for name in place))
    for kind in OF_A_QUESTION:
        found = _Places.of(kind, parts, place, owner)
        if found.count or next(whole.lines(kind), None) is not None:
            whole.rewrite_lines(kind, found.lines())
    mine = [
        one for one in whole.iter(Failure) if one.stage not in STAGES_OF_SHARDS or one.item_id not in place
    ]
    theirs = [
        ((STAGES_OF_SHARDS.index(one.stage), place[one.item_id]), one)
        for part in parts
        for one in part.iter(Failure)
        if one.stage in STAGES_OF_SHARDS and one.item_id in place
    ]
    theirs.sort(key=lambda one: one[0])
    if mine or theirs:
        whole.rewrite(Failure, [*mine, *(one for _, one in theirs)])
    for part in parts:
        whole.append(part.iter(NotEvidence))
        for found_there in (Document, Skipped):
            whole.run.library_round.append(part.iter(found_there))


@dataclass
class _Places:
    """Where the lines of one kind of record are, in all shards."""

    files: list[Path]
    order: array[int]
    file: array[int]
    start: array[int]
    length: array[int]

    @classmethod
    def of(
        cls, kind: type[Record], parts: Sequence[Round], place: Mapping[str, int], owner: Sequence[int]
    ) -> _Places:
        """Raises RunError: a record is of no question of its shard.

        Args:
            parts: by number, from 1.
            place: of each question, by its id; `owner`: the number of its shard, by its place.
        """
        found = cls([part.path / kind.file for part in parts], *(array("q") for _ in range(4)))
        for number, part in enumerate(parts):
            at = 0
            for line, entry in part.lines(kind):
                order = place.get(str(entry.get("question_id")))
                if order is None or owner[order] != number + 1:
                    whose = "the run does not have" if order is None else "another shard has"
                    raise RunError(
                        f"{found.files[number]} has a record of a question that {whose}",
                        f"delete the folder {part.run.path}, and answer its questions again",
                    )
                found.order.append(order)
                found.file.append(number)
                found.start.append(at)
                found.length.append(len(line))
                at += len(line)
        return found

    @property
    def count(self) -> int:
        return len(self.order)

    def lines(self) -> Iterator[bytes]:
        """In the order of the questions; of one question as its shard wrote them."""
        opened: OrderedDict[int, int] = OrderedDict()
        try:
            for at in np.argsort(np.frombuffer(self.order, dtype=np.int64), kind="stable"):
                number = self.file[at]
                if number not in opened:
                    if len(opened) >= _OPEN:
                        os.close(opened.popitem(last=False)[1])
                    opened[number] = private.open_file(self.files[number], os.O_RDONLY)
                opened.move_to_end(number)
                line = os.pread(opened[number], self.length[at], self.start[at])
                if len(line) != self.length[at] or not line.endswith(b"\n"):
                    raise jsonl.damaged(self.files[number], 1, "it changed while it was read")
                yield line
        finally:
            for descriptor in opened.values():
                os.close(descriptor)
