"""What was fetched, kept in a folder: each body once, under its SHA-256, and a line for each request.

A run can so be repeated without a network, and every span points into what was seen.  Lines are appended, a
torn last one is cut off, and a body that is not what its name says is not used.  Knows nothing of how pages
are fetched.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from dataclasses import asdict
from pathlib import Path

from pydantic import ConfigDict, ValidationError
from pydantic.dataclasses import dataclass
from pydantic_core import to_json

from selfstudy.errors import RunError
from selfstudy.files import jsonl, private
from selfstudy.library.web.fetched import Fetched, NotFetched, WhyNot

log = logging.getLogger(__name__)

LINES, BODIES = "requests.jsonl", "bodies"
_LARGEST = 2**31
"""Bytes of a body; how many a page may have is said where it is fetched."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class _Line:
    """One request: with a `sha256` it brought a page, with `why` none.

    Attributes:
        of: "page", or "ask" for what a service replied.
    """

    of: str
    url: str
    at: str
    final_url: str = ""
    status: int = 0
    content_type: str = ""
    sha256: str = ""
    why: WhyNot | None = None
    detail: str = ""


class KeptPages:
    """The folder, which is made when there is something to keep; several threads may use it.

    Args:
        run: the run that it belongs to, for messages.
        fresh: whether nothing is found that was kept before.

    Raises:
        RunError: its lines cannot be read, or one of them is damaged.
    """

    def __init__(self, folder: Path, run: Path | None = None, *, fresh: bool = False) -> None:
        self._folder = folder
        self._run = run
        self._lock = threading.Lock()
        self._lines: dict[tuple[str, str], _Line] = {}
        path = folder / LINES
        jsonl.repair(path, run)
        for number, _, entry in jsonl.read_lines(path):
            try:
                self._add(_Line(**entry))
            except (TypeError, ValidationError) as error:
                raise RunError(
                    f"{path}, line {number} is damaged: {str(error).splitlines()[0]}",
                    "delete the line: its page is then fetched again",
                ) from None
        if fresh:
            self._lines.clear()

    def find(self, url: str, of: str) -> Fetched | NotFetched | None:
        """What came of the last request for `url`, a page rather than none; None: there was none.

        A page whose bytes are gone, or are others, is `not kept`.
        """
        with self._lock:
            line = self._lines.get((of, url))
        if line is None:
            return None
        if line.why is not None:
            return NotFetched(url, line.why, line.detail)
        try:
            body = private.read(self._path(line.sha256), _LARGEST)
        except OSError as error:
            return NotFetched(url, "not kept", f"its bytes cannot be read: {error.strerror or error}")
        if hashlib.sha256(body).hexdigest() != line.sha256:
            log.warning("%s is not what was fetched from %s", self._path(line.sha256), url)
            return NotFetched(url, "not kept", f"its bytes are damaged: their SHA-256 is not {line.sha256}")
        return Fetched(url, line.final_url, line.status, line.content_type, body, line.sha256, line.at, True)

    def keep(self, found: Fetched | NotFetched, of: str, at: str) -> None:
        """Writes down what came of a request, at `at`.

        Raises:
            RunError: it cannot be written.
        """
        if isinstance(found, NotFetched):
            line = _Line(of, found.url, at, why=found.why, detail=found.detail)
        else:
            line = _Line(
                of, found.url, found.at, found.final_url, found.status, found.content_type, found.sha256
            )
        with self._lock:
            with jsonl.writing(self._folder, self._run):
                private.make_folder(self._folder)
            if isinstance(found, Fetched):
                self._write(found)
            said = {name: value for name, value in asdict(line).items() if value not in ("", 0, None)}
            jsonl.append(self._folder / LINES, to_json(said) + b"\n", self._run)
            self._add(line)

    def _add(self, line: _Line) -> None:
        known = self._lines.get((line.of, line.url))
        if known is None or known.why is not None or line.why is None:
            self._lines[line.of, line.url] = line

    def _write(self, found: Fetched) -> None:
        path = self._path(found.sha256)
        try:
            if private.read(path, _LARGEST) == found.body:
                return
        except OSError:
            pass
        jsonl.replace(path, found.body, self._run)

    def _path(self, sha256: str) -> Path:
        return _body(self._folder, sha256)


def take_over(source: Path, target: Path, run: Path | None) -> None:
    """Adds to the folder `target` what another one keeps; harmless when repeated."""
    there = {line for _, line, _ in jsonl.read_lines(target / LINES)}
    new = [(line, entry) for _, line, entry in jsonl.read_lines(source / LINES) if line not in there]
    for _, entry in new:
        if sha256 := str(entry.get("sha256", "")):
            try:
                body = private.read(_body(source, sha256), _LARGEST)
                jsonl.replace(_body(target, sha256), body, run)
            except OSError:
                continue  # a line without its body says `not kept`
    if new:
        with jsonl.writing(target, run):
            private.make_folder(target)
        jsonl.append(target / LINES, b"".join(line for line, _ in new), run)


def _body(folder: Path, sha256: str) -> Path:
    if len(sha256) != 64 or not sha256.isalnum():  # a line may be a stranger's
        raise OSError(0, "it has no name")
    return folder / BODIES / sha256[:2] / sha256
