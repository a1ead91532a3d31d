"""An index over the questions of a run, so that a page of 50 out of 100,000 is found at once.

It is a database in a temporary folder of this process, never in the run: it holds texts, and goes when the
server does.  A thread of its own fills it, and goes on where it stopped when the run has written more; what
is asked meanwhile is answered from what is there, with a word on what is not.  A file that was written anew
(something was forgotten) is counted anew from its start.  Reads four types of record, as data: what is no
record is left out, and counted.  The map of it is made only for who asks for it.  Knows nothing of HTML.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from selfstudy.files import private, reading
from selfstudy.records import GAPS, Check, Question, Record, Score, Verdict, digest
from selfstudy.show.questions import VERDICTS, cut
from selfstudy.text import clean
from selfstudy.ui.index_query import INDEXES, SCHEMA, QuestionPage, QuestionRow, QuestionsAsked, rows_of

if TYPE_CHECKING:
    from selfstudy.run import Run

KINDS: tuple[type[Record], ...] = (Question, Verdict, Check, Score)
"""In the order in which they are read; sizes are taken in the other one, so that none lacks its question."""
BATCH = 2_000
"""Records that are written at once, and can then be asked for."""
MOST_ROUNDS = 1_000
MOST_TEXT = 600
"""Characters of a question that are kept: the question's own page shows all."""
MOST_POINTS = 4_000
"""Questions on the map."""
KEPT = 8
"""Runs whose index is kept: of those that were looked at last."""
FIRST_LOOK = 0.25
"""Seconds that the first look of all may wait for a first page."""
_WANTED, _DRAWN = "wanted", "drawn"
"""What a map is; "": nobody asked for it since the run wrote more."""


@dataclass
class FileRead:
    """One file: how far it was read, what it ended with there, and its size when its last line was torn."""

    path: Path
    round: int
    kind: type[Record]
    read: int = 0
    node: int = 0
    end: bytes = b""
    size: int = 0
    torn: int = -1


@dataclass(frozen=True)
class IndexProgress:
    """How far an index is.

    Attributes:
        read, size: bytes of the files.
        ready: all that stood in the run when it was last looked at is in.
        busy: something is still being made, if only the map.
        left_out: lines that were no records, or too long.
    """

    read: int
    size: int
    ready: bool
    busy: bool
    left_out: int

    @property
    def said(self) -> str:
        """A sentence; "" where there is nothing to say."""
        told = []
        if not self.ready:
            share = self.read / self.size if self.size else 0.0
            told.append(
                f"The questions of this run are being counted ({share:.0%}): what is here is not yet all."
            )
        if self.left_out:
            told.append(f"{self.left_out:,} lines are damaged or too long, and left out.")
        return " ".join(told)


@dataclass
class QuestionIndex:
    """Of one run; `refresh` looks whether it wrote more.

    Args:
        file: of the database.
        scorer: the one whose scores decide.
    """

    run: Run
    file: Path
    scorer: str
    _parts: dict[Path, FileRead] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _thread: threading.Thread | None = None
    _first: threading.Event = field(default_factory=threading.Event)
    _left_out: int = 0
    _counted: bool = True
    _map: str = ""

    def __post_init__(self) -> None:
        os.close(os.open(self.file, os.O_CREAT | os.O_EXCL | os.O_RDWR, private.FILE))
        with closing(self._connected()) as database:
            database.executescript(SCHEMA)

    def refresh(self, *, drawn: bool = False) -> IndexProgress:
        """Begins to read what is new, in a thread; waits for a moment only where nothing is there yet.

        Args:
            drawn: whether the map is wanted too.
        """
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                parts = self._now()
                new = any(part.read < part.size for part in parts)
                if drawn and (new or not self._map):
                    self._map = _WANTED
                elif new:
                    self._map = ""
                if new or self._map == _WANTED:
                    self._counted = not new
                    self._thread = threading.Thread(target=self._read, args=(parts,), daemon=True)
                    self._thread.start()
                else:
                    self._first.set()
            elif drawn and not self._map:
                self._map = _WANTED
        self._first.wait(FIRST_LOOK)
        return self.standing

    @property
    def standing(self) -> IndexProgress:
        parts = list(self._parts.values())
        reads = self._thread is not None and self._thread.is_alive()
        read, size = sum(part.read for part in parts), sum(part.size for part in parts)
        busy = reads or self._map == _WANTED
        return IndexProgress(read, size, self._counted or not reads, busy, self._left_out)

    def wait(self, seconds: float) -> bool:
        """Until all is read, and the map is made if it is wanted; whether that is so."""
        if self._thread is not None:
            self._thread.join(seconds)
        return not self.standing.busy

    def page(self, asked: QuestionsAsked) -> QuestionPage:
        """Some rows, and how many there are like them."""
        with closing(self._connected()) as database:
            return rows_of(database, asked)

    def rows(self, asked: QuestionsAsked) -> Iterator[QuestionRow]:
        """All of them, page by page."""
        page = self.page(asked)
        while True:
            yield from page.rows
            if not page.after:
                return
            page = self.page(asked.following(page.after))

    def verdicts(self) -> dict[str, int]:
        """How many questions have each; "" is of those without."""
        with closing(self._connected()) as database:
            found = dict(database.execute("SELECT verdict, count(*) FROM questions GROUP BY verdict"))
        return {name: found[name] for name in (*VERDICTS, "") if name in found}

    def points(self) -> list[tuple[float, float, str]]:
        """(x, y, verdict) of the map; empty until it is made."""
        with closing(self._connected()) as database:
            return database.execute("SELECT x, y, verdict FROM points JOIN questions USING (n)").fetchall()

    def _connected(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.file, timeout=10)
        database.execute("PRAGMA synchronous=OFF")  # it is made anew after a crash
        return database

    def _now(self) -> list[FileRead]:
        """The files as they are; what was written anew is read from its start."""
        found = []
        anew = False
        numbers = [one.number for one in islice(self.run.rounds, MOST_ROUNDS)]
        for kind in reversed(KINDS):
            for number in numbers:
                path = self.run.round(number).path / kind.file
                part = self._parts.setdefault(path, FileRead(path, number, kind))
                try:
                    now = path.stat(follow_symlinks=False)
                except OSError:
                    anew |= part.read > 0
                    continue
                anew |= part.read > 0 and not _goes_on(part, now)
                part.size = part.read if now.st_size == part.torn else now.st_size
                part.node = now.st_ino
                found.append(part)
        if anew:
            self._empty(found)
        return sorted(found, key=lambda part: KINDS.index(part.kind))

    def _empty(self, parts: list[FileRead]) -> None:
        self._parts = {part.path: part for part in parts}
        self._left_out = 0
        for part in parts:
            part.read, part.end, part.torn = 0, b"", -1
        with closing(self._connected()) as database:
            with database:
                database.execute("DELETE FROM questions")
                database.execute("DELETE FROM points")
            self._map = ""
            database.execute("VACUUM")  # what was forgotten stays in no free page either

    def _read(self, parts: list[FileRead]) -> None:
        try:
            with closing(self._connected()) as database:
                if not any(part.read for part in parts):
                    self._glimpse(database, parts)
                for part in parts:
                    self._read_part(database, part)
                database.executescript(INDEXES)
                self._counted = True
                if self._map == _WANTED:
                    try:
                        _place(database, self.run.recipe.seed)
                    finally:  # what failed once is not tried every second
                        self._map = _DRAWN
        finally:
            self._first.set()

    def _glimpse(self, database: sqlite3.Connection, parts: list[FileRead]) -> None:
        """The beginning of every file, so that each view has something at once; all is read in its turn."""
        left_out = self._left_out
        for part in parts:
            self._read_part(database, replace(part), glimpse=True)
        self._left_out = left_out
        self._first.set()

    def _read_part(self, database: sqlite3.Connection, part: FileRead, *, glimpse: bool = False) -> None:
        try:
            descriptor = private.open_file(part.path, os.O_RDONLY)
        except OSError:
            self._left_out += 1
            part.read = part.size
            return
        with os.fdopen(descriptor, "rb") as file:
            file.seek(part.read)
            while part.read < part.size:
                made: list[tuple[Any, ...]] = []
                for _ in range(BATCH):
                    if not (line := self._line(file, part)):
                        break
                    part.end = line[-64:]
                    if (row := self._row(part, line)) is not None:
                        made.append(row)
                else:
                    _write(database, part.kind, made)
                    if glimpse:
                        return
                    continue
                _write(database, part.kind, made)
                return

    def _line(self, file: Any, part: FileRead) -> bytes:
        """The next whole one, b"" at the end; one that is too long is passed by."""
        line: bytes = file.readline(reading.LONGEST_LINE + 1)
        size = len(line)
        if size > reading.LONGEST_LINE:
            self._left_out += 1
            while not line.endswith(b"\n") and (line := file.readline(2**20)):
                size += len(line)
            line = line[-64:] and b"\n"
        if not line.endswith(b"\n"):  # torn, or still being written
            part.torn, part.size = part.size, part.read
            return b""
        part.read += size
        return line

    def _row(self, part: FileRead, line: bytes) -> tuple[Any, ...] | None:
        """What is kept of a record; None: nothing."""
        if line == b"\n" or (part.kind is Score and self._is_of_another(line)):
            return None
        try:
            reading.check_values(line)
            row = _kept(part, from_json(line), self.scorer)
        except (ValueError, KeyError, TypeError, AttributeError):
            self._left_out += 1
            return None
        return row

    def _is_of_another(self, line: bytes) -> bool:
        """Whether a score is surely of a scorer that does not decide, told without reading all of it."""
        return b'"scorer":"' in line and self.scorer.encode() not in line and b"\\u" not in line


def _goes_on(part: FileRead, now: os.stat_result) -> bool:
    """Whether a file holds what was read of it, and perhaps more."""
    if now.st_size < part.read or now.st_ino != part.node:
        return False
    try:
        descriptor = private.open_file(part.path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return os.pread(descriptor, len(part.end), part.read - len(part.end)) == part.end
    finally:
        os.close(descriptor)


def _kept(part: FileRead, entry: dict[str, Any], scorer: str) -> tuple[Any, ...] | None:
    if part.kind is Question:
        text = cut(_text(entry["text"]), MOST_TEXT)
        topic, method = cut(_text(entry.get("topic", "")), 80), cut(_text(entry.get("method", "")), 20)
        return part.round, _name(entry["id"]), text, text.casefold(), topic, method
    name = _name(entry["question_id"])
    if part.kind is Score:
        return (_unit(entry["value"]), part.round, name) if entry["scorer"] == scorer else None
    if part.kind is Verdict:
        kind = entry["kind"] if entry["kind"] in VERDICTS else ""
        return kind, kind in GAPS, part.round, name
    if entry["wording"] != "original" or entry["target"] == "reading":
        return None  # as show/sample.py: the question itself, as it was put first
    arm = {"base": 0, "taught": 1, "weaker": 1}.get(entry["arm"])
    correct = entry["correct"] if entry["correct"] in (True, False) else None
    return None if arm is None else (arm, correct, _unit(entry.get("score")), part.round, name)


def _write(database: sqlite3.Connection, kind: type[Record], rows: list[tuple[Any, ...]]) -> None:
    here = "WHERE round = ? AND id = ?"
    with database:
        if kind is Question:
            told = "INSERT OR IGNORE INTO questions (round, id, text, folded, topic, method)"
            told += " VALUES (?,?,?,?,?,?)"
            database.executemany(told, rows)
        elif kind is Score:
            database.executemany(f"UPDATE questions SET score = ? {here}", rows)
        elif kind is Verdict:
            database.executemany(f"UPDATE questions SET verdict = ?, gap = ? {here}", rows)
        else:
            for arm, side in enumerate(("before", "after")):
                told = f"UPDATE questions SET {side} = ?, score_{side} = ? {here}"
                database.executemany(told, [row[1:] for row in rows if row[0] == arm])


def _place(database: sqlite3.Connection, seed: int) -> None:
    """Where the questions of the map lie; anew once a tenth more are there."""
    from selfstudy.models.embedder import LexicalEmbedder
    from selfstudy.show.map import layout

    there = database.execute("SELECT count(*) FROM questions").fetchone()[0]
    placed = database.execute("SELECT count(*) FROM points").fetchone()[0]
    if min(there, MOST_POINTS) <= placed * 1.1:
        return
    # ids are hashes: the first of them are a sample that nobody chose
    drawn = database.execute(
        "SELECT n, text FROM questions ORDER BY id, n LIMIT ?", (MOST_POINTS,)
    ).fetchall()
    places = layout([text for _, text in drawn], LexicalEmbedder(), seed)
    with database:
        database.execute("DELETE FROM points")
        rows = [(n, float(x), float(y)) for (n, _), (x, y) in zip(drawn, places, strict=True)]
        database.executemany("INSERT INTO points VALUES (?,?,?)", rows)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("no text")
    return value


def _name(value: object) -> str:
    if not isinstance(value, str) or not value or len(value) > 200:
        raise ValueError("no id")
    return clean(value)


def _unit(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    return min(1.0, max(0.0, float(value)))


_MADE: OrderedDict[str, QuestionIndex] = OrderedDict()
_MAKING = threading.Lock()
_FOLDER: list[tempfile.TemporaryDirectory[str]] = []


def index_of(run: Run) -> QuestionIndex:
    """The index of a run, made on first look, and brought up to what the run has written."""
    key = digest(str(run.path), run.recipe.probe.scorer)
    with _MAKING:
        if not _FOLDER:
            _FOLDER.append(tempfile.TemporaryDirectory(prefix="selfstudy-index-"))  # goes at exit
        if key not in _MADE:
            name = f"{key}-{secrets.token_hex(8)}.sqlite"
            _MADE[key] = QuestionIndex(run, Path(_FOLDER[0].name) / name, run.recipe.probe.scorer)
        _MADE.move_to_end(key)
        while len(_MADE) > KEPT:
            _MADE.popitem(last=False)[1].file.unlink(missing_ok=True)
        return _MADE[key]
