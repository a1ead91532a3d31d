"""A key that is changed changes something that can be observed, by what is ours last: here, the batch files.

Only the block `cluster` is looked at so far.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from selfstudy.recipe import ClusterBlock, Recipe
from selfstudy.run import Run
from selfstudy.verbs.submitting.batch_file import batch_file
from selfstudy.verbs.submitting.chain import chain_of

SHARDED: dict[str, Any] = {"shards": 4, "gpus": 1}
CLUSTER: dict[str, Any] = {
    "partition": "gpu",
    "account": "lab-7",
    "qos": "long",
    "constraint": "a100",
    "time": "4:00:00",
    "gpus": 2,
    "cpus": 6,
    "memory": "64G",
    "shards": 8,
    "at_once": 3,
    "modules": ["cuda"],
    "setup": ["true"],
    "options": ["reservation=team"],
}
"""Another value of each key."""


def batch_files(folder: Path, **changes: Any) -> list[str]:
    cluster = ClusterBlock.model_validate({**SHARDED, **changes})
    with Run.create_or_resume(folder / "run", Recipe()) as run:
        jobs = chain_of(run, cluster)
    return [batch_file(job, cluster, Path("/runs/r"), Path("/runs/r/slurm"), "r") for job in jobs]


def test_the_table_has_every_key() -> None:
    assert set(CLUSTER) == set(ClusterBlock.model_fields), "give each key another value in CLUSTER"


@pytest.mark.parametrize("key", sorted(CLUSTER))
def test_a_changed_key_changes_the_batch_files(key: str, tmp_path: Path) -> None:
    assert batch_files(tmp_path) != batch_files(tmp_path, **{key: CLUSTER[key]})
