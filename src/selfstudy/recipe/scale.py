"""The recipe's blocks `scale`, `cluster` and `teach.launch`: on how many processes and machines a run works.

None of them changes a result: they may differ when a run is resumed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from selfstudy.recipe.base import Block, Positive

Address = Annotated[str, Field(pattern=r"^(local|auto|(ray://)?[A-Za-z0-9_.\-]{1,253}(:[0-9]{1,5})?)$")]


class ScaleBlock(Block):
    """Spread what answers, judges and embeds over workers, each with copies of its own (docs/scale.md)."""

    type: Literal["ray"] = "ray"
    address: Address = "local"
    """local: workers on this machine, started for this run and ended with it; auto: the cluster that this
    machine belongs to (RAY_ADDRESS, or one that runs here); HOST:PORT or ray://HOST:PORT: that one."""
    workers: Positive = 2
    """Processes that answer, judge and embed, each with copies of its own."""
    cpus: Annotated[float, Field(gt=0, le=1024)] = 1
    """Cores of each worker, and threads with which it computes."""
    gpus: Annotated[float, Field(ge=0, le=64)] = 0
    """Cards of each worker; below 1 several workers share one."""
    tries: Annotated[int, Field(ge=1, le=20)] = 3
    """How often a unit of work is tried, each time on another worker if there is one, before it is halved."""


LaunchName = Literal["ddp", "fsdp", "zero2", "zero3"]


class LaunchBlock(Block):
    """Train in several processes that accelerate starts."""

    processes: Annotated[int, Field(ge=1, le=1024)] = 2
    """How many."""
    config: LaunchName | Path = "ddp"
    """What is divided among them (`selfstudy launch-config`), or a configuration file of accelerate's."""


def _plain_word(value: str) -> str:
    """What goes into an sbatch file is one word that no shell and no Slurm reads as more."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.,:=+/@%\[\]\-]{0,199}", value):
        raise PydanticCustomError("word", "must be one word of letters, digits and _ . , : = + / @ % -")
    return value


def _one_line(value: str) -> str:
    if not value.strip() or any(ord(char) < 32 or ord(char) == 127 for char in value) or len(value) > 2_000:
        raise PydanticCustomError("line", "must be one line, and not empty")
    return value


QueueWord = Annotated[str, AfterValidator(_plain_word)]
QueueOption = Annotated[
    QueueWord, BeforeValidator(lambda value: value.removeprefix("--") if isinstance(value, str) else value)
]
ShellLine = Annotated[str, AfterValidator(_one_line)]
_DURATION = r"^(\d{1,5}|\d{1,5}:\d{2}|\d{1,4}:\d{2}:\d{2}|\d{1,3}-\d{1,2}(:\d{2}){0,2})$"
Duration = Annotated[
    str,
    Field(pattern=_DURATION),
    BeforeValidator(lambda value: str(value) if type(value) is int else value),
]
"""As Slurm has it: minutes, minutes:seconds, hours:minutes:seconds, days-hours:minutes:seconds."""


class ClusterBlock(Block):
    """What `selfstudy submit` asks Slurm for (docs/slurm.md)."""

    partition: QueueWord | None = None
    """Of Slurm; null: its own default."""
    account: QueueWord | None = None
    """That the jobs are charged to; null: none is named."""
    qos: QueueWord | None = None
    """Quality of service, as Slurm calls it; null: none is named."""
    constraint: QueueWord | None = None
    """Features that a node must have; null: none."""
    time: Duration = "24:00:00"
    """Longest time of each job."""
    gpus: Annotated[int, Field(ge=0, le=64)] = 0
    """Cards of each job, of each shard's too."""
    cpus: Positive = 4
    """Cores of each job."""
    memory: QueueWord | None = None
    """Of each job, as Slurm has it (64G); None: what the partition gives."""
    shards: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Jobs among which the questions of probe and gather are shared out."""
    at_once: Positive | None = None
    """Most of them that run at the same time."""
    modules: tuple[QueueWord, ...] = ()
    """Loaded first, with `module load`."""
    setup: tuple[ShellLine, ...] = ()
    """Lines of bash run before each job, such as `source ~/venv/bin/activate`; yours, written as they are."""
    options: tuple[QueueOption, ...] = ()
    """More options of sbatch, each as `--name=value`."""
