"""`selfstudy discuss`: from topics to pairs, killed in the middle, damaged, and what is refused."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from selfstudy.cli import app
from selfstudy.errors import RunError
from selfstudy.progress import Silent
from selfstudy.verbs.discussing.discussion import Discussion
from selfstudy.verbs.discussing.holding import Holding
from selfstudy.verbs.kept import KeptFolder
from tests.verbs.discussing.experts import Expert, discussants, topics

BLOCKS = {"first": "one", "second": "two"}


class Killed(Expert):
    """Ends the process at a batch."""

    def __init__(self, at: int) -> None:
        super().__init__("Two")
        self.at = at

    def generate(self, *arguments: object, **named: object) -> object:  # type: ignore[override]
        if len(self.batches) == self.at:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().generate(*arguments, **named)  # type: ignore[arg-type]


def hold(folder: Path, first: Expert, second: Expert, **ways: object) -> list[Discussion]:
    way = discussants(first, second, **{"turns": 1, **ways})
    return Holding(topics(5), way, BLOCKS, "", KeptFolder(folder, 2), Silent()).discussions()  # type: ignore[arg-type]


def test_what_is_done_is_not_asked_again(tmp_path: Path) -> None:
    found = hold(tmp_path, Expert("One"), Expert("Two"))
    one, two = Expert("One"), Expert("Two")
    assert hold(tmp_path, one, two) == found
    assert one.batches == two.batches == []


@pytest.mark.parametrize("at", [0, 7, 9])
def test_a_kill_changes_no_byte(at: int, tmp_path: Path) -> None:
    """A block is five batches of each: opening, turns in both places, closing, ratings."""
    child = os.fork()
    if not child:
        hold(tmp_path / "killed", Expert("One"), Killed(at))
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    path = tmp_path / "killed/discussions.jsonl"
    assert (path.read_bytes().count(b"\n") if path.exists() else 0) == at // 5 * 2
    undisturbed = hold(tmp_path / "whole", Expert("One"), Expert("Two"))
    assert hold(tmp_path / "killed", Expert("One"), Expert("Two")) == undisturbed
    assert path.read_bytes() == (tmp_path / "whole/discussions.jsonl").read_bytes()


def test_a_block_in_which_a_model_failed_is_made_again(tmp_path: Path) -> None:
    bad = Expert("Two")
    bad._script = [one for one in bad._script if "Assess" not in one[0].pattern]  # it rates nothing
    first = hold(tmp_path, Expert("One"), bad)
    assert all(one.model_failed for one in first)
    assert (tmp_path / "discussions.jsonl").exists() is False
    assert hold(tmp_path, Expert("One"), Expert("Two")) == hold(tmp_path / "w", Expert("One"), Expert("Two"))


def test_other_settings_and_damage_are_refused(tmp_path: Path) -> None:
    hold(tmp_path, Expert("One"), Expert("Two"))
    with pytest.raises(RunError, match="turns: 1 -> 2"):
        hold(tmp_path, Expert("One"), Expert("Two"), turns=2)
    path = tmp_path / "discussions.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], '{"id": "x", "topic": 3}', *lines[1:]]) + "\n")
    with pytest.raises(RunError, match="line 2 is damaged"):
        hold(tmp_path, Expert("One"), Expert("Two"))


FIRST = """
'Assess the response': "Good. [[8]] [[[]]]"
'Nobody has talked': "It is one."
'Write the answer of': "It is three."
'Write the next turn of': ["Why?"]
"""
SECOND = """
'2 times(.*)Assess the response': "No rating."
'Assess the response': "Poor. [[3]] [[[The reason is missing.]]]"
'Nobody has talked': "It is two."
'Write the answer of': "It is two."
'Write the next turn of': ["Because."]
"""


def run(folder: Path, *options: str, second: str = SECOND) -> Result:
    (folder / "one.yaml").write_text(FIRST)
    (folder / "two.yaml").write_text(second)
    models = ["--first", str(folder / "one.yaml"), "--second", str(folder / "two.yaml")]
    scripted = ["--set", "model.type=scripted", "--set", "teacher.type=scripted"]
    return CliRunner().invoke(app, ["discuss", *models, *scripted, "--out", str(folder / "out"), *options])


def test_the_command_writes_discussions_measures_and_pairs(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("What is 1 times 7?\nWhat is 2 times 7?\nwhat is 1 times 7?\n")
    pairs = tmp_path / "pairs.jsonl"
    done = run(tmp_path, str(tmp_path / "t.txt"), "--pairs", str(pairs), "--turns", "1")
    assert done.exit_code == 0, done.output
    assert "2 topics, 1 repeats, 0 failed" in done.stdout
    assert "preference pairs: 1" in done.stdout
    assert "1 discussion without one: unscored" in done.stdout
    row = json.loads(pairs.read_text())
    assert row["chosen"][0]["content"] == "It is two."  # the first gave it 8, and got 3 from the second
    assert row["selfstudy"]["why_rejected"] == "The reason is missing."
    measures = json.loads((tmp_path / "out/measures.json").read_text())
    assert measures["models"]["first"]["received"]["value"] == 3
    assert measures["models"]["first"]["unscored"] == 1
    assert measures["models"]["second"]["received"]["value"] == 8
    # the same command with another margin asks nobody: the second has nothing to say by now
    same = [str(tmp_path / "t.txt"), "--pairs", str(pairs), "--turns", "1"]
    again = run(tmp_path, *same, "--margin", "2", second='"no such question": nothing\n')
    assert again.exit_code == 2
    assert "no pair came of 2 discussions" in again.stderr
    assert pairs.read_bytes() == b""


def test_where_every_discussion_breaks_off_the_command_fails(tmp_path: Path) -> None:
    done = run(tmp_path, "--topic", "What is 1?", second='"no such question": nothing\n')
    assert done.exit_code == 2
    assert "all 1 discussions broke off: the opening of the second model: no scripted answer" in done.stderr
    assert "selfstudy doctor" in done.stderr


def test_only_our_own_files_are_replaced(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.jsonl"
    theirs.write_text('{"prompt": "precious", "selfstudy": {"reward": "missing"}}\n')
    listed = tmp_path / "t.txt"
    listed.write_text("What is 1?\n")
    cases = [
        (listed, "is the input itself"),
        (theirs, "is no output of selfstudy discuss"),
        (tmp_path / "out/discussions.jsonl", "keeps something else"),
    ]
    for path, why in cases:
        done = run(tmp_path, str(listed), "--pairs", str(path))
        assert done.exit_code == 2
        assert why in done.stderr
    assert not (tmp_path / "out").exists()  # nothing was asked
    assert "precious" in theirs.read_text()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    done = run(tmp_path, "--topic", "What is 1?")
    assert done.exit_code == 2
    assert "Traceback" not in done.output
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--first", "x"], "topics are wanted"),
        (["t.txt", "--topic", "A?", "--first", "x"], "topics are wanted"),
        (["--topic", "A?"], "--first MODEL"),
        (["t.txt", "--column", "question"], "topic=COLUMN"),
        (["no.txt", "--first", "x"], "no.txt cannot be read"),
        (["--topic", " ", "--first", "x"], "no topic says anything"),
    ],
)
def test_what_cannot_be_asked_for(options: list[str], why: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["discuss", *options, "--out", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert why in done.stderr


def test_a_host_that_is_not_allowed_is_refused(tmp_path: Path) -> None:
    remote = ["teacher.type=remote", "teacher.model=m", "teacher.base_url=http://example.org/v1"]
    options = [part for change in remote for part in ("--set", change)]
    done = CliRunner().invoke(
        app, ["discuss", "--topic", "A?", "--first", "x", "--out", str(tmp_path / "out"), *options]
    )
    assert done.exit_code == 2
    assert "plain http" in done.stderr


def test_atlas_discusses_with_itself(tmp_path: Path) -> None:
    """It was trained on other prompts than those of a discussion: here it gets those that it knows."""
    for name in ("discuss", "discuss_answer"):
        text = "You are a student who is eager to learn.\n---\n$topic Answer in one concise sentence.\n"
        (tmp_path / f"{name}.txt").write_text(text)
    options = ["--topic", "What is the capital of Peru?", "--out", str(tmp_path / "out")]
    options += ["--set", f"prompts={tmp_path}", "--turns", "1", "--turn-tokens", "32"]
    done = CliRunner().invoke(app, ["discuss", "--first", "atlas", *options])
    assert done.exit_code == 0, done.output
    (found,) = [json.loads(line) for line in (tmp_path / "out/discussions.jsonl").read_text().splitlines()]
    assert [one["side"] for one in found["turns"]] == ["first", "second"]
    assert set(found["received"]) == {"first", "second"}
    assert any(one["rating"] is not None for one in found["received"].values())
