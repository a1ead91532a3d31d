"""The server around the routes: the key, the host, loading anew, stopping, and what it says meanwhile."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from selfstudy.errors import ModelError
from selfstudy.run.request_log import RequestLine
from selfstudy.serve.limits import RequestLimits
from selfstudy.serve.server import ApiServer
from tests.serve.serving import Echo, Plain, fixed, plain_offer, routed_offer, serving, wait_until

KEY = "correct-horse-battery-staple"
HELLO = {"messages": [{"role": "user", "content": "hello"}]}


def post(server: ApiServer, body: Any = HELLO, **headers: str) -> httpx2.Response:
    return httpx2.post(f"{server.url}/v1/chat/completions", json=body, headers=headers, timeout=30)


def said(answer: httpx2.Response) -> str:
    return str(answer.json()["choices"][0]["message"]["content"])


def test_without_the_key_nothing_is_answered_but_that_it_lives() -> None:
    lm = Plain()
    with serving(fixed(plain_offer(lm)), key=KEY) as server:
        for path in ("/v1/models", "/v1/models/base", "/metrics", "/nowhere", "/docs", "/admin/reload"):
            assert httpx2.get(server.url + path).status_code == 401
        for wrong in (
            "",
            KEY,
            "Bearer",
            "Bearer wrong",
            f"Bearer {KEY}x",
            f"Basic {KEY}",
            f"Bearer {KEY[:-1]}",
        ):
            answer = post(server, authorization=wrong)
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
            assert KEY not in answer.text
        twice = [("authorization", f"Bearer {KEY}"), ("authorization", "Bearer wrong")]
        assert httpx2.get(f"{server.url}/v1/models", headers=twice).status_code == 401
        assert httpx2.post(f"{server.url}/admin/reload").status_code == 401
        assert lm.batches == []
        assert httpx2.get(f"{server.url}/health").json() == {"status": "ok"}
        with pytest.raises(openai.AuthenticationError):
            openai.OpenAI(base_url=f"{server.url}/v1", api_key="wrong").models.list()
        right = openai.OpenAI(base_url=f"{server.url}/v1", api_key=KEY)
        assert [one.id for one in right.models.list()] == ["base"]
        assert said(post(server, authorization=f"Bearer {KEY}")) == "plain: hello"
        right.close()


def test_others_are_let_in_with_a_key_alone() -> None:
    with pytest.raises(ModelError, match="without a key"):
        ApiServer(fixed(plain_offer(Plain())), host="0.0.0.0", port=0)
    with serving(fixed(plain_offer(Plain())), host="0.0.0.0", key=KEY) as server:
        url = f"http://127.0.0.1:{server.port}"
        answer = httpx2.get(
            f"{url}/v1/models", headers={"host": "models.example", "authorization": f"Bearer {KEY}"}
        )
        assert answer.status_code == 200
        assert httpx2.get(f"{url}/v1/models").status_code == 401


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "[::1", "localhost:x@evil.example"]
)
def test_on_loopback_another_host_is_not_this_one(host: str) -> None:
    with serving(fixed(plain_offer(Plain()))) as server:
        answer = post(server, host=host)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "wrong_host")


def test_pages_of_other_sites_are_not_answered_nor_given_leave() -> None:
    with serving(fixed(plain_offer(Plain())), names=("api.example",)) as server:
        assert post(server, origin="https://evil.example").status_code == 403
        assert (
            httpx2.options(f"{server.url}/v1/chat/completions", headers={"origin": server.url}).status_code
            == 405
        )
        answer = post(server, origin=server.url)
        assert answer.status_code == 200
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert post(server, host="localhost:1234").status_code == 200
        assert post(server, host="api.example").status_code == 200


def test_a_port_in_use_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ModelError, match="is in use"):
        ApiServer(fixed(plain_offer(Plain())), port=taken.getsockname()[1])


def test_loading_anew_drops_nothing_and_old_names_are_told_the_new_ones() -> None:
    old, new = Echo(), Echo()
    new.adapters = ("fiji-99999999",)  # type: ignore[assignment]
    told: list[str] = []
    source = fixed(routed_offer(old, "one"), routed_offer(new, "two"))
    with serving(source, say=told.append) as server, ThreadPoolExecutor(2) as pool:
        old.open.clear()
        named = {**HELLO, "model": "fiji-00000001"}
        running = pool.submit(post, server, named)
        wait_until(lambda: old.batches)
        waiting = pool.submit(post, server, {**HELLO, "model": "togo-00000002"})
        wait_until(lambda: "queue_requests 1.0" in httpx2.get(f"{server.url}/metrics").text)
        assert httpx2.post(f"{server.url}/admin/reload").json() == {
            "result": "loaded",
            "models": ["routed", "base", "fiji-99999999"],
        }
        gone = post(server, named)
        assert (gone.status_code, gone.json()["error"]["code"]) == (404, "model_not_found")
        assert "fiji-99999999" in gone.json()["error"]["message"]
        old.open.set()
        assert said(running.result()) == "fiji-00000001 heard: hello"
        assert said(waiting.result()) == "togo-00000002 heard: hello"
        assert said(post(server, {**HELLO, "model": "fiji-99999999"})) == "fiji-99999999 heard: hello"
        assert httpx2.post(f"{server.url}/admin/reload").json()["result"] == "unchanged"
    assert told[0] == "loaded: routed, base, fiji-99999999"


def test_what_cannot_be_loaded_leaves_what_is_served() -> None:
    source = fixed(plain_offer(Plain("one"), "one"), plain_offer(Plain("two"), "two"))
    told: list[str] = []
    with serving(source, say=told.append) as server:
        source.load = _fails  # type: ignore[method-assign]
        answer = httpx2.post(f"{server.url}/admin/reload")
        assert (answer.status_code, "no weights" in answer.json()["error"]["message"]) == (500, True)
        assert said(post(server)) == "one: hello"
    assert "the old model goes on answering" in told[0]


def _fails() -> Any:
    raise ModelError("there are no weights", "copy them")


def test_what_is_promoted_is_served_where_it_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfstudy.serve.server.WATCHED_SECONDS", 0.02)
    source = fixed(plain_offer(Plain("one"), "one"), plain_offer(Plain("two"), "two"))
    with serving(source, watch=True) as server:
        wait_until(lambda: said(post(server)) == "two: hello")
        assert source.loads == 2
        time.sleep(0.1)
        assert source.loads == 2, "it goes on loading"


def test_stopping_finishes_what_runs_and_takes_no_more() -> None:
    lm = Echo()
    lm.open.clear()
    told: list[str] = []
    with serving(fixed(routed_offer(lm)), say=told.append) as server, ThreadPoolExecutor(3) as pool:
        running = pool.submit(post, server)
        wait_until(lambda: lm.batches)
        waiting = pool.submit(post, server)
        wait_until(lambda: "busy_requests 2.0" in httpx2.get(f"{server.url}/metrics").text)
        server.stop()
        wait_until(lambda: not server.running)
        wait_until(lambda: _closed(server))
        lm.open.set()
        assert said(running.result()) == said(waiting.result()) == "base heard: hello"
    assert "2 requests still run" in told[0]


def _closed(server: ApiServer) -> bool:
    try:
        httpx2.get(f"{server.url}/health")
    except httpx2.TransportError:
        return True
    return False


def test_stopping_has_an_end() -> None:
    lm = Echo()
    lm.open.clear()
    began = time.monotonic()
    with (
        serving(fixed(routed_offer(lm)), limits=RequestLimits(grace=1)) as server,
        ThreadPoolExecutor(1) as pool,
    ):
        running = pool.submit(_ended, server)
        wait_until(lambda: lm.batches)
        server.stop()
        assert running.result()
    assert time.monotonic() - began < 10


def _ended(server: ApiServer) -> bool:
    try:
        return post(server).status_code >= 500
    except httpx2.TransportError:
        return True


def test_the_log_has_questions_and_answers_and_no_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "sk-0a1b2c3d4e5f6a7b8c9d0e1f"
    file = tmp_path / "asked.jsonl"
    with serving(fixed(routed_offer(Echo())), key=KEY, log=file) as server:
        body = {"model": "routed", "messages": [{"role": "user", "content": f"Togo has {secret}"}]}
        assert said(post(server, body, authorization=f"Bearer {KEY}")).endswith(secret)
        assert post(server, body).status_code == 401
        assert post(server, {}, authorization=f"Bearer {KEY}").status_code == 400
    text = file.read_text()
    lines = [RequestLine.model_validate_json(line) for line in text.splitlines()]
    assert [(one.model, one.adapter, one.finish) for one in lines] == [("routed", "togo-00000002", "stop")]
    assert lines[0].question == "Togo has (not shown)"
    assert "Togo has" in lines[0].answer
    assert lines[0].completion_tokens == 5
    assert secret not in text
    assert KEY not in text
    assert file.stat().st_mode & 0o777 == 0o600


class Process:
    """`selfstudy serve` in a process of its own."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "selfstudy.cli", "serve", *arguments],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **environment},
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.lines += iter(self.process.stderr.readline, "")

    @property
    def url(self) -> str:
        def serving() -> list[str]:
            assert self.process.poll() is None, self.lines
            return [line for line in self.lines if line.startswith("serving at ")]

        wait_until(serving, 60)
        return serving()[0].split()[2].rstrip(",").removesuffix("/v1")

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


def test_the_verb_serves_until_it_is_told_to_stop(tiny_llama: Path, tmp_path: Path) -> None:
    arguments = (str(tiny_llama), "--port", "0", "--max-new-tokens", "200", "--api-key-env", "OURS")
    served = Process(*arguments, "--log", str(tmp_path / "log"), OURS=KEY)
    url = served.url
    with openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0) as client:
        served.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "loaded: base\n" in served.lines)
        with ThreadPoolExecutor(4) as pool:
            asked: list[Any] = [{"role": "user", "content": "Tell me of Vienna"}]
            running = [
                pool.submit(
                    lambda: client.chat.completions.create(model="base", messages=asked, max_tokens=200)
                )
                for _ in range(4)
            ]
            wait_until(lambda: _busy(url), 20)
            assert served.end(signal.SIGTERM) == 0
            assert all(one.result().choices[0].message.content for one in running)
    text = "".join(served.lines)
    assert f"curl {url}/v1/chat/completions" in text
    assert '"Authorization: Bearer $OURS"' in text
    assert "stopping: " in text
    assert KEY not in text
    assert "Vienna" not in text
    assert "Traceback" not in text
    assert len((tmp_path / "log").read_text().splitlines()) == 4


def _busy(url: str) -> bool:
    text = httpx2.get(f"{url}/metrics", headers={"authorization": f"Bearer {KEY}"}).text
    return "selfstudy_busy_requests 4.0" in text


def test_the_verb_says_what_is_wrong(tmp_path: Path) -> None:
    def refused(*arguments: str, **environment: str) -> str:
        served = Process(*arguments, **environment)
        assert served.process.wait(60) == 2
        time.sleep(0.05)
        return "".join(served.lines)

    assert "$OURS holds no key" in refused("atlas", "--api-key-env", "OURS", OURS="short")
    missing = refused(str(tmp_path / "nowhere"), "--port", "0")
    assert "nowhere" in missing
    assert "Traceback" not in missing
