"""One request to an OpenAI-compatible server: sent once, in time; what went wrong is told by kind.

The `openai` client builds and sends it (its own retries are off); replies are parsed here, because its
typed models cost more than the request.  The key stays inside: every reply is rid of it before it is used.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import httpx2
import openai
from pydantic_core import from_json

from selfstudy.errors import ModelError
from selfstudy.models.remote.concurrency import LoadSignal
from selfstudy.models.remote.connections import Connections
from selfstudy.models.remote.permissions import Destination, KeySource, check, check_http
from selfstudy.models.remote.retry_after import retry_after
from selfstudy.recipe import RemoteModel
from selfstudy.secrets import SHORTEST, keep

log = logging.getLogger(__name__)

TroubleKind = Literal["again", "broken", "unreachable", "malformed", "refused"]
"""Try again; the server fails, perhaps at this item alone; nobody answers; an answer that makes no sense; the
item is at fault and will always be."""

_SLOW = frozenset({408, 425, 429, 503, 504, 529})
"""Answers by which a server asks for less."""
_RESTARTING = 502
"""What stands before a server says while there is none."""
_SHOWN = 300
_LONGEST_KEY = 2**14
"""Bytes; tokens of clouds have a few thousand."""
_TALKATIVE = ("openai", "httpx2", "httpcore2")
"""Libraries that log headers, in which a server may repeat a key."""
_READ = 100_000
"""Characters of an error that are looked at."""
_MOST_VALUES = 2**22
"""Of one reply; log-probabilities of long answers have a million, and each takes some 100 bytes of memory."""


class Trouble(Exception):  # noqa: N818
    """A request without an answer.

    Attributes:
        kind: what to do about it.
        verdict: what it says about the server's load.
        pause: seconds for which the server wants no request.
        parameter: the parameter that the server names as the culprit, "" if it names none.
        detail: what the server said, whole.
    """

    def __init__(
        self,
        kind: TroubleKind,
        message: str,
        *,
        verdict: LoadSignal = "neither",
        pause: float = 0.0,
        parameter: str = "",
        detail: str = "",
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.verdict = verdict
        self.pause = pause
        self.parameter = parameter
        self.detail = detail


class Key:
    """An API key that shows itself to nobody, or none.

    Attributes:
        source: where it comes from; None: there is none to send.
    """

    def __init__(self, value: str, source: KeySource | None = None) -> None:
        self._value = value
        self._secret = keep(value)
        self.source = source

    @classmethod
    def of(cls, block: RemoteModel) -> Key:
        """The key in the block's file, else in its environment variable, else none.

        Raises:
            ModelError: the user has not allowed that the block's server gets it; or the file cannot be read,
                is empty, or holds what no key looks like.
        """
        check(block)  # before a file is opened
        source = KeySource.of(block)
        if source is None:
            return cls("")
        value = _content(Path(source.name)) if source.is_file else os.environ.get(source.name, "")
        return cls(_checked(value, str(source)), source)

    @property
    def header(self) -> str:
        """What is sent; "" for none."""
        return f"Bearer {self._value}" if self._value else ""

    def use(self, url: str) -> str:
        """Where it goes, in a sentence; "" without a key."""
        return f"the key in {self.source} goes to {Destination.of(url)}" if self else ""

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "Key(...)"

    def hide(self, text: str) -> str:
        """`text` without the key in it; to be called before the text is cut, or part of the key stays."""
        return text if self._secret is None else self._secret.hide(text)

    def hide_all(self, data: Any) -> Any:
        """Parsed JSON without the key in any of its texts and names."""
        if self._secret is None:
            return data
        if isinstance(data, str):
            return self.hide(data)
        if isinstance(data, list):
            return [self.hide_all(part) for part in data]
        if isinstance(data, dict):
            return {self.hide(name): self.hide_all(part) for name, part in data.items()}
        return data


def _content(path: Path) -> str:
    hint = "write the key alone into it, then: chmod 600 " + str(path)
    try:
        with path.open("rb") as file:
            value = file.read(_LONGEST_KEY + 1).decode()
        open_to_all = path.stat().st_mode & 0o077
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ModelError(f"the key file {path} cannot be read: {why}", hint) from None
    if open_to_all:
        log.warning("the key file %s can be read by others; fix it with: chmod 600 %s", path, path)
    if not value.strip():
        raise ModelError(f"the key file {path} is empty", hint)
    return value


def _checked(value: str, where: str) -> str:
    value = value.strip()
    if len(value) > _LONGEST_KEY or not value.isascii() or not value.isprintable() or " " in value:
        raise ModelError(
            f"{where} holds no key: it has spaces, line breaks or odd characters, or is too long",
            "put the key alone there, exactly as its provider shows it",
        )
    if 0 < len(value) < SHORTEST:
        raise ModelError(
            f"{where} holds no key: {len(value)} characters are too few",
            "put the key there, or nothing at all for a server that wants none",
        )
    return value


class HTTPClient:
    """The connections to one server; all methods but `close` run in one asyncio loop.

    Args:
        alive: whether the server is still the one that is meant, where that can be known.
    """

    def __init__(self, block: RemoteModel, key: Key, alive: Callable[[], bool] | None = None) -> None:
        """Opens no connection yet.

        Raises:
            ModelError: it would ask another machine over plain http, which the user has not allowed.
        """
        check_http(block.base_url)
        for library in _TALKATIVE:
            logging.getLogger(library).setLevel(logging.WARNING)
        self._block = block
        self.key = key
        self._served = False
        timeout = httpx2.Timeout(
            connect=block.connect_timeout, read=block.read_timeout, write=block.read_timeout, pool=None
        )
        self._http = httpx2.AsyncClient(
            transport=Connections(block.base_url, block.concurrency, key.header, alive),
            follow_redirects=False,  # a key goes where the recipe says, and nowhere else
            timeout=timeout,
        )
        self._client = openai.AsyncOpenAI(
            api_key="none",  # `Connections` sends the key, and nothing that the client finds by itself
            base_url=block.base_url,
            max_retries=0,
            timeout=timeout,
            http_client=self._http,
        )

    async def post(self, path: str, body: dict[str, Any], seconds: float) -> dict[str, Any]:
        """The parsed reply to one POST, which takes at most `seconds`.

        Args:
            path: below the base URL, or a whole URL.

        Raises:
            Trouble: there is no usable reply.
            ModelError: there will never be one: no right to it, no such model, no money left.
        """
        return await self._reply(lambda: self._client.post(path, cast_to=httpx2.Response, body=body), seconds)

    async def get(self, path: str, seconds: float) -> dict[str, Any]:
        """The same for a GET."""
        return await self._reply(lambda: self._client.get(path, cast_to=httpx2.Response), seconds)

    async def close(self) -> None:
        await self._http.aclose()

    async def _reply(self, send: Any, seconds: float) -> dict[str, Any]:
        try:
            async with asyncio.timeout(seconds):
                response: httpx2.Response = await send()
        except TimeoutError:
            raise Trouble("again", f"no answer within {seconds:.3g} s", verdict="slow") from None
        except openai.APITimeoutError as error:
            never = isinstance(error.__cause__, httpx2.ConnectTimeout)
            message = "no connection" if never else f"silent for {self._block.read_timeout:g} s"
            raise Trouble("unreachable" if never else "again", message, verdict="slow") from None
        except openai.APIConnectionError as error:
            raise self._broken(error.__cause__ or error) from None
        except openai.APIStatusError as error:
            raise self._refusal(error.response) from None
        except (openai.OpenAIError, httpx2.HTTPError) as error:
            raise Trouble("malformed", self._shown(f"{type(error).__name__}: {error}")) from None
        except UnicodeEncodeError as error:
            raise Trouble("refused", f"the chat cannot be sent: {error.reason}") from None
        reply = self._parsed(response.content)
        self._served = True
        return reply

    def _shown(self, text: str) -> str:
        return self.key.hide(text[:_READ])[:_SHOWN]

    def _read(self, content: bytes) -> Any:
        """What a reply says, without the key: parsed JSON, or the beginning of what is none as text."""
        try:
            if content.count(b",") + content.count(b"[") + content.count(b"{") > _MOST_VALUES:
                raise Trouble("malformed", f"a reply of more than {_MOST_VALUES:,} values")
            return self.key.hide_all(from_json(content))
        except ValueError:
            return self.key.hide(content[:_READ].decode("utf-8", "replace"))

    def _parsed(self, content: bytes) -> dict[str, Any]:
        reply = self._read(content)
        if not isinstance(reply, dict):
            start = reply if isinstance(reply, str) else repr(reply)
            raise Trouble("malformed", f"the reply is no JSON object: {start[:200]!r}")
        error = reply.get("error")
        if error and not reply.get("choices"):  # an error that calls itself a success
            said, parameter = _complaint(reply)
            code = error.get("code") if isinstance(error, dict) else None
            if isinstance(code, int) and _is_passing(code):
                raise _passing(code, said[:_SHOWN])
            raise Trouble("refused", said[:_SHOWN], parameter=parameter, detail=said)
        return reply

    def _broken(self, cause: BaseException) -> Trouble:
        message = f"{type(cause).__name__}: {cause}" if str(cause) else type(cause).__name__
        kind: TroubleKind = "again"
        if isinstance(cause, (httpx2.ConnectError, httpx2.ProxyError)):
            kind = "unreachable"
        elif isinstance(cause, httpx2.DecodingError):  # too long, or not what its header says
            kind = "malformed"
        return Trouble(kind, self._shown(message))

    def _refusal(self, response: httpx2.Response) -> Trouble | ModelError:
        """What a status of 400 and above means."""
        status = response.status_code
        body = self._read(response.content)
        said, parameter = _complaint(body)
        message = f"HTTP {status}: {said[:_SHOWN]}" if said else f"HTTP {status}"
        about_the_item = status == 403 and self._served  # the key is good: this text is not wanted
        if 300 <= status < 400:
            return self._elsewhere(status, self._shown(response.headers.get("location", "")))
        if (status in (401, 402, 403, 404) and not about_the_item) or (status == 429 and _is_spent(body)):
            return self._hopeless(status, message)
        if _is_passing(status):
            return _passing(status, message, _pause(response.headers))
        return Trouble("refused", message, parameter=parameter, detail=said)

    def _elsewhere(self, status: int, place: str) -> ModelError:
        block = self._block
        return ModelError(
            f"{block.model} at {block.base_url}: HTTP {status}, a redirect to {place or 'nowhere'}",
            "set base_url to where the API really is (it usually ends with /v1)",
        )

    def _hopeless(self, status: int, message: str) -> ModelError:
        block = self._block
        where = f"{block.model} at {block.base_url}"
        source = self.key.source
        if status == 404:
            hint = "check model and base_url (it usually ends with /v1)"
        elif status in (402, 429):
            hint = "the account has no money left: top it up, then give the same command again"
        elif self.key:
            hint = f"check the key in {source}, and whether it may use this model"
        elif source is not None:
            hint = f"put a key into {source}"
        else:
            hint = (
                "name the variable that holds its key with api_key_env, and allow it: "
                f"--allow-key VARIABLE={Destination.of(block.base_url)}"
            )
        return ModelError(f"{where}: {message}", hint)


def _is_passing(status: int) -> bool:
    """Whether the same request may be answered later."""
    return status in _SLOW or status >= 500


def _passing(status: int, message: str, pause: float = 0.0) -> Trouble:
    if status in _SLOW:
        return Trouble("again", message, verdict="slow", pause=pause)
    return Trouble("again" if status == _RESTARTING else "broken", message, pause=pause)


def _complaint(body: object) -> tuple[str, str]:
    """What an error body says, and the parameter that it names; servers differ in its form."""
    error = body.get("error", body) if isinstance(body, dict) else body
    said, parameter = error, None
    if isinstance(error, dict):
        said = error.get("message") or error.get("detail") or error.get("code") or error
        parameter = error.get("param")
    text = said if isinstance(said, str) else repr(said) if said else ""
    return " ".join(text[:_READ].split()), parameter if isinstance(parameter, str) else ""


def _is_spent(body: object) -> bool:
    error = body.get("error") if isinstance(body, dict) else None
    return isinstance(error, dict) and "insufficient_quota" in (error.get("code"), error.get("type"))


def _pause(headers: httpx2.Headers) -> float:
    """Seconds that the server asks to wait, 0 if it does not: Retry-After in seconds or as a date."""
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        seconds = retry_after(headers.get(name, ""))
        if seconds is not None:
            return seconds * unit
    return 0.0
