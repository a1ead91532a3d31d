"""What a launcher says of this process."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

from selfstudy.errors import RecipeError, RunError
from selfstudy.recipe import LaunchBlock
from selfstudy.teach.launch import Launched, config, configs, launch, planned, require_agreed

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


@pytest.mark.parametrize(
    ("name", "sharding"), [("ddp", "none"), ("fsdp", "fsdp"), ("zero2", "zero2"), ("zero3", "zero3")]
)
def test_who_they_will_be_by_name_or_file(name: str, sharding: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(config(name).read_text())
    for chosen in (name, str(file)):
        block = LaunchBlock.model_validate({"processes": 4, "config": chosen})
        assert planned(block) == Launched(0, 4, 4, sharding)  # type: ignore[arg-type]
    assert planned(LaunchBlock(processes=1)) == Launched()


DEEP = "distributed_type: DEEPSPEED\ndeepspeed_config: "


def test_a_deepspeed_file_beside_it_counts(tmp_path: Path) -> None:
    deep, file = tmp_path / "deep.json", tmp_path / "mine.yaml"
    deep.write_text('{"zero_optimization": {"stage": 3}}')
    file.write_text(f"{DEEP}{{deepspeed_config_file: {deep}}}")
    block = LaunchBlock(processes=2, config=file)
    assert planned(block).sharding == "zero3"
    deep.write_text("[")
    with pytest.raises(RunError, match="which cannot be read"):
        planned(block)
    deep.unlink()
    os.mkfifo(deep)  # is not waited for
    with pytest.raises(RunError, match="which cannot be read"):
        planned(block)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("distributed_type: 'NO'", "not about several processes of this machine"),
        ("distributed_type: MULTI_GPU\nnum_machines: 2", "num_machines 2"),
        ("distributed_type: MULTI_GPU\ncompute_environment: AMAZON_SAGEMAKER", "AMAZON_SAGEMAKER"),
        ("distributed_type: XLA", "distributed_type XLA"),
        ("num_processes: 2", "distributed_type missing"),
        (f"{DEEP}{{deepspeed_hostfile: /etc/hosts}}", "names hosts"),
        (f"{DEEP}[1]", "names hosts, or no settings"),
        (
            f"{DEEP}{{rdzv_endpoint: evil.example:29400, nnodes: 2}}",
            r"deepspeed_config\.rdzv_endpoint is not",
        ),
        (f"{DEEP}{{training_script: evil.py}}", "training_script is not taken"),
        (
            "distributed_type: MULTI_CPU\nmpirun_config: {mpirun_hostfile: /etc/hosts}",
            "mpirun_hostfile is not",
        ),
        ("distributed_type: MULTI_GPU\ntpu_env: {cpu: true}", r"tpu_env\.cpu is not"),
        ("distributed_type: MULTI_GPU\nparallelism_config: {run_path: true}", "run_path is not"),
        ("- 1", "holds no key: value lines"),
        ("a: [", "is not YAML"),
        ("a: !!python/object/apply:os.system [id]", "is not YAML"),
        ("x" * (2**20 + 1), "cannot read"),
        (None, "cannot read"),
    ],
)
def test_files_that_start_nothing_here_are_refused(text: str | None, said: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(RecipeError, match=said):
        planned(LaunchBlock(processes=2, config=file))


def test_fsdp_is_fsdp2() -> None:
    with pytest.raises(RecipeError, match="config: fsdp is FSDP2"):
        planned(LaunchBlock(processes=2, config=Path("/nowhere/fsdp2")))


def test_a_number_that_differs_from_the_recipe_is_refused() -> None:
    require_agreed(None, Launched(0, 2, 2))
    require_agreed(LaunchBlock(processes=2), Launched())
    require_agreed(LaunchBlock(processes=2), Launched(1, 2, 2))
    with pytest.raises(RunError, match=r"2 processes were started, and .* is 3"):
        require_agreed(LaunchBlock(processes=3), Launched(1, 2, 2))
