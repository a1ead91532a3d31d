"""Real Ray on this machine: workers that die, raise and answer too little, and what becomes of their work."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from selfstudy.errors import DataError, MissingExtraError, ModelError
from selfstudy.models.cluster_connection import RayConnection
from selfstudy.models.remote import permissions
from selfstudy.models.remote.usage import Usage
from selfstudy.models.scale import AHEAD, RayWorkers, _usual_worker
from selfstudy.models.workers import Done, Lost, ModelSpec
from selfstudy.recipe.scale import ScaleBlock

pytest.importorskip("ray")
SPEC = ModelSpec("lm", "{}")
KEY = "a-key-of-a-node-9f8e7d6c5b4a"
"""Which this process does not know."""


PLANTED = ("numpy", "pydantic", "psutil", "random")
"""Modules in the folder where the run is started."""


def worker_class(folder: Path) -> type:
    """A worker that doubles numbers, and does what its items say; made here, so that it travels by value."""
    where = str(folder)

    class Doubling:
        def __init__(self) -> None:
            self.turn = threading.Lock()  # as of `worker.Worker`, which is given the next part meanwhile

        def do(self, spec: Any, method: str, items: Any, *common: Any) -> Any:
            from selfstudy.models.remote.usage import Usage

            with self.turn:
                self._log(f"{method} {items}")
                for item in items:
                    if isinstance(item, str):
                        self._obey(item)
            extra = len(common[0]) if common else 0
            if "lock" in items:
                return [threading.Lock() for item in items], None
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
                raise ValueError(f"no such\x1b[2J item {os.environ['NODE_API_KEY']}")
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


@dataclass
class Pool:
    """Two workers, where five are wanted.

    Attributes:
        said: what was told of them.
        folder: where each of them notes what it is asked.
    """

    workers: RayWorkers
    said: list[str]
    folder: Path

    def both(self) -> None:
        """Waits until both are there: an earlier test may have cost one."""
        while len(self.workers._living) < 2:
            self.results("wait", [[1]])
            time.sleep(0.05)

    def logged(self, method: str) -> list[str]:
        """The items of each call of a method, of all workers."""
        lines = [line for log in sorted(self.folder.glob("log-*")) for line in log.read_text().splitlines()]
        return [line for line in lines if line.split()[0] == method]

    def results(self, method: str, units: list[list[Any]], *common: Any) -> list[list[Any]]:
        """In order of the units; each must come once, with a result for each item."""
        done = sorted(self.workers.share(SPEC, method, units, *common), key=lambda one: one.unit)
        assert [one.unit for one in done] == list(range(len(units)))
        assert [len(one.results) for one in done] == [len(unit) for unit in units]
        return [one.results for one in done]


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    import ray

    folder, said = tmp_path_factory.mktemp("scale"), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "7")  # of a node, which is not asked
        patch.setenv("NODE_API_KEY", KEY)

        for module in PLANTED:
            (folder / f"{module}.py").write_text(
                f"open({str(folder / 'sprung')!r}, 'a').close()\nimport no_such"
            )
        patch.chdir(folder)
        connection = RayConnection(ray, ScaleBlock(workers=2))
        workers = RayWorkers(ScaleBlock(workers=5, tries=2), said.append, worker_class(folder))
    yield Pool(workers, said, folder)
    workers.close()
    assert ray.is_initialized(), "somebody else's"
    connection.close()
    assert not ray.is_initialized()


def test_fewer_than_wanted_go_on_and_say_so(pool: Pool) -> None:
    assert pool.said[0].startswith("workers: 2 of 5 (2 on ")
    assert "1 node with 2 CPUs" in pool.said[0]
    assert pool.workers.count == 5


@pytest.mark.parametrize(("block", "needs"), [({"cpus": 3}, "3 CPUs"), ({"gpus": 1}, "1 GPU")])
def test_none_that_fits_is_an_error_with_what_there_is(
    pool: Pool, block: dict[str, float], needs: str
) -> None:
    with pytest.raises(ModelError, match=f"{needs}.*2 CPUs"):
        RayWorkers(ScaleBlock(**block), worker=worker_class(pool.folder))  # type: ignore[arg-type]


def test_what_lies_in_the_current_folder_is_not_imported(pool: Pool) -> None:
    assert pool.results("planted", [[1]]) == [[2]]
    assert not (pool.folder / "sprung").exists()


def test_ray_listens_on_this_machine_alone_and_leaves_this_process_as_it_was(pool: Pool) -> None:
    import psutil

    below = [psutil.Process(), *psutil.Process().children(recursive=True)]
    addresses = {
        one.laddr.ip for process in below for one in process.net_connections() if one.status == "LISTEN"
    }
    assert addresses
    assert addresses <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}
    assert not {"RAY_AUTH_TOKEN", "RAY_AUTH_MODE", "RAY_USAGE_STATS_ENABLED"} & os.environ.keys()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_each_unit_comes_once_and_common_arguments_reach_all(pool: Pool) -> None:
    units = [[number, number + 1] for number in range(0, 20, 2)] + [[]]
    for common in ([0] * 3, [0] * 300_000):  # which goes through the object store
        plain = [[2 * item + len(common) for item in unit] for unit in units]
        assert pool.results("double", units, common) == plain


def test_what_is_killed_is_tried_elsewhere_and_nothing_is_lost(pool: Pool) -> None:
    pool.said.clear()
    pool.both()
    units: list[list[Any]] = [[1, "die-once a", 2], [3, 4], [5], [6, 7]]
    assert pool.results("killed", units) == [[2, "die-once a", 4], [6, 8], [10], [12, 14]]
    (lost,) = [line for line in pool.said if "was lost" in line]
    assert "127.0.0.1" in lost
    assert "another is started" in lost


def test_a_poisonous_item_is_lost_alone_and_the_work_for_it_is_bounded(pool: Pool) -> None:
    ((good, lost), others) = pool.results("poisoned", [[1, "die"], [4, 5]])
    assert good == 2
    assert others == [8, 10]
    assert isinstance(lost, Lost)
    assert "failed 2 times alone" in lost.error
    assert "127.0.0.1" in lost.error
    tries = len([line for line in pool.logged("poisoned") if "die" in line])
    assert 2 + 2 <= tries <= 2 + 2 + 1, "the first may be blamed on what its worker had just done"


def test_an_error_of_the_model_is_asked_elsewhere_once_and_then_found(pool: Pool) -> None:
    pool.both()
    found = pool.results("raised", [[1, "raise"], ["hungry", 2], [3], ["lock"]])
    assert (found[0][0], found[1][1], found[2]) == (2, 4, [6])
    assert "pickle" in found[3][0].error
    assert "ValueError: no such item" in found[0][1].error, "nor anything that a terminal obeys"
    assert KEY not in found[0][1].error
    assert "MemoryError" in found[1][0].error
    logs = [log for log in pool.folder.glob("log-*") if "raised [1, 'raise']" in log.read_text()]
    assert len(logs) == 2


def test_what_the_model_refuses_is_raised_as_it_would_be_here(pool: Pool) -> None:
    with pytest.raises(MissingExtraError) as refused:
        pool.results("refused", [["refuse"]])
    assert str(refused.value) == str(MissingExtraError("bitsandbytes", "4bit", "model.load: 4bit"))
    with pytest.raises(DataError, match="the page is empty") as data:
        pool.results("refused", [["refuse-data"]])
    assert (data.value.hint, data.value.exit_code) == ("add text", 2)


def test_what_never_succeeds_ends_with_an_error_that_says_why(pool: Pool) -> None:
    with pytest.raises(ModelError, match="ValueError: no such item"):
        pool.results("hopeless", [["raise"] * 64] * 4)


def test_a_call_says_what_it_could_not(pool: Pool) -> None:
    pid, threads, path, cards = pool.workers.call(SPEC, "who")
    assert pid != os.getpid()
    assert threads == "1"
    assert cards == "", "a worker without cards sees none"
    assert str(Path.cwd()) not in path or str(Path.cwd()) in sys.path
    with pytest.raises(ModelError, match=r"'kill'.*failed 2 times"):
        pool.workers.call(SPEC, "kill")


def test_a_call_within_a_call_waits_for_neither(pool: Pool) -> None:
    for done in pool.workers.share(SPEC, "outer", [[number] for number in range(8)]):
        inner = [one.results for one in pool.workers.share(SPEC, "inner", [done.results])]
        assert inner == [[2 * done.results[0]]]


def test_no_more_is_under_way_than_workers_need(pool: Pool) -> None:
    """However many units a call has."""
    for _ in pool.workers.share(SPEC, "many", [[number] for number in range(200)]):
        assert sum(len(copy.queue) for copy in pool.workers._living.values()) <= AHEAD * 2


def test_what_nobody_waits_for_is_not_computed(pool: Pool) -> None:
    sharing = pool.workers.share(SPEC, "left", [[1], *[["sleep 600"]] * 6])
    assert next(sharing) == Done(0, [2], Usage(calls=1))
    sharing.close()  # type: ignore[attr-defined]
    assert pool.results("left", [[5]] * 4) == [[10]] * 4
    assert sum("sleep" in line for line in pool.logged("left")) <= 2


def test_all_forget(pool: Pool) -> None:
    pool.both()
    pool.workers.forget(SPEC)
    assert len(pool.logged("forget")) == 2


def test_another_cluster_than_that_of_this_process_is_refused(pool: Pool) -> None:
    with pytest.raises(ModelError, match=r"connected to .* but scale\.address is 10\.0\.0\.1"):
        RayWorkers(ScaleBlock(address="10.0.0.1"), worker=worker_class(pool.folder))


def alone(block: str, *before: Path) -> str:
    """What a process of its own says that wants workers of a block."""
    code = "from selfstudy.models import scale; from selfstudy.recipe.scale import ScaleBlock;"
    command = [sys.executable, "-c", f"{code} scale.RayWorkers(ScaleBlock({block}))"]
    path = os.pathsep.join(map(str, (*before, *filter(None, sys.path))))
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stderr


def test_an_address_where_nobody_is_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    assert f"ModelError: no Ray cluster at {address}" in alone(f"address={address!r}")


def test_ctrl_c_while_ray_starts_leaves_nothing() -> None:
    asked: dict[str, Any] = {}

    def start(**given: Any) -> None:
        asked.update(given, was_there=Path(given["_temp_dir"]).is_dir())
        raise KeyboardInterrupt

    ray = SimpleNamespace(
        is_initialized=lambda: False,
        init=start,
        shutdown=lambda: asked.update(ended=True),
        job_config=SimpleNamespace(JobConfig=SimpleNamespace),
        _private=SimpleNamespace(ray_constants=SimpleNamespace(ENABLE_RAY_CLUSTER=True)),
    )
    with pytest.raises(KeyboardInterrupt):
        RayConnection(ray, ScaleBlock())
    assert asked["was_there"]
    assert asked["ended"]
    assert not Path(asked["_temp_dir"]).exists()
    assert ray._private.ray_constants.ENABLE_RAY_CLUSTER


def test_a_worker_is_told_what_keys_may_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(permissions._said, "entries", ("KEY=a.example",))
    worker = _usual_worker()
    monkeypatch.setattr(permissions._said, "entries", ())
    worker()
    assert permissions.own_entries() == ("KEY=a.example",)


def test_without_the_package_the_extra_is_named(tmp_path: Path) -> None:
    (tmp_path / "ray.py").write_text("raise ImportError")
    assert "pip install 'selfstudy[ray]'" in alone("", tmp_path)
