"""The index: it holds what the run does, goes on with it, starts anew where that changed, bears damage."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from selfstudy.files import reading
from selfstudy.records import Question, Score, Verdict
from selfstudy.run import Run
from selfstudy.ui.index import QuestionIndex, index_of
from selfstudy.ui.index_query import QuestionsAsked

from .conftest import HOSTILE


def of(folder: Path, tmp_path: Path) -> QuestionIndex:
    run = Run.open(folder / "<b>r", write=False)
    tmp_path.mkdir(exist_ok=True)
    return QuestionIndex(run, tmp_path / "index.sqlite", run.recipe.probe.scorer)


def read(index: QuestionIndex) -> QuestionIndex:
    index.refresh(drawn=True)
    assert index.wait(60)
    return index


def test_it_holds_what_the_run_does_and_goes_on_with_it(hostile: Path, tmp_path: Path) -> None:
    index = read(of(hostile, tmp_path))
    assert not index.standing.said
    rows = index.page(QuestionsAsked()).rows
    assert [row.text for row in rows[:5]] == list(HOSTILE[:5])
    assert "\0" not in rows[5].text
    assert [(row.verdict, row.before, row.after, row.score_after) for row in rows] == [
        ("unknown", False, True, 0.5)
    ] * len(HOSTILE)
    assert index.verdicts() == {"unknown": len(HOSTILE)}
    assert len(index.points()) == len(HOSTILE)
    more = Question(text="one more")
    with Run.open(hostile / "<b>r") as run:
        run.round(1).append([more])
        run.round(2).append([more, Verdict(question_id=more.id, kind="known", score=0.1)])
    assert read(index).verdicts() == {"known": 1, "unknown": len(HOSTILE), "": 1}
    assert [row.round for row in index.rows(QuestionsAsked(search="one more"))] == [1, 2]


def test_the_beginning_of_everything_is_there_before_the_rest(
    hostile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("selfstudy.ui.index.BATCH", 2)
    on, reads = threading.Event(), QuestionIndex._read_part

    def waits(self: QuestionIndex, *given: Any, glimpse: bool = False) -> None:
        assert glimpse or on.wait(60)
        reads(self, *given, glimpse=glimpse)

    monkeypatch.setattr(QuestionIndex, "_read_part", waits)
    index = of(hostile, tmp_path)
    while not index.refresh().ready and not index.page(QuestionsAsked(verdict="gap")).rows:
        time.sleep(0.01)
    assert not index.standing.ready
    rows = index.page(QuestionsAsked(verdict="gap", order="score")).rows
    assert [(row.verdict, row.after, row.score) for row in rows] == [
        ("unknown", None, 0.1),
        ("unknown", True, 0.0),
    ]
    on.set()
    assert read(index).verdicts() == {"unknown": len(HOSTILE)}


def test_the_map_is_made_for_who_asks_for_it(hostile: Path, tmp_path: Path) -> None:
    index = of(hostile, tmp_path)
    assert index.refresh()
    assert index.wait(60)
    assert not index.points()
    assert len(read(index).points()) == len(HOSTILE)


def test_the_score_that_decides_is_shown_however_it_is_spelled(hostile: Path, tmp_path: Path) -> None:
    with Run.open(hostile / "<b>r") as run:
        asked = next(run.round(1).iter(Question)).id
        name = run.recipe.probe.scorer
        run.round(1).append([Score(question_id=asked, scorer="another", value=0.7)])
        (first, *_) = read(of(hostile, tmp_path)).page(QuestionsAsked()).rows
        assert first.score == 0.0
        file = run.round(1).path / Score.file
    with file.open("a") as end:  # as another program may write it
        end.write(
            json.dumps({"question_id": asked, "scorer": "", "value": 0.9}).replace('""', _escaped(name))
            + "\n"
        )
    (first, *_) = read(of(hostile, tmp_path / "again")).page(QuestionsAsked()).rows
    assert first.score == 0.9


def _escaped(name: str) -> str:
    return '"' + "".join(f"\\u{ord(letter):04x}" for letter in name) + '"'


def test_what_was_forgotten_is_nowhere_in_it(hostile: Path, tmp_path: Path) -> None:
    index = read(of(hostile, tmp_path))
    with Run.open(hostile / "<b>r") as run:
        kept = [one for one in run.round(1).iter(Question) if "HYPERLINK" not in one.text]
        run.round(1).rewrite(Question, kept)
    assert read(index).page(QuestionsAsked()).total == len(HOSTILE) - 1
    held = b"".join(path.read_bytes() for path in tmp_path.glob("index.sqlite*"))
    assert b"HYPERLINK" not in held


def test_damage_is_left_out_and_told(hostile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LONGEST_LINE", 5_000)
    file = hostile / "<b>r" / "rounds/1/questions.jsonl"
    wrong = [b"no json", b"[]", b"{}", b'{"id": 5, "text": "x"}', b'{"id": "x", "text": {}}', b"\xff" * 9]
    wrong.append(json.dumps({"id": "long", "text": "x" * 20_000}).encode())
    good = json.dumps({"id": "good", "text": "y"}).encode()
    with file.open("ab") as end:
        end.write(b"\n".join([*wrong, good, b'{"id": "torn", "te']))
    index = read(of(hostile, tmp_path))
    assert index.page(QuestionsAsked()).total == len(HOSTILE) + 1
    assert index.standing.left_out == len(wrong)
    assert f"{len(wrong)} lines" in index.standing.said
    index._thread = None  # a torn line that stays torn is not read again and again
    assert (index.refresh().ready, index._thread) == (True, None)
    with file.open("ab") as end:
        end.write(b'xt": "whole now"}\n')
    assert read(index).page(QuestionsAsked()).total == len(HOSTILE) + 2


def test_a_link_in_the_place_of_a_file_is_not_followed(hostile: Path, tmp_path: Path) -> None:
    index = of(hostile, tmp_path)
    file = hostile / "<b>r" / "rounds/1/questions.jsonl"
    file.rename(tmp_path / "elsewhere.jsonl")
    file.symlink_to(tmp_path / "elsewhere.jsonl")
    assert read(index).page(QuestionsAsked()).total == 0
    assert index.standing.left_out == 1


def test_a_run_has_one_index_outside_of_it(hostile: Path) -> None:
    with Run.open(hostile / "<b>r", write=False) as run:
        index = index_of(run)
        assert index_of(run) is index
        assert read(index).file.stat().st_mode & 0o077 == 0
        assert not index.file.is_relative_to(hostile)
