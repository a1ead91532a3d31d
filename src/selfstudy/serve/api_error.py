"""What a client is told when it gets no answer, in OpenAI's shape; the official clients read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

INVALID, SERVER = "invalid_request_error", "server_error"
GONE = 499
"""As nginx has it: the client closed the connection; nobody reads it, and it is only counted."""


@dataclass
class ApiError(Exception):
    """Why a request is not answered.

    Attributes:
        message: what failed, with the value found and what to do; it repeats nothing long.
        param: the field of the request that it is about.
    """

    status: int
    message: str
    kind: str = INVALID
    param: str | None = None
    code: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(self.message)

    @property
    def body(self) -> dict[str, Any]:
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}


def invalid(message: str, param: str | None = None, code: str | None = None) -> ApiError:
    """The request is wrong: 400."""
    return ApiError(400, message, param=param, code=code)


def unknown_model(name: str, names: Sequence[str]) -> ApiError:
    """404, with what there is: an adapter is called by a hash of its weights, and an old name is no other."""
    there = ", ".join(names)
    return ApiError(
        404,
        f"there is no model {name[:100]!r} here; there is: {there}",
        param="model",
        code="model_not_found",
    )


def no_key() -> ApiError:
    """401: the same for a wrong key as for none."""
    return ApiError(
        401,
        "give the key of this server as `Authorization: Bearer KEY`",
        kind="authentication_error",
        code="invalid_api_key",
        headers={"WWW-Authenticate": "Bearer"},
    )


def ambiguous() -> ApiError:
    """400: two lengths of one body."""
    return ApiError(
        400,
        "give a Content-Length or a Transfer-Encoding, not both",
        code="ambiguous_length",
        headers={"Connection": "close"},
    )


def forbidden(message: str) -> ApiError:
    """403."""
    return ApiError(403, message, kind="permission_error")


def too_large(limit: int) -> ApiError:
    """413."""
    return ApiError(
        413,
        f"a request may have {limit:,} bytes",
        code="request_too_large",
        headers={"Connection": "close"},
    )


def too_slow(seconds: float) -> ApiError:
    """408."""
    return ApiError(
        408,
        f"the body did not come within {seconds:g} s",
        kind="timeout_error",
        headers={"Connection": "close"},
    )


def full(limit: int, seconds: int) -> ApiError:
    """429, with the seconds after which to come again."""
    return ApiError(
        429,
        f"{limit} requests are waiting already; come again in {seconds} s",
        kind="rate_limit_error",
        code="queue_full",
        headers={"Retry-After": str(seconds)},
    )


def busy() -> ApiError:
    """503: too much is arriving at once."""
    return ApiError(
        503,
        "too much is being received at once; come again in 1 s",
        kind=SERVER,
        code="busy",
        headers={"Retry-After": "1", "Connection": "close"},
    )


def gone() -> ApiError:
    """499."""
    return ApiError(GONE, "the client has closed the connection", code="client_closed")


def stopping() -> ApiError:
    """503."""
    return ApiError(503, "the server is stopping", kind=SERVER, code="stopping", headers={"Retry-After": "5"})


def too_late(seconds: float) -> ApiError:
    """504."""
    return ApiError(
        504, f"there was no answer within {seconds:g} s", kind="timeout_error", code="request_timeout"
    )


def failed(message: str) -> ApiError:
    """500: the model could not answer this."""
    return ApiError(500, message, kind=SERVER, code="generation_failed")
