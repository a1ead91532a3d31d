"""An upload by huggingface_hub itself, to a Hub on this machine that keeps what it is given."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from selfstudy.errors import DataError, ModelError, RunError
from selfstudy.verbs.publishing import hub
from selfstudy.verbs.publishing.publish import PublishOptions, publish
from tests.conftest import TEMPLATE
from tests.verbs.publishing.taught import make_taught

TOKEN = "hf_" + "a" * 34


class SmallHub(BaseHTTPRequestHandler):
    """As much of the Hub's API as an upload of small files asks."""

    server: Any

    def do_GET(self) -> None:
        if self.headers.get("authorization") != f"Bearer {TOKEN}":
            self._say({"error": "Invalid credentials"}, 401)
        elif self.path == "/api/whoami-v2":
            self._say({"name": "me", "type": "user"})
        else:
            made = self.server.repos.get(self.path.removeprefix("/api/models/"))
            private = made is not None and made.get("visibility") == "private"
            self._say({"id": self.path, "siblings": [], "private": private}, 404 if made is None else 200)

    def do_POST(self) -> None:
        body = self._body()
        self.server.asked.append(self.path)
        if self.path == "/api/repos/create":
            made = json.loads(body)
            self.server.repos[f"me/{made['name']}"] = made
            self._say({"url": f"https://huggingface.co/me/{made['name']}", "name": f"me/{made['name']}"})
        elif "/preupload/" in self.path:
            files = json.loads(body)["files"]
            self._say(
                {
                    "files": [
                        {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files
                    ]
                }
            )
        elif "/commit/" in self.path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.server.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            self._say(
                {
                    "success": True,
                    "commitOid": "0" * 40,
                    "commitUrl": "https://huggingface.co/me/fiji/commit/0",
                }
            )
        else:
            self._say({"warnings": [], "errors": []})

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding") == "chunked":
            found = b""
            while size := int(self.rfile.readline(), 16):
                found += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return found
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def _say(self, value: object, status: int = 200) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        if status == 404:
            self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def small_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), SmallHub)
    server.repos, server.files, server.asked = {}, {}, []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    yield server
    server.shutdown()
    server.server_close()


def test_an_upload_arrives_whole_and_once(small_hub: Any, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("---\ntags: [selfstudy]\n---\nx")
    (tmp_path / "adapter_model.safetensors").write_bytes(b"weights")
    (tmp_path / ".selfstudy").write_text("ours")
    (tmp_path / ".selfstudy.lock").write_text("process 1 on here\n")
    api = hub.ready("me/fiji", force=False, private=True)
    url = hub.upload(api, tmp_path, "me/fiji", private=True, message="taught")
    assert url == "https://huggingface.co/me/fiji/commit/0"
    assert small_hub.files == {
        "README.md": b"---\ntags: [selfstudy]\n---\nx",
        "adapter_model.safetensors": b"weights",
    }
    assert small_hub.repos["me/fiji"]["visibility"] == "private"
    assert "/api/validate-yaml" in small_hub.asked  # the Hub's own check of the card
    with pytest.raises(DataError, match="is on the Hub already"):
        hub.ready("me/fiji", force=False, private=True)
    hub.ready("me/fiji", force=True, private=True)


def test_what_is_to_be_private_is_not_added_to_a_repository_that_all_see(small_hub: Any) -> None:
    small_hub.repos["me/fiji"] = {"visibility": "public"}
    with pytest.raises(DataError, match="me/fiji is public"):
        hub.ready("me/fiji", force=True, private=True)
    hub.ready("me/fiji", force=True, private=False)


@pytest.mark.slow
def test_a_run_is_uploaded_once_it_was_loaded_back_and_agreed_to(
    small_hub: Any, model_folder: Callable[..., Path], tmp_path: Path
) -> None:
    run = make_taught(tmp_path / "run", model_folder("llama", TEMPLATE))
    options = PublishOptions(to="hub:me/fiji", private=True)
    with pytest.raises(ModelError, match="nobody finds on the Hub"):
        publish(run.path, options, lambda line: None)
    options = replace(options, base="acme/tiny")
    asked: list[str] = []
    with pytest.raises(RunError, match="nothing was uploaded"):
        publish(run.path, options, lambda line: None, lambda question: bool(asked.append(question)))
    assert "to the private repository me/fiji?" in asked[0]
    assert not small_hub.files
    assert (tmp_path / "run-upload-not-published/README.md").is_file()
    done = publish(run.path, options, lambda line: None)
    assert (done.check.same, done.place) == (10, "https://huggingface.co/me/fiji/commit/0")
    card = small_hub.files["README.md"].decode()
    assert "base_model: acme/tiny" in card
    assert "PeftModel.from_pretrained(model, 'me/fiji')" in card
    assert set(small_hub.files) == {
        *("README.md", "adapter_config.json", "adapter_model.safetensors", "chat_template.jinja"),
        *("tokenizer.json", "tokenizer_config.json"),
    }
    assert all(str(tmp_path).encode() not in data for data in small_hub.files.values())
    assert not (tmp_path / "run-upload").exists()


def test_what_stands_in_the_way_is_told_in_a_sentence(
    small_hub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = "hf_" + "b" * 34
    monkeypatch.setenv("HF_TOKEN", wrong)
    with pytest.raises(ModelError, match="refuses") as refused:
        hub.ready("me/fiji", force=False, private=True)
    assert "hf auth login" in str(refused.value)
    assert wrong not in str(refused.value)
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", "/nonexistent/token")
    with pytest.raises(ModelError, match="no token for the Hub"):
        hub.ready("me/fiji", force=False, private=True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="switched off here"):
        hub.ready("me/fiji", force=False, private=True)


def test_a_hub_that_does_not_answer(small_hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelError, match="does not answer"):
        hub.ready("me/fiji", force=False, private=True)
