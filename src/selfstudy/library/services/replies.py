"""What a service replies to a question, as JSON: an object, or why there is none and what to do about it.

It knows nothing of services: search.py and wikipedia.py know what is in their objects.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from selfstudy import secrets, text
from selfstudy.files import reading
from selfstudy.library.web.fetched import Fetched, NotFetched

NoReplyKind = Literal["quota", "refused", "broken", "unreachable"]
"""Why a service has no answer: used up, or too many requests; no right to it, or a wrong address; a reply
that makes no sense, or an error of its own; no connection."""
LASTING: tuple[NoReplyKind, ...] = ("quota", "refused")
"""Kinds that the next question would meet as well."""
_SHOWN = 200
_STATUS = re.compile(r"\b([1-5]\d\d)\b")


@dataclass(frozen=True, slots=True)
class NoReply:
    """A question without an answer: `message` says what happened, `hint` what to do."""

    kind: NoReplyKind
    message: str
    hint: str = ""

    @property
    def lasting(self) -> bool:
        """Whether every further question would fare alike."""
        return self.kind in LASTING

    def __str__(self) -> str:
        return f"{self.message}: {self.hint}" if self.hint else self.message


def object_in(service: str, reply: Fetched | NotFetched) -> tuple[int, Mapping[str, Any]] | NoReply:
    """(status, JSON object) of a reply, whatever its status; services explain their errors in such an object.

    Args:
        service: what messages call it.
    """
    if isinstance(reply, NotFetched):
        return _not_fetched(service, reply)
    start = reply.body.lstrip()[:1]
    if start == b"<":
        return _without_json(service, reply.status, "a web page")
    try:
        reading.check_values(reply.body)
        found = json.loads(reply.body)
    except (ValueError, RecursionError, OSError):
        return _without_json(service, reply.status, "something that is no JSON")
    if not isinstance(found, dict):
        return _without_json(service, reply.status, f"JSON that is no object, but a {type(found).__name__}")
    return reply.status, found


def said(value: object) -> str:
    """What a service says, as a message may show it: without keys, in one line."""
    return text.one_line(secrets.hide(text.clean(str(value)[:10_000])), _SHOWN)


def refusal(service: str, status: int, explained: str = "") -> NoReply:
    """What a status other than 200 means."""
    message = f"{service}: HTTP {status}" + (f", {said(explained)}" if explained else "")
    if status in (402, 429):
        return NoReply("quota", message, "wait, or see to the plan; then give the same command again")
    if status in (401, 403):
        return NoReply("refused", message, "check the key, what it may be used for, and its quota")
    if status >= 500:
        return NoReply("broken", message, "try again later")
    if status in (400, 422):  # it may be about this question alone
        return NoReply("broken", message, "check the keys of the source: url, engine_id and api_key_env")
    return NoReply("refused", message, "check `url` and the other keys of the source")


def _not_fetched(service: str, reply: NotFetched) -> NoReply:
    message = f"{service}: {said(reply.detail)}"
    status = _STATUS.search(reply.detail)
    if reply.why == "status" and status:
        bare = reply.detail.strip() == f"HTTP {status[1]}"
        return refusal(service, int(status[1]), "" if bare else reply.detail)
    if reply.why == "limit":
        return NoReply("quota", message, "wait, or see to the plan; then give the same command again")
    if reply.why in ("connection", "time"):
        return NoReply("unreachable", message, "check `url`, and the network")
    if reply.why == "not kept":
        return NoReply("refused", message, "set `library.fetch.offline` to false to ask it")
    if reply.why == "address":
        return NoReply("refused", message, "name its host in `library.fetch.allow_hosts` if it is yours")
    return NoReply("refused", message, "check `url`")


def _without_json(service: str, status: int, what: str) -> NoReply:
    if not 200 <= status < 300:
        return refusal(service, status)
    return NoReply("refused", f"{service} answers with {what}", "check `url`: it must be that of the API")
