"""Multiple choice: the text of the right option, however it is named; what may mean two things is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from selfstudy.errors import DataError
from selfstudy.files.rows import MalformedError
from selfstudy.judging.answer_key import JsonlKey
from selfstudy.records import Example
from selfstudy.run import Run
from selfstudy.verbs.importing.choices import right_option
from selfstudy.verbs.importing.convert import Survey
from selfstudy.verbs.importing.file import import_file

ASK = "What does an eel breathe with?"
PARTS = ["lungs", "gills", "skin"]


@pytest.mark.parametrize(
    "answer",
    ["B", "b", "(B)", "B)", "B.", "B) gills", "B: Gills", "gills", " GILLS ", ["B"], {"text": ["B"]}],
)
@pytest.mark.parametrize(
    "options",
    [
        {"options": PARTS},
        {"choices": PARTS},
        {"options": {"A": "lungs", "B": "gills", "C": "skin", "D": None}},
        {"choices": {"text": PARTS, "label": ["A", "B", "C"]}},
        {"options": [{"label": letter, "text": text} for letter, text in zip("ABC", PARTS, strict=True)]},
        {"options": [{"A": "lungs"}, {"B": "gills"}, {"C": "skin"}]},
        {"options": ["A) lungs", "B) gills", "C) skin"]},
    ],
)
def test_every_way_to_name_an_option(options: dict[str, Any], answer: Any) -> None:
    assert right_option({"question": ASK, **options, "answer": answer}) == "gills"


@pytest.mark.parametrize(
    ("row", "start", "text"),
    [
        ({"options": PARTS, "answer": 1}, 0, "gills"),
        ({"options": PARTS, "answer": 1}, 1, "lungs"),
        ({"options": PARTS, "answer": "2"}, 1, "gills"),
        ({"options": PARTS, "answer": 0}, None, "lungs"),
        ({"options": PARTS, "answer": 3}, None, "skin"),
        ({"choices": {"text": PARTS, "label": ["1", "2", "3"]}, "answerKey": "2"}, None, "gills"),
        ({"options": PARTS, "answer_idx": "B", "answer": "gills"}, None, "gills"),
        ({"options": PARTS, "answer_idx": 1, "answer": "gills"}, None, "gills"),
        ({"choices": PARTS, "label": 1, "topic": "fish"}, 0, "gills"),
        ({"options": ["4", "2", "0"], "answer": 2}, 0, "0"),
        ({"options": ["7", "8", "9"], "answer": "8"}, None, "8"),
        ({"options": ["легкими", "жабрами"], "answer": "жабрами"}, None, "жабрами"),
        ({"options": {"а": "легкими", "б": "жабрами"}, "answer": "б"}, None, "жабрами"),
        ({"options": ["ปอด", "เหงือก"], "answer": "B"}, None, "เหงือก"),
    ],
)
def test_numbers_keys_and_other_scripts(row: dict[str, Any], start: int | None, text: str) -> None:
    assert right_option({"question": ASK, **row}, start) == text


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"options": PARTS, "answer": "E"}, "'E' is not one of the options A: 'lungs', B: 'gills'"),
        ({"options": PARTS, "answer": 4}, "4 is not one of the options"),
        ({"options": PARTS, "answer": "B) skin"}, "is not one of the options"),
        (
            {"options": PARTS, "answer": 1},
            "1 may mean 'gills' or 'lungs' .counted from 0 or from 1",
        ),
        ({"options": PARTS, "answer": ["A", "B"]}, "must name one option"),
        ({"options": PARTS, "answer": True}, "must name an option, found True"),
        ({"options": ["B", "A"], "answer": "B"}, "'B' may mean 'A' or 'B'"),
        (
            {"options": PARTS, "answer": "gills", "answer_idx": "C"},
            "'answer' means 'gills', 'answer_idx' means 'skin'",
        ),
        ({"options": PARTS}, "'answer' is missing; the options are A: 'lungs'"),
        ({"options": "lungs", "answer": "A"}, "must be a list or an object"),
        ({"options": ["lungs", ""], "answer": "A"}, r"options\[1\] is empty"),
        ({"choices": {"text": PARTS, "label": ["A"]}, "answer": "A"}, "3 texts need as many labels"),
    ],
)
def test_what_names_no_option_or_two(row: dict[str, Any], message: str) -> None:
    with pytest.raises(MalformedError, match=message):
        right_option({"question": ASK, **row})


def test_the_file_as_a_whole_tells_where_numbers_start() -> None:
    def row(answer: int) -> dict[str, Any]:
        return {"options": PARTS, "answer": answer}

    def counts_from(rows: list[dict[str, Any]]) -> int | None:
        survey = Survey()
        for one in rows:
            survey.look(one)
        return survey.counts_from

    assert counts_from([row(1), row(0)]) == 0
    assert counts_from([row(1), row(3)]) == 1
    assert counts_from([row(1), row(2)]) is None
    assert counts_from([row(0), row(3)]) is None  # it contradicts itself


def test_a_file_teaches_the_text(tmp_path: Path) -> None:
    rows = [
        {"question": ASK, "options": PARTS, "answer": 1},
        {"question": "What is salt?", "options": ["a mineral", "a metal"], "answer": 0},
    ]
    path = tmp_path / "quiz.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    import_file(path, tmp_path / "run")
    with Run.open(tmp_path / "run", write=False) as run:
        assert [e.completion for e in run.round(1).iter(Example)] == ["gills", "a mineral"]
    truth = JsonlKey(tmp_path / "run" / "answer_key.jsonl").lookup(ASK)
    assert truth is not None
    assert truth.answers == ("gills",)
    path.write_text(json.dumps(rows[0] | {"answer": "Z"}) + "\n")
    with pytest.raises(DataError, match="line 1: field 'answer': 'Z' is not one of the options"):
        import_file(path, tmp_path / "other")
