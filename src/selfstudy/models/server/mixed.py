"""MixedServerLM: one engine that has several adapters, each chat answered with its own.

Knows which adapter is asked for; how the engine comes to have it, adapters.py knows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from selfstudy.errors import ModelError
from selfstudy.models.base import Progress, Sampling, StopListening, refuse_contrastive_search
from selfstudy.models.server.lm import ServerLM
from selfstudy.models.server.servers import Servers
from selfstudy.recipe import ServerModel
from selfstudy.records import Chat, Completion

if TYPE_CHECKING:
    from selfstudy.models.remote.lm import RemoteLM
    from selfstudy.models.server.process import Server

T = TypeVar("T")
_Group = tuple[Path | None, list[int]]
"""An adapter, and the places of what it answers in a batch."""


class MixedServerLM(ServerLM):
    """A model behind an engine with named adapters; fulfils `base.HasAdapters`.

    Without a name it is the base model, as is what `generate` answers.  The engine batches as it likes: vLLM
    puts so many adapters into one batch as its option max-loras says, 1 unless the recipe's `args` say more.
    """

    def __init__(
        self, block: ServerModel, folders: Mapping[str, Path], servers: Servers | None = None
    ) -> None:
        """Checks what can be checked without starting anything.

        Args:
            block: its adapter, if any, is where the adapters come from: a part of the name, and not loaded.
            folders: of the adapters, by name.

        Raises:
            ModelError: as of `ServerLM`; or the engine serves one set of weights at a time.
        """
        super().__init__(block.model_copy(update={"adapter": None}), servers)
        if block.adapter is not None:
            self.name += f"+{block.adapter}"
        self._folders = dict(folders)
        if folders and self._engine.adapters not in ("named", "created"):
            raise ModelError(
                f"engine {block.engine} serves one adapter at a time, and here are {len(folders)}",
                "use engine: vllm or sglang, or a model of type local",
            )

    @property
    def adapters(self) -> tuple[str, ...]:
        """See `base.HasAdapters`."""
        return tuple(self._folders)

    def generate_as(
        self,
        chats: Sequence[Chat],
        adapters: Sequence[str | None],
        sampling: Sampling,
        progress: Progress | None = None,
        heard: Sequence[Callable[[str], object] | None] = (),
        settled: Callable[[int, list[Completion]], object] | None = None,
    ) -> list[list[Completion]]:
        """See `base.HasAdapters`; adapters are asked at the same time, and what they answer is not streamed.

        Raises:
            ModelError: as of `generate`, or there is no adapter of that name.
        """
        refuse_contrastive_search(self.name, sampling)
        results: list[list[Completion]] = [[] for _ in chats]
        lock = threading.Lock()

        def counted(count: int) -> None:
            with lock:
                if progress is not None:
                    progress(count)

        def ask(lm: RemoteLM, places: list[int]) -> list[list[Completion]]:
            return lm.generate([chats[at] for at in places], sampling, counted)

        def keep(places: list[int], found: list[list[Completion]]) -> None:
            for at, row in zip(places, found, strict=True):
                results[at] = row
                _tell(at, row, heard, settled)

        self._each(self._groups(chats, adapters), ask, keep)
        return results

    def logprobs_as(
        self, chats: Sequence[Chat], texts: Sequence[str], adapters: Sequence[str | None]
    ) -> list[list[float]]:
        """See `base.HasAdapters`.

        Raises:
            ModelError: as of `logprobs`, or there is no adapter of that name.
        """
        results: list[list[float]] = [[] for _ in chats]

        def ask(lm: RemoteLM, places: list[int]) -> list[list[float]]:
            return lm.logprobs([chats[at] for at in places], [texts[at] for at in places])

        def keep(places: list[int], found: list[list[float]]) -> None:
            for at, row in zip(places, found, strict=True):
                results[at] = row

        self._each(self._groups(chats, adapters), ask, keep)
        return results

    def _groups(self, chats: Sequence[Chat], adapters: Sequence[str | None]) -> list[_Group]:
        if len(chats) != len(adapters):
            raise ValueError(f"{len(chats)} chats but {len(adapters)} adapters")
        places: dict[str | None, list[int]] = {}
        for at, name in enumerate(adapters):
            if name is not None and name not in self._folders:
                known = ", ".join(self._folders) or "none"
                raise ModelError(f"{self.name} has no adapter {name[:100]!r}", f"it has: {known}")
            places.setdefault(name, []).append(at)
        return [(None if name is None else self._folders[name], group) for name, group in places.items()]

    def _each(
        self,
        groups: Sequence[_Group],
        ask: Callable[[RemoteLM, list[int]], T],
        keep: Callable[[list[int], T], None],
    ) -> None:
        """Asks the engine for all groups at once; `keep` gets what each is answered, in this thread."""
        if groups:
            with self._server() as server:
                self._asked(server, lambda: self._together(server, groups, ask, keep))

    def _together(
        self,
        server: Server | None,
        groups: Sequence[_Group],
        ask: Callable[[RemoteLM, list[int]], T],
        keep: Callable[[list[int], T], None],
    ) -> None:
        clients = [self._with(server, adapter) for adapter, _ in groups]
        with ThreadPoolExecutor(len(groups)) as pool:
            asked = {
                pool.submit(ask, client, places): places
                for client, (_, places) in zip(clients, groups, strict=True)
            }
            try:
                for one in as_completed(asked):
                    keep(asked[one], one.result())
            except BaseException:  # also a Ctrl-C: what the others still ask is dropped
                for client in clients:
                    client.close()
                self._used = self.usage
                self._clients.clear()
                raise


def _tell(
    at: int,
    row: list[Completion],
    heard: Sequence[Callable[[str], object] | None],
    settled: Callable[[int, list[Completion]], object] | None,
) -> None:
    """Says what a chat was answered, once it is whole."""
    listener = heard[at] if heard else None
    if listener is not None and row:
        with suppress(StopListening):
            listener(row[0].text)
    if settled is not None:
        settled(at, row)
