"""How far a run is: rounds, stages, shards, jobs, costs and time.

What another process writes meanwhile, what a kill left half and what another version wrote is told as far as
it goes, and what cannot be read is said.  Reads only, and locks nothing; knows no models.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from selfstudy.errors import RunError, SelfstudyError
from selfstudy.recipe import Recipe
from selfstudy.records import STAGES
from selfstudy.run import Round, Run, standing
from selfstudy.run.budget import spent_by_stage, total_of
from selfstudy.run.directory import is_run
from selfstudy.run.shards import QuestionShard, ShardRun, shards_in
from selfstudy.verbs.status.counting import StepCount, seconds_left, steps_of
from selfstudy.verbs.status.jobs import JobStatus, jobs_of
from selfstudy.verbs.submitting.chain import AHEAD


@dataclass(frozen=True)
class RoundStatus:
    """A round; `stage` is what is being done, or to be done next; "": nothing more."""

    number: int
    finished: tuple[str, ...]
    stage: str
    steps: tuple[StepCount, ...] = ()
    outcome: str = ""


@dataclass(frozen=True)
class ShardStatus:
    """A shard of the round at work; `state`: done, running, waiting, failed, begun or not begun."""

    shard: str
    state: str
    steps: tuple[StepCount, ...] = ()


@dataclass(frozen=True)
class RunStatus:
    """All of it.

    Attributes:
        rounds_wanted: of the recipe; fewer will do if nothing more is gained.
        queue: why the queue could not be asked.
        seconds: of all stages, over all sessions and shards; `eta`: seconds left of the step that is being
            done, where that can be told.
        problems: what could not be read.
    """

    run: str
    finished: bool = False
    rounds: tuple[RoundStatus, ...] = ()
    rounds_wanted: int | None = None
    shards: tuple[ShardStatus, ...] = ()
    jobs: tuple[JobStatus, ...] = ()
    queue: str = ""
    calls: int = 0
    tokens: int = 0
    cost: float = 0.0
    currency: str = ""
    seconds: float = 0.0
    eta: float | None = None
    problems: tuple[str, ...] = ()


@dataclass
class _Look:
    """At one run; `recipe` is None if it cannot be read."""

    run: Run
    recipe: Recipe | None
    problems: list[str] = field(default_factory=list)

    @contextmanager
    def trying(self) -> Iterator[None]:
        """What cannot be read is a problem to tell, and no reason to stop."""
        try:
            yield
        except SelfstudyError as error:
            self.problems.append(error.what)
        except (OSError, ValueError) as error:
            self.problems.append(f"{type(error).__name__}: {error}")


def status_of(path: Path) -> RunStatus:
    """How far the run at `path` is.

    Raises:
        RunError: there is none.
    """
    look = _opened(path)
    run = look.run
    rounds: list[RoundStatus] = []
    with look.trying():
        rounds = [_round(look, one) for one in run.rounds]
    wanted = None if look.recipe is None else look.recipe.rounds
    jobs: list[JobStatus] = []
    why = ""
    with look.trying():
        if run.slurm_folder.is_dir():
            many = min(wanted or max(1, len(rounds)), len(rounds) + AHEAD)
            jobs, why = jobs_of(run.path, run.slurm_folder, many)
            jobs = [one for one in jobs if not _is_past(one, rounds)]
    parts: list[ShardRun] = []
    eta: float | None = None
    with look.trying():
        parts = _shards(look)
        eta = _eta(look, parts)
    shards: list[ShardStatus] = []
    with look.trying():
        shards = [_shard(part, look.recipe, jobs) for part in parts]
        shards += _not_begun(parts, jobs)
    ended = bool(rounds) and not rounds[-1].stage
    finished = ended and (rounds[-1].number == wanted or rounds[-1].outcome.startswith("stopped"))
    found = RunStatus(
        run=str(run.path),
        finished=finished,
        rounds=tuple(rounds),
        rounds_wanted=wanted,
        shards=tuple(sorted(shards, key=lambda one: int(one.shard.partition("/")[0]))),
        jobs=tuple(jobs),
        queue=why,
        eta=eta,
    )
    return _with_costs(found, look, parts)


def _opened(path: Path) -> _Look:
    try:
        run = Run.open(path, write=False)
    except RunError as error:
        if not is_run(path):
            raise
        return _Look(Run(path.absolute(), Recipe(), None), None, [error.what])
    except SelfstudyError as error:  # its recipe is another version's
        return _Look(Run(path.absolute(), Recipe(), None), None, [error.what])
    return _Look(run, run.recipe)


def _round(look: _Look, round_: Round) -> RoundStatus:
    done = tuple(stage for stage in STAGES if round_.finished(stage))
    stage = next((stage for stage in STAGES if stage not in done), "")
    outcome = ""
    with look.trying():
        decided = standing.decision(round_)
        if decided is not None:
            outcome = "promoted" if decided.promoted else "nothing was promoted"
            if not stage and (why := standing.why_stop(round_)):
                outcome = f"stopped: {why}"
    return RoundStatus(round_.number, done, stage, steps_of(round_, look.recipe), outcome)


def _shards(look: _Look) -> list[ShardRun]:
    number = look.run.rounds[-1].number if look.run.rounds else 1
    return [ShardRun(look.run, number, shard, None) for shard in shards_in(look.run)]


def _shard(part: ShardRun, recipe: Recipe | None, jobs: Sequence[JobStatus]) -> ShardStatus:
    round_ = part.round(part.number)
    job = _job_of(part.shard, part.number, jobs)
    state = "done" if round_.finished("gather") else (job.state if job is not None else "begun")
    return ShardStatus(str(part.shard), state, steps_of(round_, recipe))


def _not_begun(parts: Sequence[ShardRun], jobs: Sequence[JobStatus]) -> Iterator[ShardStatus]:
    if not parts:
        return
    count, number = parts[0].shard.count, parts[0].number
    there = {part.shard.number for part in parts}
    for one in range(1, count + 1):
        if one not in there:
            shard = QuestionShard(count, one)
            job = _job_of(shard, number, jobs)
            yield ShardStatus(str(shard), "not begun" if job is None else job.state)


def _job_of(shard: QuestionShard, number: int, jobs: Sequence[JobStatus]) -> JobStatus | None:
    return next((one for one in jobs if one.name == f"shard-{number}" and one.task == shard.number), None)


def _is_past(job: JobStatus, rounds: Sequence[RoundStatus]) -> bool:
    """Whether a job that failed was made up for since."""
    part, _, number = job.name.rpartition("-")
    stage = {"ask": "probe", "shard": "gather", "merge": "gather"}.get(part, part)
    done = any(str(one.number) == number and stage in one.finished for one in rounds)
    return done and job.state in ("failed", "unknown")


def _eta(look: _Look, parts: Sequence[ShardRun]) -> float | None:
    """Of the step at work; of shards that of the slowest, once all have begun to."""
    rounds = [part.round(part.number) for part in parts if not part.round(part.number).finished("gather")]
    if parts and (len(parts) < parts[0].shard.count or not rounds):
        return None
    if not parts:
        rounds = look.run.rounds[-1:]
    left: list[float] = []
    for one in rounds:
        steps = steps_of(one, look.recipe)
        here = seconds_left(one, steps[-1]) if steps else None
        if here is None:
            return None
        left.append(here)
    return max(left, default=None)


def _with_costs(found: RunStatus, look: _Look, parts: Sequence[ShardRun]) -> RunStatus:
    total = total_of({})
    seconds = 0.0
    for run in (look.run, *parts):
        with look.trying():
            total = total + total_of(spent_by_stage(run))
        with look.trying():
            seconds += sum(run.seconds().values())
    return replace(
        found,
        calls=total.calls,
        tokens=total.tokens,
        cost=total.cost,
        currency=total.currency,
        seconds=seconds,
        problems=tuple(look.problems),
    )
