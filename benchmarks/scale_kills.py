"""Do workers, however many, and whoever of them is killed, find what one process finds, to the byte?

    python benchmarks/scale_kills.py
    python benchmarks/scale_kills.py --questions 200 --only "driver killed"

Probes and gathers a small run of the embedded model in one process of one thread, and again: in 1, 2 and 3
workers; on a cluster of two raylets on this machine, one of which is killed (kill -9, with its workers) in
mid-probe and another in mid-gather; and with the run itself killed in mid-probe, and resumed with another
number of workers.  Compares every record that the round leaves, byte for byte, and prints a table.  Exit code
1 if anything differs, or a kill did not come.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

from selfstudy import atlas
from selfstudy.run import Run

LOOPBACK = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "disabled",
    "RAY_worker_niceness": "0",
}
"""The two raylets are for this benchmark alone: they listen on 127.0.0.1, for as long as it runs."""
STORE = 100 * 2**20
SMALL = (
    "probe.ask.1.count=4",
    "probe.ask.2.count=4",
    "probe.samples=4",
    "answering.block_size=8",
    "model.token_budget=1024",
)
"""Of the demo: many blocks, each of many units, so that there is something to lose at any moment."""
ANSWERS, EVIDENCE = "answers.jsonl", "evidence.jsonl"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--questions", type=int, default=40, help="out of pages; a few more come beside them")
    parser.add_argument("--only", help="the one case of this name")
    arguments = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1"} | LOOPBACK
    settings = [f"probe.ask.0.count={arguments.questions}", *SMALL]
    with tempfile.TemporaryDirectory(prefix="scale-kills-") as temporary:
        sys.exit(0 if compare(Path(temporary), settings, arguments.only) else 1)


def compare(folder: Path, settings: Sequence[str], only: str | None) -> bool:
    """Whether all cases end with the records of one process; says what it sees."""
    expected, undisturbed = None, Bench(folder / "one", settings)
    print(f"{'case':<34} {'seconds':>8} {'files':>6} {'bytes':>10}  records", flush=True)
    equal = True
    for name, case in CASES.items():
        if only not in (None, name) and expected is not None:
            continue
        bench = undisturbed if expected is None else Bench(folder / name.replace(" ", "-"), settings)
        begun = time.monotonic()
        try:
            case(bench)
            problem = ""
        except UnfinishedError as error:
            problem = f"NOT DONE: {error}"
        seconds = time.monotonic() - begun
        found = bench.records()
        expected = found if expected is None else expected
        wrong = problem or "; ".join(differences(expected, found))
        equal &= not wrong
        size = sum(map(len, found.values()))
        print(f"{name:<34} {seconds:>8.1f} {len(found):>6} {size:>10,}  {wrong or 'equal'}", flush=True)
        for line in bench.told:
            print(f"    {line}", flush=True)
    return equal


class UnfinishedError(Exception):
    """A case that did not go as it is meant to."""


class Bench:
    """One run directory, and the commands that work at it."""

    def __init__(self, run: Path, settings: Sequence[str]) -> None:
        self.run = run
        self.settings = settings
        self.told: list[str] = []

    def probe(self, *settings: str) -> subprocess.Popen[str]:
        recipe = Path(atlas.__file__).with_name("demo.yaml")
        sets = [word for setting in (*self.settings, *settings) for word in ("--set", setting)]
        return self._command("probe", str(recipe), "--run", str(self.run), "--no-measure", *sets)

    def gather(self) -> subprocess.Popen[str]:
        return self._command("gather", str(self.run))

    def _command(self, *words: str) -> subprocess.Popen[str]:
        log = self.run.with_suffix(".log").open("a")
        return subprocess.Popen(
            [sys.executable, "-m", "selfstudy", *words], stdout=log, stderr=log, text=True
        )

    def finish(self, process: subprocess.Popen[str]) -> None:
        if process.wait(timeout=900):
            raise UnfinishedError(f"exit code {process.returncode}: {self.log()[-600:]}")

    def log(self) -> str:
        return self.run.with_suffix(".log").read_text(encoding="utf-8")

    def until(self, name: str, lines: int, process: subprocess.Popen[str]) -> None:
        """Waits until a file of records has so many lines; the process must still be at work then."""
        path = self.run / Run.rounds_folder / "1" / name
        while process.poll() is None:
            found = path.read_bytes().count(b"\n") if path.is_file() else 0
            if found >= lines:
                self.told.append(f"kill -9 at {found} lines of {name}")
                return
            time.sleep(0.02)
        raise UnfinishedError(
            f"the command ended (exit code {process.returncode}) before there was anything to kill"
        )

    def records(self) -> dict[str, bytes]:
        """Every file of records that the round has, by name."""
        folder = self.run / Run.rounds_folder
        return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.jsonl"))}


def differences(expected: dict[str, bytes], found: dict[str, bytes]) -> list[str]:
    """What is not the same, a phrase per file."""
    names = sorted({*expected, *found})
    if not expected:
        return ["there are no records"]
    return [f"{name} DIFFERS" for name in names if expected.get(name) != found.get(name)]


def in_one_process(bench: Bench) -> None:
    bench.finish(bench.probe())
    bench.finish(bench.gather())


def with_workers(count: int) -> Callable[[Bench], None]:
    def case(bench: Bench) -> None:
        bench.finish(bench.probe(f"scale.workers={count}"))
        bench.finish(bench.gather())

    return case


def with_nodes_killed(bench: Bench) -> None:
    """The second raylet is killed in mid-probe; another joins, and is killed in mid-gather."""
    with_cluster = Cluster()
    try:
        node = with_cluster.join()
        process = bench.probe("scale.workers=2", f"scale.address={with_cluster.address}")
        bench.until(ANSWERS, 8, process)
        with_cluster.kill(node)
        bench.finish(process)
        node = with_cluster.join()
        process = bench.gather()
        bench.until(EVIDENCE, 8, process)
        with_cluster.kill(node)
        bench.finish(process)
    finally:
        with_cluster.close()
    bench.told += [line.strip() for line in bench.log().splitlines() if "was lost" in line]
    if len([line for line in bench.told if "was lost" in line]) < 2:
        raise UnfinishedError("a node was killed, and no worker was lost")


def with_driver_killed(first: int, then: int) -> Callable[[Bench], None]:
    """The run itself is killed in mid-probe; with it all that it started must end."""

    def case(bench: Bench) -> None:
        process = bench.probe(f"scale.workers={first}")
        bench.until(ANSWERS, 8, process)
        below = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()
        _, alive = psutil.wait_procs(below, timeout=30)
        bench.told.append(f"of {len(below)} processes that it had started {len(alive)} lived 30 s later")
        if alive:
            raise UnfinishedError(f"still alive: {[one.name() for one in alive]}")
        bench.finish(bench.probe(f"scale.workers={then}"))
        bench.finish(bench.gather())

    return case


class Cluster:
    """Raylets of this machine: a head, and what joins it."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster as Nodes

        Path("/tmp/ray").mkdir(exist_ok=True)  # where Ray notes the address, and does not make it
        self._folder = tempfile.mkdtemp(prefix="ssr-", dir="/tmp")
        head: dict[str, Any] = {**NODE, "include_dashboard": False, "temp_dir": self._folder}
        self._nodes = Nodes(initialize_head=True, head_node_args=head)

    @property
    def address(self) -> str:
        return str(self._nodes.address)

    def join(self) -> Any:
        return self._nodes.add_node(**NODE)

    def kill(self, node: Any) -> None:
        (raylet,) = node.all_processes["raylet"]
        os.kill(raylet.process.pid, signal.SIGKILL)
        raylet.process.wait()  # as a zombie it would still seem to live

    def close(self) -> None:
        self._nodes.shutdown()


NODE: dict[str, Any] = {"num_cpus": 1, "object_store_memory": STORE, "node_ip_address": "127.0.0.1"}

CASES: dict[str, Callable[[Bench], None]] = {
    "one process, no scale": in_one_process,
    "1 worker": with_workers(1),
    "2 workers": with_workers(2),
    "3 workers": with_workers(3),
    "two raylets, each killed": with_nodes_killed,
    "driver killed, 2 then 3 workers": with_driver_killed(2, 3),
    "driver killed, 3 then 1 workers": with_driver_killed(3, 1),
}

if __name__ == "__main__":
    main()
