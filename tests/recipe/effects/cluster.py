"""Keys that change what a queue is asked for: seen in the batch files of `selfstudy submit`."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from selfstudy.recipe import ClusterBlock, Recipe
from selfstudy.run import Run
from selfstudy.verbs.submitting.batch_file import batch_file
from selfstudy.verbs.submitting.chain import chain_of

from . import Effect, rows


def batch_files(cluster: ClusterBlock) -> list[str]:
    with TemporaryDirectory() as folder, Run.create_or_resume(Path(folder) / "run", Recipe()) as run:
        jobs = chain_of(run, cluster)
    return [batch_file(job, cluster, Path("/runs/r"), Path("/runs/r/slurm"), "r") for job in jobs]


EFFECTS: dict[str, Effect] = rows(
    "ClusterBlock",
    batch_files,
    {"shards": 4, "gpus": 1},
    partition="gpu",
    account="lab-7",
    qos="long",
    constraint="a100",
    time="4:00:00",
    gpus=2,
    cpus=6,
    memory="64G",
    shards=8,
    at_once=3,
    modules=["cuda"],
    setup=["true"],
    options=["reservation=team"],
)
"""By `Block.key`."""
