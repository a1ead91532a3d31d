"""The body of a request for a chat completion: read, checked, and refused before any work is done.

What would change the answer and is not available is refused; what only describes the request, such as `user`,
is left alone.  Knows no model.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from selfstudy.records import Chat, Message
from selfstudy.serve.api_error import ApiError, invalid
from selfstudy.serve.limits import RequestLimits
from selfstudy.text import one_line

_LARGEST_SEED = 2**63
_GREEDY = 1e-5
"""Below that, logits divided by the temperature are inf, of which no probability can be made."""
Number = Annotated[float, Field(allow_inf_nan=False)]
Ignored = Any


class _Part(BaseModel):
    """A part of what a turn says; only text is read."""

    model_config = ConfigDict(extra="ignore", strict=True)
    type: Literal["text"]
    text: str


class _Turn(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    role: Literal["system", "developer", "user", "assistant"]
    content: str | Annotated[list[_Part], Field(fail_fast=True)]
    name: Ignored = None
    refusal: Ignored = None
    annotations: Ignored = None
    audio: None = None
    tool_calls: None = None
    function_call: None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content)


class _StreamOptions(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)
    include_usage: bool = False


class _ResponseFormat(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)
    type: Literal["text"]


class ChatRequest(BaseModel):
    """The fields of OpenAI's `POST /v1/chat/completions` that are known here.

    `selfstudy` is ours: whether the answer says which adapter gave it, and why.
    """

    model_config = ConfigDict(extra="forbid", strict=True)
    model: Annotated[str, Field(max_length=300)] | None = None
    messages: Annotated[list[_Turn], Field(min_length=1, fail_fast=True)]
    n: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[Number, Field(ge=0, le=2)] | None = None
    top_p: Annotated[Number, Field(gt=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    stop: str | Annotated[list[str], Field(fail_fast=True)] | None = None
    seed: Annotated[int, Field(ge=-_LARGEST_SEED, lt=_LARGEST_SEED)] | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0)] | None = None
    selfstudy: bool = False
    presence_penalty: Annotated[Number, Field(ge=0, le=0)] | None = None
    frequency_penalty: Annotated[Number, Field(ge=0, le=0)] | None = None
    response_format: _ResponseFormat | None = None
    logit_bias: Annotated[dict[str, Any], Field(max_length=0)] | None = None
    tools: Annotated[list[Any], Field(max_length=0)] | None = None
    tool_choice: Literal["none", "auto"] | None = None
    user: Ignored = None
    metadata: Ignored = None
    store: Ignored = None
    service_tier: Ignored = None
    parallel_tool_calls: Ignored = None
    safety_identifier: Ignored = None
    prompt_cache_key: Ignored = None


class AskedChat(BaseModel):
    """A request that is in order.

    Attributes:
        model: "" where it names none.
        seed: None: any will do.
        explains: whether the answer says who gave it and why.
    """

    model_config = ConfigDict(frozen=True)
    model: str
    chat: Chat
    n: int
    temperature: float
    top_p: float
    new_tokens: int
    stop: tuple[str, ...]
    seed: int | None
    streams: bool
    includes_usage: bool
    logprobs: bool
    top: int
    explains: bool

    @property
    def question(self) -> str:
        """The last turn of the user."""
        return next((turn.content for turn in reversed(self.chat) if turn.role == "user"), "")


def read(body: bytes, limits: RequestLimits) -> AskedChat:
    """A request, from its body.

    Raises:
        ApiError: what is wrong with it.
    """
    try:
        data = from_json(body, allow_inf_nan=False, cache_strings="none")
    except ValueError as error:
        raise invalid(f"the body is no JSON: {one_line(str(error), 200)}", code="invalid_json") from None
    if not isinstance(data, dict):
        raise invalid("the body is no JSON object", code="invalid_json")
    turns = data.get("messages")
    if isinstance(turns, list) and len(turns) > limits.messages:
        raise _above("messages", len(turns), limits.messages)
    _require_known(data)
    try:
        found = ChatRequest.model_validate(data)
    except ValidationError as error:
        raise _wrong(error) from None
    return _settled(found, limits)


def _require_known(data: dict[str, Any]) -> None:
    """Names of fields, before pydantic lists each that is wrong: of a hundred thousand that takes minutes.

    Raises:
        ApiError: one is not known.
    """
    turns = data.get("messages")
    places: list[tuple[str, dict[str, Any], type[BaseModel]]] = [("", data, ChatRequest)]
    if isinstance(turns, list):
        places += [
            (f"messages.{at}.", turn, _Turn) for at, turn in enumerate(turns) if isinstance(turn, dict)
        ]
    for where, found, kind in places:
        unknown = next((name for name in found if name not in kind.model_fields), None)
        if unknown is not None:
            raise _unknown(where + unknown[:60])


def _unknown(param: str) -> ApiError:
    return invalid(f"{param} is not known here", param, "unknown_parameter")


def _wrong(error: ValidationError) -> ApiError:
    """The first thing that is wrong; its value is not repeated, which may be long, or a secret."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    param = ".".join(str(part)[:60] for part in first["loc"]) or None
    if first["type"] == "extra_forbidden":
        return _unknown(param or "")
    if first["type"] == "missing":
        return invalid(f"{param} is missing", param, "missing_required_parameter")
    return invalid(f"{param}: {one_line(first['msg'], 200)}", param, "invalid_value")


def _settled(found: ChatRequest, limits: RequestLimits) -> AskedChat:
    """What holds, by the limits of the server.

    Raises:
        ApiError: one is exceeded.
    """
    turns = [turn for turn in found.messages if turn.role == "user"]
    if not turns or found.messages[-1].role == "assistant":
        raise invalid(
            "messages must end with a turn that can be answered, and have one of the user", "messages"
        )
    stop = (found.stop,) if isinstance(found.stop, str) else tuple(found.stop or ())
    if len(stop) > limits.stops:
        raise _above("stop", len(stop), limits.stops)
    if any(not 0 < len(text) <= limits.stop for text in stop):
        raise invalid(f"each text of stop has 1 to {limits.stop} characters", "stop", "invalid_value")
    asked_for = found.max_completion_tokens or found.max_tokens or limits.new_tokens
    if asked_for > limits.new_tokens:
        param = "max_completion_tokens" if found.max_completion_tokens else "max_tokens"
        raise _above(param, asked_for, limits.new_tokens)
    if (found.n or 1) > limits.n:
        raise _above("n", found.n or 1, limits.n)
    if (found.top_logprobs or 0) > limits.top:
        raise _above("top_logprobs", found.top_logprobs or 0, limits.top)
    if found.top_logprobs and not found.logprobs:
        raise invalid("top_logprobs needs logprobs: true", "top_logprobs", "invalid_value")
    if found.stream_options is not None and not found.stream:
        raise invalid("stream_options needs stream: true", "stream_options", "invalid_value")
    return AskedChat(
        model=found.model or "",
        chat=tuple(_message(turn) for turn in found.messages),
        n=found.n or 1,
        temperature=_temperature(found.temperature),
        top_p=1.0 if found.top_p is None else found.top_p,
        new_tokens=asked_for,
        stop=stop,
        seed=found.seed,
        streams=bool(found.stream),
        includes_usage=found.stream_options is not None and found.stream_options.include_usage,
        logprobs=bool(found.logprobs),
        top=found.top_logprobs or 0,
        explains=found.selfstudy,
    )


def _temperature(found: float | None) -> float:
    if found is None:
        return 1.0
    return found if found >= _GREEDY else 0.0


def _above(param: str, found: int, limit: int) -> ApiError:
    return invalid(f"{param} = {found:,} is above the limit of {limit:,} here", param, "above_limit")


def _message(turn: _Turn) -> Message:
    return Message(role="system" if turn.role == "developer" else turn.role, content=turn.text)
