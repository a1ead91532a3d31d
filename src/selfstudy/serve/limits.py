"""How much a request may be and how long it may take: all of it is looked at before any work is done."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Of one server.

    Attributes:
        body: bytes of a request.
        messages: turns of a chat.
        new_tokens: of an answer, where the request does not say, and at most.
        n: answers to one request.
        stops: texts that end an answer, of at most `stop` characters each.
        top: likeliest other tokens that are listed.
        queue: requests that wait; with more, those that come are told to come again.
        rows: answers that are written at the same time.
        seconds: from the end of a request's body to the end of its answer.
        body_seconds: for the body to arrive; `head_seconds`: for the head.
        stalled: seconds that a reader may take none of what waits for it.
        connections: open at the same time.
        gather: seconds that a first request waits for others to be answered with.
        grace: seconds that running requests have left when the server is told to stop.
    """

    body: int = 2**20
    messages: int = 256
    new_tokens: int = 1024
    n: int = 16
    stops: int = 4
    stop: int = 256
    top: int = 20
    queue: int = 256
    rows: int = 64
    seconds: float = 120.0
    body_seconds: float = 20.0
    head_seconds: float = 10.0
    stalled: float = 30.0
    connections: int = 1024
    gather: float = 0.003
    grace: float = 30.0
