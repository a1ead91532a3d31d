"""Replies made to break the client: packed bombs, second replies, numbers without end, what is no text."""

from __future__ import annotations

import asyncio
import gzip
import json
import math
import ssl
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from selfstudy.models import load_lm
from selfstudy.models.base import GREEDY, Sampling, chat
from selfstudy.models.remote import retries
from selfstudy.models.remote.connections import Connections
from selfstudy.models.remote.lm import RemoteLM
from selfstudy.recipe import RemoteModel

from ..models.remote.faulty_server import FaultyServer, Reaction, Request
from ..models.remote.test_connections import Scripted, request_of

PLAIN = b'{"choices": [{"message": {"content": "fine"}}]}'


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(retries, "BACKOFF", 0.001)
    monkeypatch.setenv("SELFSTUDY_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def ask(reaction: Callable[[Request], Reaction], **block: Any) -> list[Any]:
    """What comes of a bad reply to one question of three, through the model's door."""

    def react(request: Request) -> Reaction:
        return reaction(request) if request.question == "bad" else Reaction()

    with FaultyServer(react) as server:
        lm = load_lm(RemoteModel(model="m", base_url=server.url, deadline=20, **block), cache=False)
        rows = lm.generate([chat("good"), chat("bad"), chat("fine")], GREEDY)
    assert [rows[0][0].text, rows[2][0].text] == ["good | greedy | 0", "fine | greedy | 0"]
    return rows[1]


# bombs


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("gzip", gzip.compress(PLAIN, mtime=0)),
        ("x-gzip", gzip.compress(PLAIN, mtime=0)),
        ("GZip", gzip.compress(PLAIN, mtime=0)),
        ("deflate", zlib.compress(PLAIN)),
        ("deflate", raw_deflate(PLAIN)),
        ("identity", PLAIN),
        ("", PLAIN),
    ],
)
def test_what_was_packed_as_asked_for_is_read(encoding: str, content: bytes) -> None:
    assert ask(lambda r: Reaction(body=content, headers={"content-encoding": encoding}))[0].text == "fine"


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("gzip, gzip", gzip.compress(gzip.compress(PLAIN, mtime=0), mtime=0)),
        ("br", b"\x8b\x17\x80" + PLAIN),
        ("zstd", b"\x28\xb5\x2f\xfd" + PLAIN),
        ("gzip", gzip.compress(PLAIN, mtime=0)[:-12]),
        ("gzip", PLAIN),
        ("deflate", PLAIN),
        (", ".join(["gzip"] * 1000), PLAIN),
    ],
)
def test_what_was_not_is_an_error_of_its_item(encoding: str, content: bytes) -> None:
    found = ask(lambda r: Reaction(body=content, headers={"content-encoding": encoding}))
    assert "unpacked" in found[0].error or "not asked for" in found[0].error


BOMB = """
import resource, sys
from selfstudy.models import load_lm
from selfstudy.models.base import GREEDY, chat
from selfstudy.models.remote import retries
from selfstudy.recipe import RemoteModel
retries.BACKOFF = 0.001
lm = load_lm(RemoteModel(model="m", base_url=sys.argv[1]), cache=False)
lm.generate([chat("good")], GREEDY)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rows = lm.generate([chat(kind) for kind in sys.argv[2:]] * 2, GREEDY)
print(*[(row[0].error or "")[:80] for row in rows], sep="\\n")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def packed(start: bytes, filling: bytes, size: int) -> bytes:
    """gzip of `start` and so many bytes of filling, without holding them."""
    packer = zlib.compressobj(1, wbits=zlib.MAX_WBITS | 16)
    block = filling * (2**20 // len(filling))
    parts = [packer.compress(start), *(packer.compress(block) for _ in range(size // len(block)))]
    return b"".join([*parts, packer.flush()])


def test_bombs_take_little_memory() -> None:
    bombs = {
        "600 MB": (packed(b'{"choices": "', b"x", 600 * 10**6), "more than 67,108,864 bytes"),
        "lists": (packed(b'{"choices": [', b"[],", 50 * 10**6), "values"),
        "depth": (packed(b"", b"[", 50 * 10**6), "values"),
        "backslashes": (packed(b'{"error": {"message": "', b"\\", 50 * 10**6), "no JSON"),
    }

    def react(request: Request) -> Reaction:
        bomb = bombs.get(request.question)
        return Reaction(body=bomb[0], headers={"content-encoding": "gzip"}) if bomb else Reaction()

    with FaultyServer(react) as server:
        done = subprocess.run(
            [sys.executable, "-c", BOMB, server.url, *bombs], capture_output=True, text=True, timeout=300
        )
    *errors, grown = done.stdout.splitlines()
    assert len(errors) == 8, done.stderr
    for error, (content, said) in zip(errors, [*bombs.values()] * 2, strict=True):
        assert said in error
        assert len(content) < 4 * 10**6
    assert int(grown) < 400


def test_a_drip_ends_in_time() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X: y\r\n")
            await writer.drain()
            await asyncio.sleep(0.02)

    async def talk() -> Any:
        async with Scripted(drip) as server:
            lm = RemoteLM(
                RemoteModel(model="m", base_url=server.url, read_timeout=5, total_timeout=0.3, deadline=1)
            )
            return await asyncio.to_thread(lm.generate, [chat("q")], GREEDY)

    began = time.monotonic()
    with pytest.raises(Exception, match="has answered nothing for 1 s"):
        asyncio.run(talk())
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("head", [b"X: " + b"x" * 2**18, b"X: y\r\n" * 2**16, b"x" * 2**18])
def test_heads_without_end_are_left(head: bytes) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n" + head)

    async def talk() -> None:
        async with (
            Scripted(script) as server,
            httpx2.AsyncClient(transport=Connections(server.url, 4), timeout=5) as client,
        ):
            await client.get(server.url)

    with pytest.raises(httpx2.RemoteProtocolError):
        asyncio.run(talk())


# second replies

FIRST, STALE = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstale",
)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    "parts",
    [
        [FIRST + STALE],
        [FIRST, STALE],
        [FIRST[:20], FIRST[20:] + STALE],
        [FIRST + STALE[:30]],
        [FIRST + b"\r\n"],
        [CHUNKED + STALE],
        [CHUNKED, STALE],
        [FIRST + STALE + STALE],
        [b"HTTP/1.1 204 X\r\n\r\n" + STALE],
        [b"HTTP/1.1 103 Hints\r\n\r\n" + FIRST + STALE],
    ],
)
@pytest.mark.parametrize("pause", [0.0, 0.02])
@pytest.mark.parametrize("encrypted", [False, True])
def test_a_second_reply_is_no_answer(
    parts: list[bytes], pause: float, encrypted: bool, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each connection gives its extra reply once; nothing that is asked later may get it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for number in range(10):
                asked = await request_of(reader)
                if b"/bad " in asked:
                    for part in parts:
                        writer.write(part)
                        await writer.drain()
                        await asyncio.sleep(pause)
                else:
                    body = asked.split(b" ")[1]
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
                assert number < 9
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def talk() -> list[bytes]:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls if encrypted else None)
        port = server.sockets[0].getsockname()[1]
        url = f"{'https' if encrypted else 'http'}://localhost:{port}"
        async with httpx2.AsyncClient(transport=Connections(url, 4), timeout=5) as client:
            found = []
            for name in ("one", "bad", "two", "three", "bad", "four"):
                found.append((await client.get(f"{url}/{name}")).content)
                await asyncio.sleep(pause)
            return found

    one, _, two, three, _, four = asyncio.run(talk())
    assert [one, two, three, four] == [b"/one", b"/two", b"/three", b"/four"]


# numbers


def logprobs(*values: str) -> bytes:
    """A reply with log-probabilities as they stand here, which need not be JSON's."""
    content = ", ".join(f'{{"token": "a", "logprob": {value}}}' for value in values)
    return (
        f'{{"choices": [{{"message": {{"content": "x"}}, "logprobs": {{"content": [{content}]}}}}]}}'.encode()
    )


@pytest.mark.parametrize(
    "value",
    [
        "1e400",
        "-1e400",
        "NaN",
        "Infinity",
        "-Infinity",
        "-" + "9" * 400,
        "9" * 4300,
        "true",
        '"1"',
        "1e308",
        "null",
    ],
)
def test_log_probabilities_without_end(value: str) -> None:
    for values in ([value], [value, "-1"], [value, value], ["-" + value.lstrip("-"), value]):
        found = ask(lambda r, values=values: Reaction(body=logprobs(*values)), logprobs=True)  # type: ignore[misc]
        assert found[0].error or (found[0].text == "x" and math.isnan(found[0].logprob))


@pytest.mark.parametrize(
    "value", ["9" * 400, "9" * 4300, "1" + "0" * 5000, "-1", "1e400", "NaN", '"7"', "[]"]
)
@pytest.mark.parametrize("name", ["prompt_tokens", "completion_tokens", "index", "code"])
def test_counts_without_end(name: str, value: str) -> None:
    usage = f'"usage": {{"{name}": {value}}}'
    index = f'"index": {value}, ' if name == "index" else ""
    body = f'{{"choices": [{{{index}"message": {{"content": "x"}}}}], {usage}}}'
    if name == "code":
        body = f'{{"error": {{"code": {value}, "message": {value}}}}}'
    found = ask(lambda r: Reaction(body=body.encode()), prices={"prompt": 1, "completion": 1})
    assert found[0].error or found[0].text == "x"


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"choices": ' + b"[" * 150 + b"]" * 150 + b"}",
        b'{"choices": [{"message": {"content": "\\ud800"}}]}',
        b'{"choices": [{"message": {"content": "\xff\xfe"}}]}',
        b'{"choices": [{"message": {"content": {"a": 1}}, "finish_reason": {"b": ['
        + b"[" * 90
        + b"]" * 90
        + b"]}}]}",
        b'{"choices": [{"message": null, "logprobs": {"content": [[]]}}]}',
        b'{"choices": {"a": 1}}',
        b'"choices"',
        b"",
        b"9" * 5000,
    ],
)
def test_what_is_no_reply_is_an_error_of_its_item(content: bytes) -> None:
    assert ask(lambda r: Reaction(body=content))[0].error


@pytest.mark.parametrize(
    "after", ["1e400", "nan", "-1", "9" * 400, "Mon, 01 Jan 0001 00:00:00 -0000", "Mon, 99 X"]
)
def test_a_wait_without_end_stops_nothing_else(after: str) -> None:
    def react(request: Request) -> Reaction:
        return Reaction(429, headers={"retry-after": after}) if request.number == 1 else Reaction()

    with FaultyServer(react) as server:
        lm = load_lm(RemoteModel(model="m", base_url=server.url, deadline=5), cache=False)
        try:
            rows = lm.generate([chat("a"), chat("b")], Sampling(temperature=0.0))
            assert rows[1][0].text == "b | greedy | 0"
        except Exception as error:
            assert "wants no request for" in str(error)  # noqa: PT017


# what is no text


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "\x00", "\udce9t\udce9"])
def test_a_question_that_is_no_text_is_an_error_of_its_item(text: str) -> None:
    with FaultyServer() as server:
        lm = load_lm(RemoteModel(model="m", base_url=server.url))
        rows = lm.generate([chat("good"), chat(text), chat("fine")], Sampling(n=2, temperature=1.0))
    assert [row[0].error for row in (rows[0], rows[2])] == [None, None]
    if text == "\x00":
        assert rows[1][0].error is None
    else:
        assert "cannot be sent" in (rows[1][0].error or "")


def test_of_a_local_model_too(tiny_llama: Path) -> None:
    from selfstudy.recipe import LocalModel

    lm = load_lm(LocalModel(path=str(tiny_llama)))
    rows = lm.generate(
        [chat("good"), chat("a\ud800b"), chat("fine")], Sampling(temperature=0.0, max_new_tokens=4)
    )
    assert all(row[0].error is None for row in (rows[0], rows[2]))
    values = lm.logprobs([chat("good"), chat("a\ud800b")], ["Paris", "P\udfff"])
    assert values[0]
    json.dumps([row[0].model_dump() for row in rows]).encode()
