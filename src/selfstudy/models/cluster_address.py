"""Whether a Ray cluster answers at an address, found out where waiting in vain harms nobody.

Ray itself waits long for an address at which nobody is, and may end the process that waits.  So it is first
looked whether anything listens there, and then a process of its own connects; what it says is explained.
Knows the words of Ray's errors; imports no ray.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

from selfstudy.errors import ModelError, SelfstudyError
from selfstudy.models.remote.permissions import Destination
from selfstudy.text import clean, one_line

ALLOW = "SELFSTUDY_ALLOW_RAY"
"""Of the environment: HOST or HOST:PORT, with commas between, of clusters that the user trusts."""
LISTEN_SECONDS = 4.0
"""For a name to be found, and a port to take a connection."""
TRIAL_SECONDS = 21.0
"""For a process to start, import ray and connect."""
_PORTS = {"": 6379, "ray://": 10001}
_PATIENCE = {"RAY_gcs_server_request_timeout_seconds": "8", "RAY_NUM_REDIS_GET_RETRIES": "3"}
"""Of Ray in the process that tries: it gives up, with a reason, before it is ended without one."""
_RUNS = re.compile(r"Ray: (\S+)\s+Python: (\S+)")


def with_port(address: str) -> str:
    """The address with its port: Ray's usual one where none is written."""
    scheme = "ray://" if address.startswith("ray://") else ""
    host = address.removeprefix(scheme)
    return address if ":" in host else f"{scheme}{host}:{_PORTS[scheme]}"


def must_be_allowed(address: str) -> None:
    """Raises unless a cluster is on this machine, or the user has named it: a recipe may be a stranger's.

    Ray's processes send each other pickled objects, so a cluster can run code wherever it is asked from.

    Raises:
        ModelError: it says what to set.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    where = Destination("ray", host.lower(), int(port))
    if where.is_here or any(where.is_meant_by(entry) for entry in os.environ.get(ALLOW, "").split(",")):
        return
    raise ModelError(
        f"scale.address: a Ray cluster at {address} could run code on this machine, and is not allowed",
        f"if it is yours, say so: export {ALLOW}={host}",
    )


def must_listen(address: str) -> None:
    """Raises unless a connection to HOST:PORT, or ray://HOST:PORT, is taken.

    Raises:
        ModelError: nobody is there, or nobody answers.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not 0 < int(port) < 65536:
        raise ModelError(f"scale.address: {port} is no port", "write HOST:PORT, such as 10.0.0.1:6379")
    outcome: list[OSError | None] = []

    def knock() -> None:
        try:
            socket.create_connection((host, int(port)), LISTEN_SECONDS).close()
            outcome.append(None)
        except (OSError, UnicodeError) as error:  # a name may be none
            outcome.append(error if isinstance(error, OSError) else OSError(str(error)))

    thread = threading.Thread(target=knock, name="cluster address", daemon=True)
    thread.start()
    thread.join(LISTEN_SECONDS + 0.5)
    problem = outcome[0] if outcome else TimeoutError(f"no answer within {LISTEN_SECONDS:.0f} seconds")
    if problem is not None:
        raise ModelError(
            f"no Ray cluster at {address} (scale.address): {problem.strerror or problem}",
            "start one there (`ray start --head`), correct the address, or leave it out to use this machine",
        )


def foreign_folder() -> str:
    """The current folder, from which others would import though this process does not; empty: it does."""
    here = str(Path.cwd())
    return "" if {"", here} & set(sys.path) else here


def must_answer(address: str, code: str) -> None:
    """Raises unless a process of its own can connect.

    Args:
        code: what it runs, given the address; it prints JSON: null, or an error.

    Raises:
        ModelError: it could not, with the reason; or it took too long.
    """
    options = ["-P"] if foreign_folder() else []  # what lies there is no module of it
    try:
        process = subprocess.run(
            [sys.executable, *options, "-c", code, address],
            env={**os.environ, **_PATIENCE},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TRIAL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ModelError(
            f"what listens at {_shown(address)} (scale.address) does not answer as a Ray cluster does "
            f"within {TRIAL_SECONDS:.0f} seconds",
            "look whether `ray status` answers there, and whether the port is that of the cluster",
        ) from None
    lines = process.stdout.decode("utf-8", "replace").splitlines()
    try:
        said = json.loads(lines[-1])
    except (IndexError, ValueError):
        trace = process.stderr.decode("utf-8", "replace").strip().splitlines()
        said = trace[-1] if trace else f"exit code {process.returncode}"
    if said is not None:
        raise explained(_shown(address), str(said))


def _shown(address: str) -> str:
    """With what `auto` stands for, which no recipe says."""
    named = one_line(clean(os.environ.get("RAY_ADDRESS", "")), 100)
    return f"{address}, which is {named} by $RAY_ADDRESS," if address == "auto" and named else address


def explained(address: str, said: str) -> SelfstudyError:
    """What Ray said when it could not connect, with what to do about it."""
    said = said.partition(" Last connection error: Traceback")[0]
    runs = _RUNS.findall(said)
    if len(runs) == 2:
        (ray, python), (our_ray, our_python) = runs
        return ModelError(
            f"the cluster at {address} runs Ray {ray} on Python {python}, "
            f"but this process runs Ray {our_ray} on Python {our_python}",
            f"run selfstudy with Python {python} and `pip install ray=={ray}`, or the cluster with ours",
        )
    if "version" in said and ("mismatch" in said or "differ" in said):
        hint = "run selfstudy with the versions of Ray and Python that the cluster has"
    elif "oken" in said and "uthenticat" in said:
        hint = "set RAY_AUTH_MODE=token, and the cluster's token in RAY_AUTH_TOKEN or ~/.ray/auth_token"
    elif "grpc" in said or "Ray Client requires" in said:
        hint = "pip install 'ray[client]', which an address with ray:// needs"
    elif "node info" in said or "node ids" in said:
        hint = (
            "HOST:PORT needs a node of that cluster on this machine (`ray start --address=HOST:PORT`); "
            "from elsewhere use ray://HOST:10001"
        )
    else:
        hint = "start a cluster (`ray start --head`), correct scale.address, or leave it out"
    return ModelError(
        f"no connection to the Ray cluster at {address} (scale.address): {one_line(clean(said), 600)}", hint
    )
