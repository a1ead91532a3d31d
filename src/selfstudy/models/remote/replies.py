"""What a chat server's reply says: texts, why they end, tokens, log-probabilities; or what is wrong with it.

Pure functions over parsed JSON, lenient: servers that call themselves compatible differ in what they leave
out.  Knows nothing of HTTP.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import Any, Literal

from selfstudy.records import Completion

_FINISH: dict[str | None, Literal["stop", "length"]] = {
    None: "stop",
    "": "stop",
    "stop": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
}


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


def completions(reply: Any, stop: Sequence[str] = (), hide: Callable[[str], str] = str) -> list[Completion]:
    """One Completion per choice of a reply, in order; a choice that holds no answer has finish "error".

    Texts are cut at `stop`, and stripped.  A token count comes from the log-probabilities; without them the
    reply's count is shared out by length of text.  `logprob` is NaN where the server offers none.
    `hide` takes out of every text, before it is cut, what must not get into a record.

    Raises:
        Malformed: there are no choices in it, or they are no objects.
    """
    choices = reply.get("choices")
    if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
        raise Malformed("the reply has no choices")
    choices = sorted(choices, key=lambda choice: _count(choice.get("index")))
    texts = [None if text is None else hide(text) for text in map(_text, choices)]
    shares = _shares(tokens_used(reply)[1], [len(text or "") for text in texts])
    return [
        _completion(choice, text, share, stop, hide)
        for choice, text, share in zip(choices, texts, shares, strict=True)
    ]


def _completion(
    choice: dict[str, Any], text: str | None, share: int, stop: Sequence[str], hide: Callable[[str], str]
) -> Completion:
    reason = choice.get("finish_reason")
    message = choice.get("message")
    refusal = message.get("refusal") if isinstance(message, dict) else None
    if reason == "content_filter":
        return failed("the server's content filter withheld the answer")
    if refusal and not text:
        return failed(f"refused: {hide(str(refusal))[:200]}")
    if reason is not None and reason not in _FINISH:
        return failed(f"the answer is no text: it ended with {hide(str(reason))[:40]!r}")
    if text is None:
        why = "all tokens went into reasoning" if _FINISH[reason] == "length" else "the message is empty"
        return failed(f"the choice holds no text: {why}")
    cut = min((at for at in map(text.find, stop) if at >= 0), default=len(text))
    logprobs = _logprobs(choice)
    return Completion(
        text=text[:cut].strip(),
        tokens=share if logprobs is None else len(logprobs),
        logprob=math.nan if logprobs is None else math.fsum(logprobs),
        finish=_FINISH[reason],
    )


def _text(choice: dict[str, Any]) -> str | None:
    message = choice.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, list):  # parts, as some servers give them
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else None


def _logprobs(choice: dict[str, Any]) -> list[float] | None:
    """Of each token, or None where the server gives none or something else."""
    found = choice.get("logprobs")
    content = found.get("content") if isinstance(found, dict) else None
    if not isinstance(content, list) or not content:
        return None
    values = [part.get("logprob") if isinstance(part, dict) else None for part in content]
    numbers = [float(value) for value in values if isinstance(value, int | float)]
    return numbers if len(numbers) == len(values) else None


def _shares(total: int, lengths: Sequence[int]) -> list[int]:
    """`total` shared out in proportion to `lengths`; the sum is kept."""
    whole = sum(lengths)
    if not whole:
        return [0] * len(lengths)
    marks = [round(total * part / whole) for part in accumulate(lengths, initial=0)]
    return [after - before for before, after in pairwise(marks)]


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
