"""The standard transport as it is set up here: what is kept open, read and refused; where nothing is sent."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from selfstudy.errors import ModelError
from selfstudy.models.base import GREEDY, chat
from selfstudy.models.remote import connections, retries
from selfstudy.models.remote.connections import Connections, proxy_for
from selfstudy.models.remote.http import HTTPClient, Key, Trouble
from selfstudy.models.remote.lm import RemoteLM
from selfstudy.recipe import RemoteModel

from .faulty_server import FaultyServer, Reaction, Request, choice, reply

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(retries, "BACKOFF", 0.005)
    return


class Scripted:
    """A server on a loopback socket that answers by a script, inside the running loop.

    Attributes:
        got: the requests.
        opened: connections so far.
        open: connections now.
    """

    def __init__(self, script: Script) -> None:
        self.got: list[bytes] = []
        self.opened = self.open = 0
        self._script = script

    async def __aenter__(self) -> Scripted:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        self.open += 1
        try:
            while True:
                self.got.append(await request_of(reader))
                await self._script(reader, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            writer.close()


async def request_of(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    size = next(
        (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
    )
    return head + await reader.readexactly(size)


def ask(script: Script, times: int = 1, closing: bool = False) -> tuple[list[httpx2.Response], Scripted]:
    """The server's responses, and the server; one that is `closing` ends the connection after each."""

    async def all_of_it() -> tuple[list[httpx2.Response], Scripted]:
        async with (
            Scripted(script) as server,
            httpx2.AsyncClient(
                transport=Connections(server.url, 4), timeout=httpx2.Timeout(5, read=0.5)
            ) as client,
        ):
            found = []
            for _ in range(times):
                found.append(await client.post(f"{server.url}/v1/x?y=1", json={"a": "ü"}))
                async with asyncio.timeout(5):
                    while closing and server.open:
                        await asyncio.sleep(0.005)
                await asyncio.sleep(0.02)  # the end of a connection is on its way
            return found, server

    return asyncio.run(all_of_it())


def saying(*parts: bytes, close: bool = False) -> Script:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await asyncio.sleep(0.005)
        if close:
            writer.close()

    return script


PACKED = gzip.compress(b"packed")


@pytest.mark.parametrize(
    ("script", "body", "opened"),
    [
        (saying(b"HTTP/1.1 200 OK\r\nContent-Le", b"ngth: 5\r\n\r", b"\nhe", b"llo"), b"hello", 1),
        (
            saying(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n",
                b"2;x=1\r\nlo\r\n0\r\n\r\n",
            ),
            b"hello",
            1,
        ),
        (saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", close=True), b"hi", 3),
        (saying(b"HTTP/1.1 200 OK\r\n\r\nuntil", b" the end", close=True), b"until the end", 3),
        (saying(b"HTTP/1.1 204 No Content\r\n\r\n"), b"", 1),
        (
            saying(
                b"HTTP/1.1 200\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b"
                % (len(PACKED), PACKED)
            ),
            b"packed",
            1,
        ),
    ],
)
def test_replies_are_read_whole_and_connections_used_again(script: Script, body: bytes, opened: int) -> None:
    found, server = ask(script, times=3, closing=opened > 1)
    assert [response.content for response in found] == [body] * 3
    assert server.opened == opened
    assert server.got[0].startswith(b"POST /v1/x?y=1 HTTP/1.1\r\nHost: 127.0.0.1:")
    assert server.got[0].endswith('\r\n\r\n{"a":"ü"}'.encode())


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (
            saying(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", close=True),
            httpx2.RemoteProtocolError,
        ),
        (saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), httpx2.RemoteProtocolError),
        (saying(b"SSH-2.0-OpenSSH\r\n\r\n"), httpx2.RemoteProtocolError),
        (saying(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 2**18 + b"\r\n\r\n"), httpx2.RemoteProtocolError),
        (saying(b"", close=True), httpx2.RemoteProtocolError),
        (saying(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"), httpx2.ReadTimeout),
        (saying(), httpx2.ReadTimeout),
        (
            saying(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"),
            httpx2.DecodingError,
        ),
    ],
)
def test_what_is_no_reply_is_an_error_of_httpx(script: Script, error: type[Exception]) -> None:
    with pytest.raises(error):
        ask(script)


# how long a reply may be


def endless(sent: list[int]) -> Script:
    """A reply that never ends; `sent` counts its bytes."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"10000\r\n" + b" " * 2**16 + b"\r\n")
            sent.append(2**16)
            await writer.drain()

    return script


def test_a_reply_without_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LONGEST_REPLY", 2**20)
    sent: list[int] = []
    with pytest.raises(httpx2.DecodingError, match="more than 1,048,576 bytes"):
        ask(endless(sent))
    assert sum(sent) < 2**25  # what fits into the buffers of sockets came along


@pytest.mark.parametrize("packed", [False, True])
def test_a_reply_that_is_too_long_is_an_item_error(packed: bool) -> None:
    content = b" " * (connections.LONGEST_REPLY + 1)
    headers = {"content-encoding": "gzip"} if packed else {}
    content = gzip.compress(content) if packed else content
    with FaultyServer(
        lambda r: Reaction(body=content, headers=headers) if r.question == "long" else Reaction()
    ) as server:
        lm = RemoteLM(RemoteModel(model="m", base_url=server.url))
        [[short], [long]] = lm.generate([chat("short"), chat("long")], GREEDY)
        assert short.text == "short | greedy | 0"
        assert long.finish == "error"
        assert "a reply of more than 67,108,864 bytes" in (long.error or "")
        assert len(server.requests) <= 4  # three tries, not until the deadline


# cancellation


def test_what_is_given_up_holds_no_connection() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello")
        await reader.read()  # until the client goes away
        raise ConnectionError

    async def all_of_it() -> tuple[int, int]:
        async with Scripted(script) as server:
            client = HTTPClient(RemoteModel(model="m", base_url=server.url), Key(""))
            for _ in range(3):
                found = await asyncio.gather(
                    *(client.post("/x", {}, 0.3) for _ in range(8)), return_exceptions=True
                )
                assert all(isinstance(one, Trouble) and one.verdict == "slow" for one in found)
            async with asyncio.timeout(5):
                while server.open:
                    await asyncio.sleep(0.01)
            left = server.open
            await client.close()
            return server.opened, left

    opened, left = asyncio.run(all_of_it())
    assert opened > 8  # none is used again in the middle of a reply
    assert left == 0


# where nothing is sent


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_takes_the_key_nowhere(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """To another port, another host, another scheme, or within the server itself."""
    monkeypatch.setenv("MY_KEY", "sk-planted-0123456789abcdef")
    monkeypatch.setenv("SELFSTUDY_ALLOW_KEYS", "MY_KEY=127.0.0.1")

    def moved(request: Request) -> Reaction:
        return Reaction(status, b"", {"location": request.question[1:-1]})

    with FaultyServer() as other, FaultyServer(moved) as server:
        place = other.url.removeprefix("http:")
        elsewhere = place.replace("127.0.0.1", "localhost")
        where = [f"http:{place}", f"http:{elsewhere}", f"HTTP:{place}", place, elsewhere, f"https:{place}"]
        where += [f"/\\{place[2:]}", f"\t{place}", "/v1/chat/completions", "completions?x=1", ""]
        for location in where:
            asked = len(server.requests)
            block = RemoteModel(model="m", base_url=server.url, api_key_env="MY_KEY")
            with pytest.raises(ModelError, match="a redirect to") as caught:
                RemoteLM(block).generate([chat(f"<{location}>")], GREEDY)
            assert "base_url" in caught.value.hint
            assert len(server.requests) == asked + 1
        assert not other.requests


def test_nor_does_one_from_https_to_http(monkeypatch: pytest.MonkeyPatch, certificate: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    monkeypatch.setenv("MY_KEY", "sk-planted-0123456789abcdef")
    monkeypatch.setenv("SELFSTUDY_ALLOW_KEYS", "MY_KEY=localhost")
    with FaultyServer() as other:
        moved = Reaction(307, b"", {"location": f"{other.url}/chat/completions"})
        with FaultyServer(lambda request: moved, tls=tls) as server:
            url = server.url.replace("127.0.0.1", "localhost")
            block = RemoteModel(model="m", base_url=url, api_key_env="MY_KEY")
            with pytest.raises(ModelError, match="a redirect to"):
                RemoteLM(block).generate([chat("q")], GREEDY)
            assert [one.headers["authorization"] for one in server.requests] == [
                "Bearer sk-planted-0123456789abcdef"
            ]
        assert not other.requests


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_a_proxy_is_used_for_other_hosts_only(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def asked(url: str) -> str:
        lm = RemoteLM(RemoteModel(model="m", base_url=url))
        return lm.generate([chat("q")], GREEDY)[0][0].text

    with FaultyServer(lambda r: Reaction(body=reply(choice("by proxy")))) as proxy, FaultyServer() as server:
        monkeypatch.setenv(name, proxy.url.removesuffix("/v1"))
        monkeypatch.setenv("SELFSTUDY_ALLOW_HTTP", "models.invalid")
        assert asked("http://models.invalid/v1") == "by proxy"
        assert [request.path for request in proxy.requests] == ["http://models.invalid/v1/chat/completions"]
        for host in ("127.0.0.1", "localhost", "127.0.0.2", "0.0.0.0"):
            reached = server.url.replace("127.0.0.1", host)
            if host in ("127.0.0.1", "localhost"):
                assert asked(reached) == "q | greedy | 0"
            assert proxy_for(reached) is None
        assert len(proxy.requests) == 1


@pytest.mark.parametrize(
    ("url", "without", "proxy"),
    [
        ("http://[::1]:8000/v1", "", None),
        ("http://api.localhost:8000/v1", "", None),
        ("http://localhost.example/v1", "", "http://proxy:1"),
        ("http://example.org/v1", "", "http://proxy:1"),
        ("http://example.org/v1", "example.org", None),
        ("http://api.example.org:8000/v1", ".example.org", None),
        ("http://example.org/v1", "*", None),
        ("https://example.org/v1", "", None),
    ],
)
def test_which_proxy(monkeypatch: pytest.MonkeyPatch, url: str, without: str, proxy: str | None) -> None:
    monkeypatch.setenv("http_proxy", "proxy:1")
    monkeypatch.setenv("no_proxy", without)
    assert proxy_for(url) == proxy


@pytest.mark.parametrize("proxy", ["ftp://me:secret@proxy:21", "http://me:secret@proxy:port"])
def test_a_proxy_that_is_none_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(ModelError, match="the proxy that the environment names for https://api") as caught:
        RemoteLM(RemoteModel(model="m", base_url="https://api.example.org/v1")).generate([chat("q")], GREEDY)
    assert "NO_PROXY" in caught.value.hint
    assert "secret" not in str(caught.value) + caught.value.hint
    assert caught.value.__suppress_context__


def test_a_proxy_that_lets_nobody_through_is_the_culprit(monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultyServer(lambda r: Reaction(407, b"who are you?")) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url.removesuffix("/v1"))
        with pytest.raises(ModelError, match=r"no server answers at https://api.*: ProxyError: 407"):
            RemoteLM(RemoteModel(model="m", base_url="https://api.invalid/v1")).generate([chat("q")], GREEDY)


def test_nobody_there() -> None:
    async def knock() -> Any:
        async with Scripted(saying()) as server:
            pass
        async with httpx2.AsyncClient(transport=Connections(server.url, 4)) as client:
            await client.get(server.url)

    with pytest.raises(httpx2.ConnectError):
        asyncio.run(knock())


def test_certificates_are_checked(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")

    async def get(host: str) -> bytes:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
        url = f"https://{host}:{server.sockets[0].getsockname()[1]}/"
        async with httpx2.AsyncClient(transport=Connections(url, 4)) as client:
            return (await client.get(url)).content

    with pytest.raises(httpx2.ConnectError, match=r"(?i)certificate"):
        asyncio.run(get("localhost"))
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    assert asyncio.run(get("localhost")) == b"secret"
    with pytest.raises(httpx2.ConnectError, match=r"(?i)certificate|match"):  # another host
        asyncio.run(get("127.0.0.1"))
