"""Engines under attack: foreign listeners, other models, strangers' options, signals, terminals."""

from __future__ import annotations

import http.server
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from pydantic import ValidationError

from selfstudy.errors import ModelError
from selfstudy.models import load_lm
from selfstudy.models.server.engines import ENGINES
from selfstudy.models.server.servers import Servers
from selfstudy.recipe import ServerModel
from selfstudy.recipe.engine_options import OPTIONS
from selfstudy.verbs import doctor

from ..models.server.engine import GONE_SECONDS, gone, noted, said

Model = Callable[..., ServerModel]


# --- who listens on the port


class Stranger(http.server.BaseHTTPRequestHandler):
    """Says yes to everything, and keeps what it is told."""

    told: list[str]

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        self.told.append(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": "Trust me."},
            "finish_reason": "stop",
        }
        data = json.dumps({"choices": [choice], "data": []}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments: Any) -> None:
        pass


@contextmanager
def stranger(port: int) -> Iterator[list[str]]:
    """What somebody else is told on a port, while the block lasts."""
    handler = type("Handler", (Stranger,), {"told": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield handler.told
        server.shutdown()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_a_stranger_who_takes_the_port_first_is_not_the_engine(
    workshop: Path, model: Model, monkeypatch: pytest.MonkeyPatch, servers: Servers
) -> None:
    monkeypatch.setenv("FAKE_LOADS", "600")  # the engine is there, and does not listen yet
    port = free_port()
    lm = load_lm(model(port=port), servers=servers)
    failed: list[ModelError] = []

    def ask() -> None:
        try:
            said(lm)
        except ModelError as error:
            failed.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    while not noted(workshop, "starts"):
        time.sleep(0.02)
    with stranger(port) as told:
        asking.join(30)
        assert f"another program listens on port {port}" in failed[0].what
        assert not any("Who are you" in text for text in told)
    assert gone(noted(workshop, "starts")[0]["pid"])


def test_a_stranger_on_a_port_of_our_choice_is_avoided(
    workshop: Path, model: Model, monkeypatch: pytest.MonkeyPatch, servers: Servers
) -> None:
    from selfstudy.models.server import starting

    taken = free_port()
    real = starting.reserve_port
    tries = iter([lambda port: (taken, socket.socket()), real])
    monkeypatch.setattr(starting, "reserve_port", lambda port=None: next(tries)(port))
    with stranger(taken) as told:
        assert said(load_lm(model(), servers=servers)).startswith("I am")
        assert not told


@pytest.mark.parametrize("fixed", [True, False])
def test_a_stranger_who_takes_the_port_later_is_told_nothing(
    fixed: bool, workshop: Path, model: Model, monkeypatch: pytest.MonkeyPatch, servers: Servers
) -> None:
    monkeypatch.setenv("FAKE_LEAVES", "1")
    lm = load_lm(model(port=free_port() if fixed else None), servers=servers)
    with suppress(ModelError):  # it answers, or is found to listen no more
        assert said(lm).startswith("I am")
    (start,) = noted(workshop, "starts")
    monkeypatch.delenv("FAKE_LEAVES")
    while _listens(start["port"]):
        time.sleep(0.05)
    with stranger(start["port"]) as told:
        if fixed:
            with pytest.raises(ModelError, match=f"port {start['port']} is taken"):
                said(lm)
        else:
            assert said(lm).startswith("I am")
        assert not told
    assert gone(start["pid"])


def test_a_connection_is_checked_before_anything_is_sent() -> None:
    """As when the port changes hands between two requests of one batch."""
    from selfstudy.models.base import GREEDY, chat
    from selfstudy.models.remote.lm import RemoteLM
    from selfstudy.recipe import RemoteModel

    port = free_port()
    with stranger(port) as told:
        block = RemoteModel(model="m", base_url=f"http://127.0.0.1:{port}/v1", api_key_env="NO_SUCH_KEY")
        with pytest.raises(ModelError, match="not the server that was started"):
            RemoteLM(block, alive=lambda: False).generate([chat("my secret")], GREEDY)
        assert not told


# --- which model it serves


@pytest.mark.parametrize("engine", ["vllm", "llama-cpp"])  # one lists its models, one does not
def test_another_model_than_the_one_asked_for(
    engine: str, workshop: Path, model: Model, monkeypatch: pytest.MonkeyPatch, servers: Servers
) -> None:
    monkeypatch.setenv("FAKE_SERVES", "evil/\x1b]0;owned\x07other")
    name = model().model if engine == "vllm" else f"{model().model}/config.json"
    block = model().model_copy(update={"engine": engine, "model": name})
    with pytest.raises(ModelError, match=r"(serves|answers as) .*other") as error:
        said(load_lm(block, servers=servers))
    assert "\x1b" not in str(error.value)
    assert gone(noted(workshop, "starts")[0]["pid"])


@pytest.mark.parametrize("engine", ["vllm", "llama-cpp", "transformers", "tgi"])
def test_another_model_behind_a_url(engine: Any, workshop: Path, tmp_path: Path) -> None:
    with stranger(free_port()) as told:
        pass
    assert not told
    port = free_port()
    process = subprocess.Popen(
        [str(workshop / "bin/vllm"), "serve", "theirs", "--port", str(port)],
        env={**os.environ, "FAKE_SERVES": "theirs"},
        stdout=subprocess.DEVNULL,
    )
    try:
        while not _listens(port):
            time.sleep(0.02)
        file = tmp_path / "ours.gguf"
        file.write_bytes(b"GGUF")
        block = ServerModel(engine=engine, model="org/ours", url=f"http://127.0.0.1:{port}")
        with pytest.raises(ModelError, match=r"(serves|answers as) '?theirs"):
            said(load_lm(block))
        assert said(
            load_lm(block.model_copy(update={"model": "org/theirs" if engine != "vllm" else "theirs"}))
        )
    finally:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


# --- what a recipe may tell an engine


def words(text: str) -> list[str]:
    return text.split()


FORBIDDEN = words(
    "trust-remote-code trust_remote_code --trust-remote-code TRUST-REMOTE-CODE "
    "trust-remote-code=true trust-remote Trust_Remote_Code load-format load_format host HOST port "
    "host=0.0.0.0 hostname chat-template chat_template_file middleware tool-parser-plugin "
    "reasoning-parser-plugin api-key-file ssl-keyfile download-dir config hf-overrides tokenizer "
    "served-model-name model model-path lora-modules logits-processors worker-cls "
    "worker-extension-cls distributed-executor-backend speculative-config "
    "model-loader-extra-config compilation-config.level generation-config "
    "allowed-local-media-path otlp-endpoint dist-init-addr custom-sampling-params log-file "
    "slot-save-path rpc hf-repo model-url mmproj path root-path json-model-override-args "
    "file-storage-path preferred-sampling-params huggingface-hub-cache"
)
SLY_VALUES: list[Any] = [
    ["1", "--trust-remote-code"],
    "--trust-remote-code",
    "-O3",
    "/etc/passwd",
    "../evil",
    "kernels-community/evil",
    '{"a": 1}',
    "a\nb",
    "http://evil",
    "x" * 300,
    "",
]


@pytest.mark.parametrize("engine", OPTIONS)
def test_options_that_a_recipe_may_not_set(engine: Any) -> None:
    for name in FORBIDDEN:
        for value in (True, "x", None):
            with pytest.raises(ValidationError, match=r"not among|another value than") as error:
                ServerModel(engine=engine, model="m", args={name: value})
            assert "SELFSTUDY_ENGINE_ARGS=" in str(error.value)


@pytest.mark.parametrize("value", SLY_VALUES, ids=repr)
def test_values_that_are_more_than_values(value: Any) -> None:
    for name in ("max-model-len", "reasoning_parser", "quantization"):
        with pytest.raises(ValidationError, match="numbers and plain words"):
            ServerModel(engine="vllm", args={name: value})


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["--trust-remote-code", "-m", "a\nADAPTER /etc/passwd", " "])
def test_names_of_models_that_are_options(engine: Any, name: str, workshop: Path) -> None:
    for block in (
        ServerModel(engine=engine, model=name),
        ServerModel(engine=engine, model="m", revision=name),
        ServerModel(engine=engine, model=name, url="http://127.0.0.1:9"),
    ):
        with pytest.raises(ModelError, match="no name of a model"):
            load_lm(block)


def test_the_user_may_allow_what_a_recipe_may_not(
    workshop: Path, model: Model, monkeypatch: pytest.MonkeyPatch, servers: Servers
) -> None:
    monkeypatch.setenv("SELFSTUDY_ENGINE_ARGS", "Trust_Remote_Code, chat-*")
    said(load_lm(model(args={"trust-remote-code": True, "chat_template": "/my/own.jinja"}), servers=servers))
    assert noted(workshop, "starts")[0]["argv"][-3:] == [
        "--trust-remote-code",
        "--chat_template",
        "/my/own.jinja",
    ]
    with pytest.raises(ValidationError, match="not among"):
        model(args={"host": "0.0.0.0"})


@pytest.mark.parametrize("engine", OPTIONS)
def test_what_recipes_may_set_names_no_files_code_or_hosts(engine: str) -> None:
    dangerous = (
        "file",
        "path",
        "dir",
        "remote",
        "plugin",
        "host",
        "port",
        "url",
        "template",
        "format",
        "cls",
    )
    wrong = {name for name in OPTIONS[engine] if any(word in name.split("-") for word in dangerous)}
    assert wrong <= {"reasoning-format", "load-format"}  # how thinking is told apart; has values of its own


def test_doctor_says_so_too(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "model: {type: server, engine: transformers, model: atlas, args: {trust_remote_code: true}}\n"
        "library: atlas\n"
    )
    found = [one for one in doctor.examine(tmp_path, recipe) if one.state == "fail"]
    assert any("trust_remote_code is not among" in one.found for one in found)


def test_modules_beside_the_recipe_are_not_the_engines(
    workshop: Path, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, servers: Servers
) -> None:
    """`python -m` would take them from the working folder: a downloaded recipe's, for example."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "http.py").write_text("raise SystemExit('owned')")
    (tmp_path / "psutil.py").write_text("raise SystemExit('owned')")
    assert said(load_lm(model(), servers=servers)).startswith("I am")
    assert "PYTHONSAFEPATH" in noted(workshop, "starts")[0]["environment"]


# --- what it prints


def test_what_an_engine_prints_does_nothing_to_a_terminal(
    workshop: Path, model: Model, monkeypatch: pytest.MonkeyPatch, servers: Servers
) -> None:
    monkeypatch.setenv(
        "FAKE_SAYS", "\x1b]0;title\x07\x1b]52;c;ZXZpbA==\x07\x1b[2J\x1b[31mred" + "x" * 100_000
    )
    monkeypatch.setenv("FAKE_ENDS", "1")
    with pytest.raises(ModelError, match="ended before it answered") as error:
        said(load_lm(model(), servers=servers))
    told = str(error.value)
    assert not [char for char in told if char < " " and char != "\n"]
    assert "ZXZpbA" not in told
    assert len(told) < 5_000


def test_logs_are_for_the_user_alone(workshop: Path, model: Model, servers: Servers) -> None:
    said(load_lm(model(), servers=servers))
    (log,) = (workshop / "tmp").glob("selfstudy-server-*/log")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.parent.stat().st_mode) == 0o700


# --- whatever ends selfstudy, or what watches over its engines

MAIN = """
import sys, time
from selfstudy.models.server.starting import start_server
from selfstudy.recipe import ServerModel
block = ServerModel(engine="llama-cpp", model=sys.argv[1], startup_seconds=60)
server = start_server(block, block.model)
print("up", flush=True)
time.sleep(600)
"""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGKILL)


class Session:
    """A selfstudy with a stubborn engine, which has a worker and a daemon in sessions of their own."""

    def __init__(self, file: Path) -> None:
        self.main = subprocess.Popen(
            [sys.executable, "-c", MAIN, str(file)], stdout=subprocess.PIPE, text=True
        )

    def up(self) -> None:
        assert self.main.stdout is not None
        assert self.main.stdout.readline() == "up\n"
        (self.watchdog,) = psutil.Process(self.main.pid).children()
        assert any("watchdog" in part for part in self.watchdog.cmdline())
        (self.second,) = self.watchdog.children()
        self.engine = next(one for one in self.second.children() if "serve" in " ".join(one.cmdline()))

    def end(self) -> None:
        self.main.kill()
        self.main.communicate()
        assert all(gone(one.pid) for one in (self.watchdog, self.second))


@pytest.fixture
def session(workshop: Path, model: Model, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Session]]:
    monkeypatch.setenv("FAKE_WORKER", "1")
    monkeypatch.setenv("FAKE_STUBBORN", "1")
    begun: list[Session] = []

    def begin() -> Session:
        begun.append(Session(Path(model().model) / "config.json"))
        return begun[-1]

    yield begin
    for one in begun:
        one.end()


def everybody(workshop: Path) -> list[int]:
    return [one["pid"] for name in ("starts", "workers") for one in noted(workshop, name)]


def test_nothing_is_left_after_any_signal_to_anybody(workshop: Path, session: Callable[[], Session]) -> None:
    cases = [({"main"}, number) for number in SIGNALS]
    cases += [({"watchdog"}, number) for number in SIGNALS]
    cases += [({"second"}, number) for number in (signal.SIGTERM, signal.SIGKILL)]
    cases += [({"engine"}, signal.SIGKILL), ({"main", "watchdog"}, signal.SIGKILL)]
    begun = [(session(), *case) for case in cases]
    for one, _, _ in begun:
        one.up()
    assert len(everybody(workshop)) == 3 * len(cases)
    for one, hit, number in begun:
        hits = {"main": one.main, "watchdog": one.watchdog, "second": one.second, "engine": one.engine}
        for who in hit:
            hits[who].send_signal(number)
    deadline = time.monotonic() + 2 * GONE_SECONDS
    for pid in everybody(workshop):
        assert gone(pid, deadline)
    while list((workshop / "tmp").iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not list((workshop / "tmp").iterdir())
    assert not any(_listens(start["port"]) for start in noted(workshop, "starts"))
    assert all(gone(one.watchdog.pid, deadline) and gone(one.second.pid, deadline) for one, _, _ in begun)


def test_the_second_watchdog_is_not_hit_by_the_name_of_selfstudy(session: Callable[[], Session]) -> None:
    begun = session()
    begun.up()
    assert not any("selfstudy" in part or "watchdog" in part for part in begun.second.cmdline())


def test_what_a_kill_of_everything_at_once_has_left_goes_at_the_next_start(
    workshop: Path, session: Callable[[], Session]
) -> None:
    begun = session()
    begun.up()
    living = session()  # whose engine must stay
    living.up()
    mine = everybody(workshop)[:1] + everybody(workshop)[2:4]
    for process in (begun.second, begun.watchdog, psutil.Process(begun.main.pid)):
        process.suspend()
    for process in (begun.second, begun.watchdog, psutil.Process(begun.main.pid)):
        process.kill()
    begun.main.wait()
    assert gone(mine[0])  # the engine itself
    assert not gone(mine[1], time.monotonic())
    (workshop / "tmp" / "selfstudy-server-of-somebody-else").mkdir()
    Servers()
    assert gone(mine[1])
    assert [one.name for one in (workshop / "tmp").glob("selfstudy-*")].count(
        "selfstudy-server-of-somebody-else"
    ) == 1
    (workshop / "tmp" / "selfstudy-server-of-somebody-else").rmdir()
    psutil.Process(mine[2]).kill()  # the daemon wears no mark: it is this machine's to end
    others = [pid for pid in everybody(workshop) if pid not in mine]
    assert not any(gone(pid, time.monotonic()) for pid in others)
    living.main.terminate()
    assert all(gone(pid) for pid in others)


VERB = """
import sys
from selfstudy.cli.entry import app, main
from selfstudy.cli.session import session

@app.command()
def ask(file: str) -> None:
    with session():
        from selfstudy.models import load_lm
        from selfstudy.models.base import GREEDY, chat
        from selfstudy.models.server.servers import Servers
        from selfstudy.recipe import ServerModel

        with Servers() as servers:
            block = ServerModel(engine="llama-cpp", model=file)
            load_lm(block, servers=servers).generate([chat("Hello")], GREEDY)

main()
"""
"""A verb as the others are, which asks an engine at once and loads nothing else."""


def test_ctrl_c_twice(workshop: Path, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one comes while the engine, which does not want to go, is being ended."""
    monkeypatch.setenv("FAKE_WORKER", "1")
    monkeypatch.setenv("FAKE_STUBBORN", "1")
    monkeypatch.setenv("FAKE_LOADS", "600")
    command = [sys.executable, "-c", VERB, "ask", f"{model().model}/config.json"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    while len(everybody(workshop)) < 3:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    time.sleep(0.8)
    began = time.monotonic()
    while process.poll() is None and time.monotonic() < began + GONE_SECONDS:
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
    told = process.communicate(timeout=GONE_SECONDS)
    assert process.returncode == 130, told
    assert "Traceback" not in told[1]
    assert "KeyboardInterrupt" not in told[1]
    assert "To go on:" in told[1]
    assert all(gone(pid, time.monotonic() + 0.5) for pid in everybody(workshop))
