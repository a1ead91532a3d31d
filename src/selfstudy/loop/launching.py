"""The teach stage of a round in several processes, which accelerate starts; the loop waits, and goes on.

Meanwhile this process has let go of the run and of its models.  What the one that leads says comes back over
a file (relay.py): its progress is told here, its error raised here, as if this process had trained itself.
All of them end with this process, however it ends (models/server/guarded.py).  launched.py is what
they do.
"""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

import selfstudy
from selfstudy.errors import ModelError, RecipeError
from selfstudy.files import private
from selfstudy.loop.relay import ProgressReader
from selfstudy.models.remote import permissions
from selfstudy.models.server import leftovers
from selfstudy.models.server.guarded import Guarded
from selfstudy.recipe import LaunchBlock, LocalModel, Recipe, weights_of
from selfstudy.run import Round
from selfstudy.teach.launch import Launched, config_of, launch, planned

if TYPE_CHECKING:
    from selfstudy.loop.resources import Resources

MODULE = "selfstudy.loop.launched"
"""What each process runs."""
POLL_SECONDS = 0.2
_LOG_BYTES = 200_000
_ENDED = re.compile(
    r"failed \(exitcode: -(?P<signal>\d{1,4})\) local_rank: (?P<rank>\d{1,6})"
    r"|rank +: (?P<of>\d{1,6}) \(local_rank: \d+\)\s+exitcode +: -(?P<by>\d{1,4})"
)
"""As torch says it of a process that a signal ended: at once, and of all of them at its end."""
_TOLD_BY_LAUNCHERS = re.compile(
    "(LOCAL_|GROUP_|ROLE_)?RANK|(LOCAL_|GROUP_|ROLE_)?WORLD_SIZE|MASTER_(ADDR|PORT)|"
    "(ACCELERATE|FSDP|TORCHELASTIC|PARALLELISM_CONFIG|PET)_.*"  # the last are options of torchrun
)


class LaunchOrder(BaseModel):
    """What each process is told, in a file.

    Attributes:
        recipe: as it holds in this session: that of the run, with another budget perhaps.
        allowed: which keys may go where (models/remote/permissions.py).
        said: where the one that leads says how far it is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    run: Path
    round: int
    recipe: Recipe
    allowed: tuple[str, ...] = ()
    said: Path


def is_due(recipe: Recipe) -> bool:
    """Whether processes are to be started: the recipe wants several, and this is none of several."""
    block = recipe.teach.launch
    return block is not None and block.processes > 1 and launch().count < 2


def require(recipe: Recipe) -> None:
    """Refuses, before hours of probing, what the recipe's processes could not train or be started for.

    Raises:
        SelfstudyError: what it is, and what to do instead.
    """
    if (how := require_anywhere(recipe)).count > 1:
        _require_cards(recipe, how)


def require_anywhere(recipe: Recipe) -> Launched:
    """The same but for the cards of this machine, for one who only sends the run to others."""
    if not is_due(recipe) or (block := recipe.teach.launch) is None:
        return Launched()
    from selfstudy.teach import followers

    how = planned(block)
    followers.require_together(recipe, how)
    _require_known(config_of(block))
    _require_deepspeed(how)
    return how


def teach(resources: Resources, round_: Round) -> None:
    """Has them teach a round that has not finished it; then it has.

    Raises:
        SelfstudyError: the one that leads could not go on, for the reason that it says; or they ended, and
            what they said last tells why.
    """
    require(resources.recipe)
    block = resources.recipe.teach.launch or LaunchBlock()
    resources.let_go()
    resources.reporter.note(f"round {round_.number}: {block.processes} processes teach, {_shown(block)}")
    with _counted(resources, round_), round_.run.lent():
        _run(resources, round_, block)
    if not round_.finished("teach"):
        raise ModelError(
            f"{block.processes} processes ended without an error, and round {round_.number} of "
            f"{round_.run.path} has not finished teach",
            "give the same command again; it goes on where it stopped",
        )


@contextmanager
def _counted(resources: Resources, round_: Round) -> Iterator[None]:
    """Their times and calls are those of the run; what is left of the time went by while they started."""
    run, began = round_.run, time.perf_counter()
    before = run.seconds().get("teach", 0.0)
    try:
        yield
    finally:
        if run.writable:  # else somebody else has taken it
            theirs = run.seconds().get("teach", 0.0) - before
            run.note_time("teach", round_.number, max(0.0, time.perf_counter() - began - theirs))
            resources.language_models.ledger.reread()


def _run(resources: Resources, round_: Round, block: LaunchBlock) -> None:
    folder = leftovers.make_folder("selfstudy-server")
    order, said = folder / "order.json", folder / "said.jsonl"
    told = LaunchOrder(
        run=round_.run.path,
        round=round_.number,
        recipe=resources.recipe,
        allowed=permissions.own_entries(),
        said=said,
    )
    os.close(private.open_file(said, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    with private.replacing(order) as file:
        file.write(told.model_dump_json().encode())
    # readable after it is gone
    with said.open("rb") as file, ProgressReader(file, resources.reporter) as hearing:
        guarded = Guarded(_command(block, order), _environment(resources.recipe, block), [folder])
        try:
            while (code := guarded.wait(POLL_SECONDS)) is None:
                hearing.hear()
            hearing.hear()
            killed = _killed(block, guarded.said(_LOG_BYTES)) if code else None
            if (error := killed or hearing.error) is not None:  # where one is killed the others say so too
                raise error
            if code:
                raise _ended(block, code, guarded)
        finally:
            guarded.stop()


def _command(block: LaunchBlock, order: Path) -> list[str]:
    """No shell sees it; what a file of the user's says of machines and ports does not count."""
    options = {
        "config_file": config_of(block),
        "num_processes": block.processes,
        "num_machines": 1,
        "machine_rank": 0,
        "main_process_port": 0,  # a free one
        "num_cpu_threads_per_process": _threads(block),
    }
    given = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    if planned(block).sharding == "none":
        given.append("--multi_gpu")  # several processes, which on the CPU use gloo
    launcher = [sys.executable, "-m", "accelerate.commands.launch"]
    return [*launcher, *given, "--module", MODULE, str(order)]


def _threads(block: LaunchBlock) -> int:
    """Cores are shared out evenly, unless the user says how many threads there are to be."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    return int(said) if said.isdecimal() and int(said) else max(1, (os.cpu_count() or 1) // block.processes)


def _environment(recipe: Recipe, block: LaunchBlock) -> dict[str, str]:
    """All of ours: they are this program. Nothing of another launcher's; and what lies in the working folder
    is no module of theirs."""
    found = {name: value for name, value in os.environ.items() if not _TOLD_BY_LAUNCHERS.fullmatch(name)}
    root = Path(selfstudy.__file__).parents[1]
    if root.name not in ("site-packages", "dist-packages"):  # a checkout, perhaps beside an installed one
        found["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), found.get("PYTHONPATH", "")]))
    found["PYTHONSAFEPATH"] = "1"
    if _device(recipe).type == "cpu":
        found["ACCELERATE_USE_CPU"] = "true"
    loopback = {name for _, name in socket.if_nameindex()} & {"lo", "lo0"}
    if loopback:
        found.setdefault("GLOO_SOCKET_IFNAME", loopback.pop())
    return found


def _device(recipe: Recipe) -> Any:
    from selfstudy.models.local import loading

    return loading.pick_device((weights_of(recipe.model) or LocalModel()).device)


def _shown(block: LaunchBlock) -> str:
    return block.config if isinstance(block.config, str) else f"by {block.config.name}"


def _ended(block: LaunchBlock, code: int, guarded: Guarded) -> ModelError:
    """That they ended, though the one that leads has not said why."""
    return ModelError(
        f"the {block.processes} processes that teach ended with exit code {code}; what they said last:\n"
        f"{guarded.log_tail()}",
        _ONWARD,
    )


_ONWARD = "give the same command again: what is done is kept, and the training begins again"


def _killed(block: LaunchBlock, log: str) -> ModelError | None:
    """Which of them a signal ended that is not torch's, which ends the others by SIGTERM."""
    for found in _ENDED.finditer(log):
        number, rank = int(found["signal"] or found["by"]), found["rank"] or found["of"]
        if number not in (signal.SIGTERM, signal.SIGABRT):  # the latter: a library, over the end of another
            memory = " (often because memory ran out)" if number == signal.SIGKILL else ""
            return ModelError(
                f"process {rank} of the {block.processes} that teach was ended by {_signal(number)}{memory}; "
                "the others were ended too",
                _ONWARD,
            )
    return None


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _require_known(file: Path) -> None:
    """Whether accelerate reads a file that holds what it should."""
    from accelerate.commands.config.config_args import load_config_from_file

    try:
        load_config_from_file(str(file))
    except (ValueError, TypeError, OSError) as error:
        raise RecipeError(
            f"teach.launch.config: accelerate cannot use {file}: {' '.join(str(error).split())[:300]}",
            "change it as it says; `accelerate config --config_file FILE` writes one",
        ) from None


def _require_deepspeed(how: Launched) -> None:
    if how.sharding.startswith("zero") and importlib.util.find_spec("deepspeed") is None:
        raise ModelError(
            f"teach.launch.config: {how.sharding} needs the package 'deepspeed', which is not installed",
            "pip install deepspeed; or take fsdp, which needs nothing",
        )


def _require_cards(recipe: Recipe, how: Launched) -> None:
    """On the CPU there may be as many processes as one likes."""
    device = _device(recipe)
    if device.type != "cuda":
        return
    import torch

    count = torch.cuda.device_count()
    if how.here > count:
        raise ModelError(
            f"teach.launch.processes = {how.here}, and this machine has {count} accelerators",
            f"set it to {count} or less: each process needs one of its own",
        )
    if device.index is not None:
        raise ModelError(
            f"model.device = {device}: {how.here} processes cannot share one accelerator",
            "set model.device: auto, or leave teach.launch out",
        )
