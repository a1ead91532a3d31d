"""Keys of the blocks of models that answer: seen in what the loaded model computes, is sent, and counts."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from selfstudy.models import load_lm
from selfstudy.models.base import GREEDY, Sampling, chat
from selfstudy.models.remote.connections import Connections
from selfstudy.models.remote.http import HTTPClient
from selfstudy.models.server.servers import Servers
from selfstudy.recipe import LocalModel, Prices, RemoteModel, ScriptedModel, ServerModel
from selfstudy.records import Message
from tests.models.remote.faulty_server import FaultyServer, Reaction
from tests.models.server.engine import FAKE

from . import Effect, rows
from .workshop import HOST, KEY_FILE, OTHER_HOST, at_work, every_host, folder, on_the_hub, or_said

CHATS = [chat(f"What is the capital of country {at}?") for at in range(4)]
SHOWN = (
    Message(role="user", content="Who?", demonstration=True),
    Message(role="assistant", content="Me.", demonstration=True),
    *CHATS[0],
)


def answering(block: LocalModel) -> object:
    """What a loaded model computes: in which numbers, in which batches, of which prompt."""

    def seen() -> object:
        lm: Any = load_lm(block)
        batches: list[Any] = []
        lm.model.register_forward_pre_hook(
            lambda _, given, named: batches.append(tuple(named["input_ids"].shape)), with_kwargs=True
        )
        found = lm.logprobs(CHATS, ["Paris."] * 4)
        layers = {type(layer).__name__ for layer in lm.model.modules()}
        return found, batches, lm.model.dtype, layers, lm.render(SHOWN)

    names = (block.path, str(block.adapter or ""))
    with at_work(*names):
        return or_said(seen)


def branch(block: LocalModel) -> object:
    """The weights that a Hub id means."""
    on_the_hub("llama")
    with at_work():
        lm: Any = load_lm(block)
        return lm.logprobs(CHATS[:1], ["Paris."])


def _recorded(patch: pytest.MonkeyPatch) -> list[object]:
    """What the client of a server is given for each request: its timeouts, and the time for all of it."""
    handed: list[object] = []
    post, send = HTTPClient.post, Connections.handle_async_request

    async def posted(self: HTTPClient, path: str, body: dict[str, Any], seconds: float) -> Any:
        handed.append(round(seconds))
        return await post(self, path, body, seconds)

    async def sent(self: Connections, request: Any) -> Any:
        handed.append(dict(request.extensions["timeout"]))
        return await send(self, request)

    patch.setattr(HTTPClient, "post", posted)
    patch.setattr(Connections, "handle_async_request", sent)
    return handed


def sent(block: RemoteModel) -> object:
    """What a server gets, with which timeouts, and as what it is counted."""
    with at_work(KEY_FILE) as patch, every_host(patch) as server:
        handed = _recorded(patch)
        lm: Any = load_lm(block, cache=False)
        lm.generate(CHATS[:1], Sampling(n=2))
        lm.close()
        for one in server.requests:
            one.body.pop("seed")  # it follows from the key in the cache, in which all of a block may be
        got = [(one.path, one.headers.get("authorization"), one.body) for one in server.requests]
        return got, handed, lm.usage


def priced(prices: Prices) -> object:
    return sent(RemoteModel(model="m", base_url=f"http://{HOST}/v1", prices=prices))


def together(block: RemoteModel) -> object:
    """Whether a slow server is asked several things at once."""
    with at_work() as patch, every_host(patch, react=lambda _: Reaction(delay=0.05)) as server:
        lm: Any = load_lm(block, cache=False)
        lm.generate(CHATS, GREEDY)
        lm.close()
        return server.peak > 1


def kept(block: RemoteModel) -> object:
    """How often a server is asked for what it has told under the same name before."""
    with at_work() as patch, every_host(patch) as server:
        before = _asked_of(server, block.model_copy(update={"revision": None}))
        return _asked_of(server, block) - before


def _asked_of(server: FaultyServer, block: RemoteModel) -> int:
    lm: Any = load_lm(block)
    lm.generate(CHATS[:1], GREEDY)
    lm.close()
    return len(server.requests)


def says(block: ScriptedModel) -> object:
    with at_work():
        for name in ("one", "two"):
            (folder() / f"{name}.yaml").write_text(f"'.': It is {name}.\n")
        return load_lm(block).generate(CHATS[:1], GREEDY)[0][0].text


def served(block: ServerModel) -> object:
    """What an engine answers that takes as long as this one to start; it stands on the PATH as vllm."""
    with at_work() as patch:
        place = folder() / "engine"
        (place / "bin").mkdir(parents=True, exist_ok=True)
        (place / "student").mkdir(exist_ok=True)
        (place / "student" / "config.json").write_text("{}")
        program = place / "bin" / "vllm"
        program.write_text(f"#!{sys.executable}\n{FAKE.read_text()}")
        program.chmod(0o755)
        for name, value in {"FAKE_HOME": str(place), "SELFSTUDY_ENGINE_ENV": "FAKE_*"}.items():
            patch.setenv(name, value)
        patch.setenv("PATH", f"{place / 'bin'}:/usr/bin:/bin")
        with Servers() as servers:
            lm = load_lm(block, servers=servers)
            found = or_said(lambda: lm.generate(CHATS[:1], GREEDY)[0][0].text)
        return "did not answer" in found if block.url is None else found


LLAMA: dict[str, Any] = {"path": "llama", "device": "cpu"}
REMOTE: dict[str, Any] = {"model": "m", "base_url": f"http://{HOST}/v1"}
SERVER: dict[str, Any] = {"engine": "vllm", "model": "engine/student"}
EFFECTS: dict[str, Effect] = {
    **rows("LocalModel", answering, LLAMA, path="llama-2", adapter="adapter", dtype="bfloat16"),
    **rows("LocalModel", answering, LLAMA, load_in_4bit=True, device="cuda:99", token_budget=40),
    **rows("LocalModel", answering, LLAMA, prompt="completion", demonstrations=True),
    **rows("LocalModel", answering, LLAMA | {"path": "coded"}, trust_remote_code="ignore"),
    **rows("LocalModel", branch, {"path": "org/llama", "device": "cpu"}, revision="v2"),
    **rows("RemoteModel", sent, REMOTE, model="other", base_url=f"http://{OTHER_HOST}/v1"),
    **rows("RemoteModel", sent, REMOTE, api_key_env="ONE_KEY", api_key_file=KEY_FILE),
    **rows("RemoteModel", sent, REMOTE, connect_timeout=11, read_timeout=12, total_timeout=13, deadline=14),
    **rows("RemoteModel", sent, REMOTE, logprobs=True, n=False, extra={"min_p": 0.1}),
    **rows("RemoteModel", sent, REMOTE, prices={"prompt": 1, "completion": 2}),
    **rows("RemoteModel", together, REMOTE, concurrency=1),
    **rows("RemoteModel", kept, REMOTE, revision="v2"),
    **rows("Prices", priced, {"prompt": 1, "completion": 2}, prompt=3, completion=4, currency="EUR"),
    **rows("ScriptedModel", says, {"path": "one.yaml"}, path="two.yaml"),
    **rows("ServerModel", served, SERVER | {"url": "http://127.0.0.1:1"}, url="http://127.0.0.1:2"),
    **rows("ServerModel", served, SERVER | {"startup_seconds": 0.01}, startup_seconds=60),
}
"""By `Block.key`."""
