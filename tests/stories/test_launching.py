"""Teach in processes that the loop starts: the same run as without; and each way in which they can end."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from safetensors.torch import load_file

from selfstudy import Run, learn
from selfstudy.errors import BudgetError, MissingExtraError, ModelError, RecipeError, SelfstudyError
from selfstudy.loop import launching
from selfstudy.loop.launching import LaunchOrder
from selfstudy.loop.relay import ProgressReader, ProgressWriter
from selfstudy.models.server.servers import NotStartedError
from selfstudy.recipe import BudgetBlock, LaunchBlock, Recipe
from selfstudy.records import Pair, TrainedItem, TrainingStep
from selfstudy.teach.trainers import fast_lora
from tests.teach.lessons import KINDS, NAMES, make_round

from .small import Listener, cli, refusal

pytestmark = pytest.mark.story

BRIEF = {"known_heldout": 0.0, "wordings": 0, "heldout_wordings": 0}
TWO = {"launch": {"processes": 2}}
IN_FLOAT32 = """
import sys
if "selfstudy.loop.launched" in sys.orig_argv:
    import torch
    torch.cpu._is_avx512_bf16_supported = torch.cpu._is_amx_tile_supported = lambda: False
"""
"""As Python reads it when it starts: on some CPUs adapters are trained in bfloat16, in which no two ways of
sharing out a batch give the same digits."""


def recipe(model: Path, nli: Path, **teach: Any) -> Recipe:
    return Recipe.model_validate(
        {
            "model": {"path": str(model)},
            "nli": {"path": str(nli)},
            "verify": {"max_questions": 2, "samples": 1, "repeats": 0, "known_questions": None},
            "teach": {"method": "dpo", **BRIEF, **teach},
        }
    )


def gathered(folder: Path, recipe: Recipe) -> Path:
    """A run in which there is to be taught next."""
    round_ = make_round(folder, KINDS, recipe)
    for stage in ("probe", "gather"):
        round_.finish(stage)
    round_.run.close()
    return folder


def trained(folder: Path) -> tuple[list[Pair], list[TrainedItem], list[TrainingStep], dict[str, Any]]:
    with Run.open(folder, write=False) as run:
        round_ = run.round(1)
        (file,) = round_.adapter().glob("*.safetensors")
        return round_.read(Pair), round_.read(TrainedItem), round_.read(TrainingStep), load_file(file)


def require_same(one: Path, two: Path) -> None:
    alone, together = trained(one), trained(two)
    assert (one / "rounds/1" / Pair.file).read_bytes() == (two / "rounds/1" / Pair.file).read_bytes() != b""
    assert alone[1] == together[1] != []
    assert [step.id for step in alone[2]] == [step.id for step in together[2]] != []
    assert [step.loss for step in together[2]] == pytest.approx([s.loss for s in alone[2]], abs=1e-4)
    assert alone[3].keys() == together[3].keys()
    assert all(float((together[3][name] - one).abs().max()) < 1e-4 for name, one in alone[3].items())


@pytest.fixture
def in_float32(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(IN_FLOAT32)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"), prepend=os.pathsep)
    monkeypatch.setattr(fast_lora, "compute_dtype", lambda: torch.float32)


def test_the_loop_teaches_in_several_processes_as_in_one(
    tiny_llama: Path, tiny_nli: Path, tmp_path: Path, in_float32: None
) -> None:
    """A budget that only this session has holds for them too; what they spent is the run's."""
    alone = recipe(tiny_llama, tiny_nli, dpo={"epochs": 2, "learning_rate": 1e-2, "batch_size": 4})
    together = alone.model_copy(
        update={
            "teach": alone.teach.model_validate({**alone.teach.model_dump(), **TWO}),
            "budget": BudgetBlock(minutes=600),
        }
    )
    one, two = (gathered(tmp_path / name, alone) for name in ("one", "two"))
    learn(alone, one)
    heard = Listener()
    summary = learn(together, two, heard)
    require_same(one, two)
    assert "round 1: 2 processes teach, ddp" in heard.notes
    assert any("2 processes" in note and note.startswith("dpo: ") for note in heard.notes)
    usage = [json.loads((run / "usage.json").read_text())["stages"] for run in (one, two)]
    calls = [{stage: spent["calls"] for stage, spent in stages.items()} for stages in usage]
    assert calls[0] == calls[1]
    assert summary.seconds["teach"] > 1
    assert (two / "summary.json").exists()
    assert not list(two.rglob("*.tmp"))


@contextmanager
def teaching(folder: Path, log: Path) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, psutil.Process]]]:
    """`selfstudy teach` in the middle of a training without end, and its processes by rank."""
    with log.open("wb") as out:
        verb = subprocess.Popen(
            [sys.executable, "-m", "selfstudy", "teach", str(folder)], stdout=out, stderr=out
        )
    below: list[psutil.Process] = []
    try:
        end = time.monotonic() + 200
        while "learning rate" not in log.read_text() and time.monotonic() < end and verb.poll() is None:
            time.sleep(0.1)
        time.sleep(1)
        below = psutil.Process(verb.pid).children(recursive=True)
        ranks = {}
        for one in below:
            with suppress(psutil.Error):
                if launching.MODULE in one.cmdline() and "RANK" in (found := one.environ()):
                    ranks[found["RANK"]] = one
        assert sorted(ranks) == ["0", "1"], log.read_text()
        yield verb, ranks
        psutil.wait_procs(below, timeout=60)
        assert not [one for one in below if one.is_running()]
    finally:
        for one in [*below, psutil.Process(verb.pid)] if verb.poll() is None else below:
            with suppress(psutil.Error):
                one.kill()
        verb.wait()


@pytest.mark.slow
def test_however_it_ends_all_of_it_ends_and_the_same_command_goes_on(
    tiny_llama: Path, tiny_nli: Path, tmp_path: Path, in_float32: None
) -> None:
    endless = recipe(
        tiny_llama, tiny_nli, dpo={"epochs": 3000, "learning_rate": 1e-3, "batch_size": 4}, **TWO
    )
    folder, log = gathered(tmp_path / "run", endless), tmp_path / "log"
    for rank in ("0", "1"):
        with teaching(folder, log) as (verb, ranks):
            ranks[rank].kill()
            assert verb.wait(60) == 2
        said = log.read_text()
        assert f"error: process {rank} of the 2 that teach was ended by SIGKILL" in said
        assert "-> give the same command again" in said
        assert "Traceback" not in said
    with teaching(folder, log) as (verb, _):
        verb.send_signal(signal.SIGINT)
        assert verb.wait(60) == 130
    assert "Traceback" not in log.read_text()
    with teaching(folder, log) as (verb, _):
        verb.kill()
        verb.wait()
    with Run.open(folder) as run:  # nobody holds it any more
        assert run.seconds()["teach"] > 3
        assert not run.round(1).finished("teach")


@pytest.mark.slow
def test_a_lesson_in_groups_and_a_control_are_taught_so_too(
    tiny_llama: Path, tiny_nli: Path, tmp_path: Path, in_float32: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One group is too long for the model: all of them leave it out."""
    monkeypatch.setitem(NAMES, "Chile", "Santiago " * 400)
    dpo = {"epochs": 1, "learning_rate": 1e-2, "batch_size": 4}
    folders = []
    for name, more in (("one", {}), ("two", TWO)):
        data = recipe(tiny_llama, tiny_nli, dpo=dpo, **more).model_dump(mode="json")
        data |= {"deploy": {"type": "dynamic", "groups": {"andes": ["Chile*"], "far": ["Ghana*"]}}}
        data["verify"]["control"] = True
        made = Recipe.model_validate(data)
        folders.append(gathered(tmp_path / name, made))
        heard = Listener()
        learn(made, folders[-1], heard)
        assert len([note for note in heard.notes if "is left out" in note]) == 2  # of the control too
    for arm in ("adapter", "control"):
        counts = [len(list((folder / "rounds/1" / arm).rglob("*"))) for folder in folders]
        assert counts[0] == counts[1] > 3
    pairs = [(folder / "rounds/1" / Pair.file).read_bytes() for folder in folders]
    assert pairs[0] == pairs[1]


@pytest.mark.slow
def test_what_the_one_that_leads_cannot_do_is_said_once(
    tiny_llama: Path, tiny_nli: Path, tmp_path: Path
) -> None:
    """A budget of no calls is used up in the child, and is a budget here."""
    made = recipe(tiny_llama, tiny_nli, **{**TWO, "wordings": 1})
    folder = gathered(tmp_path / "run", made)
    with pytest.raises(BudgetError, match="calls spent"):
        learn(made.model_copy(update={"budget": BudgetBlock(calls=1)}), folder)
    with Run.open(folder) as run:
        assert not run.round(1).finished("teach")


DPO: dict[str, Any] = {"method": "dpo"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"teach": {**DPO, "launch": {"processes": 3}}}, "batch_size = 32 of phase dpo cannot be shared out"),
        ({"teach": {**DPO, "launch": {"processes": 2, "config": "zero3"}}}, "adapter .* is not supported"),
        (
            {"teach": {**DPO, "launch": {"processes": 2, "config": "fsdp"}}, "model": {"load_in_4bit": True}},
            "weights of 4 bits cannot be divided",
        ),
        ({"teach": {**DPO, "launch": {"processes": 2, "config": "fsdp2"}}}, "fsdp2"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_asked(
    changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    model = {"path": "atlas", **changes.get("model", {})}
    made = Recipe.model_validate({"library": "atlas", **changes, "model": model})
    with pytest.raises(SelfstudyError, match=said):
        learn(made, tmp_path / "run")
    assert not (tmp_path / "run" / Run.usage_file).exists()


def test_deepspeed_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launching.importlib.util, "find_spec", lambda name: None)
    block = {"method": "dpo", "launch": {"processes": 2, "config": "zero2"}}
    with pytest.raises(ModelError, match="pip install deepspeed"):
        launching.require(Recipe.model_validate({"teach": block}))


def test_others_than_the_recipe_wants_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Recipe.model_validate({"teach": {"launch": {"processes": 4}}})
    folder = gathered(tmp_path / "run", made)
    for rank in "01":
        monkeypatch.setenv("WORLD_SIZE", "2")
        monkeypatch.setenv("RANK", rank)
        said = refusal(cli("teach", folder))
        assert "2 processes were started, and teach.launch.processes is 4" in said
    one = Recipe.model_validate({"teach": {"launch": {"processes": 1}}})
    assert not launching.is_due(one)
    assert not launching.is_due(made)  # in one of several
    monkeypatch.delenv("WORLD_SIZE")
    assert launching.is_due(made)
    assert not launching.is_due(Recipe())


@pytest.mark.parametrize(
    ("config", "launcher"),
    [("ddp", "multi_gpu"), ("fsdp", "use_fsdp"), ("zero2", "use_deepspeed"), (None, "multi_gpu")],
)
def test_what_a_file_says_of_machines_and_ports_does_not_count(
    config: str | None, launcher: str, tmp_path: Path
) -> None:
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser

    file = tmp_path / "mine.yaml"
    file.write_text(
        "distributed_type: MULTI_CPU\nnum_processes: 7\nmain_process_ip: 10.9.8.7\nmain_process_port: 29500\n"
        "machine_rank: 3\nnum_machines: 1\n"
    )
    block = LaunchBlock.model_validate({"processes": 2, "config": config or str(file)})
    command = launching._command(block, tmp_path / "order.json")
    assert command[:3] == [sys.executable, "-m", "accelerate.commands.launch"]
    found, *_ = _validate_launch_command(launch_command_parser().parse_args(command[3:]))
    assert getattr(found, launcher)
    assert (found.num_processes, found.num_machines, found.machine_rank) == (2, 1, 0)
    assert found.main_process_port == 0
    assert (found.module, found.training_script) == (True, launching.MODULE)
    assert found.training_script_args == [str(tmp_path / "order.json")]


def test_a_file_with_a_key_that_accelerate_does_not_know_is_refused_early(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("distributed_type: MULTI_GPU\nnum_procs: 2\n")
    made = Recipe.model_validate({"teach": {**DPO, "launch": {"processes": 2, "config": str(file)}}})
    with pytest.raises(RecipeError, match=r"unknown keys .*num_procs"):
        launching.require(made)


def test_nothing_of_another_launcher_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {
        "RANK": "0",
        "WORLD_SIZE": "1",
        "MASTER_PORT": "1",
        "ACCELERATE_USE_FSDP": "true",
        "FSDP_VERSION": "1",
        "PET_NNODES": "4",
    }
    for name, value in {**told, "OPENAI_API_KEY": "mine"}.items():
        monkeypatch.setenv(name, value)
    found = launching._environment(Recipe(), LaunchBlock(processes=2))
    assert not told.keys() & found.keys()
    assert found["OPENAI_API_KEY"] == "mine"  # they are this program, and may ask its judge
    assert found["PYTHONSAFEPATH"] == "1"


def test_an_order_holds_the_recipe_as_it_is(tmp_path: Path) -> None:
    made = Recipe.model_validate(
        {"model": {"path": str(tmp_path)}, "budget": {"calls": 3}, "teach": TWO, "library": "atlas"}
    )
    order = LaunchOrder(run=tmp_path, round=2, recipe=made, allowed=("KEY=host",), said=tmp_path / "said")
    assert LaunchOrder.model_validate_json(order.model_dump_json()) == order


class Bars(Listener):
    """Keeps how far each task came."""

    def __init__(self) -> None:
        super().__init__()
        self.done: dict[str, int] = {}
        self.open: list[str] = []

    @contextmanager
    def task(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        self.open.append(label)
        self.done[label] = 0

        def advance(count: int) -> None:
            self.done[label] += count

        yield advance
        self.open.remove(label)


def test_progress_comes_through_whole_though_it_is_read_in_pieces() -> None:
    told = io.BytesIO()
    saying = ProgressWriter(told)  # type: ignore[arg-type]
    saying.note("begins\nwith two lines")
    with saying.task("outer", 3) as outer:
        outer(1)
        with saying.task("inner", 100) as inner:
            for _ in range(100):
                inner(1)
        outer(2)
    with saying.task("torn", 7) as torn:
        torn(2)
        said = told.getvalue()
    bars = Bars()
    source = _Growing(said)
    with ProgressReader(source, bars) as hearing:  # type: ignore[arg-type]
        for _ in range(len(said)):
            hearing.hear()
    assert bars.notes == ["begins\nwith two lines"]
    assert bars.done == {"outer": 3, "inner": 100, "torn": 2}
    assert bars.open == []
    assert said.count(b"advance") < 10


class _Growing:
    """A file that grows by a byte between two reads."""

    def __init__(self, data: bytes) -> None:
        self._left = data

    def read(self) -> bytes:
        found, self._left = self._left[:1], self._left[1:]
        return found


@pytest.mark.parametrize(
    "error",
    [
        BudgetError("it is used up", "more"),
        RecipeError("wrong"),
        MissingExtraError("ray", "ray", "scale"),
        NotStartedError("it ended", "look"),
    ],
)
def test_an_error_comes_through_as_what_it_is(error: SelfstudyError) -> None:
    told = io.BytesIO()
    ProgressWriter(told).error(error)  # type: ignore[arg-type]
    told.seek(0)
    with ProgressReader(told, Listener()) as hearing:  # type: ignore[arg-type]
        hearing.hear()
    found = hearing.error
    assert found is not None
    assert (str(found), found.exit_code) == (str(error), error.exit_code)
    assert isinstance(found, type(error)) or type(error) in (MissingExtraError, NotStartedError)
