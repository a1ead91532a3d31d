"""A small S3 server: as much of the protocol as LanceDB's client speaks, in memory, in threads.

Conditional writes (If-None-Match), ranges, listings page by page, and uploads in parts are as S3 has them.
Of a signature it looks at the id of the key alone, and that a signature is there.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

KEY, SECRET = "AKIATESTS3SERVER0001", "s3-secret-of-the-tests-0123456789"
BUCKET = "selfstudy-test"
PAGE = 50
"""Keys of one listing: few, so that a listing has several."""


class S3Server(ThreadingHTTPServer):
    """What it holds is in `objects`; what was asked of it in `asked`, as "METHOD key"."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.asked: list[str] = []
        self.refuses: set[str] = set()
        """Methods that this key may not use."""
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def environment(self) -> dict[str, str]:
        """What a person sets to work with it."""
        return {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": "us-east-1",
        }


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """One that serves until the block ends."""
    server = S3Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: S3Server

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True

    def do_GET(self) -> None:
        key, query, _ = self._asked()
        if key is None:
            return
        if not key:
            return self._list(query)
        self._object(key, with_body=True)

    def do_HEAD(self) -> None:
        key, _, _ = self._asked()
        if key is not None:
            self._object(key, with_body=False)

    def do_PUT(self) -> None:
        key, query, body = self._asked()
        if key is None:
            return
        if "uploadId" in query:
            self.server.uploads[query["uploadId"]][int(query["partNumber"])] = body
            return self._answer(200, etag=_etag(body))
        if source := self.headers.get("x-amz-copy-source"):
            body = self.server.objects[unquote(source).lstrip("/").partition("/")[2]]
        self._put(key, body, b"<CopyObjectResult><ETag>0</ETag></CopyObjectResult>" if source else b"")

    def do_POST(self) -> None:
        key, query, body = self._asked()
        if key is None:
            return
        if "delete" in query:
            gone = _named(body, "Key")
            for found in gone:
                self.server.objects.pop(found, None)
            said = "".join(f"<Deleted><Key>{escape(found)}</Key></Deleted>" for found in gone)
            return self._answer(200, f"<DeleteResult>{said}</DeleteResult>".encode())
        if "uploads" in query:
            name = f"upload-{len(self.server.uploads)}"
            self.server.uploads[name] = {}
            said = (
                f"<InitiateMultipartUploadResult><UploadId>{name}</UploadId></InitiateMultipartUploadResult>"
            )
            return self._answer(200, said.encode())
        parts = self.server.uploads.pop(query["uploadId"])
        whole = b"".join(parts[number] for number in sorted(parts))
        said = "<CompleteMultipartUploadResult><ETag>0</ETag></CompleteMultipartUploadResult>"
        self._put(key, whole, said.encode())

    def do_DELETE(self) -> None:
        key, query, _ = self._asked()
        if key is None:
            return
        if "uploadId" in query:
            self.server.uploads.pop(query["uploadId"], None)
        else:
            self.server.objects.pop(key, None)
        self._answer(204)

    def _asked(self) -> tuple[str | None, dict[str, str], bytes]:
        """Key, query and body; None for the key: it was refused."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        where = urlsplit(self.path)
        bucket, _, key = unquote(where.path).lstrip("/").partition("/")
        query = {k: v[0] for k, v in parse_qs(where.query, keep_blank_values=True).items()}
        self.server.asked.append(f"{self.command} {key}")
        signed = self.headers.get("authorization", "")
        if f"Credential={KEY}/" not in signed or "Signature=" not in signed:
            self._error(403, "InvalidAccessKeyId", f"The key in {signed[:60]} does not exist.")
        elif self.command in self.server.refuses:
            self._error(403, "AccessDenied", "Access Denied")
        elif bucket != BUCKET:
            self._error(404, "NoSuchBucket", "The specified bucket does not exist")
        else:
            return key, query, body
        return None, {}, b""

    def _put(self, key: str, body: bytes, said: bytes = b"") -> None:
        with self.server.lock:
            there = key in self.server.objects
            if there and self.headers.get("if-none-match") == "*":
                return self._error(412, "PreconditionFailed", "At least one precondition did not hold")
            self.server.objects[key] = body
        self._answer(200, said, etag=_etag(body))

    def _object(self, key: str, *, with_body: bool) -> None:
        body = self.server.objects.get(key)
        if body is None:
            return self._error(404, "NoSuchKey", "The specified key does not exist.")
        asked = self.headers.get("range", "")
        if not asked:
            return self._answer(200, body, etag=_etag(body), with_body=with_body)
        first, _, last = asked.removeprefix("bytes=").partition("-")
        start = int(first) if first else len(body) - int(last)
        end = min(int(last) + 1 if first and last else len(body), len(body))
        if start >= len(body):
            return self._error(416, "InvalidRange", "The requested range is not satisfiable")
        between = f"bytes {start}-{end - 1}/{len(body)}"
        self._answer(206, body[start:end], etag=_etag(body), between=between, with_body=with_body)

    def _list(self, query: dict[str, str]) -> None:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        after = query.get("continuation-token", query.get("start-after", ""))
        found: dict[str, str] = {}
        for key in sorted(self.server.objects):
            if not key.startswith(prefix):
                continue
            rest = key[len(prefix) :]
            folder = (
                prefix + rest.partition(delimiter)[0] + delimiter if delimiter and delimiter in rest else ""
            )
            size, etag = len(self.server.objects[key]), _etag(self.server.objects[key])
            found[folder or key] = (
                f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>"
                if folder
                else f"<Contents><Key>{escape(key)}</Key><Size>{size}</Size><ETag>{etag}</ETag>"
                "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
            )
        names = [name for name in found if name > after]
        more = len(names) > PAGE
        parts = "".join(found[name] for name in names[:PAGE])
        token = f"<NextContinuationToken>{escape(names[PAGE - 1])}</NextContinuationToken>" if more else ""
        said = (
            f"<ListBucketResult><Name>{BUCKET}</Name><Prefix>{escape(prefix)}</Prefix>"
            f"<KeyCount>{min(len(names), PAGE)}</KeyCount><IsTruncated>{str(more).lower()}</IsTruncated>"
            f"{token}{parts}</ListBucketResult>"
        )
        self._answer(200, said.encode())

    def _error(self, status: int, code: str, message: str) -> None:
        said = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        self._answer(status, said.encode())

    def _answer(
        self, status: int, body: bytes = b"", *, etag: str = "", between: str = "", with_body: bool = True
    ) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.send_header("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        if etag:
            self.send_header("etag", etag)
        if between:
            self.send_header("content-range", between)
        self.end_headers()
        if with_body and self.command != "HEAD":
            self.wfile.write(body)


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


def _named(body: bytes, tag: str) -> list[str]:
    return [one.text or "" for one in ElementTree.fromstring(body).iter() if one.tag.endswith(tag)]
