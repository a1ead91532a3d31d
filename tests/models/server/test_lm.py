"""Servers that are started, asked, swapped and ended: real processes, with a stand-in for the engine."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from pydantic import ValidationError

from selfstudy.errors import ModelError
from selfstudy.models import load_lm
from selfstudy.models.base import Sampling, chat
from selfstudy.models.server import adapters
from selfstudy.models.server.lm import ServerLM
from selfstudy.models.server.servers import Servers
from selfstudy.recipe import RemoteModel, ServerModel

from .engine import GONE_SECONDS, gone, noted, said


def test_a_server_is_started_when_asked_and_once(
    workshop: Path, model: Callable[..., ServerModel], servers: Servers
) -> None:
    block = model(args={"max-model-len": 512})
    lm = ServerLM(block, servers)
    told: list[str] = []
    servers.say = told.append
    assert not noted(workshop, "starts")
    assert said(lm) == said(lm) == f"I am {block.model}."
    (start,) = noted(workshop, "starts")
    assert start["argv"][:2] == ["serve", block.model]
    assert start["argv"][-2:] == ["--max-model-len", "512"]
    assert "starting vllm" in told[0]
    assert len(told) == 2
    servers.close()
    assert gone(start["pid"])


def test_sampling_reaches_the_engine_with_its_penalty(
    workshop: Path, model: Callable[..., ServerModel], servers: Servers
) -> None:
    sampling = Sampling(n=2, greedy_first=True, repetition_penalty=1.1, max_new_tokens=9)
    found = ServerLM(model(), servers).generate([chat("a"), chat("b")], sampling)
    assert [len(row) for row in found] == [3, 3]
    asked = [request["body"] for request in noted(workshop, "requests")]
    assert {body["repetition_penalty"] for body in asked} == {1.1}
    assert {body["max_tokens"] for body in asked} == {9}
    assert {body.get("top_k") for body in asked if body["temperature"] > 0} == {-1}


def test_base_and_adapter_are_served_by_one_server(
    workshop: Path, model: Callable[..., ServerModel], adapter: Path, servers: Servers
) -> None:
    base, taught = (
        ServerLM(model(), servers),
        ServerLM(model().model_copy(update={"adapter": adapter}), servers),
    )
    first = said(base)
    second = said(taught)
    assert second.startswith("I am selfstudy-")
    assert said(base) == first
    assert said(taught) == second
    assert len(noted(workshop, "starts")) == 1
    loads = [r["body"] for r in noted(workshop, "requests") if r["path"] == "/v1/load_lora_adapter"]
    assert [load["lora_path"] for load in loads] == [str(adapter)]


def test_an_adapter_that_is_trained_again_gets_another_name(
    workshop: Path, model: Callable[..., ServerModel], adapter: Path, servers: Servers
) -> None:
    taught = ServerLM(model().model_copy(update={"adapter": adapter}), servers)
    first = said(taught)
    (adapter / "adapter_model.safetensors").write_bytes(b"other weights")
    assert said(taught) != first


def test_an_adapter_that_is_refused(
    workshop: Path,
    model: Callable[..., ServerModel],
    adapter: Path,
    monkeypatch: pytest.MonkeyPatch,
    servers: Servers,
) -> None:
    monkeypatch.setenv("FAKE_ADAPTERS", "refuse")
    with pytest.raises(ModelError, match="greater than max_lora_rank 16") as error:
        said(ServerLM(model().model_copy(update={"adapter": adapter}), servers))
    assert "max-lora-rank" in error.value.hint
    assert "VLLM_" not in error.value.hint


def test_a_server_that_cannot_load_adapters(
    workshop: Path,
    model: Callable[..., ServerModel],
    adapter: Path,
    monkeypatch: pytest.MonkeyPatch,
    servers: Servers,
) -> None:
    monkeypatch.setenv("FAKE_ADAPTERS", "unknown")
    with pytest.raises(ModelError, match="404") as error:
        said(ServerLM(model().model_copy(update={"adapter": adapter}), servers))
    assert "start it with VLLM_ALLOW_RUNTIME_LORA_UPDATING=True in its environment" in error.value.hint


def test_ollama_knows_an_adapter_as_long_as_it_runs(workshop: Path, adapter: Path, servers: Servers) -> None:
    answer = said(
        ServerLM(ServerModel(engine="ollama", model="m", adapter=adapter, startup_seconds=120), servers)
    )
    servers.close()
    made, gone_again = noted(workshop, "orders")
    name = made["argv"][1]
    assert answer == f"I am {name}."
    assert made["argv"] == ["create", name, "-f", made["argv"][3]]
    assert gone_again["argv"] == ["rm", name]
    assert made["host"] == gone_again["host"] == f"127.0.0.1:{noted(workshop, 'starts')[0]['port']}"


def test_ollama_takes_too_long(
    workshop: Path, adapter: Path, monkeypatch: pytest.MonkeyPatch, servers: Servers
) -> None:
    monkeypatch.setattr(adapters, "OLLAMA_SECONDS", 0.5)
    monkeypatch.setenv("FAKE_ORDERS", "600")
    with pytest.raises(ModelError, match=r"ollama create failed: .*timed out") as error:
        said(ServerLM(ServerModel(engine="ollama", model="m", adapter=adapter, startup_seconds=120), servers))
    assert "by hand: ollama create" in error.value.hint


def test_no_engine_gets_a_key(
    workshop: Path, model: Callable[..., ServerModel], monkeypatch: pytest.MonkeyPatch, servers: Servers
) -> None:
    monkeypatch.setenv("VLLM_API_KEY", "secret")  # vLLM would demand it of us
    for name in ("OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "GITHUB_TOKEN", "DATABASE_URL"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert said(ServerLM(model(), servers)).startswith("I am")
    seen = set(noted(workshop, "starts")[0]["environment"])
    assert seen >= {"PATH", "CUDA_VISIBLE_DEVICES", "PYTHONSAFEPATH", "HF_HUB_OFFLINE"}
    assert not seen & {"VLLM_API_KEY", "OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "DATABASE_URL"}


@pytest.mark.parametrize("name", ["api-key", "api_key", "hf-token", "admin-api-key"])
def test_keys_are_no_options(name: str) -> None:
    with pytest.raises(ValidationError, match="must not be in a recipe") as error:
        ServerModel(engine="vllm", args={name: "sk-secret"})
    assert "sk-secret" not in str(error.value)
    ServerModel(engine="vllm", args={"max-num-batched-tokens": 2048})


@pytest.mark.parametrize(
    "url", ["localhost:8000", "ftp://host", "http://", "http://host:99999", "http://h:x", "http://me:pw@host"]
)
def test_an_url_that_is_none(url: str) -> None:
    with pytest.raises(ValidationError, match=r"http://|no user"):
        ServerModel(engine="vllm", url=url)
    with pytest.raises(ValidationError, match=r"http://|no user"):
        RemoteModel(model="m", base_url=url)


def test_a_port_at_which_somebody_else_listens(
    workshop: Path, model: Callable[..., ServerModel], servers: Servers
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ModelError, match=f"port {port} is taken") as error:
            said(ServerLM(model(port=port), servers))
    assert "leave `port` out" in error.value.hint
    assert not noted(workshop, "starts")
    assert said(ServerLM(model(port=port), servers)).startswith("I am")


def test_one_server_at_a_time(workshop: Path, model: Callable[..., ServerModel], servers: Servers) -> None:
    student, teacher = ServerLM(model("student"), servers), ServerLM(model("teacher"), servers)
    assert said(student).endswith("student.")
    assert said(teacher).endswith("teacher.")
    first, second = noted(workshop, "starts")
    assert gone(first["pid"])
    assert psutil.pid_exists(second["pid"])
    assert said(student).endswith("student.")  # swapped back
    assert len(noted(workshop, "starts")) == 3


def test_a_server_that_does_not_answer_in_time(
    workshop: Path, model: Callable[..., ServerModel], monkeypatch: pytest.MonkeyPatch, servers: Servers
) -> None:
    monkeypatch.setenv("FAKE_LOADS", "600")
    with pytest.raises(ModelError, match="did not answer within") as error:
        said(ServerLM(model(startup_seconds=8), servers))
    assert "Loading the model ..." in error.value.what
    assert "vllm serve" in error.value.what
    assert "startup_seconds" in error.value.hint
    assert gone(noted(workshop, "starts")[0]["pid"])


def test_a_server_that_answers_503_while_it_loads(
    workshop: Path, model: Callable[..., ServerModel], monkeypatch: pytest.MonkeyPatch, servers: Servers
) -> None:
    monkeypatch.setenv("FAKE_WARMS_UP", "2")
    file = f"{model().model}/config.json"
    assert said(ServerLM(ServerModel(engine="llama-cpp", model=file), servers)) == f"I am {file}."
    assert len(noted(workshop, "healthy")) == 1


def test_a_server_that_ends_at_once(
    workshop: Path, model: Callable[..., ServerModel], monkeypatch: pytest.MonkeyPatch, servers: Servers
) -> None:
    monkeypatch.setenv("FAKE_ENDS", "1")
    with pytest.raises(ModelError, match="ended before it answered") as error:
        said(ServerLM(model(), servers))
    assert "longer than the KV cache" in error.value.what
    assert len(noted(workshop, "starts")) == 1


def test_a_port_that_was_taken_meanwhile(
    workshop: Path, model: Callable[..., ServerModel], monkeypatch: pytest.MonkeyPatch, servers: Servers
) -> None:
    monkeypatch.setenv("FAKE_PORT_TAKEN", "1")
    assert said(ServerLM(model(), servers)).startswith("I am")
    first, second = noted(workshop, "starts")
    assert first["port"] != second["port"]


@pytest.mark.parametrize("backoff", [0.5, 0.001])  # the tries end after its watchdog says so, or before
def test_a_server_that_dies_while_it_is_asked(
    workshop: Path,
    model: Callable[..., ServerModel],
    monkeypatch: pytest.MonkeyPatch,
    servers: Servers,
    backoff: float,
) -> None:
    monkeypatch.setattr("selfstudy.models.remote.retries.BACKOFF", backoff)
    monkeypatch.setenv("FAKE_DIES", "1")
    with pytest.raises(ModelError, match="ended while") as error:
        said(ServerLM(model(), servers))
    assert "out of memory" in error.value.what


def test_a_stubborn_engine_and_its_workers_are_ended(
    workshop: Path, model: Callable[..., ServerModel], monkeypatch: pytest.MonkeyPatch, servers: Servers
) -> None:
    monkeypatch.setenv("FAKE_STUBBORN", "1")
    monkeypatch.setenv("FAKE_WORKER", "1")
    said(ServerLM(model(), servers))
    servers.close()
    assert gone(noted(workshop, "starts")[0]["pid"])
    assert gone(noted(workshop, "workers")[0]["pid"])


ASK = """
import os, sys, time
from selfstudy.models.base import GREEDY, chat
from selfstudy.models.server.lm import ServerLM
from selfstudy.recipe import ServerModel
lm = ServerLM(ServerModel(engine="llama-cpp", model=sys.argv[1], startup_seconds=120))
lm.generate([chat("Who are you?")], GREEDY)
if len(sys.argv) > 2 and os.fork() == 0:
    time.sleep(600)  # holds everything that was open
    os._exit(0)
print("asked", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize(("number", "forked"), [(signal.SIGKILL, True), (signal.SIGINT, False)])
def test_no_server_outlives_selfstudy(
    number: signal.Signals,
    forked: bool,
    workshop: Path,
    model: Callable[..., ServerModel],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FAKE_WORKER", "1")
    arguments = [f"{model().model}/config.json", *(["fork"] if forked else [])]
    parent = subprocess.Popen([sys.executable, "-c", ASK, *arguments], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "asked\n"
    children = psutil.Process(parent.pid).children()
    watchdogs = [child for child in children if any("watchdog" in part for part in child.cmdline())]
    parent.send_signal(number)
    deadline = time.monotonic() + GONE_SECONDS
    parent.wait(GONE_SECONDS)
    assert gone(noted(workshop, "starts")[0]["pid"], deadline)
    assert gone(noted(workshop, "workers")[0]["pid"], deadline)
    assert all(gone(watchdog.pid, deadline) for watchdog in watchdogs)
    for child in children:
        if child not in watchdogs:  # the fork is ours to end
            child.kill()


def test_ctrl_c_while_it_loads(
    workshop: Path, model: Callable[..., ServerModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_LOADS", "600")
    parent = subprocess.Popen(
        [sys.executable, "-c", ASK, f"{model().model}/config.json"], stderr=subprocess.DEVNULL
    )
    while not noted(workshop, "starts"):
        time.sleep(0.1)
    parent.send_signal(signal.SIGINT)
    assert gone(noted(workshop, "starts")[0]["pid"])
    parent.wait(GONE_SECONDS)


@pytest.fixture
def running(workshop: Path, model: Callable[..., ServerModel]) -> Iterator[tuple[str, str]]:
    """URL and model of a server that somebody else started."""
    name = model().model
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(["vllm", "serve", name, "--port", "0"], stdout=log)
        port = 0
        while not port:
            time.sleep(0.05)
            listening = [c for c in psutil.Process(process.pid).net_connections() if c.status == "LISTEN"]
            port = listening[0].laddr.port if listening else 0
        yield f"http://127.0.0.1:{port}", name
        assert process.poll() is None  # nobody stopped it
        process.kill()
        process.wait()


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
def test_a_running_server_is_used_and_left_alone(
    running: tuple[str, str], suffix: str, workshop: Path, servers: Servers
) -> None:
    url, name = running
    lm = load_lm(ServerModel(engine="vllm", model=name, url=url + suffix), servers=servers)
    assert said(lm) == f"I am {name}."
    servers.close()
    assert said(lm) == f"I am {name}."
    assert len(noted(workshop, "starts")) == 1


def test_a_running_server_is_given_the_adapter(
    running: tuple[str, str], adapter: Path, servers: Servers
) -> None:
    url, name = running
    assert said(
        load_lm(ServerModel(engine="vllm", model=name, url=url, adapter=adapter), servers=servers)
    ).startswith("I am selfstudy-")


def test_a_running_server_with_another_model(running: tuple[str, str], servers: Servers) -> None:
    url, name = running
    with pytest.raises(ModelError, match=f"serves {name}, not other"):
        said(load_lm(ServerModel(engine="vllm", model="other", url=url), servers=servers))


def test_no_server_at_the_url(servers: Servers) -> None:
    lm = load_lm(ServerModel(engine="vllm", model="m", url="http://127.0.0.1:9"), servers=servers)
    with pytest.raises(ModelError, match="no vllm server answers at") as error:
        said(lm)
    assert "vllm serve m" in error.value.hint


def test_a_running_server_that_only_swaps_cannot_be_given_an_adapter(
    running: tuple[str, str], adapter: Path, servers: Servers
) -> None:
    url, name = running
    lm = load_lm(ServerModel(engine="transformers", model=name, url=url, adapter=adapter), servers=servers)
    with pytest.raises(ModelError, match="cannot be given the adapter") as error:
        said(lm)
    assert "leave `url` out" in error.value.hint


def test_what_cannot_work_is_said_before_anything_starts(
    tmp_path: Path, adapter: Path, servers: Servers
) -> None:
    with pytest.raises(ModelError, match="no model file"):
        ServerLM(ServerModel(engine="llama-cpp", model="no.gguf"), servers)
    with pytest.raises(ModelError, match="cannot serve the adapter") as error:
        ServerLM(ServerModel(engine="llama-cpp", model="no.gguf", adapter=adapter), servers)
    assert "convert_lora_to_gguf" in error.value.hint
    with pytest.raises(ModelError, match="no model folder"):
        ServerLM(ServerModel(engine="vllm", model=str(tmp_path / "nowhere")), servers)


def test_tokens_are_counted_without_a_server(tiny_llama: Path, servers: Servers) -> None:
    lm = ServerLM(ServerModel(engine="transformers", model=str(tiny_llama)), servers)
    assert lm.count_tokens("The Danube flows through Vienna.") > 5
    named = ServerLM(ServerModel(engine="vllm", model="no such model", url="http://127.0.0.1:9"), servers)
    assert named.count_tokens("one two three") == 4
