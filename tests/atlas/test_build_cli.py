"""`selfstudy-atlas`: what it refuses before it works."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from selfstudy.atlas.build.cli import app


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """The command sets those of its process, which is that of all tests here: floats hang on it."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (["world", "--to", "."], "is a folder"),
        (["build-lm", "--device", "nonsense"], "nonsense: Expected one of"),
        (["build-citing-lm", "--to", "."], "exists, and nothing is replaced"),
    ],
)
def test_a_wrong_option_is_told_at_once(
    command: list[str], problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some file").touch()
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 2
    assert problem in " ".join(done.output.split())
