"""A stand-in for an engine's program: a real server on loopback, whose answers tell which model was asked.

Started like vLLM: fake_engine.py serve MODEL --port N ..., or like Ollama: only `serve`, and OLLAMA_HOST.
FAKE_* variables make it misbehave.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HOME = Path(os.environ["FAKE_HOME"])


ADAPTERS: set[str] = set()
READY = time.monotonic() + float(os.environ.get("FAKE_WARMS_UP", "0"))


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/api/version":
            self.reply(200, {"version": "0"})
        elif self.path == "/health" and time.monotonic() < READY:  # what llama-server says while it loads
            error = {"code": 503, "message": "Loading model", "type": "unavailable_error"}
            self.reply(503, {"error": error})
        elif self.path == "/health":
            note("healthy", {})
            self.reply(200, {"status": "ok"})
        elif self.path == "/v1/models":
            served = os.environ.get("FAKE_SERVES", sys.argv[2])
            self.reply(200, {"data": [{"id": name} for name in (served, *ADAPTERS)]})
        else:
            self.reply(404, {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        note("requests", {"path": self.path, "body": body})
        if self.path == "/v1/load_lora_adapter":
            if "unknown" in os.environ.get("FAKE_ADAPTERS", ""):
                self.reply(404, {"detail": "Not Found"})
            elif "refuse" in os.environ.get("FAKE_ADAPTERS", ""):
                self.reply(400, {"message": "LoRA rank 64 is greater than max_lora_rank 16."})
            else:
                ADAPTERS.add(body["lora_name"])
                self.reply(200, {})
            return
        if os.environ.get("FAKE_DIES"):
            print("CUDA error: out of memory", flush=True)
            os._exit(1)
        known = len(sys.argv) == 2 or body["model"] == sys.argv[2] or body["model"] in ADAPTERS
        said = f"I am {body['model']}." if known else "Who?"
        choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
        model = os.environ.get("FAKE_SERVES", body["model"])
        self.reply(200, {"choices": [choice], "usage": usage, "model": model})
        if os.environ.get("FAKE_LEAVES"):  # lives on, and listens no more
            self.server.socket.close()

    def reply(self, status: int, content: Any) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments: Any) -> None:
        pass


def note(name: str, content: Any) -> None:
    with (HOME / f"{name}.jsonl").open("a") as file:
        file.write(json.dumps(content) + "\n")


def json_lines(name: str) -> list[Any]:
    return [json.loads(line) for line in (HOME / f"{name}.jsonl").read_text().splitlines()]


def runs(start: Any) -> bool:
    try:
        state = Path(f"/proc/{start['pid']}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


DEAF = """
import signal, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
    signal.signal(number, signal.SIG_IGN)
time.sleep(600)
"""


def worker() -> int:
    """As launchers do: a worker in a group of its own, deaf to SIGTERM."""
    return subprocess.Popen([sys.executable, "-c", DEAF], start_new_session=True).pid


def daemon() -> int:
    """One whose parent has ended, without any of our environment."""
    code = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {DEAF!r}], env={{}}, "
    code += "start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).pid)"
    return int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)


def main() -> None:
    if sys.argv[1] in ("create", "rm"):  # what `ollama` is told
        note("orders", {"argv": sys.argv[1:], "host": os.environ["OLLAMA_HOST"]})
        time.sleep(float(os.environ.get("FAKE_ORDERS", "0")))
        sys.exit(0)
    at = os.environ["OLLAMA_HOST"] if len(sys.argv) == 2 else sys.argv[sys.argv.index("--port") + 1]
    port = int(at.rpartition(":")[2])
    note("starts", {"pid": os.getpid(), "argv": sys.argv[1:], "port": port, "environment": [*os.environ]})
    print(os.environ.get("FAKE_SAYS", "Loading the model ..."), flush=True)
    if os.environ.get("FAKE_STUBBORN"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.environ.get("FAKE_WORKER"):
        note("workers", {"pid": worker()})
        note("workers", {"pid": daemon()})
    if os.environ.get("FAKE_PORT_TAKEN") and len((HOME / "starts.jsonl").read_text().splitlines()) == 1:
        print("[Errno 98] error while attempting to bind: address already in use", flush=True)
        sys.exit(1)
    if os.environ.get("FAKE_ALONE") and any(map(runs, json_lines("starts")[:-1])):
        print("CUDA error: out of memory", flush=True)
        sys.exit(1)
    if os.environ.get("FAKE_ENDS"):
        print("ValueError: the model's context is longer than the KV cache", flush=True)
        sys.exit(3)
    time.sleep(float(os.environ.get("FAKE_LOADS", "0")))
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


main()
