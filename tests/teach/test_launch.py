"""What a launcher says of this process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from selfstudy.errors import RunError
from selfstudy.teach.launch import Launched, config, configs, launch

SECOND = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}


def test_a_process_alone_and_one_of_several() -> None:
    assert launch({}) == launch({"WORLD_SIZE": "1", "ACCELERATE_USE_FSDP": "true"}) == Launched()
    assert launch(SECOND) == Launched(rank=1, count=2, here=2)
    assert launch({"WORLD_SIZE": "16", "RANK": "9", "LOCAL_WORLD_SIZE": "8"}) == Launched(9, 16, 8)
    with pytest.raises(RunError, match="WORLD_SIZE='two' in the environment is no number"):
        launch({"WORLD_SIZE": "two"})


def test_what_is_divided(tmp_path: Path) -> None:
    deep = {**SECOND, "ACCELERATE_USE_DEEPSPEED": "true"}
    assert launch({**SECOND, "ACCELERATE_USE_FSDP": "true"}).sharding == "fsdp"
    assert launch({**deep, "ACCELERATE_DEEPSPEED_ZERO_STAGE": "2"}).sharding == "zero2"
    assert launch(deep).sharding == "none"
    file = tmp_path / "deepspeed.json"
    named = {**deep, "ACCELERATE_DEEPSPEED_CONFIG_FILE": str(file), "ACCELERATE_DEEPSPEED_ZERO_STAGE": "2"}
    file.write_text(json.dumps({"zero_optimization": {"stage": 3}}))
    assert launch(named).sharding == "zero3"  # the file wins, as in accelerate
    file.write_text("{}")
    assert launch(named).sharding == "none"
    file.write_text("[1")
    with pytest.raises(RunError, match="which cannot be read"):
        launch(named)


def test_the_configurations_that_are_shipped() -> None:
    """Accelerate reads each, and tells the processes what it divides."""
    from accelerate.commands.config.config_args import load_config_from_file
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser
    from accelerate.utils.launch import prepare_multi_gpu_env

    assert configs() == ["ddp", "fsdp", "zero2", "zero3"]
    with pytest.raises(RunError, match="no configuration 'zero4'"):
        config("zero4")
    with pytest.raises(RunError):
        config("../fsdp")
    kinds = {"ddp": "MULTI_GPU", "fsdp": "FSDP", "zero2": "DEEPSPEED", "zero3": "DEEPSPEED"}
    for name in configs():
        assert load_config_from_file(str(config(name))).distributed_type.value == kinds[name]
        assert "selfstudy launch-config" in config(name).read_text()
        assert yaml.safe_load(config(name).read_text())["mixed_precision"] == "no"
    given = ["--config_file", str(config("fsdp")), "--num_processes", "2", "-m", "selfstudy", "teach", "RUN"]
    arguments, *_ = _validate_launch_command(launch_command_parser().parse_args(given))
    told = prepare_multi_gpu_env(arguments)
    assert launch({**told, **SECOND}).sharding == "fsdp"
    assert told["FSDP_VERSION"] == "2"
