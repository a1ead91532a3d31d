"""ServerLM: a model behind an engine that is started when it is first asked, or runs already.

Knows what to ask of which server; which of them run at once, `Servers` decides.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from selfstudy.errors import ModelError
from selfstudy.models.base import Progress, Sampling, refuse_contrastive_search
from selfstudy.models.content import Content
from selfstudy.models.families import of_servers
from selfstudy.models.remote.permissions import check_http
from selfstudy.models.remote.usage import Usage
from selfstudy.models.server import engines
from selfstudy.models.server.adapters import adapter_name, add_adapter
from selfstudy.models.server.engines import Engine, Launch
from selfstudy.models.server.process import Server
from selfstudy.models.server.running import check_running
from selfstudy.models.server.servers import Served, Servers
from selfstudy.models.server.starting import check_names, model_place, start_server
from selfstudy.recipe import ServerModel
from selfstudy.records import Chat, Completion

if TYPE_CHECKING:
    from selfstudy.models.remote.lm import RemoteLM

T = TypeVar("T")


class ServerLM:
    """A language model behind an engine; fulfils `base.LanguageModel`.

    Nothing is started before it is asked.  With `url` in its block a server that runs already is used, and
    never stopped.

    Attributes:
        name: what reports call it.
        servers: starts and ends its engine.
    """

    def __init__(self, block: ServerModel, servers: Servers | None = None) -> None:
        """Checks what can be checked without starting anything.

        Args:
            servers: of all models that are loaded together; without it the model has its own, for itself.

        Raises:
            ModelError: the engine is not installed, cannot serve the adapter, is told more than a recipe may
                say, or the model is not there.
        """
        self._block = block
        self._engine = engines.find(block.engine)
        self.servers = Servers() if servers is None else servers
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
        check_names(block, self._engine)
        self._place = model_place(block, self._engine)
        if block.url is None:
            engines.require(block.engine, self._engine)
        self._clients: dict[Path | None, tuple[tuple[str, str, Server | None], RemoteLM]] = {}
        """Of each adapter, with what it is a client of."""
        self._count: Callable[[str], int] | None = None
        self._known: set[str] = set()
        self._used = Usage()

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, progress: Progress | None = None
    ) -> list[list[Completion]]:
        """`sampling.total` completions for each chat, in the order of `chats`.

        Raises:
            ModelError: the server cannot be started, or ended meanwhile; the message has what it said last.
                Or contrastive search is asked for.
        """
        refuse_contrastive_search(self.name, sampling)
        if not chats:
            return []
        with self._server() as server:
            return self._asked(server, lambda: self._ready(server).generate(chats, sampling, progress))

    def logprobs(self, chats: Sequence[Chat], texts: Sequence[str]) -> list[list[float]]:
        """Natural-log probability of every token of texts[i] as the answer to chats[i], where it is offered.

        Raises:
            ModelError: the server cannot be started, ended meanwhile, or does not give log-probabilities.
        """
        with self._server() as server:
            return self._asked(server, lambda: self._ready(server).logprobs(chats, texts))

    def count_tokens(self, text: str) -> int:
        """Tokens of `text`, by the tokenizer of the trained weights; 1.3 a word where it cannot be had."""
        if self._count is None:
            from selfstudy.models.counting import text_counter

            self._count = text_counter(self._block)
        return self._count(text)

    @property
    def usage(self) -> Usage:
        """What was asked for since the model was made, of all servers that it has had."""
        return sum((client.usage for _, client in self._clients.values()), self._used)

    @contextmanager
    def _server(self) -> Iterator[Server | None]:
        """Our engine, running; None where somebody else's is used."""
        block = self._block
        if block.url is not None:
            yield None
            return
        served = Served(
            name=self.name,
            engine=block.engine,
            model=self._place,
            revision=block.revision,
            args=json.dumps(block.args, sort_keys=True),
            port=block.port,
            weights=block.weights or block.model,
        )
        merged = self.adapter if self._engine.adapters == "merged" else None
        variant = "" if merged is None else adapter_name(merged)
        with self.servers.asking(served, variant, lambda: start_server(block, self._place, merged)) as server:
            yield server

    def _asked(self, server: Server | None, ask: Callable[[], T]) -> T:
        """What the server answers; one that ends meanwhile stops the run: this batch is asked for again."""
        try:
            found = ask()
        except ModelError:
            if server is not None and (server.ended() or not server.holds_port):
                raise self._gone(server) from None
            raise
        if server is not None and not server.holds_port:
            raise self._gone(server)
        return found

    def _gone(self, server: Server) -> ModelError:
        if server.alive:
            return ModelError(
                f"the {self._block.engine} server no longer listens on its port {server.launch.port}"
                + (": another program does" if server.robbed else ""),
                "nothing of this batch was kept; give the same command again to go on",
            )
        return ModelError(
            f"the {self._block.engine} server ended while it was asked. Its last lines:\n"
            + server.log_tail(),
            "give the same command again to go on; if memory ran out, change the engine's `args`",
        )

    def _ready(self, server: Server | None) -> RemoteLM:
        """A client of the server, which has this model (and adapter)."""
        return self._with(server, self.adapter)

    def _with(self, server: Server | None, adapter: Path | None) -> RemoteLM:
        """A client of the server, which has an adapter of this model; None: the model itself."""
        base, called = self._reused(adapter) if server is None else self._served(server, adapter)
        known = self._clients.get(adapter)
        if known is None or known[0] != (base, called, server):
            if known is not None:
                self._used += known[1].usage
            known = (base, called, server), _client(base, called, self._engine, server, self._said())
            self._clients[adapter] = known
        return known[1]

    def _said(self) -> Content:
        """What is said in a turn, as it is sent: by the marks of the tokenizer too, where it can be had."""
        from selfstudy.models.counting import content_of

        own = content_of(self._block)
        return of_servers if own is None else lambda text: own(of_servers(text))

    def _served(self, server: Server, adapter: Path | None) -> tuple[str, str]:
        """Base URL of our server, and the model's name there."""
        called = server.called
        if adapter is not None and self._engine.adapters != "merged":
            called = add_adapter(self._engine, server.url, called, adapter, server.adapters)
        return server.url + self._engine.base, called

    def _reused(self, adapter: Path | None) -> tuple[str, str]:
        """Base URL of somebody else's server, and the model's name there."""
        block = self._block
        url = (block.url or "").rstrip("/").removesuffix(self._engine.base)
        check_http(url)
        if not self._clients:
            check_running(block, self._engine, url, Launch(self._place, port=urlsplit(url).port or 80))
        called = self._engine.called(Launch(self._place, revision=block.revision))
        if adapter is None:
            return url + self._engine.base, called
        if self._engine.adapters == "merged":
            raise ModelError(
                f"the {block.engine} server at {url} cannot be given the adapter {adapter}",
                "leave `url` out: selfstudy then starts servers itself, and swaps them",
            )
        called = add_adapter(self._engine, url, called, adapter, self._known)
        return url + self._engine.base, called


def _client(base_url: str, called: str, engine: Engine, server: Server | None, said: Content) -> RemoteLM:
    from selfstudy.models.remote.lm import RemoteLM
    from selfstudy.recipe import RemoteModel

    block = RemoteModel(
        model=called,
        base_url=base_url,
        concurrency=engine.concurrency,
        read_timeout=600,
        total_timeout=1200,
    )
    alive = (lambda: server.holds_port) if server is not None else None
    completes = server is not None and server.completes
    return RemoteLM(block, fields=engine.request, alive=alive, said=said, completes=completes)
