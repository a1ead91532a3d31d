"""An answer that is sent while it is written, as server-sent events.

What is sent is always the beginning of the text so far, so that nothing that was sent is taken back: what may
yet change, half a character or the beginning of a text that ends the answer, waits.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence

from selfstudy.models.base import Token
from selfstudy.serve import replies
from selfstudy.serve.api_error import ApiError
from selfstudy.serve.replies import Envelope
from selfstudy.serve.ticket import Ticket, WrittenAnswer

_HALF = "\ufffd"
"""What half a character reads as."""


def settled(text: str, stop: Sequence[str]) -> str:
    """`text` without its end, where that may still change: half a character, what may become a stop, and
    the space before it, since an answer is stripped.

    For the same reason the text may be what followed the space that a stop begins with.
    """
    text = text.rstrip(_HALF)
    if any(end[:1].isspace() and end.lstrip().startswith(text) for end in stop):
        return ""
    for end in stop:
        for length in range(min(len(end) - 1, len(text)), 0, -1):
            if text.endswith(end[:length]):
                text = text[:-length]
                break
    return text.rstrip()


def new(text: str, sent: str) -> str:
    """What of `text` comes after what was sent; nothing where it does not begin with that."""
    return text[len(sent) :] if text.startswith(sent) else ""


async def events(ticket: Ticket, envelope: Envelope) -> AsyncIterator[bytes]:
    """All events of an answer that has begun; an error that comes on the way is the last of them."""
    asked = ticket.asked
    counts = asked.includes_usage
    for index in range(asked.n):
        yield replies.chunk(envelope, index, {"role": "assistant", "content": ""}, counts=counts)
    sent = ""
    try:
        while ticket.written is None:
            await ticket.news()
            # with log-probabilities each token comes with its own, which are known at the end
            if not asked.logprobs and (more := new(settled(ticket.text, asked.stop), sent)):
                sent += more
                yield replies.chunk(envelope, 0, {"content": more}, counts=counts)
    except ApiError as error:
        yield replies.event(error.body)
        return
    for part in _rest(ticket.written, sent, envelope, counts=counts):
        yield part
    if counts:
        yield replies.used(envelope, ticket.prompt_tokens, ticket.written.completions)
    yield replies.DONE


def _rest(written: WrittenAnswer, sent: str, envelope: Envelope, *, counts: bool) -> Iterator[bytes]:
    """What of all answers was not sent while they were written, and how each ended."""
    for index, one in enumerate(written.completions):
        if written.tokens is not None:
            for text, token in pieces(one.text, written.tokens[index]):
                yield replies.chunk(envelope, index, {"content": text}, token=token, counts=counts)
        elif more := new(one.text, sent if index == 0 else ""):
            yield replies.chunk(envelope, index, {"content": more}, counts=counts)
        yield replies.chunk(envelope, index, {}, finish=one.finish, counts=counts)


def pieces(text: str, tokens: Sequence[Token]) -> Iterator[tuple[str, Token | None]]:
    """A text cut as its tokens are, each with its own; together they are that text.

    Where a token reads otherwise by itself than in the text, what it says comes with a later one.
    """
    for token in tokens:
        part = next((one for one in (token.text, token.text.lstrip()) if text.startswith(one)), "")
        text = text[len(part) :]
        yield part, token
    if text:
        yield text, None
