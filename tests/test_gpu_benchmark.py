"""benchmarks/gpu.py runs where there is no accelerator, small, and says so where one is asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "benchmarks/gpu.py"


def _run(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *options]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, env={**os.environ, **environment}
    )


def test_it_runs_small_on_the_cpu(tmp_path: Path) -> None:
    out = tmp_path / "found.json"
    done = _run("--device", "cpu", "--size", "tiny", "--only", "card", "profile", "graph", "--out", str(out))
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text(encoding="utf-8"))
    assert sorted(found) == ["card", "graph", "profile"]
    assert not [one for one in found.values() if "error" in one]
    assert [row["rows"] for row in found["graph"]] == [1, 64]


def test_without_a_card_it_says_so_in_one_line() -> None:
    done = _run(CUDA_VISIBLE_DEVICES="")
    assert done.returncode == 1
    assert done.stderr.strip().splitlines() == [
        "no CUDA device here; to try the benchmark itself: --device cpu --size tiny"
    ]
