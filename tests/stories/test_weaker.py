"""A training that was too hot: its adapter learned and forgot, and is asked again at a smaller strength."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from selfstudy import Run, Study, learn
from selfstudy.models import lora
from selfstudy.records import Check
from selfstudy.run.standing import decided, hashes, standing
from selfstudy.verify.strengths import Chosen

from .small import KILL, Listener, branch, recipe

CHANGES = (
    "teach.sft.epochs=5",
    "teach.sft.learning_rate=0.0235",
    "teach.sft.replay=0",
    "teach.wordings=0",
    "teach.heldout_wordings=0",
    "verify.margin=0.4",
    "verify.samples=0",
    "verify.repeats=0",
    "verify.max_questions=20",
    "verify.strengths=[0.5, 0.25]",
)
"""So few known questions exclude no small fall: the margin is wide."""


@pytest.fixture(scope="module")
def asked_twice(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Such a run to its end, and what was told."""
    hot = recipe(*CHANGES)
    run = branch(finished, tmp_path_factory.mktemp("weaker") / "run", hot)
    heard = Listener()
    learn(hot, run, heard)
    return run, heard.notes


def test_what_forgot_is_asked_once_more_at_a_smaller_strength(asked_twice: tuple[Path, list[str]]) -> None:
    path, notes = asked_twice
    summary = json.loads((path / "summary.json").read_text(encoding="utf-8"))
    with Run.open(path, write=False) as run:
        first = run.round(1)
        full, weaker = first.adapter(), first.adapter("weaker")
        chosen = run.read_as(first.weaker_file, Chosen)
        arms = {check.arm for check in first.iter(Check)}
        assert standing(run.round(2)) == decided(first) == weaker
        assert hashes(run.promoted_folder) == hashes(weaker)
    assert chosen is not None
    strength = f"{chosen.strength:g}"
    assert summary["promoted"] is True, summary["reasons"]
    assert summary["weaker"]["strength"] == chosen.strength
    assert summary["weaker"]["verdict"] == "refused"
    assert summary["reasons"][0].startswith("At full strength the adapter was refused, for it forgot: Known")
    assert summary["reasons"][1] == f"At strength {strength}, it is promoted:"
    assert summary["full"]["known_correct"] < summary["after"]["known_correct"]
    assert summary["after"]["gap_correct"] > summary["before"]["gap_correct"]
    assert any("second look" in note for note in summary["notes"])
    assert f"at full strength the adapter forgot: it is asked once more at {strength}" in notes
    assert summary["reasons"][1] in (path / "report.html").read_text(encoding="utf-8")
    assert arms == {"base", "taught", "weaker"}
    lost = [point.lost for point in chosen.curve]
    assert lost == sorted(lost, reverse=True)
    assert lost[-1] == 0 < lost[0]
    assert (full / "REJECTED.txt").is_file()
    assert not (weaker / "REJECTED.txt").exists()
    assert json.loads((weaker / lora.LINEAGE).read_text(encoding="utf-8"))["strength"] == chosen.strength


def test_after_a_kill_the_same_files(asked_twice: tuple[Path, list[str]], tmp_path: Path) -> None:
    """In the middle of the folder, with the strength chosen; and of asking, with a torn last line."""
    whole = KILL["files"](asked_twice[0])
    run = Path(shutil.copytree(asked_twice[0], tmp_path / "run"))
    shutil.rmtree(run / "promoted")
    (run / "promoted.json").unlink()
    folder = run / "rounds/1"
    (folder / "adapter/REJECTED.txt").unlink()
    (folder / "verify.done").unlink()
    (folder / "weaker").rename(folder / "weaker.tmp")
    (folder / "weaker.tmp" / lora.WEIGHTS).write_bytes(b"torn")
    lines = (folder / "checks.jsonl").read_bytes().splitlines(keepends=True)
    end = next(n for n, line in enumerate(lines) if b'"arm":"weaker"' in line) + 3
    (folder / "checks.jsonl").write_bytes(b"".join(lines[:end])[:-5])
    with Run.open(run) as opened, Study(opened) as study:
        study.verify()
        study.report()
    assert not KILL["differences"](whole, KILL["files"](run))
