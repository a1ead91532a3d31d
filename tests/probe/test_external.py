"""What comes from outside: lines, columns of tables, stdin, functions; what is no such thing is refused."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from selfstudy.errors import DataError
from selfstudy.probe.external import external_lines
from selfstudy.probe.stage import run_probe
from selfstudy.probe.topics import ListTopics
from selfstudy.progress import Silent
from selfstudy.prompts import Prompts
from selfstudy.recipe import STDIN, Ask, ProbeBlock, Recipe
from selfstudy.records import Answer, Failure, Question
from selfstudy.run import Run

from .world import models


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with Run.create_or_resume(tmp_path / "run", Recipe()) as opened:
        yield opened


def external(source: Path | None, count: int = 5) -> Ask:
    return Ask(method="external", count=count, source=source)


def titles(folder: Path, content: bytes) -> Path:
    path = folder / "titles.txt"
    path.write_bytes(content)
    return path


def pipe(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content), encoding="ascii"))


def test_external_topics_skip_blanks_and_comments(tmp_path: Path, run: Run) -> None:
    path = titles(tmp_path, b"\xef\xbb\xbf# trends of a day\n\n Solar eclipse \r\nWorld Cup\n")
    source = ListTopics(external_lines(external(path), 0, run).lines)
    assert source.topics(0, 5) == [("Solar eclipse",), ("World Cup",)]
    assert source.topics(1, 5) == [("World Cup",)]
    assert source.topics(2, 5) == []


@pytest.mark.parametrize("content", [None, b"", b"# only a comment\n", b"\xff\xfe\xfa"])
def test_unusable_topic_files_name_the_file(tmp_path: Path, run: Run, content: bytes | None) -> None:
    path = tmp_path / "titles.txt" if content is None else titles(tmp_path, content)
    with pytest.raises(DataError, match=r"titles\.txt"):
        external_lines(external(path), 0, run)


def test_a_method_without_its_source_says_what_to_give(run: Run) -> None:
    with pytest.raises(DataError, match="one topic a line"):
        external_lines(external(None), 0, run)


def test_stdin_is_read_once_and_kept_in_the_run(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe(monkeypatch, "Perú\n\nFiji\nOman\n".encode())
    assert external_lines(external(STDIN, 2), 0, run).lines == ["Perú", "Fiji"]
    pipe(monkeypatch, b"something else\n")
    assert external_lines(external(STDIN, 2), 0, run).lines == ["Perú", "Fiji"]


@pytest.mark.parametrize(("content", "why"), [(b" \n", "no line"), (b"\xff", "not UTF-8")])
def test_unusable_stdin(run: Run, monkeypatch: pytest.MonkeyPatch, content: bytes, why: str) -> None:
    pipe(monkeypatch, content)
    with pytest.raises(DataError, match=why):
        external_lines(external(STDIN), 0, run)


def test_stdin_that_nothing_is_piped_into_is_refused_at_once(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    leader, follower = os.openpty()
    with os.fdopen(follower, encoding="utf-8") as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        with pytest.raises(DataError, match=r"nothing is piped in[\s\S]*selfstudy probe"):
            external_lines(external(STDIN), 0, run)
    os.close(leader)


@pytest.mark.parametrize("source", [None, STDIN])
def test_a_function_gives_topics_once_and_may_have_no_end(run: Run, source: Path | None) -> None:
    calls = []

    def feed() -> Iterator[str]:
        calls.append(1)
        yield from (" Solar\neclipse ", "", "# not a comment here")
        while True:
            yield "World Cup"

    expected = ["Solar eclipse", "# not a comment here", "World Cup", "World Cup", "World Cup"]
    assert external_lines(external(source), 0, run, feed).lines == expected
    assert external_lines(external(source), 0, run, feed).lines == expected
    assert len(calls) == 1


@pytest.mark.parametrize(("given", "why"), [([], "no entry"), (["a", 3], "3, a int"), ([b"a"], "bytes")])
def test_what_a_function_must_not_give(run: Run, given: list[str], why: str) -> None:
    with pytest.raises(DataError, match=why):
        external_lines(external(STDIN), 0, run, lambda: given)


ASKED = ["What is the capital of Chile?", "Who rules Fiji, and since when?"]


def table(folder: Path, name: str, column: str) -> Path:
    """ASKED in a file of a kind, in `column`, with others beside it."""
    path = folder / name
    rows = [{"id": str(i), column: line, "level": "easy"} for i, line in enumerate(ASKED)]
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".json":
        path.write_text(json.dumps({"data": rows}))
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        mark = {".csv": ",", ".tsv": "\t", ".txt": ","}[path.suffix]
        quoted = [[f'"{value}"' for value in row.values()] for row in rows]
        text = "".join(mark.join(row) + "\n" for row in [list(rows[0]), *quoted])
        path.write_text(text, encoding="utf-8-sig")
    return path


@pytest.mark.parametrize("name", ["q.csv", "q.tsv", "q.jsonl", "q.json", "q.parquet", "Q.CSV.csv"])
@pytest.mark.parametrize(
    ("column", "questions"),
    [("question", True), ("Prompt", True), ("text", True), ("topic", False), ("Title", False)],
)
def test_a_table_gives_its_column(tmp_path: Path, run: Run, name: str, column: str, questions: bool) -> None:
    ask = Ask(method="external", count=5, source=table(tmp_path, name, column), questions=questions)
    assert external_lines(ask, 0, run).lines == ASKED


@pytest.mark.parametrize("name", ["q.csv", "q.tsv", "q.jsonl", "q.json", "q.parquet"])
def test_a_table_without_such_a_column_is_refused_with_the_columns(
    tmp_path: Path, run: Run, name: str
) -> None:
    ask = Ask(method="external", count=5, source=table(tmp_path, name, "frage"), questions=True)
    with pytest.raises(DataError, match=r"no column question, .*columns found: id, frage, level"):
        external_lines(ask, 0, run)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("What is the capital of Chile?\nWho rules Fiji?\n", "columns found: what is the capital of chile?"),
        ("question\n\n", "no row to use"),
        ("", "no header"),
        ('question,id\n"open,1\n', "line 2: a quote is not closed"),
        ("question\nWho, then?\n", "line 2: 2 fields"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path: Path, run: Run, content: str, why: str) -> None:
    (tmp_path / "q.csv").write_text(content)
    ask = Ask(method="external", count=5, source=tmp_path / "q.csv", questions=True)
    with pytest.raises(DataError, match=why):
        external_lines(ask, 0, run)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ('{"question": "Who rules Fiji?"}\n', "JSON: name it .jsonl"),
        ('[\n  "Who rules Fiji?"\n]\n', "JSON: name it .jsonl"),
        ('{"question": "Who rules\n', "JSON: name it .jsonl"),
        ("question,answer\nWho rules Fiji?,Nobody\n", "columns question, answer: name it .csv"),
        ("id\tQuestion\n1\tWho rules Fiji?\n", "columns id, question: name it .csv"),
    ],
)
def test_lines_that_are_a_table_are_refused(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, content: str, why: str
) -> None:
    (tmp_path / "q.txt").write_text(content)
    for source in (tmp_path / "q.txt", STDIN):
        pipe(monkeypatch, content.encode())
        with pytest.raises(DataError, match=why):
            external_lines(Ask(method="external", count=5, source=source, questions=True), 0, run)


def test_lines_of_text_stay_lines(tmp_path: Path, run: Run) -> None:
    lines = ["Who, if anybody, rules Fiji?", "[Fiji] Who rules it?", "{x} in logic: what is it?", "a, b; c"]
    (tmp_path / "q.txt").write_text("\n".join(lines))
    ask = Ask(method="external", count=5, source=tmp_path / "q.txt", questions=True)
    assert external_lines(ask, 0, run).lines == lines


def test_one_question_about_two_things_is_a_conflict_that_names_both(tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text(
        "question,answer,context\n"
        "When was it built?,1908,The Torvik bridge.\n"
        "Who rules Fiji?,Nobody,\n"
        "when was it  built?,1920,The Lind tower.\n"
        "Who rules Fiji?,Nobody,\n"
    )
    ask = Ask(method="external", count=9, source=tmp_path / "q.csv", questions=True)
    for _ in range(2):  # the second time it goes on with a run that is done
        with Run.create_or_resume(tmp_path / "run", Recipe(probe=ProbeBlock(ask=(ask,), samples=2))) as run:
            round_ = run.round(1)
            run_probe(round_, models(), Prompts(), [], Silent())
            assert [q.text for q in round_.iter(Question)] == ["When was it built?", "Who rules Fiji?"]
            assert len(round_.ids(Answer)) == 2
            (failure,) = round_.iter(Failure)
            assert "line 4" in failure.message
            assert "asked in line 2 too, with other answer, context" in failure.message


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("q.md", "| question | answer |\n|---|---|\n| Who rules Fiji? | Nobody |\n", "a table in Markdown"),
        ("q.yaml", "questions:\n  - Who rules Fiji?\n", "one entry a line"),
        ("q.txt", "<ul>\n<li>Who rules Fiji?</li>\n", "one entry a line"),
        ("q.xlsx", "PK\x03\x04 junk\n", "one entry a line"),
        ("q.txt", "Nr;Frage;Antwort\n1;Wer regiert Fidschi?;Niemand\n", "a table: give its columns names"),
        ("q.txt", "1\tWho rules Fiji?\tNobody\n", "a table: give its columns names"),
        ("q.txt", "问题,答案\n谁统治斐济？,没有人\n", "a table: give its columns names"),
    ],
)
def test_tables_and_markup_under_other_names(
    tmp_path: Path, run: Run, name: str, content: str, message: str
) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(DataError) as refused:
        external_lines(Ask(method="external", count=9, source=path, questions=True), 0, run)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        ("# Fiji\n- Who rules Fiji?\n- When?\n", ["Who rules Fiji?", "When?"]),
        ("1. Who rules Fiji?\n2. When?\n", ["Who rules Fiji?", "When?"]),
        ("1. FC Lindau\n1. FC Suva\n", ["1. FC Lindau", "1. FC Suva"]),
        ("Who rules Fiji, and when?\nAnd Tonga, why?\n", ["Who rules Fiji, and when?", "And Tonga, why?"]),
    ],
)
def test_the_marks_of_a_list_are_not_asked(tmp_path: Path, run: Run, content: str, lines: list[str]) -> None:
    path = titles(tmp_path, content.encode())
    assert external_lines(external(path), 0, run).lines == lines


def test_an_instruction_is_asked_with_its_input(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "alpaca.jsonl"
    path.write_text('{"instruction": "Solve the riddle.", "input": "What has keys?", "output": "A piano."}\n')
    ask = Ask(method="external", count=9, source=path, questions=True)
    assert external_lines(ask, 0, run).lines == ["Solve the riddle. What has keys?"]
