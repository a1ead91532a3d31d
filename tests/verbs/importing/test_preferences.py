"""Preference pairs and questions with answers of others: what they become, and what is refused, where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from selfstudy.errors import DataError, RunError
from selfstudy.files.rows import MalformedError
from selfstudy.judging.answer_key import JsonlKey
from selfstudy.records import Evidence, Example, Failure, Pair, Question, Record, Reference
from selfstudy.run import Run
from selfstudy.verbs.importing.file import Format, import_file
from selfstudy.verbs.importing.lessons import answers
from selfstudy.verbs.importing.preferences import preference_records

SKY = "What color is the sky?"


def turn(role: str, content: Any) -> dict[str, Any]:
    return {"role": role, "content": content}


ASKED, BLUE, GREEN = turn("user", SKY), turn("assistant", "It is blue."), turn("assistant", "It is green.")
SYSTEM = turn("system", "Be brief.")


def lines(folder: Path, *rows: Any, name: str = "data.jsonl") -> Path:
    path = folder / name
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def read(run: Path, kind: type[Record]) -> list[Any]:
    with Run.open(run, write=False) as opened:
        return opened.round(1).read(kind)


def shape(pair: Pair) -> tuple[list[tuple[str, str]], str, str]:
    return [(t.role, t.content) for t in pair.prompt], pair.chosen, pair.rejected


SKY_PAIR = ([("user", SKY)], "It is blue.", "It is green.")


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": SKY, "chosen": " It is blue.", "rejected": "It is green."},
        {"prompt": [ASKED], "chosen": [BLUE], "rejected": [GREEN]},
        {"prompt": [ASKED], "chosen": "It is blue.", "rejected": "It is green."},
        {"chosen": [ASKED, BLUE], "rejected": [ASKED, GREEN]},
        {"prompt": SKY, "prompt_id": "x", "chosen": [ASKED, BLUE], "rejected": [ASKED, GREEN], "score": 1},
        {"prompt": None, "chosen": [ASKED, BLUE], "rejected": "It is green."},
        {
            "chosen": f"\n\nHuman: {SKY}\n\nAssistant: It is blue.",
            "rejected": f"\n\nHuman: {SKY}\n\nAssistant: It is green.",
        },
        {
            "prompt": [turn("user", [{"type": "text", "text": SKY}])],
            "chosen": [turn("assistant", [{"type": "text", "text": "It is blue."}])],
            "rejected": [GREEN],
        },
    ],
)
def test_every_way_to_write_a_pair(row: dict[str, Any]) -> None:
    question, pair = preference_records(row)
    assert shape(pair) == SKY_PAIR
    assert (question.text, pair.question_id) == (SKY, question.id)
    assert (pair.origin, pair.verdict) == ("imported", None)


def test_a_common_beginning_is_the_prompt_up_to_a_word() -> None:
    _, pair = preference_records({"chosen": f"{SKY} It is blue.", "rejected": f"{SKY} It is black."})
    assert shape(pair) == ([("user", f"{SKY} It is")], "blue.", "black.")


def test_long_conversations() -> None:
    before = [SYSTEM, ASKED, BLUE, turn("user", "And grass?")]
    for row in (
        {"prompt": before, "chosen": [turn("assistant", "Green.")], "rejected": [turn("assistant", "Red.")]},
        {
            "prompt": before[:2],
            "chosen": [*before[2:], turn("assistant", "Green.")],
            "rejected": [*before[2:], turn("assistant", "Red.")],
        },
        {
            "chosen": [*before, turn("assistant", "Green.")],
            "rejected": [*before, turn("assistant", "Red.")],
        },
    ):
        question, pair = preference_records(row)
        assert shape(pair) == ([(t["role"], t["content"]) for t in before], "Green.", "Red.")
        assert question.text == "And grass?"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": SKY, "chosen": "a", "rejected": None}, "'rejected' is missing"),
        ({"prompt": SKY, "chosen": "a", "rejected": 7}, "'rejected' must be text or a list of messages.*7"),
        ({"prompt": 5, "chosen": "a", "rejected": "b"}, "'prompt' must be text, found 5"),
        ({"prompt": SKY, "chosen": " ", "rejected": "b"}, "'chosen' is empty"),
        ({"prompt": SKY, "chosen": "a ", "rejected": "a"}, "are equal: 'a'"),
        ({"prompt": " ", "chosen": "a", "rejected": "b"}, "no turn of the user"),
        ({"prompt": [BLUE], "chosen": "a", "rejected": "b"}, "no turn of the user"),
        ({"chosen": "one thing", "rejected": "another thing"}, "begin differently"),
        ({"chosen": [ASKED, BLUE], "rejected": [turn("user", "Grass?"), GREEN]}, "differ before their last"),
        ({"chosen": [BLUE, ASKED], "rejected": [BLUE, ASKED]}, "must be the assistant's, not the user's"),
        ({"chosen": [turn("tool", "x")], "rejected": [GREEN]}, r"chosen\[0\].role must be .* 'tool'"),
        ({"chosen": ["x"], "rejected": [GREEN]}, r"chosen\[0\] must be an object"),
        ({"chosen": [turn("assistant", None)], "rejected": [GREEN]}, r"chosen\[0\].content' must be text"),
        ({"chosen": [turn("assistant", [{"type": "image"}])], "rejected": [GREEN]}, "content must be text"),
        ({"prompt": SKY, "chosen": [], "rejected": [GREEN]}, "'chosen' must be text or a list of messages"),
    ],
)
def test_what_is_no_pair(row: dict[str, Any], message: str) -> None:
    with pytest.raises(MalformedError, match=message):
        preference_records(row)


def test_a_file_of_pairs_becomes_a_run_for_dpo(tmp_path: Path) -> None:
    first = {"prompt": SKY, "chosen": "Blue.", "rejected": "Green."}
    path = lines(tmp_path, first, {**first, "rejected": "Red."}, "", first)
    found = import_file(path, tmp_path / "run")
    assert {k: found[k] for k in ("kind", "given", "imported", "duplicates", "failed")} == {
        "kind": "preferences",
        "given": 3,
        "imported": 2,
        "duplicates": 1,
        "failed": 0,
    }
    assert [p.rejected for p in read(tmp_path / "run", Pair)] == ["Green.", "Red."]
    assert [q.text for q in read(tmp_path / "run", Question)] == [SKY]
    with Run.open(tmp_path / "run", write=False) as run:
        assert run.recipe.teach.method == "dpo"
        assert run.round(1).finished("probe")
        assert run.round(1).finished("gather")
        assert not run.round(1).finished("teach")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"answer": "Lima"}, ("Lima",)),
        ({"answer": ["Lima", " Lima ", "Ciudad de los Reyes", ""]}, ("Lima", "Ciudad de los Reyes")),
        ({"answers": {"text": ["Lima"], "answer_start": [5]}}, ("Lima",)),
        ({"answer": {"value": "Lima", "aliases": ["City of Kings"]}}, ("Lima", "City of Kings")),
        ({"answer": None, "answers": ["Lima"]}, ("Lima",)),
    ],
)
def test_every_way_to_write_answers(row: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert answers(row) == expected


@pytest.mark.parametrize("row", [{"answer": ""}, {"answers": []}, {"answers": {"text": []}}, {"answer": 5}])
def test_no_answer(row: dict[str, Any]) -> None:
    with pytest.raises(MalformedError, match=r"'answers?' (holds no answer|must be text, found 5)"):
        answers(row)


def test_a_file_of_questions_becomes_a_run_for_sft(tmp_path: Path) -> None:
    path = lines(
        tmp_path,
        {"question": "Capital of Peru?", "answers": ["Lima", "City of Kings"], "topic": "Peru"},
        {
            "question": "Capital of Fiji?",
            "answer": "Suva",
            "context": "Suva is its capital.",
            "title": "Fiji",
        },
        {"question": " capital of  PERU?", "answers": ["Lima", "City of Kings"]},
        {"question": "Of Cuba?", "answer": "Havana", "evidence": ["", {"title": "Cuba", "text": "Havana."}]},
    )
    found = import_file(path, tmp_path / "run", overrides=["teach.sft.reading=1"])
    assert (found["kind"], found["given"], found["imported"], found["duplicates"]) == ("qa", 4, 3, 1)
    run = tmp_path / "run"
    assert {q.text: q.topic for q in read(run, Question)}["Capital of Peru?"] == "Peru"
    examples = read(run, Example)
    assert [e.completion for e in examples] == ["Lima", "Suva", "Suva", "Havana", "Havana"]
    assert {e.kind for e in examples} == {"imported"}
    assert "Suva is its capital." in examples[2].prompt[-1].content
    assert [(e.title, e.text, e.rank) for e in read(run, Evidence)] == [
        ("Fiji", "Suva is its capital.", 0),
        ("Cuba", "Havana.", 0),
    ]
    assert [(r.text, r.accepted, r.inconsistency) for r in read(run, Reference)] == [
        ("Suva", True, None),
        ("Havana", True, None),
    ]
    with Run.open(run, write=False) as opened:
        assert opened.recipe.teach.method == "sft"
    key = JsonlKey(run / "answer_key.jsonl")
    assert len(key) == 3
    truth = key.lookup("capital of peru?")
    assert truth is not None
    assert truth.answers == ("Lima", "City of Kings")


def test_json_json_lines_and_parquet_are_the_same(tmp_path: Path) -> None:
    from pyarrow import Table
    from pyarrow.parquet import write_table

    rows = [{"question": f"What is {n}?", "answer": [str(n), "a number"]} for n in range(5)]
    files = [lines(tmp_path, *rows), lines(tmp_path, *rows, name="lines.json")]
    for name, value in (("list.json", rows), ("data.json", {"version": 1, "data": rows})):
        files.append(tmp_path / name)
        files[-1].write_text(json.dumps(value, indent=1), encoding="utf-8-sig")
    files.append(tmp_path / "data.parquet")
    write_table(Table.from_pylist(rows), files[-1])
    runs = []
    for number, file in enumerate(files):
        import_file(file, tmp_path / str(number))
        runs.append(read(tmp_path / str(number), Example))
    assert len(runs[0]) == 5
    assert all(run == runs[0] for run in runs)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("{broken", r"line 2: not JSON \(Expecting property name .* at column 2\)"),
        ("[1, 2]", r"line 2: expected an object, found \[1, 2\]"),
        ('{"question": 5, "answer": "a"}', "line 2: field 'question' must be text, found 5"),
        ('{"question": "", "answer": "a"}', "line 2: field 'question' is empty"),
        ('{"question": "b?"}', "line 2: field 'answer' is missing"),
        (
            '{"question": "b?", "answer": "a", "context": [1]}',
            "line 2: field 'context' must be text, found 1",
        ),
        ("[" * 100_000, "line 2: not JSON"),
        ('{"question": ' + "1" * 5000 + "}", "line 2: not JSON that can be read"),
    ],
)
def test_a_bad_line_is_refused_with_its_number_or_skipped_and_counted(
    bad: str, message: str, tmp_path: Path
) -> None:
    good = {"question": "a?", "answer": "b"}
    path = lines(tmp_path, good, bad, {**good, "question": "c?"})
    with pytest.raises(DataError, match=message) as refused:
        import_file(path, tmp_path / "run")
    assert "--skip-bad" in refused.value.hint
    assert not (tmp_path / "run").exists()
    found = import_file(path, tmp_path / "run", skip_bad=True)
    assert (found["given"], found["imported"], found["failed"]) == (3, 2, 1)
    (failure,) = read(tmp_path / "run", Failure)
    assert (failure.stage, failure.item_id) == ("import", "data.jsonl, line 2")


def test_a_line_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_bytes(b'{"question": "a?", "answer": "b"}\n{"question": "\xff"}\n')
    with pytest.raises(DataError, match="line 2: not UTF-8"):
        import_file(path, tmp_path / "run")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", "", "no JSON object"),
        ("a.json", "[]", "no JSON object"),
        ("a.json", "[{]", "line 1: not JSON"),
        ("a.json", "5", "expected a list of objects, found 5"),
        ("a.jsonl", '{"prompt": "x", "completion": "y"}\n', "cannot tell .* 'prompt', 'completion'"),
        ("a.parquet", "PAR1 and nothing else", "no readable Parquet"),
    ],
)
def test_files_that_hold_nothing_of_use(name: str, content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        import_file(path, tmp_path / "run")


def test_the_format_can_be_forced(tmp_path: Path) -> None:
    both = {"question": "a?", "answer": "b", "prompt": "p", "chosen": "c", "rejected": "r"}
    path = lines(tmp_path, both)
    kinds: tuple[Format | None, ...] = (None, "preferences", "qa")
    found = [import_file(path, tmp_path / str(kind), kind)["kind"] for kind in kinds]
    assert found == ["preferences", "preferences", "qa"]
    with pytest.raises(DataError, match="choose one of: experiment, preferences, dialogues, qa"):
        import_file(path, tmp_path / "run", "sharegpt")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no result file of the original experiment"):
        import_file(path, tmp_path / "run", "experiment")


def test_an_interrupted_import_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    path = lines(tmp_path, *({"question": f"{n}?", "answer": "a"} for n in range(20)), "bad")
    expected = import_file(path, tmp_path / "whole", skip_bad=True)
    import_file(path, tmp_path / "cut", skip_bad=True)
    part = tmp_path / "cut" / "rounds" / "1"
    for name in ("examples.jsonl", "questions.jsonl"):
        data = (part / name).read_bytes()
        (part / name).write_bytes(data[: len(data) // 2])
    assert import_file(path, tmp_path / "cut", skip_bad=True) == expected
    for kind in (Question, Example, Failure):
        assert read(tmp_path / "cut", kind) == read(tmp_path / "whole", kind)
    with pytest.raises(RunError, match="another file"):
        import_file(lines(tmp_path, {"question": "x?", "answer": "a"}), tmp_path / "cut")
