"""The cache on disk: what is kept, what a kill, damage and a full disk do to it."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from selfstudy.files import cache as cache_module
from selfstudy.files.cache import Cache


@contextmanager
def full_disk(left: int) -> Iterator[None]:
    """No file can grow beyond `left` bytes."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (left, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


def many(start: int, count: int = 2000) -> dict[str, bytes]:
    return {f"key {i}": f"value {i}".encode() for i in range(start, start + count)}


def test_entries_are_there_for_the_next_process(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "deep" / "cache.sqlite")
    cache.put(many(0))
    cache.put({"key 5": b"newer"})
    cache.close()
    found = Cache(tmp_path / "deep" / "cache.sqlite").get(["key 5", "key 1999", "absent"])
    assert found == {"key 5": b"newer", "key 1999": b"value 1999"}


def test_beyond_the_limit_the_longest_unused_go(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    cache = Cache(path, limit=300_000)
    for i in range(20):
        cache.put({f"{i}": b"x" * 10_000})
        with sqlite3.connect(path) as beside:  # as if each had been put an hour before the next
            beside.execute("UPDATE entries SET used = used - 3600")
    cache.get(["0"])
    for i in range(20, 28):
        cache.put({f"{i}": b"x" * 10_000})
    found = cache.get([str(i) for i in range(28)])
    assert {"0", *(str(i) for i in range(20, 28))} <= set(found)
    assert "1" not in found
    assert sum(map(len, found.values())) <= 300_000
    for i in range(28, 100):
        cache.put({f"{i}": b"x" * 10_000})
    assert path.stat().st_size < 500_000


def test_an_entry_beyond_the_limit_is_dropped(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache.sqlite", limit=100_000)
    cache.put(many(0, 10))
    cache.put({"huge": b"x" * 1_000_000})
    assert "huge" not in cache.get(["huge"])
    cache.put(many(0, 10))
    assert len(cache.get(list(many(0, 10)))) == 10


@pytest.mark.parametrize("shared", [True, False])
def test_a_put_that_is_killed_leaves_all_or_nothing(tmp_path: Path, shared: bool) -> None:
    path = tmp_path / "cache.sqlite"
    child = os.fork()
    if not child:
        cache = Cache(path, shared=shared)
        cache.put(many(0))
        cache._db.execute("BEGIN")
        cache._db.executemany("INSERT INTO entries VALUES (?, ?, 0)", many(2000).items())
        os._exit(9)
    os.waitpid(child, 0)
    cache = Cache(path, shared=shared)
    assert len(cache) == 2000
    assert cache.get(["key 1", "key 3000"]) == {"key 1": b"value 1"}


@pytest.mark.parametrize("damage", [b"no database at all, though long enough to be one" * 100, b""])
def test_a_damaged_file_is_set_aside(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "cache.sqlite"
    first = Cache(path)
    first.put(many(0))
    first.close()
    path.write_bytes(damage)
    cache = Cache(path)
    assert cache.get(["key 1"]) == {}
    cache.put(many(0, 2))
    cache.close()
    assert Cache(path).get(["key 1"]) == {"key 1": b"value 1"}
    assert (tmp_path / "cache.sqlite.damaged").exists() == bool(damage)


def test_a_file_damaged_while_it_is_open_stops_nothing(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache.sqlite", shared=False)
    cache.put(many(0))
    size = (tmp_path / "cache.sqlite").stat().st_size
    with (tmp_path / "cache.sqlite").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    cache._db.execute("PRAGMA cache_size = 1")
    cache.put({"new": b"1"})
    assert cache.get(["new"]) == {"new": b"1"}


def test_a_full_disk_can_be_read_and_what_it_does_not_take_is_held(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    first = Cache(path, shared=False)
    first.put(many(0))
    first.close()
    with full_disk(0):
        cache = Cache(path, shared=False)
        assert len(cache.get(list(many(0)))) == 2000
        cache.put(many(2000))
        assert cache.get(["key 1", "key 3000"]) == {"key 1": b"value 1", "key 3000": b"value 3000"}
    cache.put({"later": b"1"})
    cache.close()
    assert len(Cache(path).get(["key 1", "key 3000", "later"])) == 3


def test_what_is_held_is_bounded_and_not_written_again_with_every_put(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "_HELD", 50_000)
    cache = Cache(tmp_path / "cache.sqlite", shared=False)
    writes: list[int] = []
    write = cache._write
    monkeypatch.setattr(cache, "_write", lambda rows: (writes.append(len(rows)), write(rows)))
    with full_disk(0):
        for i in range(100):
            cache.put({f"{i}": b"x" * 1000})
        assert writes == [1]
        assert sorted(map(int, cache.get([str(i) for i in range(100)]))) == list(range(50, 100))
    monkeypatch.setattr(cache, "_next_try", 0.0)  # a minute later
    cache.put({"100": b"x"})
    assert writes == [1, 51]
    cache.put({"101": b"x"})
    cache.close()
    assert len(Cache(tmp_path / "cache.sqlite")) == 52


def test_a_cache_in_memory_is_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "_HELD", 100_000)
    (tmp_path / "file").touch()
    cache = Cache(tmp_path / "file" / "cache.sqlite")
    for i in range(100):
        cache.put({f"{i}": b"x" * 5_000})
    found = cache.get([str(i) for i in range(100)])
    assert "99" in found
    assert len(found) <= 20


def test_where_no_file_can_be_made_it_works_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = Cache(tmp_path / "file" / "cache.sqlite")
    cache.put(many(0))
    assert cache.get(["key 7"]) == {"key 7": b"value 7"}
    with full_disk(0):
        cache = Cache(tmp_path / "new.sqlite", shared=False)
        cache.put(many(0))
        assert cache.get(["key 7"]) == {"key 7": b"value 7"}


def test_two_processes_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    cache = Cache(path)
    child = os.fork()
    if not child:
        Cache(path).put(many(0))
        os._exit(0)
    os.waitpid(child, 0)
    assert cache.get(["key 1"]) == {"key 1": b"value 1"}
    assert sqlite3.connect(path).execute("SELECT count(*) FROM entries").fetchone() == (2000,)


WRITER = """
import sys, time
from pathlib import Path
from selfstudy.files.cache import Cache
path, name = Path(sys.argv[1]), sys.argv[2]
cache = Cache(path, limit=10**9)
for batch in range(10**6):
    cache.put({f"{name} {batch} {i}": f"{name} {batch} {i}".encode() * 20 for i in range(20)})
    assert len(cache.get([f"{name} {batch} {i}" for i in range(20)])) == 20
    print(batch, flush=True)
"""


def test_several_processes_at_once_and_kill_9_in_the_middle(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, path, str(i)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(4)
    ]
    for writer in writers:  # all of them are in the middle of it
        assert writer.stdout is not None
        for _ in range(20):
            assert writer.stdout.readline(), writer.communicate()[1]
    done = {}
    for i, writer in enumerate(writers):
        writer.kill()
        out, warnings = writer.communicate()
        assert warnings == ""
        done[i] = 20 + len(out.splitlines()) - (not out.endswith("\n") and bool(out))
    cache = Cache(path)
    for i, batches in done.items():  # what a process was told is kept is there, in whole batches
        keys = [f"{i} {batch} {k}" for batch in range(batches) for k in range(20)]
        found = cache.get(keys)
        assert len(found) == len(keys)
        assert all(value == key.encode() * 20 for key, value in found.items())
        after = [
            len(cache.get([f"{i} {batch} {k}" for k in range(20)])) for batch in range(batches, batches + 3)
        ]
        assert set(after) <= {0, 20}
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_file_damaged_in_the_middle_is_replaced_by_whoever_meets_it_first(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    first = Cache(path, limit=10**9)
    first.put(many(0))
    first.close()
    size = path.stat().st_size
    with path.open("r+b") as file:  # the header is whole: opening it shows nothing
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    one, other = Cache(path, limit=10**9), Cache(path, limit=10**9)
    one.put(many(0, 5))
    assert len(one.get(list(many(0, 5)))) == 5
    other.put(many(5, 5))
    assert len(other.get(list(many(0, 10)))) == 10
    assert (tmp_path / "cache.sqlite.damaged").stat().st_size == size
    assert len(Cache(path).get(list(many(0, 10)))) == 10
