"""The server around the pages: it listens on this machine alone unless told, and says where it is found."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path

from selfstudy.errors import MissingExtraError, RunError
from selfstudy.serve.guard import LOOPBACK, is_loopback
from selfstudy.serve.server import listening, quiet_server
from selfstudy.ui.desk import Desk
from selfstudy.ui.guard import TOKEN, PageGuard

_GRACE = 2
"""Seconds that open requests have when it stops: a page that waits for news has one all the time."""


class UiServer:
    """One server over one folder of runs.

    Args:
        folder: where runs lie, and new ones are made.
        host, port: where it listens; port 0 takes any that is free.
        names: of this host, by which it may be asked for, beside those of loopback.

    Raises:
        MissingExtraError: gradio is absent.
        RunError: the folder is none.
        ModelError: it cannot listen there.
    """

    def __init__(
        self, folder: Path, *, host: str = "127.0.0.1", port: int = 0, names: tuple[str, ...] = ()
    ) -> None:
        if not folder.is_dir():
            raise RunError(f"{folder} is no folder", "name the folder in which your runs lie, or make it")
        self.desk = Desk(folder.resolve())
        self._socket = listening(host, port)
        self.host, self.port = host, self._socket.getsockname()[1]
        self.token = secrets.token_urlsafe(24)
        self._hosts = {*LOOPBACK, host, *names} if is_loopback(host) or names else None

    @property
    def url(self) -> str:
        """Where it is found, with the token that opens it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/?{TOKEN}={self.token}"

    def run(self, ready: Callable[[], object] = lambda: None) -> None:
        """Serves until Ctrl-C or SIGTERM; processes that it started go on.

        Args:
            ready: called once pages can be asked for.
        """
        with tempfile.TemporaryDirectory(prefix="selfstudy-ui-") as uploads:
            try:
                from selfstudy.ui.app import application

                routes = application(self.desk, uploads)
            except ModuleNotFoundError as error:
                raise MissingExtraError(error.name or "gradio", "ui", "ui") from None
            guarded = PageGuard(routes, self.token, f"selfstudy-{self.port}", self._hosts)
            self._server = quiet_server(guarded, http="h11", lifespan="on", timeout_graceful_shutdown=_GRACE)
            ready()
            self._server.run([self._socket])

    def stop(self) -> None:
        """Takes no more requests; from any thread."""
        self._server.should_exit = True
