"""The run directory: what a run has done so far; a kill at any moment loses nothing that was written.

    recipe.yaml      the resolved recipe; a run exists once this file does
    threshold.json   the hallucination score above which a question is a gap, settled by the first probe
    run.json         provenance: versions, machine, seed, recipe digest
    lock             held by the one process that may write (flock; released by the kernel if it dies)
    timings.jsonl    seconds per stage, and costs of parts of stages
    rounds/1/*.jsonl one file per record type, append-only, one JSON line each
    rounds/1/*.done  a marker per finished stage

Records hold no timestamps, so an interrupted and resumed run ends equal to an undisturbed one.
POSIX only (flock).  This file knows nothing of what a stage does.
"""

from __future__ import annotations

import fcntl
import logging
import os
import platform
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from selfstudy import __version__
from selfstudy.errors import RunError
from selfstudy.files import jsonl
from selfstudy.recipe import Recipe
from selfstudy.recipe.file import changed_keys, parse_recipe, read_yaml, recipe_digest, to_yaml
from selfstudy.records import Failure, Record
from selfstudy.run import threshold
from selfstudy.run.threshold import Threshold

R = TypeVar("R", bound=Record)
T = TypeVar("T")

log = logging.getLogger(__name__)

FORMAT = 2
"""Of the recipe and records of a run, in its run.json; 0.1.0 noted none. Runs of another are refused."""

WRITE_BYTES = 16 * 2**20
"""Records are gathered up to this many bytes and then written and synced at once."""

SCORING = "score "
"""Before a scorer's name: what scoring with it cost, in `Run.costs`."""

PACKAGES = ("torch", "transformers", "peft", "trl", "tokenizers", "numpy", "scikit-learn", "scipy", "lancedb")
"""Packages whose version can change a result: noted in run.json."""


class Run:
    """A run directory. Opened for writing it holds the writer lock until `close`."""

    def __init__(self, path: Path, recipe: Recipe, lock: int | None) -> None:
        self.path = path
        self.recipe = recipe
        self._lock = lock
        self._rounds: dict[int, Round] = {}

    @classmethod
    def create_or_resume(cls, path: Path, recipe: Recipe) -> Run:
        """Begin a run at `path`, or go on with the one that is there.

        Raises:
            RunError: the folder is in use by another process, is no run and not empty, cannot be written, or
                holds a run of another recipe (the message lists the changed keys).
        """
        path = Path(path).absolute()
        _check_place(path)
        with jsonl.writing(path, path):
            path.mkdir(parents=True, exist_ok=True)
        lock = _lock(path)
        try:
            if (path / "recipe.yaml").exists():
                _check_same(path, recipe)
            else:
                jsonl.replace(path / "run.json", jsonl.encode(_provenance(recipe)), path)
                jsonl.replace(path / "recipe.yaml", to_yaml(recipe).encode(), path)
            run = cls(path, recipe, lock)
            run._repair()
            return run
        except BaseException:
            os.close(lock)
            raise

    @classmethod
    def open(cls, path: Path, *, write: bool = True) -> Run:
        """The run at `path`; without `write` nothing is locked, repaired or changed.

        Raises:
            RunError: there is no run, another process writes to it, or its recipe.yaml was edited.
        """
        path = Path(path).absolute()
        if not (path / "recipe.yaml").is_file():
            raise RunError(f"no run at {path}", "start one with: selfstudy learn RECIPE --run DIR")
        recipe = _stored_recipe(path)
        lock = _lock(path) if write else None
        run = cls(path, recipe, lock)
        if write:
            try:
                run._repair()
            except BaseException:
                run.close()
                raise
        return run

    def round(self, number: int) -> Round:
        """Turn `number` of the loop, from 1; its folder is made if the run is open for writing."""
        if number < 1:
            raise ValueError(f"rounds count from 1, not {number}")
        if number not in self._rounds:
            self._rounds[number] = Round(self, number)
        return self._rounds[number]

    @property
    def rounds(self) -> list[Round]:
        """The rounds that exist, in order."""
        numbers = [int(p.name) for p in (self.path / "rounds").glob("*") if p.name.isdigit() and p.is_dir()]
        return [self.round(number) for number in sorted(numbers)]

    @property
    def threshold(self) -> Threshold:
        """Which hallucination score makes a question a gap, and why: settled when the run first probed."""
        return threshold.of(self)

    @contextmanager
    def timed(self, stage: str, round_: int = 1) -> Iterator[None]:
        """Add the seconds spent inside to `timings.jsonl`, also when the stage is interrupted."""
        self._require_writer()
        start = time.perf_counter()
        try:
            yield
        except BaseException:
            with suppress(RunError):  # the error that stopped the stage matters more
                self._note_time(stage, round_, time.perf_counter() - start)
            raise
        self._note_time(stage, round_, time.perf_counter() - start)

    def seconds(self) -> dict[str, float]:
        """Seconds per stage over all rounds and sessions, in the order in which the stages first ran."""
        total: dict[str, float] = {}
        for _, _, entry in jsonl.read_lines(self.path / "timings.jsonl"):
            if "stage" in entry:
                total[entry["stage"]] = total.get(entry["stage"], 0.0) + entry["seconds"]
        return total

    def note_cost(self, part: str, round_: int, **figures: float) -> None:
        """Add what a piece of work inside a stage cost to `timings.jsonl`; stages keep their own seconds."""
        self._require_writer()
        self._note({"part": part, "round": round_, **figures})

    def costs(self, round_: int = 1) -> dict[str, dict[str, float]]:
        """Sums of what `note_cost` was given, per part, over all sessions."""
        total: dict[str, dict[str, float]] = {}
        for _, _, entry in jsonl.read_lines(self.path / "timings.jsonl"):
            if "part" in entry and entry["round"] == round_:
                sums = total.setdefault(entry["part"], {})
                for name in entry.keys() - {"part", "round"}:
                    sums[name] = sums.get(name, 0) + entry[name]
        return total

    def write_json(self, name: str, data: Mapping[str, Any]) -> None:
        """Replace file `name` of the run directory in one step; NaN and infinities become null."""
        self._require_writer()
        jsonl.replace(self.path / name, jsonl.encode(data), self.path)

    def read_json(self, name: str) -> dict[str, Any] | None:
        """What `write_json` wrote, or None if there is no such file."""
        path = self.path / name
        try:
            data: dict[str, Any] = from_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise RunError(
                f"{path} cannot be read: {error}", "delete the file and run the stage again"
            ) from None
        return data

    def close(self) -> None:
        """Let go of the writer lock. Closing twice is harmless."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def writable(self) -> bool:
        """Whether this process holds the writer lock."""
        return self._lock is not None

    def _note_time(self, stage: str, round_: int, seconds: float) -> None:
        self._note({"stage": stage, "round": round_, "seconds": seconds})

    def _note(self, entry: Mapping[str, Any]) -> None:
        jsonl.append(self.path / "timings.jsonl", to_json(entry) + b"\n", self.path)

    def _require_writer(self) -> None:
        if not self.writable:
            raise RunError(f"the run {self.path} is open for reading only", "open it with write=True")

    def _repair(self) -> None:
        """Cut torn last lines off every JSONL file, left by a kill or a full disk in an earlier session."""
        jsonl.repair(self.path / "timings.jsonl", self.path)
        for turn in self.rounds:
            for path in sorted(turn.path.glob("*.jsonl")):
                if jsonl.repair(path, self.path):
                    turn._distrust_markers(path)


class Round:
    """One turn of the loop: its records and which stages have finished."""

    def __init__(self, run: Run, number: int) -> None:
        self.run = run
        self.number = number
        self.path = run.path / "rounds" / str(number)
        self._ids: dict[type[Record], set[str]] = {}
        if run.writable:
            with jsonl.writing(self.path, run.path):
                self.path.mkdir(parents=True, exist_ok=True)

    def read(self, kind: type[R]) -> list[R]:
        """All records of type `kind`, in file order; empty if there are none."""
        return list(self.iter(kind))

    def iter(self, kind: type[R]) -> Iterator[R]:
        """Like `read`, one at a time, in constant memory."""
        path = self._file(kind)
        for number, line, _ in jsonl.read_lines(path, parse=False):
            try:
                yield kind.model_validate_json(line)
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                where = ".".join(map(str, first["loc"]))
                raise jsonl.damaged(path, number, f"not a {kind.__name__}: {where} {first['msg']}") from None

    def ids(self, kind: type[Record]) -> set[str]:
        """The ids of all records of type `kind` (a copy)."""
        return set(self._known(kind))

    def append(self, items: Iterable[Record]) -> None:
        """Write records to the file of their type and force them to disk; ids already there are skipped.

        Raises:
            RunError: the disk is full or the like; each file then ends with its last whole line.
        """
        self.run._require_writer()
        buffers: dict[type[Record], dict[str, bytes]] = {}
        size = 0
        for item in items:
            kind = type(item)
            buffer = buffers.setdefault(kind, {})
            if item.id in buffer or item.id in self._known(kind):
                continue
            buffer[item.id] = jsonl.encode_record(item)
            size += len(buffer[item.id])
            if size >= WRITE_BYTES:
                self._write(buffers)
                size = 0
        self._write(buffers)

    def fail(self, stage: str, item_id: str, error: object) -> None:
        """Note that `stage` could not do `item_id`; an exception is noted with its type."""
        message = f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else str(error)
        self.append([Failure(stage=stage, item_id=item_id, message=message)])

    def finished(self, stage: str) -> bool:
        """Whether `finish(stage)` was called in this or an earlier session."""
        return self._marker(stage).exists()

    def finish(self, stage: str) -> None:
        """Mark `stage` as done. The marker holds the size of each record file: see `_distrust_markers`."""
        self.run._require_writer()
        sizes = {path.name: path.stat().st_size for path in sorted(self.path.glob("*.jsonl"))}
        jsonl.replace(self._marker(stage), to_json(sizes), self.run.path)

    def rewrite(self, kind: type[R], records: Iterable[R]) -> None:
        """Replace all records of type `kind` by these in one step, for a stage that must start again.

        Raises:
            RunError: the disk is full or the like; the records of before are still there.
        """
        self.run._require_writer()
        data = b"".join(jsonl.encode_record(record) for record in records)
        jsonl.replace(self._file(kind), data, self.run.path)
        self._ids.pop(kind, None)

    def pending(self, items: Sequence[T], size: int, done: Callable[[T], bool]) -> Iterator[list[T]]:
        """Cut `items` into fixed blocks of `size`; yield, whole, each block with an item not yet done.

        A half-finished block is computed again entirely, so that batch shapes, and hence floats, equal those
        of an undisturbed run; `append` skips what is already there.
        """
        for start in range(0, len(items), size):
            block = list(items[start : start + size])
            if not all(done(item) for item in block):
                yield block

    def _file(self, kind: type[Record]) -> Path:
        if not kind.file:
            raise TypeError(f"{kind.__name__} names no file")
        return self.path / kind.file

    def _marker(self, stage: str) -> Path:
        return self.path / f"{stage}.done"

    def _known(self, kind: type[Record]) -> set[str]:
        if kind not in self._ids:
            ids = {str(entry.get("id", "")) for _, _, entry in jsonl.read_lines(self._file(kind))}
            if not self.run.writable:  # another process may be appending: nothing to cache
                return ids
            self._ids[kind] = ids
        return self._ids[kind]

    def _write(self, buffers: dict[type[Record], dict[str, bytes]]) -> None:
        for kind, buffer in buffers.items():
            if buffer:
                jsonl.append(self._file(kind), b"".join(buffer.values()), self.run.path)
                self._known(kind).update(buffer)
                buffer.clear()

    def _distrust_markers(self, repaired: Path) -> None:
        """Drop the marker of every stage that finished when `repaired` was longer than it is now."""
        size = repaired.stat().st_size
        for marker in sorted(self.path.glob("*.done")):
            if from_json(marker.read_bytes()).get(repaired.name, 0) > size:
                log.warning(
                    "%s lost records that %s had written: the stage runs again", repaired, marker.stem
                )
                marker.unlink()


def _check_place(path: Path) -> None:
    """Refuse a place that is no run, before anything is written there."""
    if path.exists() and not path.is_dir():
        raise RunError(f"the run directory {path} is a file", "give a new folder with --run DIR")
    if not path.is_dir() or (path / "recipe.yaml").exists():
        return
    # what a kill during creation leaves behind does not count as somebody's files
    foreign = [p.name for p in path.iterdir() if p.name not in ("lock", "run.json") and p.suffix != ".tmp"]
    if foreign:
        raise RunError(
            f"{path} is not empty and no run (it holds {', '.join(sorted(foreign)[:3])})",
            "give a new or empty folder with --run DIR",
        )


def _check_same(path: Path, recipe: Recipe) -> None:
    changed = changed_keys(_stored_recipe(path), recipe)
    if changed:
        raise RunError(
            f"the run {path} was made with another recipe:\n" + "\n".join(f"    {line}" for line in changed),
            "undo the change, or start a new run with --run DIR",
        )


def _stored_recipe(path: Path) -> Recipe:
    file = path / "recipe.yaml"
    try:
        provenance = from_json((path / "run.json").read_bytes())
    except (OSError, ValueError):
        raise RunError(
            f"{path / 'run.json'} is missing or damaged", "start a new run with --run DIR"
        ) from None
    if provenance.get("format") != FORMAT:
        raise RunError(
            f"the run {path} was made by another version of selfstudy, {provenance.get('selfstudy')}, whose "
            f"runs {__version__} does not read",
            "start a new run with --run DIR, or go on with the version that began this one",
        )
    recipe = parse_recipe(read_yaml(file), str(file))
    # a newer version may know more keys, so only the version that wrote the digest can check it
    same_version = provenance.get("selfstudy") == __version__
    if same_version and provenance.get("recipe_digest") != recipe_digest(recipe):
        raise RunError(
            f"{file} was edited after the run began", "undo the edit, or start a new run with --run DIR"
        )
    return recipe


def _provenance(recipe: Recipe) -> dict[str, Any]:
    versions = {}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return {
        "selfstudy": __version__,
        "format": FORMAT,
        "recipe_digest": recipe_digest(recipe),
        "seed": recipe.seed,
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": versions,
    }


def _lock(path: Path) -> int:
    """Take the writer lock of the run at `path`; returns the descriptor that holds it."""
    with jsonl.writing(path / "lock", path):
        descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.read(descriptor, 200).decode(errors="replace").strip() or "an unknown process"
        os.close(descriptor)
        if not isinstance(error, BlockingIOError):
            raise RunError(f"cannot lock {path}: {error.strerror}", "put the run on a local disk") from None
        raise RunError(
            f"the run {path} is being written by {holder}", "wait for it, stop it, or give another --run DIR"
        ) from None
    with suppress(OSError):  # on a full disk the lock still holds; only its label is missing
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
    return descriptor
