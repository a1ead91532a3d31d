"""A stand-in for the engines' programs on the PATH, and blocks that name it."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from selfstudy.models.server.servers import Servers
from selfstudy.recipe import ServerModel

from .engine import FAKE


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the stand-in for vllm, llama-server and ollama notes what happens to it."""
    (tmp_path / "bin").mkdir()
    for name in ("vllm", "llama-server", "ollama"):
        program = tmp_path / "bin" / name
        program.write_text(f"#!{sys.executable}\n{FAKE.read_text()}")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_HOME", str(tmp_path))
    monkeypatch.setenv("SELFSTUDY_ENGINE_ENV", "FAKE_*")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield tmp_path
    assert not list((tmp_path / "tmp").glob("selfstudy-*"))


@pytest.fixture
def servers(workshop: Path) -> Iterator[Servers]:
    """One at a time."""
    with Servers() as owner:
        yield owner


@pytest.fixture
def model(tmp_path: Path) -> Callable[..., ServerModel]:
    """Blocks for a folder that passes for a model."""

    def make(name: str = "student", **values: Any) -> ServerModel:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text("{}")
        return ServerModel(engine="vllm", model=str(folder), **{"startup_seconds": 120, **values})

    return make


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    return folder
