"""Answers in OpenAI's shape: whole ones, and the events of one that is still being written.

Knows what a model said, and nothing of how it came to be.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from selfstudy.models.base import Token
from selfstudy.records import Completion

DONE = b"data: [DONE]\n\n"
_NEVER = -9999.0


@dataclass(frozen=True)
class Envelope:
    """What all parts of an answer carry.

    Attributes:
        model: as it was asked for.
        explained: which adapter answered and why, if the request wants to know.
    """

    model: str
    explained: dict[str, Any] | None = None
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def around(self, kind: str, **rest: Any) -> dict[str, Any]:
        """The object with what is in it."""
        ours = {} if self.explained is None else {"selfstudy": self.explained}
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": None,
            **rest,
            **ours,
        }


def usage(prompt: int, completions: Sequence[Completion]) -> dict[str, int]:
    """Tokens."""
    written = sum(one.tokens for one in completions)
    return {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}


def whole(
    envelope: Envelope,
    prompt_tokens: int,
    completions: Sequence[Completion],
    tokens: Sequence[Sequence[Token]] | None,
) -> dict[str, Any]:
    """A `chat.completion`."""
    choices = [
        {
            "index": index,
            "message": {"role": "assistant", "content": one.text, "refusal": None},
            "logprobs": None if tokens is None else _logprobs(tokens[index]),
            "finish_reason": one.finish,
        }
        for index, one in enumerate(completions)
    ]
    return envelope.around("chat.completion", choices=choices, usage=usage(prompt_tokens, completions))


def chunk(
    envelope: Envelope,
    index: int,
    delta: dict[str, str],
    *,
    finish: str | None = None,
    token: Token | None = None,
    counts: bool = False,
) -> bytes:
    """An event with a part of a choice.

    Args:
        counts: whether the last event has the usage; the others then say that they have none.
    """
    choice = {
        "index": index,
        "delta": delta,
        "logprobs": None if token is None else _logprobs([token]),
        "finish_reason": finish,
    }
    rest: dict[str, Any] = {"usage": None} if counts else {}
    return event(envelope.around("chat.completion.chunk", choices=[choice], **rest))


def used(envelope: Envelope, prompt_tokens: int, completions: Sequence[Completion]) -> bytes:
    """The last event, if the request wants it: the usage."""
    return event(
        envelope.around("chat.completion.chunk", choices=[], usage=usage(prompt_tokens, completions))
    )


def event(data: dict[str, Any]) -> bytes:
    """A server-sent event."""
    return b"data: " + encoded(data) + b"\n\n"


def encoded(data: object) -> bytes:
    """JSON on one line; half a pair of surrogates, which no UTF-8 has, is escaped."""
    return json.dumps(data, separators=(",", ":"), allow_nan=False).encode("ascii")


def _logprobs(tokens: Sequence[Token]) -> dict[str, Any]:
    return {
        "content": [
            {
                **_token(one.text, one.logprob),
                "top_logprobs": [_token(text, value) for text, value in one.top],
            }
            for one in tokens
        ],
        "refusal": None,
    }


def _token(text: str, logprob: float) -> dict[str, Any]:
    """One token; what has no probability at all is said to have next to none, as OpenAI says it."""
    value = logprob if logprob > _NEVER else _NEVER  # also where it is no number
    return {"token": text, "logprob": value, "bytes": list(text.encode("utf-8", "surrogatepass"))}
