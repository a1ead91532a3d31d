"""One request to an OpenAI-compatible server: sent once, in time; what went wrong is told by kind.

The `openai` client builds and sends it (its own retries are off); replies are parsed here, because its
typed models cost more than the request.  The key stays inside: every text that leaves is rid of it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import httpx2
import openai
from pydantic_core import from_json

from selfstudy.errors import ModelError
from selfstudy.models.remote.concurrency import LoadSignal
from selfstudy.models.remote.connections import Connections
from selfstudy.recipe import RemoteModel

log = logging.getLogger(__name__)

TroubleKind = Literal["again", "broken", "unreachable", "malformed", "refused"]
"""Try again; the server fails, perhaps at this item alone; nobody answers; an answer that makes no sense; the
item is at fault and will always be."""

_SLOW = frozenset({408, 425, 429, 503, 504, 529})
"""Answers by which a server asks for less."""
_RESTARTING = 502
"""What stands before a server says while there is none."""
_SHOWN = 300
_SHORTEST_SECRET = 16
"""Characters; what people give to servers that want no key (`none`, `EMPTY`) is an ordinary word, and hiding
it would change answers."""


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
    """An API key that shows itself to nobody."""

    def __init__(self, value: str) -> None:
        self._value = value

    @classmethod
    def of(cls, block: RemoteModel) -> Key:
        """The key in the block's file, else in its environment variable, else none.

        Raises:
            ModelError: the file cannot be read, is empty, or holds what no key looks like.
        """
        path = block.api_key_file
        if path is None:
            return cls(_checked(os.environ.get(block.api_key_env, ""), f"${block.api_key_env}"))
        hint = "write the key alone into it, then: chmod 600 " + str(path)
        try:
            value = path.read_text(encoding="utf-8")
            open_to_all = path.stat().st_mode & 0o077
        except (OSError, UnicodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not text"
            raise ModelError(f"the key file {path} cannot be read: {why}", hint) from None
        if open_to_all:
            log.warning("the key file %s can be read by others; fix it with: chmod 600 %s", path, path)
        if not value.strip():
            raise ModelError(f"the key file {path} is empty", hint)
        return cls(_checked(value, f"the key file {path}"))

    @property
    def header(self) -> str:
        """What is sent; servers without keys take anything."""
        return self._value or "none"

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "Key(...)"

    def hide(self, text: str) -> str:
        """`text` without the key in it; to be called before the text is cut, or part of the key stays."""
        return text.replace(self._value, "[key]") if len(self._value) >= _SHORTEST_SECRET else text


class HTTPClient:
    """The connections to one server; all methods but `close` run in one asyncio loop.

    Args:
        alive: whether the server is still the one that is meant, where that can be known.
    """

    def __init__(self, block: RemoteModel, key: Key, alive: Callable[[], bool] | None = None) -> None:
        self._block = block
        self.key = key
        self._served = False
        timeout = httpx2.Timeout(
            connect=block.connect_timeout, read=block.read_timeout, write=block.read_timeout, pool=None
        )
        self._http = httpx2.AsyncClient(
            transport=Connections(block.base_url, kept=block.concurrency, alive=alive),
            follow_redirects=False,  # a key goes where the recipe says, and nowhere else
            timeout=timeout,
        )
        self._client = openai.AsyncOpenAI(
            api_key=key.header,
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

    def _shown(self, text: str, most: int = _SHOWN) -> str:
        return self.key.hide(text)[:most]

    def _parsed(self, content: bytes) -> dict[str, Any]:
        try:
            reply = from_json(content)
        except ValueError:
            reply = None
        if not isinstance(reply, dict):
            start = self._shown(content.decode("utf-8", "replace"), 200)
            raise Trouble("malformed", f"the reply is no JSON object: {start!r}")
        error = reply.get("error")
        if error and not reply.get("choices"):  # an error that calls itself a success
            said, parameter = _complaint(reply)
            code = error.get("code") if isinstance(error, dict) else None
            if isinstance(code, int) and _is_passing(code):
                raise _passing(code, self._shown(said))
            said = self.key.hide(said)
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
        try:
            body = from_json(response.content)
        except ValueError:
            body = response.content.decode("utf-8", "replace")
        said, parameter = _complaint(body)
        said = self.key.hide(said)
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
        source = f"the file {block.api_key_file}" if block.api_key_file else f"${block.api_key_env}"
        if status == 404:
            hint = "check model and base_url (it usually ends with /v1)"
        elif status in (402, 429):
            hint = "the account has no money left: top it up, then give the same command again"
        elif self.key:
            hint = f"check the key in {source}, and whether it may use this model"
        else:
            hint = f"put a key into {source}"
        return ModelError(f"{where}: {message}", hint)


def _checked(value: str, where: str) -> str:
    value = value.strip()
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ModelError(
            f"{where} holds no key: it has spaces, line breaks or odd characters",
            "put the key alone there, exactly as its provider shows it",
        )
    return value


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
    if not isinstance(error, dict):
        return (" ".join(error.split()) if isinstance(error, str) else repr(error) if error else ""), ""
    said = error.get("message") or error.get("detail") or error.get("code") or error
    parameter = error.get("param")
    return (
        " ".join(str(said).split()),
        parameter if isinstance(parameter, str) else "",
    )


def _is_spent(body: object) -> bool:
    error = body.get("error") if isinstance(body, dict) else None
    return isinstance(error, dict) and "insufficient_quota" in (error.get("code"), error.get("type"))


def _pause(headers: httpx2.Headers) -> float:
    """Seconds that the server asks to wait, 0 if it does not: Retry-After in seconds or as a date."""
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        value = headers.get(name, "")
        try:
            return max(0.0, float(value) * unit)
        except ValueError:
            pass
        try:
            return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
        except (ValueError, TypeError):
            continue
    return 0.0
