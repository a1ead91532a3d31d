"""Clusters of several raylets on this machine: one that is killed, and those that no worker can work in.

Each in a process of its own, which listens on 127.0.0.1 alone (Ray decides that when it is first imported).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray")
pytestmark = pytest.mark.slow
NODE: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 100 * 2**20, "node_ip_address": "127.0.0.1"}
SECONDS = 30.0
"""Within which an error must come."""


def in_a_cluster(case: str) -> Any:
    """What a function of this file finds, given a cluster of one node."""
    environment = {
        **os.environ,
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
        "RAY_AUTH_MODE": "disabled",
        "RAY_worker_niceness": "0",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    command = [sys.executable, __file__, case]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def refused(address: str, workers: int = 2) -> dict[str, Any]:
    """The error, and after how long it came."""
    from selfstudy.errors import ModelError
    from selfstudy.models.scale import RayWorkers
    from selfstudy.recipe.scale import ScaleBlock

    begun = time.monotonic()
    try:
        RayWorkers(ScaleBlock(address=address, workers=workers)).close()
    except ModelError as error:
        return {"what": error.what, "hint": error.hint, "seconds": time.monotonic() - begun}
    return {"what": "nothing", "hint": "", "seconds": 0.0}


def killed_node(cluster: Any) -> Any:
    from selfstudy.models.scale import RayWorkers
    from selfstudy.models.workers import ModelSpec
    from selfstudy.recipe.scale import ScaleBlock

    class Slow:
        def do(self, spec: Any, method: str, items: list[int]) -> Any:
            time.sleep(0.2)
            return [2 * item for item in items], None

    node = cluster.add_node(**NODE)
    said: list[str] = []
    workers = RayWorkers(ScaleBlock(address=cluster.address, workers=2), said.append, Slow)
    found = {}
    for done in workers.share(ModelSpec("lm", "{}"), "double", [[number, 7] for number in range(150)]):
        assert done.unit not in found
        found[done.unit] = done.results
        if len(found) == 10:
            (raylet,) = node.all_processes["raylet"]
            os.kill(raylet.process.pid, signal.SIGKILL)
            raylet.process.wait()  # as a zombie it would still seem to live
        if len(found) == 40:
            cluster.add_node(**NODE)
    workers.close()
    return {"right": found == {number: [2 * number, 14] for number in range(150)}, "said": said}


def node_without_the_package(cluster: Any) -> Any:
    return _beside(cluster, "raise ModuleNotFoundError(\"No module named 'selfstudy'\")")


def node_with_another_version(cluster: Any) -> Any:
    return _beside(cluster, "")


def _beside(cluster: Any, package: str) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        room = Path(folder, "selfstudy")
        room.mkdir()
        (room / "__init__.py").write_text(package)
        (room / "version.py").write_text("__version__ = '0.0.7'")
        cluster.add_node(**NODE, env_vars={"PYTHONPATH": folder})
        return refused(cluster.address)


def another_ray(cluster: Any) -> Any:
    from ray._private import ray_constants

    gcs = cluster.head_node.get_gcs_client()
    where = (b"CLUSTER_METADATA", ray_constants.KV_NAMESPACE_CLUSTER)
    metadata = json.loads(gcs.internal_kv_get(*where)) | {"ray_version": "2.99.0"}
    gcs.internal_kv_put(where[0], json.dumps(metadata).encode(), True, where[1])
    return refused(cluster.address) | {"address": cluster.address}


def test_a_node_is_killed_and_another_joins() -> None:
    found = in_a_cluster("killed_node")
    assert found["right"]
    assert found["said"][0].startswith("workers: 2 (")
    assert "was lost" in found["said"][1]
    assert any(line.startswith("a worker started on") for line in found["said"])


@pytest.mark.parametrize(
    ("case", "told"),
    [
        ("node_without_the_package", "(127.0.0.1) cannot run workers of selfstudy: ModuleNotFoundError"),
        ("node_with_another_version", "(127.0.0.1) has selfstudy 0.0.7, this machine"),
        ("another_ray", "runs Ray 2.99.0 on Python"),
    ],
)
def test_what_does_not_fit_together_is_named_soon(case: str, told: str) -> None:
    found = in_a_cluster(case)
    assert told in found["what"]
    assert found.get("address", "") in found["what"]
    assert "pip install" in found["hint"]
    assert found["seconds"] < SECONDS


def main(case: str) -> None:
    from ray.cluster_utils import Cluster

    Path("/tmp/ray").mkdir(exist_ok=True)  # where Ray notes the address, and does not make it
    with tempfile.TemporaryDirectory(prefix="ssr-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        cluster = Cluster(
            initialize_head=True, head_node_args={**NODE, "include_dashboard": False, "temp_dir": folder}
        )
        cases: dict[str, Callable[[Any], Any]] = {
            one.__name__: one
            for one in (killed_node, node_without_the_package, node_with_another_version, another_ray)
        }
        try:
            sys.stdout.write(f"\n{json.dumps(cases[case](cluster))}\n")
        finally:
            cluster.shutdown()


if __name__ == "__main__":
    main(sys.argv[1])
