"""Addresses at which nobody is, or nobody of Ray's, and Ray's own words for what is wrong."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfstudy.errors import ModelError
from selfstudy.models import cluster_address
from selfstudy.models.cluster_address import explained, must_answer, must_be_allowed, must_listen, with_port

MISMATCH = """RuntimeError: Version mismatch: The cluster was started with:
    Ray: 2.61.0
    Python: 3.12.1
This process on 10.0.0.9:6379 was started with:
    Ray: 2.60.0
    Python: 3.11.7
"""


@pytest.fixture
def silent() -> Iterator[str]:
    """Takes connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize(
    ("address", "full"),
    [
        ("head", "head:6379"),
        ("head:1", "head:1"),
        ("ray://head", "ray://head:10001"),
        ("ray://head:2", "ray://head:2"),
    ],
)
def test_ports(address: str, full: str) -> None:
    assert with_port(address) == full


@pytest.mark.parametrize("address", ["127.0.0.1:{}", "ray://127.0.0.1:{}"])
def test_where_nobody_listens(address: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = address.format(server.getsockname()[1])
        must_listen(address)
    with pytest.raises(ModelError, match=f"{address}.*refused"):
        must_listen(address)


@pytest.mark.parametrize("address", ["no-such-host.invalid:6379", "127.0.0.1:0", "127.0.0.1:99999", "a..b:1"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(ModelError, match=r"scale\.address"):
        must_listen(address)


def test_who_says_nothing_is_named(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_address, "TRIAL_SECONDS", 0.5)
    must_listen(silent)
    with pytest.raises(ModelError, match=f"{silent}.*does not answer"):
        must_answer(silent, "import time; time.sleep(60)")


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import os; os.write(1, b'noise\\nnull\\n')", None),
        ("import os; os.write(1, b'\"ValueError: nothing there\"\\n')", "nothing there"),
        ("raise SystemExit('no ray')", "no ray"),
        ("import os; os._exit(7)", "exit code 7"),
    ],
)
def test_what_the_trial_says(code: str, told: str | None) -> None:
    if told is None:
        must_answer("head:1", code)
        return
    with pytest.raises(ModelError, match=told) as error:
        must_answer("head:1", code)
    assert "head:1" in error.value.what


def test_the_trial_imports_nothing_out_of_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('a stranger')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(filter(None, sys.path)))
    must_answer("head:1", "import json; print(json.dumps(None))")


def test_what_auto_stands_for_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "10.9.8.7:1\x1b[31m")
    with pytest.raises(ModelError, match=r"at auto, which is 10\.9\.8\.7:1.* by \$RAY_ADDRESS") as error:
        must_answer("auto", "raise SystemExit('gone')")
    assert "\x1b" not in str(error.value)


def test_what_lies_in_the_current_folder_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "planted.py").write_text("")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="No module named 'planted'"):
        must_answer("head:1", "import planted, os; os.write(1, b'null')")


@pytest.mark.parametrize(
    ("said", "what", "hint"),
    [
        (
            MISMATCH,
            "Ray 2.61.0 on Python 3.12.1, but this process runs Ray 2.60.0 on Python 3.11.7",
            "ray==2.61.0",
        ),
        ("Python versions differ between client and server", "differ", "the versions of Ray"),
        ("AuthenticationError: Token authentication is enabled but no token", "oken", "RAY_AUTH_TOKEN"),
        ("ModuleNotFoundError: No module named 'grpc'", "grpc", "ray[client]"),
        ("RuntimeError: No node info found matching attributes", "No node info", "ray://HOST:10001"),
        ("ConnectionError: Could not find any running Ray instance.", "any running", "ray start --head"),
    ],
)
def test_what_ray_says_is_explained(said: str, what: str, hint: str) -> None:
    error = explained("head:6379", said)
    assert "head:6379" in error.what
    assert what in error.what
    assert hint in error.hint


@pytest.mark.parametrize("address", ["ray://head.example:10001", "10.0.0.1:6379"])
def test_a_cluster_elsewhere_is_asked_only_if_the_user_has_named_it(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recipe may be a stranger's, and a cluster can run code where it is asked from."""
    monkeypatch.delenv(cluster_address.ALLOW, raising=False)
    with pytest.raises(ModelError, match=f"export {cluster_address.ALLOW}="):
        must_be_allowed(address)
    monkeypatch.setenv(cluster_address.ALLOW, "HEAD.example,10.0.0.1:6379")
    must_be_allowed(address)
    with pytest.raises(ModelError, match="is not allowed"):
        must_be_allowed("other.example:6379")


def test_a_cluster_on_this_machine_needs_no_leave() -> None:
    must_be_allowed("127.0.0.1:6379")
    must_be_allowed("ray://localhost:10001")
