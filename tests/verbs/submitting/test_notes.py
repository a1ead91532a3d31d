"""How a job ended, for whoever looks later; never a key."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.errors import BudgetError, RunError
from selfstudy.files import own
from selfstudy.verbs.submitting.notes import note_file, noted, read_note


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BudgetError("the budget is used up"), "budget"),
        (RunError("no run", "make one"), "error"),
        (ZeroDivisionError("a bug"), "fault"),
        (KeyboardInterrupt(), "stopped"),
    ],
)
def test_what_ends_a_job_is_written_down(tmp_path: Path, error: BaseException, kind: str) -> None:
    own.make(tmp_path / "slurm")
    file = note_file(tmp_path / "slurm", "shard", 1, 3)
    with pytest.raises(type(error)), noted(file):
        raise error
    note = read_note(file)
    assert note is not None
    assert note.kind == kind
    assert str(error).split("\n")[0] in note.said
    with noted(file):
        pass
    assert read_note(file) is None


def test_no_key_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "my-words-0912")
    own.make(tmp_path / "slurm")
    with pytest.raises(RunError), noted(tmp_path / "slurm/x.failed.json"):
        raise RunError("http://x/?key=my-words-0912 and sk-proj-8sT4nowhereElse0912 were refused")
    said = (tmp_path / "slurm/x.failed.json").read_text()
    assert "my-words" not in said
    assert "sk-proj" not in said


def test_a_folder_that_is_not_there_is_no_trouble(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="mine"), noted(tmp_path / "none/x.failed.json"):
        raise RunError("mine")
    assert not (tmp_path / "none").exists()


def test_a_folder_of_somebody_that_is_called_slurm_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="mine"), noted(tmp_path / "x.failed.json"):
        raise RunError("mine")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("said", ["", "{", "[]", '{"kind": "other"}', "\x00"])
def test_a_note_that_is_none_is_none(tmp_path: Path, said: str) -> None:
    (tmp_path / "n").write_text(said)
    assert read_note(tmp_path / "n") is None
