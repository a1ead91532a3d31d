"""How this process was started: alone, or as one of several by accelerate or torchrun, and sharded how.

Reads what a launcher says in the environment, or would say by a configuration file of accelerate's; starts
nothing (loop/launching.py), and knows nothing of torch, nor of what is trained.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from selfstudy.errors import RecipeError, RunError
from selfstudy.files import plain_yaml, reading
from selfstudy.recipe import LaunchBlock

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


def planned(block: LaunchBlock) -> Launched:
    """Who each of the processes of a recipe will be, as the one that leads sees it.

    Raises:
        RecipeError: its file is not there, or is none by which processes of this machine can be started.
    """
    if block.processes < 2:
        return Launched()
    return Launched(0, block.processes, block.processes, _sharding_of(config_of(block)))


def config_of(block: LaunchBlock) -> Path:
    """The file that accelerate is given."""
    return block.config if isinstance(block.config, Path) else config(block.config)


def require_agreed(block: LaunchBlock | None, how: Launched) -> None:
    """Refuses what somebody started by hand with another number of processes than the recipe names.

    Raises:
        RunError: both numbers.
    """
    if block is not None and how.count > 1 and how.count != block.processes:
        raise RunError(
            f"{how.count} processes were started, and teach.launch.processes is {block.processes}",
            f"start {block.processes}; or start none, and they are started for you",
        )


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


def _sharding_of(file: Path) -> Sharding:
    """What a configuration of accelerate's divides.

    Raises:
        RecipeError: it cannot be read, or is about other machines.
    """
    found = _read(file)
    _require_its_own(found, file)
    kind = str(found.get("distributed_type", "")).upper()
    machines = found.get("num_machines", 1)
    if found.get("compute_environment", _HERE) != _HERE or machines not in (1, "1") or not _KNOWN(kind):
        raise RecipeError(
            f"teach.launch.config: {file} is not about several processes of this machine "
            f"(compute_environment {found.get('compute_environment', _HERE)!s:.40}, num_machines "
            f"{machines!s:.40}, distributed_type {kind[:40] or 'missing'})",
            "take ddp, fsdp, zero2 or zero3; on several machines start `accelerate launch ... -m selfstudy "
            "teach RUN` on each by hand",
        )
    if kind == "FSDP":
        return "fsdp"
    if kind != "DEEPSPEED":
        return "none"
    deepspeed = found.get("deepspeed_config") or {}
    if not isinstance(deepspeed, dict) or deepspeed.get("deepspeed_hostfile"):
        raise RecipeError(
            f"teach.launch.config: {file} names hosts, or no settings, for DeepSpeed",
            "leave deepspeed_hostfile out: the processes are of this machine (an example: "
            "`selfstudy launch-config zero2`)",
        )
    named = deepspeed.get("deepspeed_config_file")
    stage = _stage_of(Path(str(named)), f"{file}") if named else deepspeed.get("zero_stage", 2)
    return _STAGES.get(str(stage), "none")


def _require_its_own(found: Mapping[str, Any], file: Path) -> None:
    """Refuses blocks with other keys than their own: accelerate takes each of them for an option of its
    command line, `rdzv_endpoint` and `run_path` too, by which a stranger's file would run a stranger's code.

    Raises:
        RecipeError: the first such key.
    """
    for name, block in found.items():
        if not isinstance(block, dict):
            continue
        own = _KEYS.get(name)
        for key in block:
            if own is None or not (isinstance(key, str) and own(key)):
                raise RecipeError(
                    f"teach.launch.config: {file}: {str(name)[:60]}.{str(key)[:60]} is not taken from a file",
                    "leave it out; `selfstudy launch-config fsdp` prints the path of an example",
                )


_KEYS = {
    "deepspeed_config": re.compile(r"(deepspeed|zero3?|offload|gradient)_[a-z0-9_]{1,60}").fullmatch,
    "fsdp_config": re.compile(r"[a-z0-9_]{1,60}").fullmatch,  # accelerate puts fsdp_ before these
    "dynamo_config": re.compile(r"[a-z0-9_]{1,60}").fullmatch,  # and dynamo_
    "fp8_config": re.compile(r"[a-z0-9_]{1,60}").fullmatch,
    "parallelism_config": re.compile(r"parallelism_config_[a-z0-9_]{1,60}").fullmatch,
}
"""What a block of a configuration may hold; other blocks hold nothing."""
_HERE = "LOCAL_MACHINE"
_KNOWN = re.compile("FSDP|DEEPSPEED|MULTI_[A-Z]{1,20}").fullmatch
"""Kinds of accelerate's that start several processes, which train as we do."""
_STAGES: dict[str, Sharding] = {"1": "zero1", "2": "zero2", "3": "zero3"}


def _read(file: Path) -> dict[str, Any]:
    hint = "give ddp, fsdp, zero2, zero3 or a file (cp $(selfstudy launch-config fsdp) mine.yaml)"
    if file.name.lower() == "fsdp2" and not reading.exists(file):
        hint = "config: fsdp is FSDP2"
    try:
        data = plain_yaml.load(reading.text(file, _LARGEST))
        if not isinstance(data, dict):
            raise plain_yaml.NotPlainError("it holds no key: value lines")
    except OSError as error:
        raise RecipeError(f"teach.launch.config: cannot read {file}: {error.strerror}", hint) from None
    except (plain_yaml.NotPlainError, UnicodeDecodeError) as error:
        said = " ".join(str(error).split())[:200]
        raise RecipeError(f"teach.launch.config: {file} is not YAML of accelerate's: {said}", hint) from None
    return data


def _sharding(told: Mapping[str, str]) -> Sharding:
    if _is_on(told, "ACCELERATE_USE_FSDP"):
        return "fsdp"
    if not _is_on(told, "ACCELERATE_USE_DEEPSPEED"):
        return "none"
    stage = told.get("ACCELERATE_DEEPSPEED_ZERO_STAGE", "")
    if file := told.get("ACCELERATE_DEEPSPEED_CONFIG_FILE", ""):
        stage = str(_stage_of(Path(file), "ACCELERATE_DEEPSPEED_CONFIG_FILE"))
    return _STAGES.get(stage, "none")


def _stage_of(file: Path, where: str) -> object:
    """The stage that a DeepSpeed configuration names; 0 if none, as DeepSpeed has it."""
    try:
        block = json.loads(reading.text(file, _LARGEST)).get("zero_optimization", {})
        return block.get("stage", 0)
    except (OSError, ValueError, AttributeError) as error:
        raise RunError(
            f"{where} names {file}, which cannot be read: {error}",
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
