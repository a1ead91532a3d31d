"""Which jobs a run still needs, in order, and which job each waits for.

Knows what is done by the markers of a run; nothing of queues or files for them.
"""

from __future__ import annotations

from dataclasses import dataclass

from selfstudy.recipe import ClusterBlock
from selfstudy.run import Round, Run, resume, standing
from selfstudy.run.resume import RoundPart
from selfstudy.run.shards import QuestionShard, ShardRun, require_count, shards_in

SHARDED: tuple[RoundPart, ...] = ("ask", "shard", "merge", "teach", "verify")
WHOLE: tuple[RoundPart, ...] = ("probe", "gather", "teach", "verify")
AHEAD = 100
"""Rounds that are submitted together, after those that have begun."""
WITHOUT_CARDS: tuple[RoundPart, ...] = ("merge",)
SAYS: dict[RoundPart, str] = {
    "ask": "asks all questions",
    "shard": "answers, scores and looks up a part of the questions",
    "merge": "joins the shards",
    "probe": "asks and answers all questions",
    "gather": "finds evidence",
    "teach": "trains",
    "verify": "asks again, and promotes or rejects what was taught",
}


@dataclass(frozen=True)
class ChainJob:
    """A job, or an array of them.

    Attributes:
        place: its place in the whole chain of the run, from 1, whatever of that is done.
        shards: numbers of those that are left, of `count`; none: it is no array.
    """

    place: int
    part: RoundPart
    round: int
    count: int = 1
    shards: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """Of its file, and at the end of its name in the queue."""
        return f"{self.place:02d}-{self.part}-{self.round}"


def chain_of(run: Run, cluster: ClusterBlock) -> list[ChainJob]:
    """What a run, open for reading, still needs; each job waits for the one before it.

    Raises:
        RunError: shards of another count have been begun.
    """
    parts = WHOLE if cluster.shards == 1 else SHARDED
    found: list[ChainJob] = []
    last = run.rounds[-1].number if run.rounds else 0
    for number in range(1, min(run.recipe.rounds, last + AHEAD) + 1):
        begun = (run.rounds_folder / str(number)).is_dir()
        round_ = run.round(number) if begun else None
        for at, part in enumerate(parts, len(parts) * (number - 1) + 1):
            if round_ is not None and _is_done(round_, part):
                continue
            if part in ("probe", "gather", "shard"):
                require_count(run, cluster.shards)
            left = _left(run, round_, cluster.shards) if part == "shard" else ()
            if part != "shard" or left:
                found.append(ChainJob(at, part, number, cluster.shards, left))
        if round_ is not None and round_.finished("verify") and standing.why_stop(round_):
            break
    return found


def _is_done(round_: Round, part: RoundPart) -> bool:
    later: dict[RoundPart, tuple[str, ...]] = {
        "ask": (resume.ASKING, "probe"),
        "shard": ("gather",),
        "merge": ("gather",),
    }
    return any(round_.finished(stage) for stage in later.get(part, (part,)))


def _left(run: Run, round_: Round | None, count: int) -> tuple[int, ...]:
    """The shards that have not finished."""
    done = set()
    for shard in shards_in(run):
        if round_ is not None and finished(run, round_.number, shard):
            done.add(shard.number)
    return tuple(number for number in range(1, count + 1) if number not in done)


def finished(run: Run, number: int, shard: QuestionShard) -> bool:
    """Whether a shard of a round has done all that it has to."""
    return ShardRun(run, number, shard, None).round(number).finished("gather")
