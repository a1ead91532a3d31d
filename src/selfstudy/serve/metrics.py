"""What a server counts, for Prometheus: in a registry of its own, so that two servers do not add up.

Labels are few: statuses, and the names of adapters, of which there are as many as folders.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from selfstudy.serve.offer import BASE

if TYPE_CHECKING:
    from selfstudy.serve.ticket import Ticket

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """The figures of one server.

    Args:
        waiting: how many requests wait.
        busy: how many wait or are being answered.
    """

    def __init__(self, waiting: Callable[[], int], busy: Callable[[], int]) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self._registry = registry = CollectorRegistry()
        name = "selfstudy_"
        self._requests = Counter(
            name + "requests", "Requests by status; 499: the client left.", ["status"], registry=registry
        )
        self._tokens = Counter(name + "tokens", "Tokens read and written.", ["kind"], registry=registry)
        self._answered = Counter(
            name + "answered", "Answers by the adapter that gave them.", ["adapter"], registry=registry
        )
        self._to_base = Counter(
            name + "routed_to_base", "Routed requests that the base model answered.", registry=registry
        )
        self._rows = Histogram(
            name + "batch_answers", "Answers written at a time.", buckets=_ROWS, registry=registry
        )
        self._batch = Histogram(
            name + "batch_seconds", "Seconds of a batch.", buckets=_SECONDS, registry=registry
        )
        self._waited = Histogram(
            name + "waiting_seconds", "Seconds in the queue.", buckets=_SECONDS, registry=registry
        )
        self._seconds = Histogram(
            name + "request_seconds", "Seconds to the end of an answer.", buckets=_SECONDS, registry=registry
        )
        self._reloads = Counter(name + "reloads", "Models loaded anew.", ["result"], registry=registry)
        self._unlogged = Counter(name + "unlogged", "Lines that the log could not take.", registry=registry)
        Gauge(name + "queue_requests", "Requests that wait.", registry=registry).set_function(waiting)
        Gauge(name + "busy_requests", "Requests that wait or are answered.", registry=registry).set_function(
            busy
        )

    def text(self) -> bytes:
        """All figures, as Prometheus reads them."""
        from prometheus_client import generate_latest

        return generate_latest(self._registry)

    def request(self, status: int) -> None:
        """A request has ended so."""
        self._requests.labels(str(status)).inc()

    def batch(self, rows: int, seconds: float) -> None:
        """A batch was answered."""
        self._rows.observe(rows)
        self._batch.observe(seconds)

    def answered(self, ticket: Ticket, seconds: float) -> None:
        """A request was answered, so many seconds after it came."""
        if ticket.written is None:
            return
        self._answered.labels(ticket.label or BASE).inc()
        if ticket.responder.routed and not ticket.label:
            self._to_base.inc()
        self._tokens.labels("prompt").inc(ticket.prompt_tokens)
        self._tokens.labels("completion").inc(sum(one.tokens for one in ticket.written.completions))
        self._waited.observe(ticket.waited)
        self._seconds.observe(seconds)

    def reload(self, result: str) -> None:
        """loaded, unchanged or failed."""
        self._reloads.labels(result).inc()

    def unlogged(self) -> None:
        """The log could not take a line."""
        self._unlogged.inc()
