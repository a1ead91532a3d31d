"""A process's connection to Ray: a Ray of its own on this machine, or a cluster of somebody's, which stays.

Is given ray, which scale.py alone imports; knows nothing of workers.
"""

from __future__ import annotations

import json
import logging
import math
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from secrets import token_hex
from typing import Any, NoReturn

from selfstudy.errors import ModelError
from selfstudy.models.cluster_address import must_answer, must_be_allowed, must_listen, with_port
from selfstudy.models.cluster_nodes import must_fit_here
from selfstudy.recipe.scale import ScaleBlock
from selfstudy.text import clean, one_line

OBJECT_STORE = 200 * 2**20
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # would send the current folder to the cluster
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # Ray writes of lost workers to stdout
}
_HERE = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # Ray's way to say: on 127.0.0.1 alone
    "RAY_worker_niceness": "0",  # not 15: workers come before other work as this process would
}
"""Of a Ray of our own."""
_TRIAL = "from selfstudy.models.scale import try_address; try_address()"


class RayConnection:
    """To Ray: that of this process, if there is one already; else one that is made, and ended, here."""

    def __init__(self, ray: Any, block: ScaleBlock) -> None:
        self.ray = ray
        self._folder: str | None = None
        self._ours = False
        self.name = (
            "Ray on this machine" if block.address == "local" else f"the Ray cluster at {block.address}"
        )
        try:
            if ray.is_initialized():
                _must_be_meant(ray, block.address)
            elif block.address == "local":
                self._start(block)
            else:
                self._join(block.address)
        except BaseException:  # by Ctrl-C too: what has been started so far ends
            self.close()
            raise

    def _start(self, block: ScaleBlock) -> None:
        must_fit_here(block)
        ray = self.ray
        self._ours = True
        # sockets lie in there, whose paths may have 107 characters in all
        self._folder = tempfile.mkdtemp(
            prefix="ssr-", dir=None if len(tempfile.gettempdir()) < 30 else "/tmp"
        )
        constants = ray._private.ray_constants
        clusters, constants.ENABLE_RAY_CLUSTER = constants.ENABLE_RAY_CLUSTER, False
        try:
            with variables(QUIET | _HERE | _token()), _same_handlers():
                ray.init(
                    address="local",
                    num_cpus=math.ceil(block.workers * block.cpus),
                    num_gpus=None if block.gpus else 0,
                    object_store_memory=OBJECT_STORE,
                    include_dashboard=False,
                    _node_ip_address="127.0.0.1",
                    _temp_dir=self._folder,
                    job_config=_job(ray),
                    **_LOGS,
                )
        except Exception as error:
            said = one_line(clean(f"{type(error).__name__}: {error}"), 300)
            raise ModelError(
                f"Ray could not start on this machine: {said}", "see whether `ray start` can"
            ) from error
        finally:
            constants.ENABLE_RAY_CLUSTER = clusters

    def _join(self, address: str) -> None:
        if address != "auto":
            address = with_port(address)
            must_be_allowed(address)
            must_listen(address)
        must_answer(address, _TRIAL)
        self._ours = True
        try:
            with variables(QUIET), _same_handlers():
                given = {} if "://" in address else {"job_config": _job(self.ray)}
                self.ray.init(address=address, **given, **_LOGS)
        except Exception as error:
            said = one_line(clean(f"{type(error).__name__}: {error}"), 300)
            raise ModelError(
                f"{self.name} answered, and then did not: {said}", "look at it (`ray status`)"
            ) from error

    def close(self) -> None:
        if self._ours:
            self._ours = False
            self.ray.shutdown()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


_LOGS: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}


def _job(ray: Any) -> Any:
    """Without the current folder, out of which Ray would have workers import numpy before ours runs there."""
    job = ray.job_config.JobConfig()
    job._runtime_env_has_working_dir = lambda: True
    return job


def trial(ray: Any, address: str) -> NoReturn:
    """Connects, says on stdout as JSON why that was not possible, and ends this process."""
    problem = None
    try:
        with variables(QUIET):
            ray.init(address=address, **_LOGS)
    except Exception as error:
        chain = [error, error.__cause__] if error.__cause__ else [error]
        problem = " <- ".join(f"{type(one).__name__}: {one}" for one in chain)
    os.write(1, f"\n{json.dumps(problem)}\n".encode())
    os._exit(0)  # what Ray does at the end of a process may take long


def _must_be_meant(ray: Any, address: str) -> None:
    if address in ("local", "auto") or address.startswith("ray://"):
        return
    connected = ray.get_runtime_context().gcs_address
    if connected != with_port(address):
        raise ModelError(
            f"this process is connected to the Ray cluster at {connected}, but scale.address is {address}",
            "disconnect first (ray.shutdown()), or say scale.address: auto",
        )


@cache
def _own_token() -> str:
    """Ray reads it once in a process."""
    return token_hex(32)


def _token() -> dict[str, str]:
    """What keeps other users of this machine out, unless this one has chosen something else."""
    chosen = {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys()
    return {} if chosen else {"RAY_AUTH_TOKEN": _own_token()}


@contextmanager
def variables(values: Mapping[str, str]) -> Iterator[None]:
    """Set for as long as processes are started; what Ray sets itself does not stay either."""
    before = {name: os.environ.get(name) for name in (*values, "RAY_AUTH_MODE")}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _same_handlers() -> Iterator[None]:
    """Ray takes SIGTERM for itself."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
