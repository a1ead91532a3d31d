"""Which key may go to which server, and what may be asked without encryption: the user says, never a recipe.

A recipe (or a run) may be a stranger's: it could name AWS_SECRET_ACCESS_KEY, or ~/.ssh/id_rsa, and a server
of the stranger's.  So but for $OPENAI_API_KEY at https://api.openai.com the user must allow every pair:

    VARIABLE=HOST   in $SELFSTUDY_ALLOW_KEYS (several with commas), by --allow-key, by `allow` in Python, or
                    by a yes at the terminal, which the user's data folder keeps; a file goes by its path.
    HOST            in $SELFSTUDY_ALLOW_HTTP or by --allow-http: may be asked over plain http, where everybody
                    on the way reads questions, answers and the key.  This machine may without.

HOST alone means any port of it.  Knows no server and sends nothing.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from selfstudy.environment import listed
from selfstudy.errors import ModelError, SelfstudyError
from selfstudy.files import private
from selfstudy.files.home import home
from selfstudy.recipe import RemoteModel

log = logging.getLogger(__name__)

KEYS, HTTP = "SELFSTUDY_ALLOW_KEYS", "SELFSTUDY_ALLOW_HTTP"
FILE = "allowed-keys"
"""In the user's data folder; a pair a line."""
DEFAULT_VARIABLE, _DEFAULT_HOST = "OPENAI_API_KEY", "api.openai.com"
_PAIR = re.compile(r"(?P<source>[^=\s][^=]*)=(?P<host>[^=\s/]+)")
_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[^\s:/=@\[\]]+)(?::(?P<port>[0-9]{1,5}))?")


@dataclass
class _Said:
    """What this process was told, beside the environment and the file."""

    entries: tuple[str, ...] = ()
    ask: Callable[[str], bool] | None = None


_said = _Said()


@dataclass(frozen=True)
class Destination:
    """Where requests go, as the HTTP client understands a URL."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Destination:
        """The server of a base URL.

        Raises:
            ModelError: the client cannot make sense of it.
        """
        import httpx2

        try:
            where = httpx2.URL(url)
            name = where.raw_host.decode("ascii").lower().rstrip(".")
        except (httpx2.InvalidURL, UnicodeError, ValueError):
            raise ModelError(
                "base_url is no URL that can be asked", "set base_url to https://host/v1"
            ) from None
        return cls(where.scheme, name, where.port or (443 if where.scheme == "https" else 80))

    @property
    def is_here(self) -> bool:
        """Whether it is on this machine, by its name alone."""
        try:
            address = ipaddress.ip_address(self.host)
        except ValueError:
            return self.host == "localhost"
        return address.is_loopback or address.is_unspecified

    def __str__(self) -> str:
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == (443 if self.scheme == "https" else 80) else f"{name}:{self.port}"

    def is_meant_by(self, entry: str) -> bool:
        """Whether an entry HOST or HOST:PORT is about this server."""
        found = _HOST.fullmatch(entry.strip())
        if found is None:
            return False
        name = found["name"].strip("[]").lower().rstrip(".")
        return name == self.host and found["port"] in (None, str(self.port))


@dataclass(frozen=True)
class KeySource:
    """Where a key is: a variable of the environment, or a file."""

    name: str
    is_file: bool = False

    @classmethod
    def of(cls, block: RemoteModel) -> KeySource | None:
        """The source that a block names, or has by default; None: no key is sent."""
        if block.api_key_file is not None:
            return cls(os.path.realpath(block.api_key_file.expanduser()), is_file=True)
        if block.api_key_env is not None:
            return cls(block.api_key_env)
        return cls(DEFAULT_VARIABLE) if Destination.of(block.base_url) == _DEFAULT else None

    def __str__(self) -> str:
        return f"the file {self.name}" if self.is_file else f"${self.name}"

    def is_meant_by(self, entry: str) -> bool:
        """Whether an entry VARIABLE or PATH is about this source."""
        if self.is_file:
            return os.path.realpath(Path(entry.strip()).expanduser()) == self.name
        return entry.strip().removeprefix("$") == self.name


_DEFAULT = Destination("https", _DEFAULT_HOST, 443)


def allow(*entries: str) -> None:
    """Allows VARIABLE=HOST (that host gets that key) or HOST (may be asked over plain http), in this process.

    Raises:
        SelfstudyError: one is neither.
    """
    for entry in entries:
        if not _PAIR.fullmatch(entry) and not _HOST.fullmatch(entry):
            raise SelfstudyError(
                "what is allowed must be VARIABLE=HOST for a key, or HOST for plain http",
                "for example --allow-key MY_KEY=api.example.com, or --allow-http gpu-box:8000",
            )
    _said.entries += entries


def own_entries() -> tuple[str, ...]:
    """What this process was allowed, beside the environment and the file: for one that works for it."""
    return _said.entries


@contextmanager
def allowed(entries: Sequence[str], ask: Callable[[str], bool] | None) -> Iterator[None]:
    """Allows entries while a command runs, and whatever the person at its terminal says yes to.

    Args:
        ask: puts a question to that person; None: there is nobody.
    """
    before = _said.entries, _said.ask
    try:
        allow(*entries)
        _said.ask = ask
        yield
    finally:
        _said.entries, _said.ask = before


def check(block: RemoteModel) -> None:
    """Whether a model may be asked as its block says, before anything is opened or sent.

    Raises:
        ModelError: the user has not allowed it.
    """
    check_http(block.base_url)
    source = KeySource.of(block)
    if source is not None and (source.is_file or os.environ.get(source.name, "").strip()):
        check_key(source, block.base_url)


def check_http(url: str) -> None:
    """Nothing goes unencrypted to another machine, unless the user has allowed it.

    Raises:
        ModelError: it would.
    """
    server = Destination.of(url)
    if server.scheme == "https" or server.is_here:
        return
    entries = [*_said.entries, *listed(HTTP)]
    if not any(server.is_meant_by(entry) for entry in entries if "=" not in entry):
        raise ModelError(
            f"{server} would be asked over plain http, where others can read along: nothing was sent",
            f"use https; or, on a network that you trust: --allow-http {server} (or {HTTP}={server})",
        )


def check_key(source: KeySource, url: str) -> None:
    """A key goes only where the user lets it go.

    Raises:
        ModelError: the user has not said so, or said no.
    """
    server = Destination.of(url)
    if source == KeySource(DEFAULT_VARIABLE) and server == _DEFAULT:
        return
    if any(_is_about(entry, source, server) for entry in (*_said.entries, *listed(KEYS), *_kept())):
        return
    pair = f"{source.name}={server}"
    question = f"The recipe sends the key in {source} to {server}. Allow that, now and later?"
    if _said.ask is not None and _said.ask(question):
        _said.entries += (pair,)
        _keep(pair)
        return
    raise ModelError(
        f"the key in {source} was not sent to {server}: only the recipe says that it may have it",
        f"if you trust {server} with it: --allow-key {pair} (or {KEYS}={pair})",
    )


def _is_about(entry: str, source: KeySource, server: Destination) -> bool:
    found = _PAIR.fullmatch(entry)
    return found is not None and source.is_meant_by(found["source"]) and server.is_meant_by(found["host"])


def _kept() -> Iterator[str]:
    """The pairs in the user's file; one that others can write is no word of the user."""
    path = home() / FILE
    try:
        with path.open(encoding="utf-8") as file:
            state = os.fstat(file.fileno())
            if state.st_uid != os.getuid() or state.st_mode & 0o022:
                log.warning(
                    "%s is not yours alone and counts for nothing; fix it with: chmod 600 %s", path, path
                )
                return
            yield from file.read(2**20).splitlines()
    except (OSError, UnicodeError):
        return


def _keep(pair: str) -> None:
    path = home() / FILE
    try:
        private.make_folder(path.parent)
        descriptor = private.open_file(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{pair}\n")
    except OSError as error:
        log.warning("%s cannot be written (%s): you will be asked again", path, error.strerror)
