"""A server that answers wandb as far as a run asks it, and keeps what it is sent.

The real one is a service, or a container; requests are those that wandb itself makes.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, ClassVar


@dataclass
class Sent:
    """What came: the bodies and paths of all requests, and the rows of the run's history.

    Attributes:
        refuses: whether rows are answered with 403.
    """

    bodies: list[bytes] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)
    rows: list[dict[str, float]] = field(default_factory=list)
    refuses: bool = False


class _Handler(BaseHTTPRequestHandler):
    sent: ClassVar[Sent]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
        self.sent.bodies.append(body)
        self.sent.paths.add(self.path)
        asked = json.loads(body)
        code, reply = (200, self._reply(asked)) if self.path == "/graphql" else self._rows(asked)
        data = json.dumps(reply).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        pass

    def _rows(self, asked: Any) -> tuple[int, dict[str, Any]]:
        if self.sent.refuses:
            return 403, {}
        history = asked.get("files", {}).get("wandb-history.jsonl", {}).get("content", [])
        self.sent.rows += map(json.loads, history)
        return 200, {}

    def _reply(self, asked: Any) -> dict[str, Any]:
        name = asked["variables"].get("name")
        count = len(self.sent.rows)
        project = {"id": "p", "name": "tried", "entity": {"id": "e", "name": "me"}}
        bucket: dict[str, Any] = {"id": "x", "name": name, "displayName": "", "historyLineCount": count}
        if asked["operationName"] == "RunResumeStatus":
            tail = json.dumps([json.dumps(row) for row in self.sent.rows[-1:]])
            known = {"logLineCount": 0, "eventsLineCount": 0, "historyTail": tail, "eventsTail": "[]"}
            text = {
                "config": "{}",
                "summaryMetrics": "{}",
                "wandbConfig": '{"t": 1}',
                "tags": [],
                "notes": None,
            }
            return {"data": {"model": {**project, "bucket": {**bucket, **known, **text} if count else None}}}
        if asked["operationName"] == "UpsertBucket":
            return {
                "data": {"upsertBucket": {"bucket": {**bucket, "project": project}, "inserted": not count}}
            }
        return {"data": {"createRunFiles": {"runID": "x", "uploadHeaders": [], "files": []}}}


@contextmanager
def wandb_server() -> Iterator[tuple[str, Sent]]:
    """Its address, and what it is sent."""
    sent = Sent()
    handler = type("Handler", (_Handler,), {"sent": sent})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", sent
        finally:
            server.shutdown()
