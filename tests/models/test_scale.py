"""Real Ray on this machine: workers that die, raise and answer too little, and what becomes of their work."""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from selfstudy.errors import DataError, MissingExtraError, ModelError
from selfstudy.models.remote.usage import Usage
from selfstudy.models.scale import RayWorkers
from selfstudy.models.workers import Done, Lost, ModelSpec
from selfstudy.recipe.scale import ScaleBlock

pytest.importorskip("ray")
SPEC = ModelSpec("lm", "{}")


def worker_class(folder: Path) -> type:
    """A worker that doubles numbers, and does what its items say; made here, so that it travels by value."""
    where = str(folder)

    class Doubling:
        def do(self, spec: Any, method: str, items: Any, *common: Any) -> Any:
            from selfstudy.models.remote.usage import Usage

            self._log(f"{method} {items}")
            for item in items:
                if isinstance(item, str):
                    self._obey(item)
            extra = len(common[0]) if common else 0
            return [item if isinstance(item, str) else 2 * item + extra for item in items], Usage(calls=1)

        def call(self, spec: Any, method: str, *arguments: Any) -> Any:
            if method == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            return (
                os.getpid(),
                os.environ["OMP_NUM_THREADS"],
                sys.path,
                os.environ.get("CUDA_VISIBLE_DEVICES"),
            )

        def forget(self, spec: Any) -> None:
            self._log("forget")

        def _obey(self, item: str) -> None:
            word, _, rest = item.partition(" ")
            if word == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            if word == "die-once" and not (mark := Path(where, f"died-{rest}")).exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            if word == "raise":
                raise ValueError("no such item")
            if word == "hungry":
                self.much = bytearray(1 << 50)
            if word == "refuse":
                raise MissingExtraError("bitsandbytes", "4bit", "model.load: 4bit")
            if word == "refuse-data":
                raise DataError("the page is empty", "add text")
            if word == "sleep":
                time.sleep(float(rest))

        def _log(self, line: str) -> None:
            with Path(where, f"log-{os.getpid()}").open("a") as file:
                file.write(line + "\n")

    return Doubling


def logged(folder: Path) -> list[str]:
    return [line for log in sorted(folder.glob("log-*")) for line in log.read_text().splitlines()]


@pytest.fixture(scope="module", autouse=True)
def started_once() -> Iterator[None]:
    """Two workers' worth of Ray, to which all the tests' workers go."""
    first = RayWorkers(ScaleBlock(workers=2), worker=worker_class(Path("/nonexistent")))
    for copy in list(first._living.values()):  # only its Ray is wanted
        first._kill(copy)
    yield
    first.close()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def make(tmp_path: Path, said: list[str]) -> Iterator[Callable[..., RayWorkers]]:
    made = []

    def make(**block: Any) -> RayWorkers:
        made.append(RayWorkers(ScaleBlock(**block), said.append, worker_class(tmp_path)))
        return made[-1]

    yield make
    for workers in made:
        workers.close()


def results(done: Iterator[Done], units: list[list[Any]]) -> list[list[Any]]:
    """In order of the units; each must come once, with a result for each item."""
    found = {one.unit: one.results for one in sorted(done, key=lambda one: one.unit)}
    assert list(found) == list(range(len(units)))
    assert [len(one) for one in found.values()] == [len(unit) for unit in units]
    return list(found.values())


@pytest.mark.parametrize("workers", [1, 2])
def test_each_unit_comes_once_and_common_arguments_reach_all(
    make: Callable[..., RayWorkers], said: list[str], workers: int
) -> None:
    pool = make(workers=workers)
    units = [[number, number + 1] for number in range(0, 40, 2)] + [[]]
    for common in ([0] * 3, [0] * 300_000):  # which goes through the object store
        plain = [[2 * item + len(common) for item in unit] for unit in units]
        assert results(pool.share(SPEC, "double", units, common), units) == plain
    assert pool.count == workers
    assert said[0].startswith(f"workers: {workers} (")


def test_what_is_killed_is_tried_elsewhere_and_nothing_is_lost(
    make: Callable[..., RayWorkers], said: list[str]
) -> None:
    units: list[list[Any]] = [[1, "die-once a", 2], [3, 4], [5], ["die-once b", 6], [7]]
    found = results(make(workers=2).share(SPEC, "double", units), units)
    assert found == [[2, "die-once a", 4], [6, 8], [10], ["die-once b", 12], [14]]
    lost = [line for line in said if "was lost" in line]
    assert len(lost) == 2
    assert "127.0.0.1" in lost[0]
    assert "another is started" in lost[0]


def test_a_poisonous_item_is_lost_alone_and_the_work_for_it_is_bounded(
    make: Callable[..., RayWorkers], tmp_path: Path
) -> None:
    units: list[list[Any]] = [[1, 2, 3, "die"], [4, 5]]
    found = results(make(workers=2, tries=2).share(SPEC, "double", units), units)
    assert found[0][:3] == [2, 4, 6]
    assert found[1] == [8, 10]
    assert isinstance(found[0][3], Lost)
    assert "127.0.0.1" in found[0][3].error
    tries = [line for line in logged(tmp_path) if "die" in line]
    assert len(tries) == 2 + 1 + 2  # whole, in a half, alone


def test_an_error_of_the_model_is_asked_elsewhere_once_and_then_found(
    make: Callable[..., RayWorkers], said: list[str], tmp_path: Path
) -> None:
    units: list[list[Any]] = [[1, "raise"], ["hungry", 2], [3]]
    found = results(make(workers=2).share(SPEC, "double", units), units)
    assert (found[0][0], found[1][1], found[2]) == (2, 4, [6])
    assert "ValueError: no such item" in found[0][1].error
    assert "MemoryError" in found[1][0].error
    assert len({log for log in tmp_path.glob("log-*") if "raise" in log.read_text()}) == 2


def test_what_the_model_refuses_is_raised_as_it_would_be_here(make: Callable[..., RayWorkers]) -> None:
    pool = make(workers=2)
    with pytest.raises(MissingExtraError) as refused:
        list(pool.share(SPEC, "double", [["refuse"], [1]]))
    assert str(refused.value) == str(MissingExtraError("bitsandbytes", "4bit", "model.load: 4bit"))
    with pytest.raises(DataError, match="the page is empty") as data:
        list(pool.share(SPEC, "double", [["refuse-data"]]))
    assert (data.value.hint, data.value.exit_code) == ("add text", 2)
    assert results(pool.share(SPEC, "double", [[1]]), [[1]]) == [[2]]


def test_what_never_succeeds_ends_with_an_error_that_says_why(make: Callable[..., RayWorkers]) -> None:
    with pytest.raises(ModelError, match="ValueError: no such item"):
        list(make(workers=2, tries=1).share(SPEC, "double", [["raise"] * 64] * 4))


def test_a_call_goes_to_one_that_is_free_and_says_what_it_could_not(make: Callable[..., RayWorkers]) -> None:
    pool = make(workers=1, cpus=2)
    pid, threads, path, cards = pool.call(SPEC, "who")
    assert pid != os.getpid()
    assert threads == "2"
    assert cards == ""
    assert str(Path.cwd()) not in path or str(Path.cwd()) in sys.path
    with pytest.raises(ModelError, match=r"'kill'.*failed 3 times"):
        pool.call(SPEC, "kill")


def test_what_nobody_waits_for_is_not_computed(make: Callable[..., RayWorkers], tmp_path: Path) -> None:
    pool = make(workers=2)
    sharing = pool.share(SPEC, "double", [[1], *[["sleep 60"]] * 6])
    assert next(sharing) == Done(0, [2], Usage(calls=1))
    sharing.close()  # type: ignore[attr-defined]
    before = time.monotonic()
    assert results(pool.share(SPEC, "double", [[5]] * 4), [[5]] * 4) == [[10]] * 4
    assert time.monotonic() - before < 50
    assert sum("sleep" in line for line in logged(tmp_path)) <= 2


def test_a_call_within_a_call_waits_for_neither(make: Callable[..., RayWorkers]) -> None:
    pool = make(workers=2)
    units = [[number] for number in range(8)]
    for done in pool.share(SPEC, "outer", units):
        inner = [one.results for one in pool.share(SPEC, "inner", [[done.results[0]]])]
        assert inner == [[2 * done.results[0]]]


def test_all_forget(make: Callable[..., RayWorkers], tmp_path: Path) -> None:
    make(workers=2).forget(SPEC)
    assert logged(tmp_path).count("forget") == 2


def test_no_more_than_workers_need_is_under_way(make: Callable[..., RayWorkers]) -> None:
    """However many units a call has."""
    import ray

    pool = make(workers=2)
    sharing = pool.share(SPEC, "double", [[number] for number in range(300)])
    for _ in range(100):
        next(sharing)
        gc.collect()
        assert sum(len(copy.queue) for copy in pool._living.values()) <= 4
    assert ray.is_initialized()
    sharing.close()  # type: ignore[attr-defined]


def test_fewer_than_wanted_go_on_and_none_is_an_error(
    make: Callable[..., RayWorkers], said: list[str]
) -> None:
    pool = make(workers=5)
    assert "2 of 5" in said[0]
    assert "1 node with 2 CPUs" in said[0]
    assert results(pool.share(SPEC, "double", [[1]] * 5), [[1]] * 5) == [[2]] * 5
    pool.close()
    for block, needs in (({"cpus": 3}, "3 CPUs"), ({"gpus": 1}, "1 GPU")):
        with pytest.raises(ModelError, match=needs) as small:
            make(workers=1, **block)
        assert "2 CPUs" in str(small.value)
