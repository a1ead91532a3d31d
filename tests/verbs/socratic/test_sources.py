"""`selfstudy socratic` of a run and of documents, through the command, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfstudy.progress import Silent
from selfstudy.verbs.socratic.sources import DocumentsToAsk, ExerciseSource
from tests.stories.small import cli, refusal
from tests.verbs.socratic.small_run import make_run

SCRIPT = """
'Ask one question that': ["Who is the mayor of Lima?"]
'mayor of Lima(.*)concise sentence': ["The mayor of Lima is Ann Lee."]
'next turn of the teacher': ["Where could you look that up?"]
'next turn of the student': ["Hm."]
"""
PAGE = "Lima is a city. The mayor of Lima is Ann Lee. It lies by the sea."


def command(folder: Path, *options: str | Path) -> tuple[int, str, str]:
    (folder / "t.yaml").write_text(SCRIPT)
    models = ["--teacher", folder / "t.yaml", "--set", "teacher.type=scripted"]
    return cli("socratic", *options, *models, "--attempts", "0", "--turns", "2")


def test_the_gaps_of_a_run_are_tutored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / "runs/today")
    code, said, heard = command(tmp_path, "--run", "runs/today")
    assert code == 0, heard
    assert "3 exercises, 0 repeats, 3 failed, 1 question that the model knows" in said
    assert "no exercise: What is the capital of Narnia?: no evidence was found" in heard
    measures = json.loads((tmp_path / "socratic/today/measures.json").read_text())
    assert measures["exercises"]["usable"] == 3
    assert measures["exercises"]["known"] == 1
    assert len((tmp_path / "socratic/today/dialogues.jsonl").read_text().splitlines()) == 3


def test_documents_are_tutored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/lima.txt").write_text(PAGE)
    (tmp_path / "docs/odd.bin").write_bytes(b"\0")
    code, said, heard = command(tmp_path, "--documents", "docs")
    assert code == 0, heard
    assert "1 exercise, 0 repeats, 0 failed, 1 document not read" in said
    assert "not read: odd.bin: not one of" in heard
    given = json.loads((tmp_path / "socratic/docs/measures.json").read_text())["exercises"]
    assert [line.partition(":")[0] for line in given["unread"]] == ["odd.bin"]
    again = command(tmp_path, "--documents", tmp_path / "docs/lima.txt", "--out", tmp_path / "one")
    assert again[0] == 0, again[2]
    assert (tmp_path / "one/dialogues.jsonl").read_text()


def test_a_folder_named_atlas_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(ExerciseSource("documents", Path("atlas"), {}).read(None, Silent()).documents) > 1  # the world
    (tmp_path / "atlas").mkdir()
    (tmp_path / "atlas/lima.txt").write_text(PAGE)
    for spelled in ("atlas", "./atlas", tmp_path / "atlas"):
        found = ExerciseSource("documents", Path(spelled), {}).read(None, Silent())
        assert isinstance(found, DocumentsToAsk)
        assert [one.text for one in found.documents] == [PAGE]


def test_what_cannot_be_a_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = make_run(tmp_path / "run")
    bare = make_run(tmp_path / "bare", references=False)
    empty = tmp_path / "empty"
    empty.mkdir()
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/a.txt").write_text("Nothing that the script knows.")
    cases: list[tuple[list[str | Path], str]] = [
        ([], "one source of exercises is wanted"),
        (["--run", run, "--documents", "docs"], "one source of exercises is wanted"),
        (["a.jsonl", "--run", run], "one source of exercises is wanted"),
        (["--run", run, "--column", "problem=x"], "--column names columns of FILE; --run has none"),
        (["--documents", "docs", "--column", "problem=x"], "--documents has none"),
        (["--run", tmp_path / "none"], "no run at"),
        (["--run", bare], f"selfstudy gather {bare}"),
        (["--run", run, "--out", run / "tutoring"], "which is only read"),
        (["--run", run, "--rows", run / "rows.jsonl"], "which is only read"),
        (["--documents", "docs", "--out", "docs/out"], "which is only read"),
        (["--documents", empty], "no files"),
        (["--documents", "nowhere"], "nothing at nowhere"),
        (["--documents", run], "a run directory of selfstudy"),
        (["--documents", "docs"], "none of 1 passages became an exercise"),
    ]
    for options, why in cases:
        assert why in refusal(command(tmp_path, *options)), options
    assert "--run" in refusal(cli("socratic", "--dialogues", "d.csv", "--limit", "3"))


def test_a_teacher_that_is_mute_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text(PAGE)
    (tmp_path / "n.yaml").write_text('"no such question": nothing\n')
    mute = ["--set", f"teacher.path={tmp_path / 'n.yaml'}"]
    assert "the teacher failed at 1 of 1 passages" in refusal(
        command(tmp_path, "--documents", "a.txt", *mute)
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--weak", "atlas"), "--weak does nothing without --rejected weak and --rows FILE"),
        (("--weak", "atlas", "--rows", "r.jsonl"), "--weak does nothing without --rejected weak"),
        (("--candidates", "2", "--rows", "r.jsonl"), "--candidates does nothing without --rejected outcome"),
        (("--rejected", "outcome"), "--rejected does nothing without --rows FILE"),
        (("--splits", "2"), "--splits does nothing without --rows FILE"),
    ],
)
def test_an_option_of_rows_that_would_do_nothing_is_refused(options: tuple[str, ...], said: str) -> None:
    assert said in refusal(cli("socratic", "a.jsonl", *options))
