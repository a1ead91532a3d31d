"""What a chat server's reply says: texts, why they end, tokens, log-probabilities; or what is wrong with it.

Pure functions over parsed JSON, lenient: servers that call themselves compatible differ in what they leave
out.  Knows nothing of HTTP.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any, Literal

from selfstudy.models.thinking import NoAnswerError, without_thinking
from selfstudy.records import Completion
from selfstudy.text import until

ReplyEnding = Literal["stop", "length", "filter", "failed", "no text"]
"""Why a text ended: by itself; at a limit; withheld; the server gave up; it is something else than text."""

_ENDINGS: dict[ReplyEnding, str] = {
    "filter": "filter safety blocked blocklist prohibited recitation moderation toxic",
    "no text": "tool tools function functions call calls image audio",
    "failed": "error abort aborted cancel cancelled canceled timeout failed failure",
    "length": "length max limit exceeded context truncated",
    "stop": "stop stopped eos end endoftext complete completed finish finished done",
}
"""Words of finish reasons, the telling ones first: servers agree on "stop" and "length" at most.

Seen: stop, STOP, eos, eos_token, end_turn, stop_sequence, COMPLETE, FINISH_REASON_STOP; length, model_length,
max_tokens, MAX_TOKENS, model_context_window_exceeded; content_filter, SAFETY; tool_calls; abort.
"""
_LARGEST = 10**12
"""Tokens, and minus a log-probability: what is beyond was never counted."""
_REASONING = ("reasoning_content", "reasoning", "thinking", "thought")
"""Fields in which servers give the thinking beside the answer."""


class Malformed(ValueError):  # noqa: N818
    """The reply is not what the protocol says."""


def failed(message: str) -> Completion:
    """An item that has no answer."""
    return Completion(text="", finish="error", error=message)


def tokens_used(reply: Any) -> tuple[int, int]:
    """Prompt and completion tokens of a reply; 0 where the server does not count."""
    usage = reply.get("usage")
    if not isinstance(usage, dict):
        return 0, 0
    return _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))


def completions(reply: Any, stop: Sequence[str] = ()) -> list[Completion]:
    """One Completion per choice of a reply, in order; a choice that holds no answer has finish "error".

    Texts are without thinking, cut at `stop`, and stripped.  A token count comes from the log-probabilities;
    without them the reply's count is shared out by length of text.  `logprob` is NaN where the server offers
    none or no number, and for an answer after thinking; its tokens are those of both.

    Raises:
        Malformed: there are no choices in it, or they are no objects.
    """
    choices = reply.get("choices")
    if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
        raise Malformed("the reply has no choices")
    choices = sorted(choices, key=lambda choice: _count(choice.get("index")))
    texts = [_text(choice) for choice in choices]
    shares = _shares(tokens_used(reply)[1], [len(text or "") for text in texts])
    return [
        _completion(choice, text, share, stop)
        for choice, text, share in zip(choices, texts, shares, strict=True)
    ]


def _completion(choice: dict[str, Any], text: str | None, share: int, stop: Sequence[str]) -> Completion:
    message = choice.get("message")
    message = message if isinstance(message, dict) else {}
    ending = _ending(choice.get("finish_reason"))
    if ending == "filter":
        return failed("the server's content filter withheld the answer")
    if (refusal := message.get("refusal")) and not text:
        return failed(f"refused: {str(refusal)[:200]}")
    if ending not in ("stop", "length"):
        what = "the server broke the answer off" if ending == "failed" else "the answer is no text"
        return failed(f"{what}: it ended with {str(choice.get('finish_reason'))[:40]!r}")
    if not text and (ending == "length" or any(message.get(name) for name in _REASONING)):
        return failed(f"the choice holds no text: all tokens went into reasoning{_remedy(ending)}")
    if text is None:
        return failed("the choice holds no text: the message is empty")
    try:
        answer = without_thinking(text)
    except NoAnswerError as error:
        return failed(f"the choice holds no answer: {error}{_remedy(ending)}")
    logprobs = _logprobs(choice)
    return Completion(
        text=until(answer, stop).strip(),
        tokens=share if logprobs is None else len(logprobs),
        # the sum over thinking and answer says nothing about the answer
        logprob=math.nan if logprobs is None or answer != text else math.fsum(logprobs),
        finish=ending,
    )


def _remedy(ending: ReplyEnding) -> str:
    return " (raise max_new_tokens, or switch thinking off with `extra`)" if ending == "length" else ""


def _ending(reason: object) -> ReplyEnding:
    """What a finish reason means, by its words; without one the text just ended."""
    if reason is None or reason == "":
        return "stop"
    words = set(re.findall("[a-z]+", str(reason).lower()))
    return next((ending for ending, telling in _ENDINGS.items() if words & {*telling.split()}), "no text")


def _text(choice: dict[str, Any]) -> str | None:
    message = choice.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, list):  # parts, as some servers give them; thinking is one of its own
        parts = [
            part.get("text")
            for part in content
            if isinstance(part, dict) and part.get("type", "text") in ("text", "output_text")
        ]
        content = "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else None


def _logprobs(choice: dict[str, Any]) -> list[float] | None:
    """Of each token, or None where the server gives none or something else."""
    found = choice.get("logprobs")
    content = found.get("content") if isinstance(found, dict) else None
    if not isinstance(content, list) or not content:
        return None
    values = [part.get("logprob") if isinstance(part, dict) else None for part in content]
    numbers = [number for value in values if (number := finite(value)) is not None]
    return numbers if len(numbers) == len(values) else None


def finite(value: object) -> float | None:
    """A number of a reply that can be added up; None for what is none: 1e400, NaN, 400 digits, a text."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) <= _LARGEST else None


def _shares(total: int, lengths: Sequence[int]) -> list[int]:
    """`total` shared out in proportion to `lengths`; the sum is kept."""
    whole = sum(lengths)
    if not whole:
        return [0] * len(lengths)
    marks = [round(total * part / whole) for part in accumulate(lengths, initial=0)]
    return [after - before for before, after in pairwise(marks)]


def _count(value: object) -> int:
    return value if isinstance(value, int) and 0 < value <= _LARGEST else 0
