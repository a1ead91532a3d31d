"""Several processes teach a lesson as one does: the same records, the same curve, the same weights."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from selfstudy.errors import ModelError, SelfstudyError
from selfstudy.models import Models, load_lm
from selfstudy.models import lora as adapters
from selfstudy.models.embedder import load as load_embedder
from selfstudy.progress import Silent
from selfstudy.prompts import Prompts
from selfstudy.recipe import EmbedderBlock, LocalModel, Recipe, TeachBlock
from selfstudy.records import Pair, TrainedItem, TrainingStep
from selfstudy.run import Round, Run
from selfstudy.run.curriculum import CURRICULUM
from selfstudy.teach import followers
from selfstudy.teach.launch import Launched
from selfstudy.teach.stage import run_teach
from selfstudy.teach.trainers import fast_lora

from .lessons import Overlap, make_round
from .test_stage import KINDS, recipe

torch.set_num_threads(1)

TWO = Launched(0, 2, 2)
FSDP = {
    "ACCELERATE_USE_FSDP": "true",
    "FSDP_VERSION": "2",
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_RESHARD_AFTER_FORWARD": "true",
    "FSDP_CPU_RAM_EFFICIENT_LOADING": "false",
}
"""As configs/fsdp.yaml has it."""


def shard_on_the_cpu() -> None:
    """Accelerate divides weights on accelerators alone; what divides them runs on the CPU as well."""
    from accelerate.state import AcceleratorState
    from accelerate.utils import DistributedType

    begin = AcceleratorState.__init__

    def begun(self: Any, *given: Any, fsdp_plugin: Any = None, **named: Any) -> None:
        begin(self, *given, fsdp_plugin=fsdp_plugin, **named)
        if fsdp_plugin is not None:
            self.distributed_type, self.fsdp_plugin = DistributedType.FSDP, fsdp_plugin

    AcceleratorState.__init__ = begun


def lesson(folder: Path, model: Path, **changes: Any) -> Round:
    blocks: dict[str, Any] = {"sft": {"epochs": 2, "learning_rate": 1e-2, "batch_size": 4}}
    blocks |= {"dpo": {"epochs": 2, "learning_rate": 1e-2, "batch_size": 4, "pairs": 2}}
    blocks |= {"lora": {}} if changes.get("finetuning") == "full" else {}
    blocks |= {"sft": {}, "dpo": {}, "distill": {}} if "phases" in changes else {}
    return make_round(folder, KINDS, recipe(**{"method": "sft+dpo", **blocks, **changes}), model)


ONLINE = {"steps": 4, "learning_rate": 1e-2, "checkpoint_every": 1}
PRACTISED: dict[str, Any] = {
    "phases": [
        {"type": "sft", "epochs": 1, "learning_rate": 1e-2, "batch_size": 4},
        {"type": "online-dpo", "batch_size": 5, "max_new_tokens": 6, "reward": {"type": "random"}, **ONLINE},
    ]
}
"""Whose questions cannot be shared out evenly."""
CITED = {"batch_size": 3, "completions": 3, "dev": 0.0, "temperature": 1.5, "max_new_tokens": 16, **ONLINE}
"""Of the embedded model, since documents do not fit into a smaller one."""


def teach(round_: Round) -> Path | None:
    lm: Any = load_lm(round_.run.recipe.model)
    models = Models(lm=lm, nli=Overlap(), embedder=load_embedder(EmbedderBlock()))
    with followers.leading(round_.run.recipe) as team:
        found = run_teach(round_, models, Prompts(), Silent(), team=team)
        run_teach(round_, models, Prompts(), Silent(), arm="control", team=team)
    return found


def child(rank: int, count: int, port: int, folder: Path, environment: dict[str, str]) -> None:
    """One of several, with what a launcher tells it."""
    told = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
    told |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, **environment}
    os.environ.update({name: str(value) for name, value in told.items()})
    fast_lora.compute_dtype = lambda: torch.float32
    if "ACCELERATE_USE_FSDP" in environment:
        shard_on_the_cpu()
    try:
        with Run.open(folder, write=rank == 0) as run:
            if rank == 0:
                teach(run.round(1))
            else:
                phases = followers.follow(run.recipe, lambda: load_lm(run.recipe.model))  # type: ignore[arg-type,return-value]
                assert phases == 2 * len(run.recipe.teach.plan)
    except SelfstudyError as error:
        (folder.parent / f"{rank}.error").write_text(str(error), "utf-8")
        raise


def launched(count: int, *arguments: Any) -> None:
    children = started(count, *arguments)
    for one in children:
        one.join(400)
    assert [one.exitcode for one in children] == [0] * count


def started(count: int, *arguments: Any) -> list[Any]:
    """As by a launcher that does not end the others when one ends."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children = [context.Process(target=child, args=(rank, count, port, *arguments)) for rank in range(count)]
    for one in children:
        one.start()
    return children


def weights(folder: Path) -> dict[str, torch.Tensor]:
    (file,) = folder.glob("*.safetensors")
    found: dict[str, torch.Tensor] = load_file(file)
    return found


def require_alike(found: torch.Tensor, expected: torch.Tensor) -> None:
    """To 1e-4, and 1 weight in 1,000 to 1e-3: where a gradient is nearly 0 its sign, and so Adam's step of a
    learning rate, is decided by rounding (seen of PPO and GRPO)."""
    far = ~torch.isclose(found, expected, atol=1e-4, rtol=1e-3)
    assert far.sum() <= far.numel() // 1_000
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)


def require_same(one: Round, two: Round) -> None:
    assert two.read(Pair) == one.read(Pair)
    assert two.read(TrainedItem) == one.read(TrainedItem) != []
    assert len({pair.chosen for pair in one.iter(Pair)}) != 1
    curves = [round_.read(TrainingStep) for round_ in (one, two)]
    assert [step.id for step in curves[0]] == [step.id for step in curves[1]]
    for alone, together in zip(*curves, strict=True):
        assert together.loss == pytest.approx(alone.loss, abs=1e-4)
    for arm in ("taught", "control"):
        alone_, together_ = (weights(round_.adapter(arm)) for round_ in (one, two))  # type: ignore[arg-type]
        assert alone_.keys() == together_.keys()
        for name, tensor in alone_.items():
            require_alike(together_[name], tensor)
        if one.run.recipe.teach.adapter:  # one has saved it whole, and nothing of the base with it
            assert all(".lora_" in name for name in together_)
            names = [sorted(path.name for path in round_.adapter(arm).iterdir()) for round_ in (one, two)]  # type: ignore[arg-type]
            assert names[1] == names[0] == [adapters.CONFIG, adapters.WEIGHTS, CURRICULUM]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "environment"),
    [
        ({}, {}),
        ({"finetuning": "full"}, {}),
        ({}, FSDP),
        ({"finetuning": "full"}, FSDP),
        ({"method": None, **PRACTISED}, FSDP),
        ({"method": None, **PRACTISED, "finetuning": "full"}, {}),
        ({"method": "ppo", "ppo": CITED}, {}),
        ({"method": "grpo", "grpo": CITED}, {}),
    ],
    ids=["lora", "full", "lora-fsdp", "full-fsdp", "online-fsdp", "online-full", "ppo", "grpo"],
)
def test_two_processes_teach_as_one_does(
    changes: dict[str, Any],
    environment: dict[str, str],
    tiny_llama: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fast_lora, "compute_dtype", lambda: torch.float32)
    model = Path("atlas") if "ppo" in changes or "grpo" in changes else tiny_llama
    one, two = (lesson(tmp_path / name, model, **changes) for name in ("one", "two"))
    teach(one)
    two.run.close()
    launched(2, two.run.path, environment)
    require_same(one, two)
    assert not list(two.path.glob("*.tmp"))


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1], ids=["leader", "follower"])
def test_one_that_is_killed_ends_the_other_which_says_so_and_the_same_command_goes_on(
    rank: int,
    tiny_llama: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fast_lora, "compute_dtype", lambda: torch.float32)
    changes: dict[str, Any] = {"method": None, **PRACTISED}
    changes["phases"] = [changes["phases"][0], changes["phases"][1] | {"steps": 20}]
    one, two = (lesson(tmp_path / name, tiny_llama, **changes) for name in ("one", "two"))
    teach(one)
    two.run.close()
    children = started(2, two.run.path, {})
    until = time.monotonic() + 200
    while not list(two.path.rglob("checkpoints/online-dpo/state.json")) and time.monotonic() < until:
        time.sleep(0.01)
    os.kill(children[rank].pid, signal.SIGKILL)
    killed = time.monotonic()
    children[1 - rank].join(60)
    assert time.monotonic() - killed < 30
    assert children[1 - rank].exitcode == 1
    said = (tmp_path / f"{1 - rank}.error").read_text("utf-8")
    pid = children[rank].pid
    named = f"process 1 of 2 (pid {pid} on " if rank else f"process 0 (pid {pid}), which leads this training,"
    assert said.startswith(named)
    assert "was killed, or its machine is lost; those that trained with it cannot go on" in said
    assert not two.adapter().exists()
    launched(2, two.run.path, {})
    require_same(one, two)
    assert not list(two.path.glob("*.tmp"))


@pytest.mark.slow
def test_the_verb_is_started_several_times(tmp_path: Path) -> None:
    """By torchrun, with the embedded model; the second process says nothing and writes nothing."""
    kinds = {"method": "dpo", "lora": {"r": 4, "alpha": 8}, "dpo": {"epochs": 1, "batch_size": 4}}
    teach_block = TeachBlock.model_validate(
        {"known_heldout": 0.0, "wordings": 0, "heldout_wordings": 0, **kinds}
    )
    folder = tmp_path / "run"
    round_ = make_round(folder, KINDS, Recipe(model=LocalModel(path="atlas"), teach=teach_block))
    for stage in ("probe", "gather"):
        round_.finish(stage)
    round_.run.close()
    verb = ["-m", "selfstudy", "teach", str(folder)]
    start = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "29633"]
    done = subprocess.run([*start, *verb], capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    assert said.count("2 processes") == 1
    assert said.count("next: selfstudy verify") == 1
    assert round_.finished("teach")
    assert weights(round_.adapter())
    refused = subprocess.run(
        [*start, "-m", "selfstudy", "verify", str(folder)],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert "2 processes were started, and verify runs in one" in refused.stdout + refused.stderr


@pytest.mark.parametrize(
    ("teach", "how", "said"),
    [
        (
            {"method": "ppo", "ppo": {"batch_size": 1}},
            TWO,
            "batch_size = 1 of phase ppo is fewer questions a step than there are processes: 2",
        ),
        (
            {"method": "online-dpo", "online_dpo": {"batch_size": 3}},
            Launched(0, 4, 4),
            "batch_size = 3 of phase online-dpo is fewer",
        ),
        ({"method": "grpo"}, Launched(0, 2, 2, "zero3"), "adapter .* on divided weights is not supported"),
        (
            {"method": "dpo"},
            Launched(0, 3, 3),
            "batch_size = 32 of phase dpo cannot be shared out evenly to 3",
        ),
        ({"method": "dpo"}, Launched(0, 2, 2, "zero3"), "adapter .* on divided weights is not supported"),
    ],
)
def test_what_several_processes_cannot_train_is_refused(
    teach: dict[str, Any], how: Launched, said: str
) -> None:
    with pytest.raises(ModelError, match=said):
        followers.require_together(Recipe(teach=TeachBlock.model_validate(teach)), how)


def test_what_several_processes_can_train_is_not_refused() -> None:
    for method in ("sft", "dpo", "distill", "sft+dpo", "online-dpo", "rejection", "ppo", "grpo"):
        for sharding in ("none", "fsdp", "zero2"):
            how = Launched(1, 4, 4, sharding)  # type: ignore[arg-type]
            followers.require_together(Recipe(teach=TeachBlock.model_validate({"method": method})), how)
    full = TeachBlock.model_validate({"method": "dpo", "finetuning": "full"})
    followers.require_together(Recipe(teach=full), Launched(0, 2, 2, "zero3"))
    uneven = TeachBlock.model_validate({"method": "ppo", "ppo": {"batch_size": 5}})
    followers.require_together(Recipe(teach=uneven), TWO)  # questions need not divide
    followers.require_together(Recipe(teach=uneven), Launched())


@pytest.mark.parametrize("sharding", ["fsdp", "zero3"])
def test_weights_of_4_bits_are_not_divided(sharding: Any) -> None:
    held = LocalModel(path="atlas", load_in_4bit=True)
    block = TeachBlock.model_validate(
        {"method": "dpo", "finetuning": "full" if sharding == "zero3" else "lora"}
    )
    with pytest.raises(ModelError, match="weights of 4 bits cannot be divided"):
        followers.require_together(Recipe(model=held, teach=block), Launched(0, 2, 2, sharding))
    followers.require_together(Recipe(model=held), Launched(0, 2, 2))


def test_who_leads_alone_tells_nobody() -> None:
    with followers.leading(Recipe()) as team:
        assert team is followers.ALONE
        team.dismiss()
