"""Writes the files of a run's jobs, and submits those that are neither done nor in the queue.

Given again it goes on: a kill between two jobs leaves those that were submitted, and they are found by name.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from selfstudy.errors import RecipeError, RunError
from selfstudy.files import jsonl, lock, own, private
from selfstudy.recipe import ClusterBlock, Recipe
from selfstudy.recipe.values import leaves
from selfstudy.records import digest
from selfstudy.run import Run
from selfstudy.verbs.submitting import queue
from selfstudy.verbs.submitting.batch_file import batch_file, check_options, check_path
from selfstudy.verbs.submitting.chain import ChainJob, chain_of

JOBS, LOCK = "jobs.json", "submit.lock"
_KEPT = 2_000
"""Submitted jobs that a run remembers."""


class SubmittedJob(BaseModel):
    """One that the queue has taken."""

    name: str
    id: int
    at: str = ""


class _Jobs(BaseModel):
    """jobs.json."""

    jobs: tuple[SubmittedJob, ...] = ()


@dataclass(frozen=True)
class Planned:
    """A job that is due.

    Attributes:
        file: its batch file.
        name: what the queue calls it.
        queued: its number, if it waits or runs already.
    """

    job: ChainJob
    file: Path
    name: str
    queued: int | None = None


def prepare(path: Path, cluster: ClusterBlock) -> list[Planned]:
    """Writes the files of all that a run still needs; in order.

    Raises:
        RunError: a path cannot stand in such a file.
        RecipeError: an option cannot.
    """
    check_options(cluster.options)
    with Run.open(path, write=False) as run:
        folder = check_path(run.slurm_folder)
        check_path(run.path)
        chain = chain_of(run, cluster)
        with jsonl.writing(folder, run.path):
            own.make(folder)
            for old in folder.glob("*.sbatch"):
                old.unlink()
        planned = []
        for job in chain:
            name = job_name(run.path, job)
            file = folder / f"{job.name}.sbatch"
            text = batch_file(job, cluster, run.path, folder, name)
            jsonl.replace(file, text.encode(), run.path)
            planned.append(Planned(job, file, name))
        return planned


def job_name(run: Path, job: ChainJob) -> str:
    """What the queue calls a job: it says of which run, and no other run's job has the name."""
    return f"{run_name(run)}.{job.part}-{job.round}"


def run_name(run: Path) -> str:
    """The beginning of the names of a run's jobs, by whichever links one comes to it."""
    place = run.resolve()
    return f"{re.sub('[^A-Za-z0-9_-]', '-', place.name)[:30]}.{digest(str(place))[:8]}"


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """So that nobody submits the same jobs meanwhile.

    Raises:
        RunError: somebody does.
    """
    folder = path / Run.slurm_folder
    with jsonl.writing(folder, path):
        own.make(folder)
    held = lock.take(folder / LOCK, path)
    try:
        yield
    finally:
        lock.release(held)


def submit(path: Path, planned: Sequence[Planned], say: Callable[[Planned, int, bool], object]) -> int:
    """Submits each job behind the one before it; those that are in the queue stay as they are.

    Args:
        say: told of each job, its number, and whether it was in the queue already.

    Returns:
        How many were submitted.

    Raises:
        NoSlurmError: a program of Slurm is not there, or refuses.
    """
    in_queue = _in_queue(planned)
    folder = path / Run.slurm_folder
    after, new = None, 0
    for one in planned:
        known = in_queue.get(one.name)
        number = queue.sbatch(one.file, after) if known is None else known
        if known is None:
            new += 1
            _keep(folder / JOBS, SubmittedJob(name=one.name, id=number, at=_now()))
        say(one, number, known is not None)
        after = number
    return new


def _in_queue(planned: Sequence[Planned]) -> dict[str, int]:
    """The number of each job that waits or runs.

    Raises:
        RunError: one of them runs while an earlier one is to be submitted: it would not wait for it.
    """
    told = queue.squeue([one.name for one in planned])
    found = {one.name: one.id for one in told if one.outcome in ("waiting", "running")}
    if lost := sorted(
        {one.task for one in told if one.id in found.values() and one.outcome == "failed"}, key=str
    ):
        raise RunError(
            f"shards {', '.join(map(str, lost[:20]))} have failed while others of the same job still run: "
            "what waits for all of them would be cancelled",
            "wait for those, or scancel them; then submit again",
        )
    missing: Planned | None = None
    for one in planned:
        if one.name not in found:
            missing = missing or one
        elif missing is not None:
            raise RunError(
                f"job {found[one.name]} ({one.name}) is in the queue, but {missing.name}, for which it is to "
                "wait, is not",
                f"scancel {' '.join(map(str, sorted(set(found.values()))))}, then submit again",
            )
    return found


def submitted(folder: Path) -> tuple[SubmittedJob, ...]:
    """What was submitted of a run, as its folder for Slurm says; () where that cannot be read."""
    try:
        return _Jobs.model_validate_json(private.read(folder / JOBS)).jobs
    except (OSError, ValueError):
        return ()


def _keep(file: Path, job: SubmittedJob) -> None:
    jobs = (*submitted(file.parent), job)[-_KEPT:]
    data = {"jobs": [one.model_dump(mode="json") for one in jobs]}
    jsonl.replace(file, jsonl.encode(data), file.parent.parent)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def is_begun(path: Path) -> bool:
    """Whether anything of a run was done or submitted, and not only its files written."""
    names = {found.name for found in path.iterdir()}
    bare = {Run.recipe_file, Run.provenance_file, Run.lock_file, Run.slurm_folder}
    return not names <= bare or bool(submitted(path / Run.slurm_folder))


def cluster_of(recipe: Recipe) -> ClusterBlock:
    """Raises RecipeError: the recipe does not say what to ask the queue for."""
    if recipe.cluster is None:
        raise RecipeError(
            "the recipe has no block `cluster`, which says what to ask Slurm for",
            "for example --set cluster='{partition: gpu, gpus: 1, shards: 8}'",
        )
    processes, cards = getattr(recipe.teach.launch, "processes", 1), recipe.cluster.gpus
    if 0 < cards < processes:
        raise RecipeError(
            f"cluster.gpus = {cards} is less than teach.launch.processes = {processes}, each of which needs "
            "a card of its own",
            f"set cluster.gpus: {processes}, or fewer processes",
        )
    return recipe.cluster


def needed_variables(recipe: Recipe) -> list[str]:
    """Names of the variables with keys that jobs need from the environment of who submits."""
    named = leaves(recipe.model_dump(mode="json"))
    found = {str(value) for key, value in named if key.endswith(".api_key_env") and value}
    if recipe.library is not None and recipe.library.index is not None:
        found |= {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    return sorted(found)
