"""Bad input and bad luck: one screen that says what to do, exit code 2, no traceback, nothing earlier lost.

Where the error has to come before a model loads, a process of its own shows that torch was not imported.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from selfstudy import Run, Study
from selfstudy.models.local.loading import locate
from selfstudy.records import STAGES

from .small import DEMO, KILL, TINY, cli, recipe, refusal, sets, shell

pytestmark = pytest.mark.story


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("probe.treshold=0.5", "did you mean probe.threshold?"),
        ("probe.threshold=1.5", "probe.threshold = 1.5"),
        ("model.path=./nowhere", "model.path: no model folder at"),
        ("nli.path=/no/such/model", "nli.path: no model folder at /no/such/model"),
        ("library=./no-documents", "library: nothing at"),
    ],
)
def test_a_wrong_recipe_is_refused_before_anything_is_made(change: str, said: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    result = shell("demo", "--run", run, "--set", change)
    assert said in refusal(result)
    assert result[2].endswith("False\n"), "torch was imported"
    assert not run.exists()


def test_a_run_of_another_recipe_is_left_alone(finished: Path) -> None:
    before = KILL["files"](finished)
    result = shell("demo", "--run", finished, *sets("seed=5"))
    assert "seed: 0 -> 5" in refusal(result)
    assert result[2].endswith("False\n"), "torch was imported"
    assert KILL["files"](finished) == before


def test_a_library_of_nothing_lists_why_and_loads_no_model(tmp_path: Path) -> None:
    library = tmp_path / "docs"
    library.mkdir()
    (library / "empty.md").touch()
    (library / "photo.jpg").write_bytes(b"\xff\xd8")
    asks = '[{"method": "open", "count": 5}]'  # a method that would not need the library for hours
    result = shell(
        "demo", "--run", tmp_path / "run", "--set", f"library={library}", "--set", f"probe.ask={asks}"
    )
    message = refusal(result)
    assert "empty.md" in message
    assert "photo.jpg" in message
    assert result[2].endswith("False\n"), "torch was imported"


@pytest.mark.parametrize("key", ["answer_key", "verify.known_questions"])
def test_a_bad_file_for_verify_is_found_before_anything_is_asked(key: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text("# no JSON\n", encoding="utf-8")
    message = refusal(cli("demo", "--no-measure", "--run", tmp_path / "run", "--set", f"{key}={bad}"))
    assert f"{bad}, line 1" in message
    assert not list((tmp_path / "run").rglob("questions.jsonl"))


def test_damaged_weights(tmp_path: Path) -> None:
    model = Path(shutil.copytree(locate(recipe().model.path, "lm")[0], tmp_path / "model"))
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    message = refusal(cli("demo", "--run", tmp_path / "run", "--model", model))
    assert str(model) in message
    assert "damaged" in message


@pytest.mark.parametrize("offline", ["1", "0"])
def test_a_hub_id_without_a_network(offline: str, tmp_path: Path) -> None:
    nobody = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": offline, "HF_HOME": str(tmp_path)}
    proxies = {name: "" for name in os.environ if name.lower().endswith("_proxy")}
    began = time.monotonic()
    result = shell("demo", "--run", tmp_path / "run", "--model", "nobody/nothing", **nobody, **proxies)
    assert "nobody/nothing" in refusal(result)
    assert time.monotonic() - began < 90


def test_ctrl_c_and_a_second_process(tmp_path: Path) -> None:
    run, quick = tmp_path / "my run", (*TINY, "smoke=skip")
    command = [
        sys.executable,
        "-m",
        "selfstudy.cli",
        "demo",
        "--run",
        str(run),
        "--no-measure",
        *sets(*quick),
    ]
    first = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        while first.poll() is None and not (run / "rounds/1/questions.jsonl").exists():
            time.sleep(0.05)
        for second in (("gather", run), ("demo", "--run", run, *sets(*quick))):
            assert f"process {first.pid}" in refusal(shell(*second))
        first.send_signal(signal.SIGINT)
        said = first.communicate(timeout=60)[1]
    finally:
        first.kill()
    assert first.returncode == 130, said
    assert "Traceback" not in said
    assert f"selfstudy demo --run '{run}'" in said


class Disk:
    """A disk that can be filled up: a small one of its own if we may mount it, else a limit on file sizes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(path)]
        self.mounted = (
            shutil.which("mount") is not None and not subprocess.run(mount, capture_output=True).returncode
        )

    @contextmanager
    def full(self, left: int) -> Iterator[None]:
        """Meanwhile only `left` more bytes fit."""
        if not self.mounted:
            _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (max(left, 4096), hard))
            try:
                yield
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
            return
        ballast = self.path / "ballast"
        free = os.statvfs(self.path)
        ballast.write_bytes(b"\0" * max(0, free.f_bavail * free.f_frsize - left))
        yield
        ballast.unlink()

    def close(self) -> None:
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.path)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path / "disk")
    yield disk
    disk.close()


def sizes(run: Path) -> dict[Path, int]:
    return {path.relative_to(run): path.stat().st_size for path in run.rglob("*") if path.is_file()}


def staged(run: Path) -> dict[str, int]:
    """A run from verb to verb; the size of the largest file that each made: with less room it must fail."""
    largest = {}
    with Run.create_or_resume(run, recipe(*TINY)) as opened, Study(opened) as study:
        for verb in (*STAGES, "report"):
            before = sizes(run)
            getattr(study, verb)()
            largest[verb] = max(size for path, size in sizes(run).items() if path not in before)
    return largest


LONG = (pytest.mark.slow, pytest.mark.timeout(3600))


@pytest.mark.parametrize("levels", [5, pytest.param(18, marks=LONG)])
def test_a_full_disk_in_every_stage_loses_nothing(levels: int, disk: Disk, tmp_path: Path) -> None:
    """At so many levels, spread over the stages, from nothing left to nearly enough for the largest file."""
    undisturbed, run = tmp_path / "undisturbed", disk.path / "run"
    largest = staged(undisturbed)
    first = ["probe", DEMO, "--no-measure", "--run", run, *sets(*TINY)]
    for number, (verb, size) in enumerate(largest.items()):
        command = first if verb == "probe" else [verb, run]
        count = levels * (number + 1) // len(largest) - levels * number // len(largest)
        begun = sum(sizes(run).values())
        for level in range(count):
            written = sum(sizes(run).values()) - begun
            with disk.full(max(0, size * (2 * level + 1) // (2 * count) - written)):
                message = refusal(cli(*command))
            assert "make room" in message, message
        code, _, said = cli(*command)
        assert code == 0, (verb, said)
    assert KILL["differences"](KILL["files"](undisturbed), KILL["files"](run)) == []


PROMOTED = (
    "teach.sft.epochs=6",
    "teach.sft.learning_rate=0.003",
    "teach.sft.replay=1",
    "verify.confidence=0.6",
    "verify.margin=1",
    "deploy=merged",
    "verify.repeats=1",
)
"""More overrides of the tiny demo, with which it trains for several steps, merges and promotes."""


@pytest.mark.parametrize(
    ("kills", "changes"), [(1, TINY), pytest.param(48, (*TINY, *PROMOTED), marks=LONG)], ids=["1", "48"]
)
def test_a_run_that_is_killed_and_resumed_ends_like_an_undisturbed_one(
    kills: int, changes: tuple[str, ...], tmp_path: Path
) -> None:
    overrides = [part for change in changes for part in ("--set", change)]
    script = [sys.executable, str(Path(KILL["__file__"]))]
    command = [*script, "--kills", str(kills), "--folder", str(tmp_path), *overrides]
    done = subprocess.run(command, capture_output=True, text=True)
    print(done.stdout)  # shown by -s, and of a test that fails
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "undisturbed" / "promoted").is_dir() == (PROMOTED[0] in changes)
