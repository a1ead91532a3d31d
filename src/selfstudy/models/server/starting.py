"""From a block of a recipe to an engine that answers: the weights it loads, a free port, another attempt.

Knows model folders and engines; nothing of who else runs, or of what is asked.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from selfstudy.errors import ModelError
from selfstudy.files import reading
from selfstudy.models import plain
from selfstudy.models.local import gguf
from selfstudy.models.server import engines, leftovers
from selfstudy.models.server.engines import Engine, Launch
from selfstudy.models.server.process import HOST, Outcome, Server, reserve_port
from selfstudy.models.server.running import check_model
from selfstudy.models.server.servers import NotStartedError
from selfstudy.recipe import ServerModel

_STORE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@-]*")
_ATTEMPTS = 3
"""Another program may take the free port before the engine does."""


def check_names(block: ServerModel, engine: Engine) -> None:
    """Checks that what a recipe calls a model, or its revision, is no option and no order to the engine.

    Raises:
        ModelError: one is.
    """
    for name in (block.model, block.revision or block.model, block.weights or block.model):
        odd = name.startswith("-") or not name.isprintable() or not name.strip()
        if odd or (engine.weights == "name" and name is block.model and not _STORE_NAME.fullmatch(name)):
            raise ModelError(
                f"engine {block.engine}: {name[:60]!r} is no name of a model, or of a revision",
                "give a folder, a Hub id or a name of the engine's own store (./-name for a folder)",
            )


def model_place(block: ServerModel, engine: Engine) -> str:
    """The model as the engine is told it.

    Raises:
        ModelError: it is not there.
    """
    if engine.weights == "name" or block.url is not None:
        return block.model
    if engine.weights == "file":
        found = gguf.model_file(reading.expanded(block.model))
        if found is None:
            raise ModelError(
                f"engine {block.engine}: no model file {block.model!r}",
                "give a .gguf file, or a folder that holds one",
            )
        return str(found)
    from selfstudy.models.local import loading, untrusted

    place, is_folder = loading.locate(block.model, "lm")
    if is_folder:  # what an engine fetches from the Hub it reads by its own rules, without the model's code
        untrusted.require_servable(Path(place))
    return place


def start_server(block: ServerModel, place: str, merged: Path | None = None) -> Server:
    """An engine that answers, on a port that nobody else holds, with the model that was asked for.

    Args:
        place: what `model_place` returned.
        merged: an adapter that is merged into the model before.

    Raises:
        ModelError: somebody else listens on the port, or the engine serves another model.
        NotStartedError: it ended, or did not answer in time; the message has what it said last.
    """
    engine = engines.find(block.engine)
    dtype = _local_dtype() if engine.local_dtype and merged is None else "auto"
    for attempt in range(_ATTEMPTS):
        server = _begin(block, engine, place, merged, dtype, keep=attempt == 0)
        try:
            outcome = server.wait(block.startup_seconds)
            if outcome == "ready":
                names = (block.model, place, server.launch.model)
                check_model(block.engine, engine, server.url, server.called, names)
                return server
            tail = server.log_tail()
        except BaseException:  # Ctrl-C while it loads
            server.stop()
            raise
        server.stop()
        taken = outcome == "taken" or (outcome == "ended" and "address already in use" in tail.lower())
        if block.port is not None or not taken:
            break
    raise _not_started(block, server, outcome, tail)


def _begin(
    block: ServerModel, engine: Engine, place: str, merged: Path | None, dtype: str, keep: bool
) -> Server:
    """An engine that has begun to load."""
    loaded, folders, completes = _weights(block, engine, place, merged)
    template = None
    try:
        if engine.takes_template and not _has_template(block, Path(loaded)):
            folder, template = _plain_template()
            folders.append(folder)
            completes = True
        port, keeper = reserve_port(block.port)
        if not keep:
            keeper.close()
        launch = Launch(loaded, HOST, port, block.revision, dtype, template)
        server = Server(engine, launch, block.args, folders, keeper)
    except BaseException:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    server.completes = completes
    return server


def _not_started(block: ServerModel, server: Server, outcome: Outcome, tail: str) -> ModelError:
    if outcome == "taken":
        return ModelError(
            f"another program listens on port {server.launch.port}, where {block.engine} was to listen",
            "leave `port` out, or stop that program; one that you want to use is named by `url`",
        )
    ended = outcome == "ended"
    what = "ended before it answered" if ended else f"did not answer within {block.startup_seconds:g} s"
    return NotStartedError(
        f"the {block.engine} server {what}.\n    {shlex.join(server.command)}\n  Its last lines:\n{tail}",
        "fix what it says (options of the engine go into `args`)"
        if ended
        else "raise startup_seconds, or try the command above by hand",
    )


def _weights(
    block: ServerModel, engine: Engine, place: str, merged: Path | None
) -> tuple[str, list[Path], bool]:
    """What the engine is to load, the folders that were made for it, and whether it completes plain text."""
    folders = []
    if merged is not None:
        place = str(_merge(block, merged))
        folders.append(Path(place))
    if not reading.is_folder(Path(place)):
        return place, folders, False
    fixes = engine.fixes(Path(place))
    at_means_revision = engine.called(Launch("a", revision="b")) == "a@b"
    if fixes or (at_means_revision and "@" in place):
        place = str(_linked(Path(place), fixes))
        folders.append(Path(place))
    return place, folders, "chat_template.jinja" in fixes


def _merge(block: ServerModel, adapter: Path) -> Path:
    """A folder beside the adapter with the model and the adapter merged in, in float32."""
    from selfstudy.models.local import weights
    from selfstudy.recipe import LocalModel

    leftovers.sweep(adapter.parent)
    path = block.weights or block.model
    with _made(leftovers.make_folder(".served", adapter.parent)) as folder:
        weights.save_merged(LocalModel(path=path, revision=block.revision, adapter=adapter), folder)
        return folder


def _has_template(block: ServerModel, file: Path) -> bool:
    """Whether one is given, or the file brings it; a file that cannot be read is left to the engine."""
    if any("template" in name for name in block.args):
        return True
    try:
        return gguf.has_template(file.resolve())  # the user named it, be it a link
    except ModelError:
        return True


def _plain_template() -> tuple[Path, Path]:
    """A folder with the template by which a model without one completes plain text, and that file."""
    folder = leftovers.make_folder("selfstudy-model")
    template = folder / "plain.jinja"
    template.write_text(plain.TEMPLATE, encoding="utf-8")
    return folder, template


def _linked(place: Path, fixes: Mapping[str, str]) -> Path:
    """A folder of links to all files of a model but those that are replaced by `fixes`."""
    with _made(leftovers.make_folder("selfstudy-model")) as folder:
        for file in place.iterdir():
            if file.name not in fixes:
                (folder / file.name).symlink_to(file.resolve())
        for name, content in fixes.items():
            (folder / name).write_text(content, encoding="utf-8")
        return folder


@contextmanager
def _made(folder: Path) -> Iterator[Path]:
    """A new folder, which goes again if it cannot be filled."""
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _local_dtype() -> Literal["float32", "bfloat16", "float16"]:
    """The number type of the local backend on this machine: served answers then equal local ones."""
    from selfstudy.models.local import loading

    found: Literal["float32", "bfloat16", "float16"]
    found = str(loading.pick_dtype("auto", loading.pick_device("auto"))).removeprefix("torch.")  # type: ignore[assignment]
    return found
