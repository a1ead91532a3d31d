"""From a block of a recipe to an engine that answers: the weights it loads, a free port, another attempt.

Knows model folders and engines; nothing of who else runs, or of what is asked.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from selfstudy.errors import ModelError
from selfstudy.models.local.chat_format import PLAIN_STOP
from selfstudy.models.server import engines
from selfstudy.models.server.engines import Engine, Launch
from selfstudy.models.server.process import HOST, Server, check_free, free_port
from selfstudy.models.server.servers import NotStartedError
from selfstudy.recipe import ServerModel

_ATTEMPTS = 3
"""Another program may take the free port before the engine does."""


def model_place(block: ServerModel, engine: Engine) -> str:
    """The model as the engine is told it.

    Raises:
        ModelError: it is not there.
    """
    if engine.weights == "name" or block.url is not None:
        return block.model
    if engine.weights == "file":
        path = Path(block.model).expanduser()
        if not path.is_file():
            raise ModelError(
                f"engine {block.engine}: no model file {block.model!r}",
                "give a .gguf file (and its weights for transformers as `weights`, to train)",
            )
        return str(path)
    from selfstudy.models.local import loading

    return loading.locate(block.model, "lm")[0]


def start_server(block: ServerModel, place: str, merged: Path | None = None) -> Server:
    """An engine that answers.

    Args:
        place: what `model_place` returned.
        merged: an adapter that is merged into the model before.

    Raises:
        ModelError: somebody else listens on the port that the block asks for.
        NotStartedError: it ended, or did not answer in time; the message has what it said last.
    """
    engine = engines.find(block.engine)
    if block.port is not None:
        check_free(block.port)
    dtype = _local_dtype() if engine.local_dtype and merged is None else "auto"
    for _ in range(_ATTEMPTS):
        loaded, folders, stop_at = _weights(block, engine, place, merged)
        launch = Launch(loaded, HOST, block.port or free_port(), block.revision, dtype)
        server = Server(engine, launch, block.args, folders)
        server.stop_at = stop_at
        try:
            if server.wait(block.startup_seconds):
                return server
            ended, tail = not server.alive, server.log_tail()
        except BaseException:  # Ctrl-C while it loads
            server.stop()
            raise
        server.stop()
        if block.port is not None or not ended or "address already in use" not in tail.lower():
            break
    raise _not_started(block, server.command, ended, tail)


def _not_started(block: ServerModel, command: Sequence[str], ended: bool, tail: str) -> NotStartedError:
    what = "ended before it answered" if ended else f"did not answer within {block.startup_seconds:g} s"
    return NotStartedError(
        f"the {block.engine} server {what}.\n    {' '.join(command)}\n  Its last lines:\n{tail}",
        "fix what it says (options of the engine go into `args`)"
        if ended
        else "raise startup_seconds, or try the command above by hand",
    )


def _weights(
    block: ServerModel, engine: Engine, place: str, merged: Path | None
) -> tuple[str, list[Path], tuple[str, ...]]:
    """What the engine is to load, the folders that were made for it, and what ends an answer."""
    folders = []
    if merged is not None:
        place = str(_merge(block, merged))
        folders.append(Path(place))
    if not Path(place).is_dir():
        return place, folders, ()
    fixes = engine.fixes(Path(place))
    at_means_revision = engine.called(Launch("a", revision="b")) == "a@b"
    if fixes or (at_means_revision and "@" in place):
        place = str(_linked(Path(place), fixes))
        folders.append(Path(place))
    return place, folders, PLAIN_STOP if "chat_template.jinja" in fixes else ()


def _merge(block: ServerModel, adapter: Path) -> Path:
    """A folder beside the adapter with the model and the adapter merged in, in float32."""
    from selfstudy.models.local import weights
    from selfstudy.recipe import LocalModel

    for left in adapter.parent.glob(".served-*"):
        with suppress(ValueError):
            if not _exists(int(left.name.split("-")[1])):  # a kill came before its server was there
                shutil.rmtree(left, ignore_errors=True)
    path = block.weights or block.model
    folder = Path(tempfile.mkdtemp(prefix=f".served-{os.getpid()}-", dir=adapter.parent))
    weights.save_merged(LocalModel(path=path, revision=block.revision, adapter=adapter), folder)
    return folder


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _linked(place: Path, fixes: Mapping[str, str]) -> Path:
    """A folder of links to all files of a model but those that are replaced by `fixes`."""
    folder = Path(tempfile.mkdtemp(prefix="selfstudy-model-"))
    for file in place.iterdir():
        if file.name not in fixes:
            (folder / file.name).symlink_to(file.resolve())
    for name, content in fixes.items():
        (folder / name).write_text(content, encoding="utf-8")
    return folder


def _local_dtype() -> Literal["float32", "bfloat16", "float16"]:
    """The number type of the local backend on this machine: served answers then equal local ones."""
    from selfstudy.models.local import loading

    found: Literal["float32", "bfloat16", "float16"]
    found = str(loading.pick_dtype("auto", loading.pick_device("auto"))).removeprefix("torch.")  # type: ignore[assignment]
    return found
