"""The server around the routes: it listens, loads anew without dropping a request, and stops in good order.

A new model is loaded beside the old one.  Requests that came before are still answered by the old one, so
none is lost; it goes when the last of them is over.
"""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from selfstudy.errors import ModelError, SelfstudyError
from selfstudy.run.request_log import RequestLine
from selfstudy.serve.api_error import ApiError
from selfstudy.serve.app import Api
from selfstudy.serve.batches import Batches
from selfstudy.serve.guard import LOOPBACK, Guard, connection, is_loopback
from selfstudy.serve.limits import RequestLimits
from selfstudy.serve.log import RequestLog
from selfstudy.serve.metrics import Metrics
from selfstudy.serve.offer import ModelSource, Offer
from selfstudy.serve.ticket import Ticket

WATCHED_SECONDS = 1.0
_HEAD = 16_384
"""Bytes of the head of a request."""
_KEEP_ALIVE = 30


class ApiServer:
    """One server over one source of models.

    Args:
        source: what is served, now and after it changed.
        host, port: where it listens; port 0 takes any that is free.
        key: that each request must have.
        names: of this host, by which it may be asked for, beside those of loopback.
        log: file for the log of requests.
        watch: whether what the run promotes is served as soon as it is.
        say: told what happens, in one line each; no text of a request is in it.

    Raises:
        ModelError: it would be open to others without a key, or cannot listen there.
        SelfstudyError: the model cannot be loaded.
    """

    def __init__(
        self,
        source: ModelSource,
        *,
        host: str = "127.0.0.1",
        port: int = 8000,
        key: str | None = None,
        names: tuple[str, ...] = (),
        limits: RequestLimits | None = None,
        log: Path | None = None,
        watch: bool = False,
        say: Callable[[str], object] = lambda text: None,
    ) -> None:
        if not is_loopback(host) and key is None:
            raise ModelError(
                f"--host {host} would let others ask this model without a key",
                "put a key into the environment and name its variable with --api-key-env",
            )
        self._source, self._say, self._watch = source, say, watch
        self.limits = limits or RequestLimits()
        self._socket = listening(host, port)
        try:
            self.host, self.port = host, self._socket.getsockname()[1]
            self._log = None if log is None else RequestLog(log)
            self.offer: Offer = source.load()
        except BaseException:
            self._socket.close()
            raise
        self._seen = self.offer.state
        self._loading: asyncio.Lock | None = None
        self._batches = Batches(self.limits, done=self._keep, ran=self._count, fault=self._fault)
        self._metrics = Metrics(lambda: self._batches.waiting, lambda: self._batches.busy)
        self._api = Api(
            lambda: self.offer, self._batches, self._metrics, self.limits, self.reload, self._fault
        )
        hosts = {*LOOPBACK, host, *names} if is_loopback(host) else None
        guarded = Guard(self._api.routes, key.encode() if key else None, hosts, self._api.refuse)
        self._server = quiet_server(
            guarded,
            http=connection(self.limits),
            lifespan="off",
            timeout_keep_alive=_KEEP_ALIVE,
            timeout_graceful_shutdown=max(1, round(self.limits.grace)),
            h11_max_incomplete_event_size=_HEAD,
        )
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def running(self) -> bool:
        """Whether it takes requests."""
        return bool(self._server.started and not self._server.should_exit)

    @property
    def url(self) -> str:
        """Where it is asked, without /v1."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def run(self) -> None:
        """Serves until it is told to stop; SIGTERM and SIGINT do so, SIGHUP loads anew."""
        with suppress(KeyboardInterrupt):
            asyncio.run(self._serve())

    def stop(self) -> None:
        """Takes no more requests, and lets those that run finish; from any thread."""
        if self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stop)

    async def reload(self) -> dict[str, Any]:
        """Loads what there is now, beside what is served, and takes it into service.

        Returns:
            What came of it, and the names that are served.

        Raises:
            ApiError: it cannot be loaded; what was served still is.
        """
        if self._loading is None:
            self._loading = asyncio.Lock()
        async with self._loading:
            try:
                state = await asyncio.to_thread(self._source.state)
                if state and state == self.offer.state:
                    self._seen = state
                    return self._loaded("unchanged")
                self._seen = state
                self.offer = await asyncio.to_thread(self._source.load)
            except (SelfstudyError, OSError) as error:
                self._metrics.reload("failed")
                self._say(f"not loaded, the old model goes on answering: {error}")
                raise ApiError(500, f"it cannot be loaded: {error}"[:500], kind="server_error") from None
            self._say(f"loaded: {', '.join(self.offer.choices)}")
            return self._loaded("loaded")

    def _loaded(self, result: str) -> dict[str, Any]:
        self._metrics.reload(result)
        return {"result": result, "models": list(self.offer.choices)}

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._listen_to_signals(self._loop)
        watching = asyncio.create_task(self._watched()) if self._watch else None
        try:
            await self._server._serve([self._socket])
        finally:
            if watching is not None:
                watching.cancel()
            await asyncio.to_thread(self._batches.end)
            if self._log is not None:
                self._log.close()

    def _listen_to_signals(self, loop: asyncio.AbstractEventLoop) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGHUP, lambda: loop.create_task(self._reload_quietly()))

    def _stop(self) -> None:
        if self._server.should_exit:  # told twice
            self._server.force_exit = True
            return
        self._say(f"stopping: {self._batches.busy} requests still run, they have {self.limits.grace:g} s")
        self._api.stopping = True
        self._batches.stop()
        self._server.should_exit = True

    async def _reload_quietly(self) -> None:
        with suppress(ApiError):  # which was said
            await self.reload()

    async def _watched(self) -> None:
        """Loads anew whenever the run has promoted something else."""
        while True:
            await asyncio.sleep(WATCHED_SECONDS)
            with suppress(SelfstudyError, OSError):
                if await asyncio.to_thread(self._source.state) != self._seen:
                    await self._reload_quietly()

    def _count(self, rows: int, seconds: float) -> None:
        self._metrics.batch(rows, seconds)

    def _keep(self, ticket: Ticket) -> None:
        """The request goes into the log."""
        if self._log is None or ticket.written is None:
            return
        first = ticket.written.completions[0]
        line = RequestLine(
            time=round(time.time(), 3),
            model=ticket.asked.model or ticket.offer.default,
            adapter=ticket.label,
            question=ticket.asked.question,
            answer=first.text,
            finish="length" if first.finish == "length" else "stop",
            prompt_tokens=ticket.prompt_tokens,
            completion_tokens=sum(one.tokens for one in ticket.written.completions),
        )
        try:
            self._log.write(line)
        except (OSError, ValueError) as error:
            self._metrics.unlogged()
            self._fault(error)

    def _fault(self, error: BaseException) -> None:
        """Says where something failed, but nothing that it said: that may repeat a request."""
        places = traceback.extract_tb(error.__traceback__)[-4:]
        where = ", ".join(f"{Path(one.filename).name}:{one.lineno}" for one in places)
        self._say(f"fault: {type(error).__name__} at {where}")


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens there.

    Raises:
        ModelError: it cannot.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(1024)
    except (OSError, OverflowError) as error:
        found.close()
        number = getattr(error, "errno", None)
        said = "is in use" if number == errno.EADDRINUSE else f"cannot be listened on: {error}"
        raise ModelError(
            f"port {port} of {host} {said}", "give another --port, or 0 for any that is free"
        ) from None
    found.setblocking(False)
    return found


def quiet_server(app: Any, **settings: Any) -> Any:
    """Uvicorn with nothing of its own to say: no access log, no word of what it is.

    Args:
        app: of ASGI 3.
        settings: more of `uvicorn.Config`.
    """
    import uvicorn

    config = uvicorn.Config(
        app,
        loop="asyncio",
        ws="none",
        interface="asgi3",
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        **settings,
    )
    return uvicorn.Server(config)
