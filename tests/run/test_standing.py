"""What is promoted is byte for byte what was measured, and a kill at any step loses neither old nor new."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfstudy.errors import RunError
from selfstudy.models import lora
from selfstudy.recipe import Recipe
from selfstudy.run import Round, Run
from selfstudy.run.standing import decided, hashes, promote, promoted_last, standing, why_stop


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with Run.create_or_resume(tmp_path / "run", Recipe(min_gain=0.1)) as run:
        yield run


def measured(round_: Round, content: str) -> Path:
    folder = round_.path / "adapter"
    (folder / "deep").mkdir(parents=True, exist_ok=True)
    (folder / "weights").write_bytes(content.encode() * 1000)
    (folder / "deep" / "part").write_text(content)
    return folder


@pytest.mark.parametrize("move", [False, True])
def test_what_is_promoted_is_what_was_measured(run: Run, move: bool) -> None:
    for number, content in ((1, "one"), (2, "two")):
        folder = measured(run.round(number), content)
        before = hashes(folder)
        place = promote(run.round(number), lambda folder=folder: folder, move=move)  # type: ignore[misc]
        assert set(before) == {"weights", "deep/part"}
        assert hashes(place) == before
        assert run.read_json(run.promoted_file) == {"round": number, "files": before}
        assert folder.exists() != move
    assert sorted(p.name for p in run.path.glob("promoted*")) == ["promoted", "promoted.json"]


def test_what_was_promoted_at_a_smaller_strength_is_what_stands(run: Run) -> None:
    """For the next round, for `chat` and for `export`: never the adapter that was refused."""
    first = run.round(1)
    for folder in (first.adapter(), first.adapter("weaker")):
        folder.mkdir()
        for name in (lora.WEIGHTS, lora.CONFIG):
            (folder / name).touch()
    assert decided(first) == first.adapter()
    for weaker, folder in ((None, first.adapter()), ({"strength": 0.5}, first.adapter("weaker"))):
        run.write_json(first.gate_file, {"promoted": True, "weaker": weaker})
        assert standing(run.round(2)) == decided(first) == folder
        assert promoted_last(run) is first


class Killed(BaseException):
    pass


@pytest.mark.parametrize("move", [False, True])
@pytest.mark.parametrize("at", range(12))
def test_a_kill_at_any_step_leaves_the_old_or_the_new_one(
    tmp_path: Path, move: bool, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before or after each step that changes the disk."""
    path = tmp_path / "run"
    with Run.create_or_resume(path, Recipe()) as run:
        promote(run.round(1), lambda: measured(run.round(1), "old"), move=False)
        old = hashes(run.promoted_folder)
        new = hashes(measured(run.round(2), "new"))
        left = [at]

        def mortal(owner: object, name: str) -> None:
            real = getattr(owner, name)

            def step(*args: object, **others: object) -> object:
                for done in (False, True):
                    if left[0] == 0:
                        raise Killed
                    left[0] -= 1
                    if not done:
                        result = real(*args, **others)
                return result

            monkeypatch.setattr(owner, name, step)

        with monkeypatch.context():
            mortal(Path, "rename")
            mortal(Run, "write_json")
            mortal(shutil, "copytree")
            with contextlib.suppress(Killed):
                promote(run.round(2), lambda: run.round(2).path / "adapter", move=move)
            monkeypatch.undo()
    with Run.open(path) as run:
        assert hashes(run.promoted_folder) in (old, new)
        asked = []

        def source() -> Path:
            asked.append(1)
            return run.round(2).path / "adapter"

        promote(run.round(2), source, move=move)
        assert hashes(run.promoted_folder) == new
        assert promote(run.round(2), source, move=move) == run.promoted_folder
        assert len(asked) <= 1
        assert sorted(p.name for p in run.path.glob("promoted*")) == ["promoted", "promoted.json"]


def test_a_run_open_for_reading_changes_nothing(run: Run) -> None:
    promote(run.round(1), lambda: measured(run.round(1), "old"), move=False)
    run.promoted_folder.rename(run.promoted_aside)
    with pytest.raises(RunError, match="being written"):
        Run.open(run.path)
    Run.open(run.path, write=False)
    assert run.promoted_aside.is_dir()


def test_what_stands_and_when_to_stop(run: Run) -> None:
    assert standing(run.round(1)) is None
    run.write_json(run.round(1).gate_file, {"promoted": True, "gains": {"gap": {"difference": 0.5}}})
    assert why_stop(run.round(1)) is None
    assert standing(run.round(2)) == run.round(1).adapter()
    run.write_json(run.round(2).gate_file, {"promoted": True, "gains": {"gap": {"difference": 0.05}}})
    assert "below min_gain" in (why_stop(run.round(2)) or "")
    run.write_json(run.round(2).gate_file, {"promoted": False})
    assert why_stop(run.round(2)) == "nothing was promoted"
    assert standing(run.round(3)) == run.round(1).adapter()
