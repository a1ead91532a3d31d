"""What is looked at for a model: its weights, its server, what a server offers.  None is loaded."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfstudy.errors import SelfstudyError
from selfstudy.files import reading
from selfstudy.models import lora, taught
from selfstudy.verbs.doctor.finding import Finding

if TYPE_CHECKING:
    from selfstudy.recipe import LocalModel, ModelBlock, RemoteModel, ServerModel


def of_model(role: str, block: ModelBlock) -> Iterator[Finding]:
    """Whether the model of a role can be used, as far as that shows without loading it."""
    from selfstudy.recipe import LocalModel, RemoteModel, ServerModel

    if isinstance(block, LocalModel):
        yield _local(role, block)
    elif isinstance(block, ServerModel):
        yield from _server(role, block)
    elif isinstance(block, RemoteModel):
        yield from _remote(role, block)
    else:
        yield Finding("ok", role, f"scripted: {block.path}")


def _local(role: str, block: LocalModel) -> Finding:
    found = weights(role, block.path, "lm", code=block.trust_remote_code is not False)
    adapter = block.adapter
    if found.state == "ok" and adapter is not None and taught.is_routed(adapter):
        count = len(taught.adapters_of(adapter))
        return Finding("ok", role, f"{found.found}; {count} adapters at {adapter}, one picked by prompt")
    if found.state == "ok" and adapter is not None and not reading.exists(adapter / lora.CONFIG):
        return Finding("fail", role, f"no adapter at {adapter}", "set model.adapter to a PEFT adapter folder")
    if found.state == "ok" and block.load_in_4bit:
        from selfstudy.models.local import four_bit, loading

        try:
            four_bit.require(block.path, loading.pick_device(block.device))
        except SelfstudyError as error:
            return Finding("fail", role, error.what, error.hint)
    return found


def _gguf(role: str, file: Path) -> Finding:
    from selfstudy.models.local import gguf

    try:
        numbers = gguf.stored(file).numbers
    except SelfstudyError as error:
        return Finding("fail", role, error.what, error.hint)
    if find_spec("gguf") is None:
        fix = "pip install 'selfstudy[gguf]'"
        return Finding("fail", role, f"{file} is a GGUF file, which needs the package gguf", fix)
    found = f"{file}: {numbers / 1e6:,.0f} million parameters; converted when it is first used"
    return Finding("ok", role, found)


def weights(role: str, path: str, packaged: str, *, code: bool = False) -> Finding:
    """A folder with safetensors, or a Hub id that is here already or can be downloaded.

    Args:
        code: whether a model that brings code of its own is no trouble.
    """
    from selfstudy.models.local import loading, untrusted

    try:
        place, is_folder = loading.locate(path, packaged)
    except SelfstudyError as error:
        return Finding("fail", role, error.what, error.hint)
    if is_folder and reading.is_file(Path(place)):
        return _gguf(role, Path(place))
    if is_folder:
        size = sum(file.stat().st_size for file in Path(place).glob("*.safetensors")) / 2**30
        if not size:
            fix = "convert it with model.save_pretrained(folder): only safetensors are loaded"
            return Finding("fail", role, f"{place} holds no *.safetensors", fix)
        try:
            untrusted.require_servable(Path(place), code=code)
        except SelfstudyError as error:
            return Finding("fail", role, error.what, error.hint)
        return Finding("ok", role, f"{path}: {size:.2g} GB of weights")
    from huggingface_hub import try_to_load_from_cache

    if isinstance(try_to_load_from_cache(place, "config.json"), str):
        return Finding("ok", role, f"{path} has been downloaded")
    if loading.hub_answers():
        return Finding("ok", role, f"{path} will be downloaded from the Hub when it is first used")
    fix = f"hf download {path} --local-dir FOLDER where there is a network, then set the path to FOLDER"
    return Finding("fail", role, f"{path} is not on this machine and the Hub does not answer", fix)


def _server(role: str, block: ServerModel) -> Iterator[Finding]:
    from selfstudy.models.local import gguf
    from selfstudy.models.remote.permissions import check_http
    from selfstudy.models.server import engines
    from selfstudy.models.server.process import answers
    from selfstudy.models.server.running import models_of
    from selfstudy.models.server.starting import check_names

    engine = engines.find(block.engine)
    try:
        check_names(block, engine)
    except SelfstudyError as error:
        yield Finding("fail", role, error.what, error.hint)
        return
    if block.url is not None:
        try:
            check_http(block.url)
        except SelfstudyError as error:
            yield Finding("fail", role, error.what, error.hint)
            return
        url = block.url.rstrip("/").removesuffix(engine.base)
        address = url + engine.health
        if answers(address, 5):
            called = engine.called(engines.Launch(block.model))
            listed = (models_of(url + engine.base) or []) if engine.lists else []
            yield _offered(role, called, listed, f"{block.engine} at {block.url}")
        else:
            line = " ".join(engines.command(engine, engines.Launch(block.model), block.args))
            yield Finding("fail", role, f"nothing answers at {address}", f"{line}   (or leave `url` out)")
    else:
        try:
            engines.require(block.engine, engine)
            yield Finding("ok", role, f"{block.engine} is installed: {engine.program()[0]}")
        except SelfstudyError as error:
            yield Finding("fail", role, error.what, error.hint)
        if engine.weights == "file" and gguf.model_file(reading.expanded(block.model)) is None:
            fix = "set `model` to a .gguf file"
            yield Finding("fail", role, f"no model file {block.model}", fix)
    if engine.weights == "folder" or block.weights:
        yield weights(f"{role} weights", block.weights or block.model, "lm")
    for quirk in engine.quirks:
        yield Finding("ok", block.engine, f"note: {quirk}")


def _remote(role: str, block: RemoteModel) -> Iterator[Finding]:
    """Asks the server for its models, which costs nothing; first says which key it gets."""
    import asyncio

    from selfstudy.models.remote.http import HTTPClient, Key, Trouble
    from selfstudy.models.server.running import listed_in

    async def ask(key: Key) -> dict[str, Any]:
        client = HTTPClient(block, key)
        try:
            return await client.get("/models", 15)
        finally:
            await client.close()

    try:
        key = Key.of(block)
        if key:
            yield Finding("ok", role, key.use(block.base_url))
        listed = listed_in(asyncio.run(ask(key))) or []
    except Trouble as trouble:
        if trouble.kind == "refused":  # it answers, only not to this
            yield Finding("ok", role, f"{block.base_url} answers")
            return
        fix = f"curl {block.base_url}/models   shows what is wrong; check base_url and the network"
        yield Finding("fail", role, f"{block.base_url}: {trouble}", fix)
    except SelfstudyError as error:
        yield Finding("fail", role, error.what, error.hint)
    else:
        yield _offered(role, block.model, listed, block.base_url)


def _offered(role: str, model: str, listed: Sequence[str], where: str) -> Finding:
    """Whether a server that answers has the model; one that lists nothing is believed."""
    from selfstudy.models.server.running import is_listed

    if not listed or is_listed(model, listed):
        return Finding("ok", role, f"{model} at {where}: it answers")
    near = difflib.get_close_matches(model, listed, 5) or listed[:10]
    more = f" and {len(listed) - len(near)} more" if len(listed) > len(near) else ""
    return Finding("fail", role, f"{where} has no model {model}", f"set `model` to {', '.join(near)}{more}")
