"""How this process was started: alone, or as one of several by accelerate or torchrun, and sharded how.

Reads what a launcher says in the environment; knows nothing of torch, nor of what is trained.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from selfstudy.errors import RunError

Sharding = Literal["none", "fsdp", "zero1", "zero2", "zero3"]
"""What processes divide among themselves: nothing (each has all weights); FSDP divides weights, gradients and
what the optimizer keeps; of ZeRO stage 1 the last of these, stage 2 gradients too, stage 3 all."""
CONFIGS = Path(__file__).parent / "trainers" / "configs"
"""Configurations for `accelerate launch --config_file`, a file each."""
_LARGEST = 2**20


@dataclass(frozen=True, slots=True)
class Launched:
    """Who this process is.

    Attributes:
        rank: from 0, which leads.
        count: processes that train together, on all machines.
        here: of these, on this machine.
    """

    rank: int = 0
    count: int = 1
    here: int = 1
    sharding: Sharding = "none"


def launch(environment: Mapping[str, str] | None = None) -> Launched:
    """As the environment has it.

    Raises:
        RunError: a number or a DeepSpeed file in it cannot be read.
    """
    told = os.environ if environment is None else environment
    count = _number(told, "WORLD_SIZE", 1)
    if count < 2:
        return Launched()
    here = _number(told, "LOCAL_WORLD_SIZE", count)
    return Launched(_number(told, "RANK", 0), count, min(here, count), _sharding(told))


def config(name: str) -> Path:
    """The file of a configuration.

    Raises:
        RunError: there is none of that name; the message lists those that there are.
    """
    found = CONFIGS / f"{name}.yaml"
    if name not in configs():
        raise RunError(f"no configuration {name[:40]!r}", f"there are: {', '.join(configs())}")
    return found


def configs() -> list[str]:
    """The names of those that there are."""
    return sorted(path.stem for path in CONFIGS.glob("*.yaml"))


def _sharding(told: Mapping[str, str]) -> Sharding:
    if _is_on(told, "ACCELERATE_USE_FSDP"):
        return "fsdp"
    if not _is_on(told, "ACCELERATE_USE_DEEPSPEED"):
        return "none"
    stage = told.get("ACCELERATE_DEEPSPEED_ZERO_STAGE", "")
    if file := told.get("ACCELERATE_DEEPSPEED_CONFIG_FILE", ""):
        stage = str(_stage_of(Path(file)))
    stages: dict[str, Sharding] = {"1": "zero1", "2": "zero2", "3": "zero3"}
    return stages.get(stage, "none")


def _stage_of(file: Path) -> object:
    """The stage that a DeepSpeed configuration names; 0 if none, as DeepSpeed has it."""
    try:
        if file.stat().st_size > _LARGEST:
            raise ValueError("it is too large")
        block = json.loads(file.read_text("utf-8")).get("zero_optimization", {})
        return block.get("stage", 0)
    except (OSError, ValueError, AttributeError) as error:
        raise RunError(
            f"ACCELERATE_DEEPSPEED_CONFIG_FILE names {file}, which cannot be read: {error}",
            "give a DeepSpeed configuration in JSON, or `--config_file $(selfstudy launch-config zero2)`",
        ) from None


def _is_on(told: Mapping[str, str], name: str) -> bool:
    return told.get(name, "").lower() in ("true", "1", "yes")


def _number(told: Mapping[str, str], name: str, default: int) -> int:
    value = told.get(name) or str(default)
    if not value.isdecimal():
        raise RunError(
            f"{name}={value[:40]!r} in the environment is no number",
            "start with accelerate launch or torchrun, which set it, or unset it",
        )
    return int(value)
