"""ServerLM: a model behind an engine that is started when it is first asked.

Of the servers that this process starts, one runs at a time: asking another ServerLM swaps it in, unless the
engine serves both (base and adapters by name).
"""

from __future__ import annotations

import atexit
import http.client
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from selfstudy.errors import ModelError
from selfstudy.models.base import LanguageModel, Progress, Sampling
from selfstudy.models.local.chat_format import PLAIN_STOP
from selfstudy.models.remote.usage import Usage
from selfstudy.models.server import engines
from selfstudy.models.server.engines import Engine, Launch
from selfstudy.models.server.process import HOST, Server, answers, check_free, fetch, free_port
from selfstudy.recipe import ServerModel
from selfstudy.records import Chat, Completion, digest

if TYPE_CHECKING:
    from selfstudy.models.remote.lm import RemoteLM

_NO_KEY = "SELFSTUDY_SERVER_KEY"
"""Our own servers want no key: that of an API must not be sent to them."""
_OLLAMA_SECONDS = 600.0
"""Longest time of one `ollama` command."""
_ATTEMPTS = 3
"""Another program may take the free port before the engine does."""

T = TypeVar("T")

_lock = threading.RLock()
_running: tuple[tuple[Any, ...], Server] | None = None
"""The one server that this process keeps, and what it serves."""


def stop_servers() -> None:
    """Ends the server that this process has started, if any; at exit this happens by itself."""
    global _running
    with _lock:
        if _running is not None:
            server, _running = _running[1], None
            if server.engine.adapters == "created":
                for name in server.adapters:
                    with suppress(ModelError):
                        _ollama(server.url, "rm", name)
            server.stop()


atexit.register(stop_servers)


class ServerLM:
    """A language model behind an engine; fulfils `base.LanguageModel`.

    Nothing is started before it is asked.  With `url` in its block a server that runs already is used, and
    never stopped.

    Attributes:
        name: what reports call it.
        say: told in one line when a server is started, which may take minutes.
    """

    def __init__(self, block: ServerModel, say: Callable[[str], object] = lambda text: None) -> None:
        """Checks what can be checked without starting anything.

        Raises:
            ModelError: the engine is not installed, cannot serve the adapter, or the model is not there.
        """
        self._block = block
        self._engine = engines.find(block.engine)
        self.say = say
        self.name = f"{block.engine}:{block.model}"
        self.name += (f"@{block.revision}" if block.revision else "") + (
            f"+{block.adapter}" if block.adapter else ""
        )
        self.adapter = block.adapter
        if block.adapter is not None and self._engine.adapters == "none":
            raise ModelError(
                f"engine {block.engine} cannot serve the adapter {block.adapter}: it reads GGUF only",
                "convert the adapter with llama.cpp's convert_lora_to_gguf.py, or verify with engine: "
                "transformers or vllm",
            )
        self._place = self._locate()
        if block.url is None:
            engines.require(block.engine, self._engine)
        self._client: tuple[tuple[str, str, Server | None], RemoteLM] | None = None
        self._count: Callable[[str], int] | None = None
        self._known: set[str] = set()
        self._used = Usage()

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, progress: Progress | None = None
    ) -> list[list[Completion]]:
        """`sampling.total` completions for each chat, in the order of `chats`.

        Raises:
            ModelError: the server cannot be started, or ended meanwhile; the message has what it said last.
        """
        if not chats:
            return []

        def ask(lm: LanguageModel) -> list[list[Completion]]:
            stop_at = _running[1].stop_at if _running is not None and self._block.url is None else ()
            return lm.generate(chats, replace(sampling, stop=(*sampling.stop, *stop_at)), progress)

        return self._asked(ask)

    def logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[float]]:
        """Natural-log probability of every token of texts[i] as the answer to chats[i], where it is offered.

        Raises:
            ModelError: the server cannot be started, ended meanwhile, or does not give log-probabilities.
        """
        return self._asked(lambda lm: lm.logprobs(chats, texts))

    def count_tokens(self, text: str) -> int:
        """Tokens of `text`, by the tokenizer of the trained weights; 1.3 a word where it cannot be had."""
        if self._count is None:
            from selfstudy.models.counting import text_counter

            self._count = text_counter(self._block)
        return self._count(text)

    @property
    def usage(self) -> Usage:
        """What was asked for since the model was made, of all servers that it has had."""
        return self._used if self._client is None else self._used + self._client[1].usage

    def _locate(self) -> str:
        """The model as the engine is told it."""
        if self._engine.weights == "name" or self._block.url is not None:
            return self._block.model
        if self._engine.weights == "file":
            path = Path(self._block.model).expanduser()
            if not path.is_file():
                raise ModelError(
                    f"engine {self._block.engine}: no model file {self._block.model!r}",
                    "give a .gguf file (and its weights for transformers as `weights`, to train)",
                )
            return str(path)
        from selfstudy.models.local import loading

        return loading.locate(self._block.model, "lm")[0]

    def _ready(self) -> LanguageModel:
        """A client of a server that runs and has this model (and adapter)."""
        base, called = self._reused() if self._block.url is not None else self._served()
        server = _running[1] if _running is not None and self._block.url is None else None
        if self._client is None or self._client[0] != (base, called, server):
            self._used = self.usage
            self._client = ((base, called, server), _client(base, called, self._engine, server))
        return self._client[1]

    def _reused(self) -> tuple[str, str]:
        url = (self._block.url or "").rstrip("/").removesuffix(self._engine.base)
        if self._client is None:
            launch = Launch(self._place, port=urlsplit(url).port or 80)
            if not answers(url + self._engine.health, 10):
                line = " ".join(engines.command(self._engine, launch, self._block.args))
                raise ModelError(
                    f"no {self._block.engine} server answers at {url}{self._engine.health}",
                    f"start it ({line}), or leave `url` out: selfstudy then starts one itself",
                )
            self._check_listed(url, launch)
        called = self._engine.called(Launch(self._place, revision=self._block.revision))
        if self.adapter is None:
            return url + self._engine.base, called
        if self._engine.adapters == "merged":
            raise ModelError(
                f"the {self._block.engine} server at {url} cannot be given the adapter {self.adapter}",
                "leave `url` out: selfstudy then starts servers itself, and swaps them",
            )
        called = _add_adapter(self._engine, url, called, self.adapter, self._known)
        return url + self._engine.base, called

    def _check_listed(self, url: str, launch: Launch) -> None:
        if not self._engine.lists:
            return
        try:
            status, body = fetch(f"{url}{self._engine.base}/models", 10)
            listed = [str(one["id"]) for one in json.loads(body)["data"]] if status == 200 else None
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
            listed = None
        if listed is not None and self._engine.called(launch) not in listed:
            raise ModelError(
                f"the server at {url} serves {', '.join(listed) or 'nothing'}, not {self._block.model}",
                "set `model` to what it serves (and `weights` to the folder or Hub id to train)",
            )

    def _served(self) -> tuple[str, str]:
        """Base URL and the model's name there; swaps servers if another one runs."""
        global _running
        block = self._block
        merged = self.adapter if self._engine.adapters == "merged" else None
        args = json.dumps(block.args, sort_keys=True)
        weights = None if merged is None else _adapter_name(merged)
        key = (block.engine, self._place, args, block.port, block.revision, weights)
        if _running is not None and (_running[0] != key or not _running[1].alive):
            stop_servers()
        if _running is None:
            self.say(f"starting {self.name}")
            began = time.monotonic()
            _running = (key, self._start(merged))
            self.say(f"{block.engine} is ready after {time.monotonic() - began:.0f} s")
        server = _running[1]
        called = server.called
        if self.adapter is not None and merged is None:
            called = _add_adapter(self._engine, server.url, called, self.adapter, server.adapters)
        return server.url + self._engine.base, called

    def _start(self, merged: Path | None) -> Server:
        block = self._block
        if block.port is not None:
            check_free(block.port)
        dtype = _local_dtype() if block.engine == "transformers" else "auto"
        for _ in range(_ATTEMPTS):
            place, folders, stop_at = self._weights(merged)
            launch = Launch(place, HOST, block.port or free_port(), block.revision, dtype)
            server = Server(self._engine, launch, block.args, folders)
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

    def _weights(self, merged: Path | None) -> tuple[str, list[Path], tuple[str, ...]]:
        """What the engine is to load, the folders that were made for it, and what ends an answer."""
        place, folders = self._place, []
        if merged is not None:
            place = str(_merge(self._block, merged))
            folders.append(Path(place))
        if not Path(place).is_dir():
            return place, folders, ()
        fixes = self._engine.fixes(Path(place))
        at_means_revision = self._engine.called(Launch("a", revision="b")) == "a@b"
        if fixes or (at_means_revision and "@" in place):
            place = str(_linked(Path(place), fixes))
            folders.append(Path(place))
        return place, folders, PLAIN_STOP if "chat_template.jinja" in fixes else ()

    def _asked(self, ask: Callable[[LanguageModel], T]) -> T:
        """What the server answers; one that ends meanwhile stops the run: this batch is asked for again."""
        with _lock:
            lm = self._ready()
            try:
                found = ask(lm)
            except ModelError:
                self._check_alive()
                raise
            self._check_alive()
            return found

    def _check_alive(self) -> None:
        if self._block.url is None and _running is not None and not _running[1].alive:
            tail = _running[1].log_tail()
            stop_servers()
            raise ModelError(
                f"the {self._block.engine} server ended while it was asked. Its last lines:\n{tail}",
                "give the same command again to go on; if memory ran out, change the engine's `args`",
            )


def _not_started(block: ServerModel, command: Sequence[str], ended: bool, tail: str) -> ModelError:
    what = "ended before it answered" if ended else f"did not answer within {block.startup_seconds:g} s"
    return ModelError(
        f"the {block.engine} server {what}.\n    {' '.join(command)}\n  Its last lines:\n{tail}",
        "mend what it says (options of the engine go into `args`)"
        if ended
        else "raise startup_seconds, or try the command above by hand",
    )


def _client(base_url: str, called: str, engine: Engine, server: Server | None) -> RemoteLM:
    from selfstudy.models.remote.lm import RemoteLM
    from selfstudy.recipe import RemoteModel

    block = RemoteModel(
        model=called,
        base_url=base_url,
        api_key_env=_NO_KEY,
        concurrency=engine.concurrency,
        read_timeout=600,
        total_timeout=1200,
    )
    alive = (lambda: server.alive) if server is not None else (lambda: True)
    return RemoteLM(block, fields=engine.request, alive=alive)


def _add_adapter(engine: Engine, url: str, model: str, adapter: Path, known: set[str]) -> str:
    """Makes a running server know an adapter; returns what requests call it.

    Raises:
        ModelError: the server refuses it; the message has its answer.
    """
    name = _adapter_name(adapter)
    if name not in known:
        if engine.adapters == "created":
            _create(url, model, adapter, name)
        else:
            _load(engine, url, adapter, name)
        known.add(name)
    return engine.adapter_name(model, name)


def _adapter_name(adapter: Path) -> str:
    """The same for the same weights in the same place."""
    weights = adapter / "adapter_model.safetensors"
    if not weights.is_file():
        raise ModelError(f"adapter {str(adapter)!r} has no {weights.name}", "give a PEFT adapter folder")
    stat = weights.stat()
    return "selfstudy-" + digest(str(adapter.resolve()), str(stat.st_mtime_ns), str(stat.st_size))


def _load(engine: Engine, url: str, adapter: Path, name: str) -> None:
    try:
        status, answer = fetch(
            url + engine.load, 600, {"lora_name": name, "lora_path": str(adapter.resolve())}
        )
    except (OSError, http.client.HTTPException) as error:
        status, answer = 0, str(error).encode()
    said = answer.decode(errors="replace")
    refused = status != 200 or '"success":false' in said.replace(" ", "")
    if refused and "already" not in said:
        needed = [f"{name}={value}" for name, value in engine.environment(Launch("")).items()]
        start = "start it " + "".join(f"with {one} in its environment, " for one in needed if status == 404)
        raise ModelError(
            f"the server at {url} does not take the adapter {adapter}: {status} {said[:300]}",
            start + "with LoRA enabled and a max-lora-rank of at least the adapter's, or leave `url` out",
        )


def _create(url: str, model: str, adapter: Path, name: str) -> None:
    """Registers an adapter with ollama as a model of its own.

    Raises:
        ModelError: ollama does not take it.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "Modelfile"
        file.write_text(f"FROM {model}\nADAPTER {adapter.resolve()}\n", encoding="utf-8")
        said = _ollama(url, "create", name, "-f", str(file))
    if said:
        raise ModelError(
            f"ollama does not take the adapter {adapter}: {said}", "verify with engine: transformers or vllm"
        )


def _ollama(url: str, *order: str) -> str:
    """Gives a running ollama an order; returns its complaint, "" if it has none.

    Raises:
        ModelError: the program is not there, or takes too long.
    """
    environment = {**os.environ, "OLLAMA_HOST": url.partition("//")[2]}
    try:
        done = subprocess.run(
            ["ollama", *order],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=_OLLAMA_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ModelError(
            f"ollama {order[0]} failed: {error}", f"try it by hand: ollama {' '.join(order)}"
        ) from None
    return (done.stderr or done.stdout or "no reason given").strip()[-300:] if done.returncode else ""


def _merge(block: ServerModel, adapter: Path) -> Path:
    """A folder beside the adapter with the model and the adapter merged in, as the local backend does it."""
    from selfstudy.models.local.lm import LocalLM
    from selfstudy.recipe import LocalModel

    for left in adapter.parent.glob(".served-*"):
        with suppress(ValueError):
            if not _exists(int(left.name.split("-")[1])):  # a kill came before its server was there
                shutil.rmtree(left, ignore_errors=True)
    dtype: Any = _local_dtype()
    path = block.weights or block.model
    lm = LocalLM(LocalModel(path=path, revision=block.revision, adapter=adapter, dtype=dtype, device="cpu"))
    folder = Path(tempfile.mkdtemp(prefix=f".served-{os.getpid()}-", dir=adapter.parent))
    lm.model.save_pretrained(folder)
    lm.tokenizer.save_pretrained(folder)
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


def _local_dtype() -> str:
    """The number type of the local backend on this machine: served answers then equal local ones."""
    from selfstudy.models.local import loading

    return str(loading.pick_dtype("auto", loading.pick_device("auto"))).removeprefix("torch.")
