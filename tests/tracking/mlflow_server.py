"""An mlflow server for a test: its REST interface, as far as it is asked, over mlflow's own store of files.

The real one needs packages (flask, SQL) that are not installed; requests, replies and store are mlflow's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit


class _Handler(BaseHTTPRequestHandler):
    store: ClassVar[Any]
    asked: ClassVar[list[tuple[str, str | None]]]

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        self._answer({name: values[0] for name, values in asked.items()})

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def log_message(self, *args: object) -> None:
        pass

    def _answer(self, asked: dict[str, Any]) -> None:
        path = urlsplit(self.path).path
        self.asked.append((path, self.headers.get("Authorization")))
        code, reply = self._reply(path.partition("/mlflow/")[2], asked)
        data = json.dumps(reply).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _reply(self, what: str, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        from mlflow.entities import Metric, Param, RunTag
        from mlflow.utils.proto_json_utils import message_to_json

        def plain(entity: Any) -> Any:
            return json.loads(message_to_json(entity.to_proto()))

        store = self.store
        if what == "experiments/get-by-name":
            found = store.get_experiment_by_name(asked["experiment_name"])
            if found is None:
                return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "there is none"}
            return 200, {"experiment": plain(found)}
        if what == "experiments/create":
            return 200, {"experiment_id": store.create_experiment(asked["name"])}
        if what == "runs/search":
            runs = store.search_runs(asked["experiment_ids"], asked["filter"], 1, asked["max_results"])
            return 200, {"runs": [plain(run) for run in runs]}
        if what == "runs/create":
            tags = [RunTag(tag["key"], tag["value"]) for tag in asked["tags"]]
            run = store.create_run(
                asked["experiment_id"], "", int(asked["start_time"]), tags, asked["run_name"]
            )
            return 200, {"run": plain(run)}
        if what == "runs/log-batch":
            metrics = [
                Metric(m["key"], m["value"], int(m["timestamp"]), int(m.get("step", 0)))
                for m in asked.get("metrics", ())
            ]
            params = [Param(p["key"], p["value"]) for p in asked.get("params", ())]
            store.log_batch(asked["run_id"], metrics, params, [])
            return 200, {}
        if what in ("runs/update", "runs/get"):
            return 200, {"run": plain(store.get_run(asked["run_id"]))}
        return 404, {"error_code": "ENDPOINT_NOT_FOUND", "message": what}


@contextmanager
def mlflow_server(folder: Path) -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """Its address, and what it is asked: (path, what is in the header Authorization)."""
    from mlflow.store.tracking.file_store import FileStore

    asked: list[tuple[str, str | None]] = []
    handler = type("Handler", (_Handler,), {"store": FileStore(str(folder)), "asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
