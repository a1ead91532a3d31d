"""An internet of our own: hosts at public addresses, all served from loopback, with pages and traps on them.

`Internet` is what a fetcher is given as resolver and as network: names resolve to public addresses, of which
the ones that are known lead to a server here.  What a fetcher tries to reach on loopback it does reach: there
a canary listens, which must see nothing.
"""

from __future__ import annotations

import gzip
import shutil
import socket
import socketserver
import ssl
import subprocess
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from itertools import count
from pathlib import Path
from typing import Any

import httpcore2

HERE, SELF_SIGNED = "93.184.216.34", "93.184.216.35"
"""Public addresses that lead to the servers of this file, the second one with a certificate nobody trusts."""
SECURE = ("secure.test", "down.test")
OK = "fetched"


@dataclass(frozen=True)
class Page:
    """A URL, of which kind it is, and what must come of it: "fetched" or the reason why not."""

    kind: str
    url: str
    expected: str


def head(status: str = "200 OK", *, kind: str | None = "text/html", **more: Any) -> bytes:
    lines = [f"HTTP/1.1 {status}"]
    if kind is not None:
        lines.append(f"Content-Type: {kind}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in more.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def whole(body: bytes, status: str = "200 OK", *, kind: str | None = "text/html", **more: Any) -> bytes:
    return head(status, kind=kind, Content_Length=len(body), **more) + body


def html(number: str) -> bytes:
    return (
        f"<html><body><p>Page {number} says that the river is {number} miles long.</p></body></html>".encode()
    )


def redirect(place: str, status: str = "302 Found") -> bytes:
    return whole(b"", status, Location=place)


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


@dataclass
class Internet(httpcore2.NetworkBackend):
    """Servers on loopback, and the way to them.

    Attributes:
        folder: where certificates are made, or were.
        seen: (host, path) of each request.
        connected: (address, port) of each connection that a fetcher began.
        canary_saw: how often something came to where nothing may come.
    """

    folder: Path
    seen: list[tuple[str, str]] = field(default_factory=list)
    connected: list[tuple[str, int]] = field(default_factory=list)
    resolved: dict[str, int] = field(default_factory=dict)
    canary_saw: int = 0
    endless: int = 10 * 10**9
    drip: float = 0.1
    in_flight: dict[str, int] = field(default_factory=dict)
    most_in_flight: int = 0
    at: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._servers: list[socketserver.BaseServer] = []
        self.port = self._serve(self._answer)
        self.canary = self._serve(self._alarm)
        self.trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.has_tls = shutil.which("openssl") is not None
        self._tls = self._self_signed = 0
        if self.has_tls:
            good, bad = self._certificate("good", SECURE), self._certificate("bad", ("self-signed.test",))
            self.trust.load_verify_locations(good[0])
            self._tls = self._serve(self._answer, good)
            self._self_signed = self._serve(self._answer, bad)

    # what a fetcher is given

    def resolve(self, host: str, port: int) -> list[str]:
        with self._lock:
            number = self.resolved[host] = self.resolved.get(host, 0) + 1
        name = host.split(".")[0].rstrip("0123456789-")
        if host == "localhost" or name == "inside":
            return ["127.0.0.1"]
        fixed = {
            "metadata": ["169.254.169.254"],
            "six": ["::1"],
            "linklocal": ["fe80::1"],
            "mapped": ["::ffff:127.0.0.1"],
            "lan": ["192.168.1.1"],
            "shared": ["100.64.0.1"],
            "both": [HERE, "127.0.0.1"],
            "rebind": [HERE] if number % 2 else ["127.0.0.1"],
            "self-signed": [SELF_SIGNED],
        }
        if name == "nowhere":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return fixed.get(name, [HERE])

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore2.NetworkStream:
        with self._lock:
            self.connected.append((host, port))
        inside = {(HERE, 80): self.port, (HERE, 443): self._tls, (SELF_SIGNED, 443): self._self_signed}
        if (host, port) in inside:
            host, port = "127.0.0.1", inside[host, port]
        elif host not in ("127.0.0.1", "::1", "::ffff:127.0.0.1"):
            raise httpcore2.ConnectError("no such place in this internet")
        return httpcore2.SyncBackend().connect_tcp(host, port, timeout, local_address, socket_options)

    def close(self) -> None:
        self._closed.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()

    # servers

    def _serve(self, answer: Callable[[Any], None], certificate: tuple[str, str] | None = None) -> int:
        context = None
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                try:
                    stream = self.request
                    stream.settimeout(20)
                    if context is not None:
                        stream = context.wrap_socket(stream, server_side=True)
                    answer(stream)
                    stream.close()
                except OSError:  # the other side has hung up, as it should
                    pass

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = 64
            allow_reuse_address = True

        server = Server(("127.0.0.1", 0), Handler)
        self._servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return int(server.server_address[1])

    def _certificate(self, name: str, hosts: tuple[str, ...]) -> tuple[str, str]:
        certificate, key = str(self.folder / f"{name}.pem"), str(self.folder / f"{name}.key")
        if Path(certificate).exists():
            return certificate, key
        names = ",".join(f"DNS:{host}" for host in hosts)
        command = [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName={names}"),
            *("-keyout", key, "-out", certificate),
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        return certificate, key

    def _alarm(self, stream: socket.socket) -> None:
        with self._lock:
            self.canary_saw += 1
        stream.sendall(whole(b"this is a secret of this machine"))

    def _answer(self, stream: socket.socket) -> None:
        got = b""
        while b"\r\n\r\n" not in got:
            more = stream.recv(65536)
            if not more:
                return
            got += more
        lines = got.decode("latin-1").split("\r\n")
        path = lines[0].split(" ")[1]
        host = next(line[6:] for line in lines if line.lower().startswith("host: "))
        with self._lock:
            self.seen.append((host, path))
            self.at.setdefault(host, []).append(time.monotonic())
            self.in_flight[host] = self.in_flight.get(host, 0) + 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight[host])
        parts = self._reply(host, path, lines)
        if host.startswith("pages"):
            time.sleep(0.002)  # whoever asks for two at a time is seen
            parts = iter(list(parts))
        with self._lock:  # before it is sent: who has it may ask again before we know
            self.in_flight[host] -= 1
        for part in parts:
            stream.sendall(part)
            if self._closed.is_set():
                return

    def _reply(self, host: str, path: str, lines: list[str]) -> Iterator[bytes]:
        if path == "/robots.txt":
            yield from self._robots(host.split(".")[0].rstrip("0123456789-"))
            return
        kind, _, number = path[1:].partition("?")[0].partition("/")
        answer = getattr(self, f"_{kind.replace('-', '_')}", None)
        if answer is None:
            yield whole(b"there is no such page", "404 Not Found")
        else:
            yield from answer(number, host, path, lines)

    def _robots(self, name: str) -> Iterator[bytes]:
        texts = {
            "forbidden": b"User-agent: *\nDisallow: /\n",
            "partly": b"User-agent: selfstudy\nDisallow: /page/2\nUser-agent: *\nDisallow: /\n",
            "slow": b"User-agent: *\nCrawl-delay: 0.3\n",
            "hours": b"User-agent: *\nCrawl-delay: 3600\n",
            "agents": b"".join(b"User-agent: a%d\n" % n for n in range(9000)) + b"Disallow: /x\n" * 9000,
        }
        if name == "broken":
            yield whole(b"", "500 Internal Server Error")
        elif name == "circling":
            yield redirect("/robots.txt")
        elif name == "long":
            yield head(kind="text/plain", Transfer_Encoding="chunked")
            yield chunk(b"User-agent: *\nDisallow: /secret\n")
            while not self._closed.is_set():
                yield chunk(b"# all is well\n" * 4096)
        elif name in texts:
            yield whole(texts[name], kind="text/plain")
        else:
            yield whole(b"no robots.txt here", "404 Not Found")

    # pages: each is called with what stands behind its name in the path

    def _page(self, number: str, *_: Any) -> Iterator[bytes]:
        yield whole(html(number), kind="text/html; charset=utf-8")

    def _text(self, number: str, *_: Any) -> Iterator[bytes]:
        yield whole(b"The lake is %s feet deep." % number.encode(), kind="text/plain")

    def _pdf(self, *_: Any) -> Iterator[bytes]:
        yield whole(b"%PDF-1.4\n%%EOF\n", kind="application/pdf")

    def _feed(self, *_: Any) -> Iterator[bytes]:
        yield whole(b"<rss/>", kind="application/rss+xml")

    def _untyped(self, number: str, *_: Any) -> Iterator[bytes]:
        yield whole(html(number), kind=None)

    def _charset(self, *_: Any) -> Iterator[bytes]:
        yield whole("Zürich, größer als Bern".encode("latin-1"), kind="text/html; charset=utf-8")

    def _script(self, *_: Any) -> Iterator[bytes]:
        yield whole(b"<html><script>document.write('hello')</script></html>")

    def _login(self, *_: Any) -> Iterator[bytes]:
        yield whole(b"<form><input type=password name=p></form>")

    def _bare(self, number: str, *_: Any) -> Iterator[bytes]:
        yield head() + html(number)

    def _chunked(self, number: str, *_: Any) -> Iterator[bytes]:
        yield head(Transfer_Encoding="chunked") + chunk(html(number)) + chunk(b"")

    def _gzip(self, number: str, *_: Any) -> Iterator[bytes]:
        yield whole(gzip.compress(html(number)), Content_Encoding="gzip")

    def _large(self, number: str, *_: Any) -> Iterator[bytes]:
        yield whole(number.encode() * 9_900_000, kind="text/plain", Cache_Control="max-age=1000")

    def _moved(self, number: str, *_: Any) -> Iterator[bytes]:
        yield redirect(f"http://pages1.test/page/{number}#part", "301 Moved Permanently")

    def _cached(self, number: str, *_: Any) -> Iterator[bytes]:
        yield whole(html(number), Cache_Control="max-age=1000", ETag='"1"')

    def _tagged(self, number: str, host: str, path: str, lines: list[str]) -> Iterator[bytes]:
        if 'if-none-match: "7"' in [line.lower() for line in lines]:
            yield head("304 Not Modified", kind=None, ETag='"7"', Cache_Control="no-cache")
        else:
            yield whole(html(number), Cache_Control="no-cache", ETag='"7"', Set_Cookie="a=b")

    def _busy(self, number: str, host: str, path: str, *_: Any) -> Iterator[bytes]:
        if self.seen.count((host, path)) == 1:
            yield whole(b"", "429 Too Many Requests", Retry_After="0.2")
        else:
            yield whole(html(number))

    def _unavailable(self, number: str, host: str, path: str, *_: Any) -> Iterator[bytes]:
        if self.seen.count((host, path)) == 1:
            yield whole(
                b"", "503 Service Unavailable", Retry_After=formatdate(time.time() + 0.5, usegmt=True)
            )
        else:
            yield whole(html(number))

    # traps

    def _tired(self, *_: Any) -> Iterator[bytes]:
        yield whole(b"", "429 Too Many Requests", Retry_After="3600")

    def _loop(self, number: str, *_: Any) -> Iterator[bytes]:
        yield redirect("/loop/b" if number == "a" else "/loop/a")

    def _chain(self, number: str, *_: Any) -> Iterator[bytes]:
        yield redirect(f"/chain/{int(number) + 1}")

    def _to(self, number: str, *_: Any) -> Iterator[bytes]:
        if number.startswith("far/"):  # a chain that ends at a private address
            yield redirect(f"http://pages1.test/to/{number[4:]}")
        else:
            yield redirect(self.targets()[int(number)])

    def _file(self, *_: Any) -> Iterator[bytes]:
        yield redirect("file:///etc/passwd")

    def _downgrade(self, *_: Any) -> Iterator[bytes]:
        yield redirect("http://pages1.test/page/1")

    def _astray(self, *_: Any) -> Iterator[bytes]:
        yield whole(b"", "302 Found")

    def _endless(self, *_: Any) -> Iterator[bytes]:
        yield head(kind="text/plain", Content_Length=self.endless)
        block = b"all work and no play " * 3000
        for _ in range(self.endless // len(block)):
            yield block

    def _stream(self, *_: Any) -> Iterator[bytes]:
        yield head(kind="text/plain", Transfer_Encoding="chunked")
        block = chunk(b"all work and no play " * 3000)
        for _ in count():
            yield block

    def _bomb(self, *_: Any) -> Iterator[bytes]:
        yield head(Content_Encoding="gzip")
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        zeros = bytes(2**20)
        for _ in range(self.endless // 2**20):
            yield packer.compress(zeros)

    def _twice(self, *_: Any) -> Iterator[bytes]:
        yield whole(gzip.compress(gzip.compress(bytes(10**6))), Content_Encoding="gzip, gzip")

    def _brotli(self, *_: Any) -> Iterator[bytes]:
        yield whole(b"\x0b\x02\x80abc\x03", Content_Encoding="br")

    def _torn(self, *_: Any) -> Iterator[bytes]:
        yield whole(gzip.compress(html("1") * 100)[:-20], Content_Encoding="gzip")

    def _drip(self, *_: Any) -> Iterator[bytes]:
        yield head(Content_Length=100_000)
        for _ in range(100_000):
            time.sleep(self.drip)
            yield b"x"

    def _drip_head(self, *_: Any) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nX-Long: "
        for _ in range(100_000):
            time.sleep(self.drip)
            yield b"x"

    def _silent(self, *_: Any) -> Iterator[bytes]:
        self._closed.wait(20)
        yield b""

    def _continues(self, *_: Any) -> Iterator[bytes]:
        while True:
            time.sleep(self.drip)
            yield b"HTTP/1.1 100 Continue\r\n\r\n"

    def _huge(self, *_: Any) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"y" * 1000) for n in range(300))
        yield b"Content-Length: 2\r\n\r\nhi"

    def _injected(self, *_: Any) -> Iterator[bytes]:
        yield b"HTTP/1.1 302 Found\r\nLocation: http://pages1.test/page/1\x00\x0b\rX: y\r\n"
        yield b"Content-Length: 0\r\n\r\n"

    def _split(self, *_: Any) -> Iterator[bytes]:
        yield redirect("http://pages1.test/%0d%0aHost:%20inside1.test%0d%0a%0d%0aGET%20/")

    def _half(self, *_: Any) -> Iterator[bytes]:
        yield head(Content_Length=1000) + b"half of it"

    def _badchunk(self, *_: Any) -> Iterator[bytes]:
        yield head(Transfer_Encoding="chunked") + b"ZZZ\r\nnot in hex\r\n"

    def _two_lengths(self, *_: Any) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 50\r\n\r\nhello"

    def _nothing(self, *_: Any) -> Iterator[bytes]:
        yield b""

    def _noise(self, *_: Any) -> Iterator[bytes]:
        yield b"SSH-2.0-OpenSSH_9.0\r\n"

    def _image(self, *_: Any) -> Iterator[bytes]:
        yield whole(b"\x89PNG\r\n\x1a\n", kind="image/png")

    def _binary(self, *_: Any) -> Iterator[bytes]:
        yield whole(b"\x7fELF\x02\x01\x01\0\0\0\0", kind=None)

    def _error(self, *_: Any) -> Iterator[bytes]:
        yield whole(b"oh", "500 Internal Server Error")

    def _unmodified(self, *_: Any) -> Iterator[bytes]:
        yield head("304 Not Modified", kind=None)

    def _empty(self, *_: Any) -> Iterator[bytes]:
        yield head("204 No Content", kind=None)

    def _echo(self, number: str, host: str, path: str, lines: list[str]) -> Iterator[bytes]:
        yield whole("\n".join([path, *lines]).encode(), kind="text/plain")

    def _elsewhere(self, number: str, host: str, path: str, *_: Any) -> Iterator[bytes]:
        query = path.partition("?")[2]
        yield redirect(f"http://other.test/echo/1{'?' + query if number == 'all' else ''}")

    def targets(self) -> list[str]:
        """Where nobody may be led: loopback, link-local, metadata, private networks, in all spellings."""
        port = self.canary
        return [
            f"http://127.0.0.1:{port}/",
            f"http://127.1.2.3:{port}/",
            f"http://localhost:{port}/",
            f"http://inside1.test:{port}/",
            f"http://[::1]:{port}/",
            f"http://[::ffff:127.0.0.1]:{port}/",
            f"http://[::ffff:7f00:1]:{port}/",
            f"http://[64:ff9b::7f00:1]:{port}/",
            f"http://[2002:7f00:1::]:{port}/",
            f"http://2130706433:{port}/",
            f"http://0x7f000001:{port}/",
            f"http://0177.0.0.1:{port}/",
            f"http://127.1:{port}/",
            f"http://0.0.0.0:{port}/",
            f"http://[::]:{port}/",
            "http://169.254.169.254/latest/meta-data/",
            "http://metadata1.test/latest/meta-data/",
            "http://[fe80::1]/",
            "http://[fd00:ec2::254]/latest/meta-data/",
            "http://linklocal1.test/",
            "http://six1.test/",
            "http://mapped1.test/",
            "http://lan1.test/",
            "http://shared1.test/",
            "http://both1.test/page/1",
            "http://10.0.0.1/",
            "http://100.100.100.200/",
            "http://224.0.0.1/",
            "http://255.255.255.255/",
            "http://192.0.2.1/",
            "http://pages1.test:22/",
            f"http://127.0.0.1.:{port}/",
        ]

    def pages(self, each: int, ordinary: int) -> list[Page]:
        """`ordinary` pages, and up to `each` of each other kind, where none stands in another's way."""
        found = [
            Page("ordinary", f"http://pages{n % 20}.test/{('page', 'text', 'gzip')[n % 3]}/{n}", OK)
            for n in range(ordinary)
        ]
        for number in range(each):
            found += [Page(kind, url, expected) for kind, url, expected in self._kinds(number)]
        targets = self.targets()
        for number, url in enumerate(targets[: 4 * each]):
            why = "scheme" if "0177" in url else "address"  # that one is no URL to our parser
            found.append(Page("private, literal or DNS", url, why))
            found.append(Page("private, redirect", f"http://led{number}.test/to/{number}", why))
            found.append(Page("private, chain", f"http://chained{number}.test/to/far/far/{number}", why))
        return found

    def _kinds(self, n: int) -> Iterator[tuple[str, str, str]]:
        for kind in ("pdf", "feed", "untyped", "charset", "script", "login", "bare", "chunked", "moved"):
            yield kind, f"http://{kind}.test/{kind}/{n}", OK
        if n > 1:
            yield "9.9 MB", f"http://large{n}.test/large/{n}", OK
        yield "IDNA host", f"http://bücher.test/page/{n}", OK
        yield "429, then a page", f"http://busy{n}.test/busy/{n}", OK
        yield "503, then a page", f"http://unavailable{n}.test/unavailable/{n}", OK
        yield "robots.txt without end", f"http://long{n}.test/page/{n}", OK
        yield "429, an hour", f"http://tired{n}.test/tired/{n}", "limit"
        yield "redirect loop", f"http://loop.test/loop/{'ab'[n % 2]}?{n}", "redirects"
        yield "redirect chain", f"http://chain.test/chain/{1000 * n}", "redirects"
        yield "redirect, no place", f"http://astray.test/astray/{n}", "redirects"
        yield "redirect, file://", f"http://file.test/file/{n}", "scheme"
        yield "10 GB", f"http://endless.test/endless/{n}", "size"
        yield "stream", f"http://stream.test/stream/{n}", "size"
        yield "gzip bomb", f"http://bomb.test/bomb/{n}", "size"
        yield "packed twice", f"http://twice.test/twice/{n}", "type"
        yield "packed unasked", f"http://brotli.test/brotli/{n}", "type"
        yield "gzip, torn", f"http://torn.test/torn/{n}", "connection"
        yield "slow drip", f"http://drip{n}.test/drip/{n}", "time"
        yield "slow headers", f"http://driphead{n}.test/drip-head/{n}", "time"
        yield "silence", f"http://silent{n}.test/silent/{n}", "time"
        yield "100 Continue for ever", f"http://continues{n}.test/continues/{n}", "time"
        yield "huge headers", f"http://huge.test/huge/{n}", "connection"
        yield "header injection", f"http://injected.test/injected/{n}", "connection"
        yield "request splitting", f"http://split.test/split/{n}", "status"
        yield "closed half-way", f"http://half.test/half/{n}", "connection"
        yield "bad chunks", f"http://badchunk.test/badchunk/{n}", "connection"
        yield "two lengths", f"http://lengths.test/two-lengths/{n}", "connection"
        yield "no reply", f"http://nothing.test/nothing/{n}", "connection"
        yield "no HTTP", f"http://noise.test/noise/{n}", "connection"
        yield "image", f"http://image.test/image/{n}", "type"
        yield "binary", f"http://binary.test/binary/{n}", "type"
        yield "404", f"http://lost.test/lost/{n}", "status"
        yield "500", f"http://error.test/error/{n}", "status"
        yield "204", f"http://empty.test/empty/{n}", "status"
        yield "304 unasked", f"http://unmodified.test/unmodified/{n}", "status"
        yield "robots.txt forbids", f"http://forbidden{n}.test/page/{n}", "robots"
        yield "robots.txt is broken", f"http://broken{n}.test/page/{n}", "robots"
        yield "robots.txt in a circle", f"http://circling{n}.test/page/{n}", "robots"
        yield "robots.txt, 81 million rules", f"http://agents{n}.test/page/{n}", "robots"
        yield "two addresses in turn", f"http://rebind{n}.test/page/{n}", "address"
        yield "two addresses at once", f"http://both{n}.test/page/{n}", "address"
        yield "no address", f"http://nowhere{n}.test/page/{n}", "connection"
        yield (
            "other scheme",
            ("file:///etc/passwd", "ftp://a.test/x", "javascript:alert(1)", "data:,x")[n % 4] + str(n),
            "scheme",
        )
        yield "user:password@", f"http://user:swordfish{n}@pages1.test/page/1", "scheme"
        yield "long URL", f"http://pages1.test/page/{'x' * 9000}{n}", "scheme"
        if self.has_tls:
            yield "https", f"https://secure.test/page/{n}", OK
            yield "self-signed", f"https://self-signed{n}.test/page/{n}", "tls"
            yield "another's certificate", f"https://pages{n}.test/page/{n}", "tls"
            yield "https to http", f"https://down.test/downgrade/{n}", "redirects"
