"""What the doctor finds of models and servers, and that each failure names what fixes it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from selfstudy.verbs.doctor import Finding, examine
from tests.verbs.doctor.looking import findings, written


def test_the_models_of_a_recipe(tmp_path: Path, tiny_llama: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "config.json").write_text("{}")
    recipe = written(
        tmp_path,
        f"""
        model: {{path: {tiny_llama}}}
        teacher: {{path: {empty}}}
        judge: {{path: {tiny_llama}, adapter: {tmp_path / "no-adapter"}}}
        embedder: {{path: minilm}}
        library: atlas
        """,
    )
    found = findings(recipe, tmp_path)
    assert found["recipe"].state == found["model"].state == found["nli"].state == "ok"
    assert found["library"].state == "ok"
    assert found["teacher"].state == "fail"
    assert "no *.safetensors" in found["teacher"].found
    assert "save_pretrained" in found["teacher"].fix
    assert found["judge"].state == "fail"
    assert "no adapter" in found["judge"].found
    routed = tmp_path / "routed"
    (routed / "eu-1").mkdir(parents=True)
    for name in ("router.json", "eu-1/adapter_config.json", "eu-1/adapter_model.safetensors"):
        (routed / name).write_text("{}")
    said = findings(
        written(tmp_path, f"library: atlas\nmodel: {{path: {tiny_llama}, adapter: {routed}}}"), tmp_path
    )
    assert said["model"].state == "ok"
    assert f"1 adapters at {routed}, one picked by prompt" in said["model"].found


def test_a_model_that_would_have_to_be_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from selfstudy.models.local import loading

    recipe = written(tmp_path, "model: {path: some-owner/no-such-model}\nlibrary: atlas\n")
    monkeypatch.setattr(loading, "hub_answers", lambda: False)
    found = findings(recipe, tmp_path)["model"]
    assert found.state == "fail"
    assert "hf download some-owner/no-such-model" in found.fix
    monkeypatch.setattr(loading, "hub_answers", lambda: True)
    assert findings(recipe, tmp_path)["model"].state == "ok"


def test_engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    recipe = written(
        tmp_path,
        """
        model: {type: server, engine: vllm, model: atlas}
        teacher: {type: server, engine: vllm, model: atlas, url: "http://127.0.0.1:9"}
        library: atlas
        """,
    )
    found = findings(recipe, tmp_path)
    assert found["model"].state == "fail"
    assert found["model"].fix == "pip install vllm"
    assert found["model weights"].state == "ok"
    assert found["teacher"].state == "fail"
    assert "vllm serve atlas" in found["teacher"].fix
    assert found["vllm"].found.startswith("note: ")


class Guarded(BaseHTTPRequestHandler):
    """Wants the key `good`."""

    def do_GET(self) -> None:
        good = self.headers["Authorization"] == "Bearer good"
        self.send_response(200 if good else 401)
        self.end_headers()
        self.wfile.write(b'{"data": []}' if good else b'{"error": {"message": "no such key"}}')

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The URL of a server on the loopback interface."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def guarded() -> Iterator[str]:
    with serving(Guarded) as url:
        yield f"{url}/v1"


def test_a_remote_model(tmp_path: Path, guarded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "model: {type: remote, model: m, base_url: '%s', api_key_env: MY_KEY}\nlibrary: atlas\n"
    recipe = written(tmp_path, text % guarded)
    monkeypatch.delenv("MY_KEY", raising=False)
    monkeypatch.setenv("SELFSTUDY_ALLOW_KEYS", "MY_KEY=127.0.0.1")
    missing = findings(recipe, tmp_path)["model"]
    assert missing.state == "fail"
    assert "$MY_KEY" in missing.fix
    monkeypatch.setenv("MY_KEY", "bad-secret")
    wrong = findings(recipe, tmp_path)["model"]
    assert wrong.state == "fail"
    assert "bad-secret" not in str(wrong)
    monkeypatch.setenv("MY_KEY", "good")
    assert findings(recipe, tmp_path)["model"].state == "ok"
    nobody = findings(written(tmp_path, text % "http://127.0.0.1:9/v1"), tmp_path)["model"]
    assert nobody.state == "fail"
    assert "curl http://127.0.0.1:9/v1/models" in nobody.fix


class Listing(BaseHTTPRequestHandler):
    """Has two models."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"data": [{"id": "gpt-large"}, {"id": "llama3:latest"}]}')

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def listing() -> Iterator[str]:
    with serving(Listing) as url:
        yield url


@pytest.mark.parametrize(
    "block",
    [
        "type: remote, model: %s, base_url: '%s/v1'",
        "type: server, engine: ollama, model: %s, url: '%s'",
        "type: server, engine: vllm, model: %s, url: '%s', weights: atlas",
    ],
)
def test_a_server_without_the_model(tmp_path: Path, listing: str, block: str) -> None:
    def found(model: str) -> Finding:
        path = written(tmp_path, f"model: {{{block % (model, listing)}}}\nlibrary: atlas\n")
        return findings(path, tmp_path)["model"]

    assert found("gpt-large").state == found("llama3").state == "ok"
    wrong = found("gpt-larg")
    assert wrong.state == "fail"
    assert "has no model gpt-larg" in wrong.found
    assert wrong.fix == "set `model` to gpt-large and 1 more"
    assert found("zzz").fix == "set `model` to gpt-large, llama3:latest"


def test_a_model_file_that_is_not_there(tmp_path: Path) -> None:
    file = tmp_path / "m.gguf"
    recipe = written(tmp_path, "model: {type: server, engine: llama-cpp, model: m.gguf}\nlibrary: atlas\n")
    found = findings(recipe, tmp_path)["recipe"]
    assert (found.state, f"model.model: no model file at {file}" in found.found) == ("fail", True)
    file.write_bytes(b"GGUF")
    assert not [one for one in examine(tmp_path, recipe) if "no model file" in one.found]


def test_weights_of_4_bits_need_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = written(tmp_path, "model: {path: atlas, load_in_4bit: true}\nlibrary: atlas\n")
    monkeypatch.setattr("selfstudy.models.local.four_bit.find_spec", lambda name: None)
    found = findings(recipe, tmp_path)["model"]
    assert found.state == "fail"
    assert "needs the package 'bitsandbytes'" in found.found
    assert found.fix == "pip install 'selfstudy[4bit]'"
