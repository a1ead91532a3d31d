"""HTTP/1.1 as servers really speak it: framing, endings, connections that are used again, and rubbish."""

from __future__ import annotations

import asyncio
import gzip
import shutil
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx2
import pytest

from selfstudy.models.remote.connections import ConnectionPool

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def request_of(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    size = next(
        (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
    )
    return head + await reader.readexactly(size)


def ask(script: Script, times: int = 1) -> tuple[list[httpx2.Response], list[bytes], int]:
    """Responses of a server that answers by `script`, what it got, and on how many connections."""
    got: list[bytes] = []
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        try:
            while True:
                got.append(await request_of(reader))
                await script(reader, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def all_of_it() -> list[httpx2.Response]:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with httpx2.AsyncClient(
            transport=ConnectionPool(), timeout=httpx2.Timeout(5, read=0.5)
        ) as client:
            found = []
            for _ in range(times):
                found.append(await client.post(f"http://127.0.0.1:{port}/v1/x?y=1", json={"a": "ü"}))
                await asyncio.sleep(0.01)
            return found

    return asyncio.run(all_of_it()), got, connections


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
    ("script", "body", "connections"),
    [
        (saying(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), b"hello", 1),
        (saying(b"HTTP/1.1 200 OK\r\nContent-Le", b"ngth: 5\r\n\r", b"\nhe", b"llo"), b"hello", 1),
        (
            saying(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n",
                b"2;x=1\r\nlo\r\n0\r\n\r\n",
            ),
            b"hello",
            1,
        ),
        (saying(b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n0\r\nTrailer: 1\r\n\r\n"), b"", 1),
        (
            saying(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", close=True),
            b"hi",
            3,
        ),
        (saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", close=True), b"hi", 3),
        (saying(b"HTTP/1.1 200 OK\r\n\r\nuntil", b" the end", close=True), b"until the end", 3),
        (saying(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", close=True), b"hi", 3),
        (
            saying(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
            b"hi",
            1,
        ),
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
def test_replies_are_framed_as_http_says(script: Script, body: bytes, connections: int) -> None:
    found, got, used = ask(script, times=3)
    assert [response.content for response in found] == [body] * 3
    assert used == connections
    assert got[0].startswith(b"POST /v1/x?y=1 HTTP/1.1\r\nHost: 127.0.0.1:")
    assert got[0].endswith('\r\n\r\n{"a":"ü"}'.encode())


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (
            saying(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", close=True),
            httpx2.RemoteProtocolError,
        ),
        (saying(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), httpx2.RemoteProtocolError),
        (saying(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"), httpx2.RemoteProtocolError),
        (saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), httpx2.RemoteProtocolError),
        (
            saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n-1\r\nlo\r\n0\r\n\r\n"),
            httpx2.RemoteProtocolError,
        ),
        (saying(b"HTTP/1.1 200 OK\r\nno header\r\n\r\n"), httpx2.RemoteProtocolError),
        (saying(b"SSH-2.0-OpenSSH\r\n\r\n"), httpx2.RemoteProtocolError),
        (saying(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 2**17 + b"\r\n\r\n"), httpx2.RemoteProtocolError),
        (saying(b"", close=True), httpx2.RemoteProtocolError),
        (saying(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"), httpx2.ReadTimeout),
        (saying(), httpx2.ReadTimeout),
    ],
)
def test_what_is_no_reply_is_an_error_of_httpx(script: Script, error: type[Exception]) -> None:
    with pytest.raises(error):
        ask(script)


def test_nobody_there() -> None:
    async def knock() -> None:
        server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        async with httpx2.AsyncClient(transport=ConnectionPool()) as client:
            await client.get(f"http://127.0.0.1:{port}/")

    with pytest.raises(httpx2.ConnectError):
        asyncio.run(knock())


def test_a_line_break_in_a_header_is_not_sent() -> None:
    got: list[bytes] = []

    async def smuggle() -> None:
        server = await asyncio.start_server(lambda r, w: got.append(b"connected"), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with httpx2.AsyncClient(transport=ConnectionPool()) as client:
            request = client.build_request("GET", f"http://127.0.0.1:{port}/", headers=[(b"a", b"b\r\nc: d")])
            await client.send(request)

    with pytest.raises(httpx2.LocalProtocolError, match="line break"):
        asyncio.run(smuggle())


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate with")
def test_certificates_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    make = f"openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -keyout {key} -out {certificate}"
    subprocess.run(
        [*make.split(), "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True
    )
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")

    async def get(host: str) -> bytes:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
        port = server.sockets[0].getsockname()[1]
        async with httpx2.AsyncClient(transport=ConnectionPool()) as client:
            return (await client.get(f"https://{host}:{port}/")).content

    with pytest.raises(httpx2.ConnectError, match="certificate"):
        asyncio.run(get("localhost"))
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert asyncio.run(get("localhost")) == b"secret"
    with pytest.raises(httpx2.ConnectError, match=r"certificate|match"):  # another host
        asyncio.run(get("127.0.0.1"))
