"""Connections: heads that do not come, readers that do not read, and too many of both."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import httpx2
import pytest

from selfstudy.serve.guard import is_loopback
from selfstudy.serve.limits import RequestLimits
from selfstudy.serve.server import ApiServer
from tests.serve.serving import Echo, Plain, fixed, plain_offer, routed_offer, serving, wait_until


def send_for_ever(connection: socket.socket, part: bytes) -> None:
    for _ in range(100_000):
        connection.sendall(part)


BODY = b'{"messages": [{"role": "user", "content": "hello"}]}'
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@contextmanager
def connected(server: ApiServer) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as found:
        yield found


def everything(connection: socket.socket) -> bytes:
    """What comes until the server closes."""
    found = b""
    try:
        while part := connection.recv(65536):
            found += part
    except ConnectionError:
        pass
    return found


def test_a_head_or_a_body_that_does_not_come_ends_the_connection() -> None:
    limits = RequestLimits(head_seconds=0.2, body_seconds=0.2, grace=2)
    with serving(fixed(plain_offer(Plain())), limits=limits) as server:
        began = time.monotonic()
        for start in (b"", b"POST /v1/chat", HEAD):
            with connected(server) as connection:
                connection.sendall(start)
                assert everything(connection) == b""
        with connected(server) as connection:  # the head of a second request
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"200 OK" in connection.recv(65536)
            connection.sendall(b"GET /hea")
            assert b"HTTP/1.1" not in everything(connection)
        with connected(server) as connection:
            connection.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
            assert b"408" in everything(connection)
        assert time.monotonic() - began < 8


def test_what_is_no_http_is_refused_in_the_shape_of_the_others() -> None:
    with serving(fixed(plain_offer(Plain()))) as server:
        for parts in ([b"\x16\x03\x01\x02\x00\x01\r\n\r\n"], [HEAD, *[b"X: " + b"x" * 8_000] * 4]):
            with connected(server) as connection:
                for part in parts:
                    with suppress(ConnectionError):
                        connection.sendall(part)
                    time.sleep(0.02)
                found = everything(connection)
                assert found.startswith(b"HTTP/1.1 400")
                assert b'{"error":{"message":' in found


@pytest.mark.parametrize("length", [b"Content-Length: 9000000", b"Transfer-Encoding: chunked"])
def test_a_body_that_is_too_large_is_not_kept(length: bytes) -> None:
    with serving(fixed(plain_offer(Plain())), limits=RequestLimits(body=1000, grace=2)) as server:
        with connected(server) as connection:
            connection.sendall(HEAD + length + b"\r\n\r\n")
            chunk = b"3e8\r\n" + b"x" * 1000 + b"\r\n" if b"chunked" in length else b"x" * 1000
            with pytest.raises(ConnectionError):
                send_for_ever(connection, chunk)
        wait_until(lambda: 'status="413"} 1.0' in httpx2.get(f"{server.url}/metrics").text)


def test_a_body_of_two_lengths_is_refused_and_what_follows_it_is_no_request() -> None:
    with serving(fixed(plain_offer(lm := Plain()))) as server, connected(server) as connection:
        both = b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
        chunks = b"%x\r\n" % len(BODY) + BODY + b"\r\n0\r\n\r\n"
        connection.sendall(HEAD + both + chunks + b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        found = everything(connection)
        assert found.startswith(b"HTTP/1.1 400")
        assert found.count(b"HTTP/1.1") == 1
        assert lm.batches == []


def test_a_client_that_sends_too_much_at_once_reads_why_it_is_refused() -> None:
    with serving(fixed(plain_offer(Plain())), limits=RequestLimits(body=1000, grace=2)) as server:
        answer = httpx2.post(
            f"{server.url}/v1/chat/completions",
            content=b"x" * 5000,
            headers={"content-type": "application/json"},
        )
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")


def test_who_does_not_read_is_let_go_and_holds_up_nobody() -> None:
    lm = Echo()
    long = b"word " * 100_000
    body = b'{"stream": true, "n": 8, "messages": [{"role": "user", "content": "' + long + b'"}]}'
    lm.context = 10**7
    with (
        serving(fixed(routed_offer(lm)), limits=RequestLimits(stalled=0.3, grace=3)) as server,
        ExitStack() as stack,
    ):
        for _ in range(3):
            connection = stack.enter_context(connected(server))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        wait_until(lambda: len(lm.heard_of) == 3)
        answer = httpx2.post(
            f"{server.url}/v1/chat/completions", content=BODY, headers={"content-type": "application/json"}
        )
        assert answer.status_code == 200
        wait_until(lambda: _connections(server) <= 1)


def _connections(server: ApiServer) -> int:
    return len(server._server.server_state.connections)


def test_there_are_only_so_many_connections() -> None:
    with serving(fixed(plain_offer(Plain())), limits=RequestLimits(connections=3, grace=2)) as server:
        with ExitStack() as stack:
            for _ in range(3):
                stack.enter_context(connected(server))
            wait_until(lambda: _connections(server) == 3)
            with connected(server) as one_more:
                found = everything(one_more)
            assert found.startswith(b"HTTP/1.1 503")
            assert b"too many connections" in found
        wait_until(lambda: _connections(server) == 0)
        assert httpx2.get(f"{server.url}/health").status_code == 200


@pytest.mark.parametrize(
    ("host", "wanted"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("localhost", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("192.168.0.1", False),
        ("127.0.0.1.example", False),
        ("", False),
    ],
)
def test_which_hosts_are_this_machine_alone(host: str, wanted: bool) -> None:
    assert is_loopback(host) is wanted


def test_all_that_arrives_at_once_has_a_limit_and_what_has_arrived_counts_no_more() -> None:
    limits = RequestLimits(body=40_000, receiving=50_000, grace=2)
    with serving(fixed(plain_offer(Plain())), limits=limits) as server:
        head = HEAD + b"Content-Length: 39000\r\n\r\n"
        for _ in range(3):
            with connected(server) as first, connected(server) as second:
                first.sendall(head + b'{"messages": "' + b"x" * 30_000)
                time.sleep(0.1)
                second.sendall(head + b"x" * 30_000)
                assert everything(second).startswith(b"HTTP/1.1 503")
                first.sendall(b"x" * (39_000 - 30_014))
                assert first.recv(20).startswith(b"HTTP/1.1 400")
