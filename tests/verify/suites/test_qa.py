"""Short answers, SQuAD's layout and rows, questions that cannot be answered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from selfstudy import ScriptedLM
from selfstudy.errors import DataError
from selfstudy.recipe.suites import QABlock
from selfstudy.verify.suites import qa as module
from selfstudy.verify.suites.qa import ShortQuestion, parts, qa

from .asked import Likely, jsonl, mean, run

SQUAD = {
    "version": "v2.0",
    "data": [
        {
            "title": "Danube",
            "paragraphs": [
                {
                    "context": "The Danube is 2,850 km long.",
                    "qas": [
                        {
                            "id": "1",
                            "question": "How long is the Danube?",
                            "answers": [
                                {"text": "2,850 km", "answer_start": 14},
                                {"text": "2,850 km", "answer_start": 14},
                            ],
                            "is_impossible": False,
                        },
                        {"id": "2", "question": "Who dug it?", "answers": [], "is_impossible": True},
                    ],
                }
            ],
        },
        {"title": "Empty", "paragraphs": []},
    ],
}


def test_parts_worked_by_hand() -> None:
    one = ShortQuestion("How long is the Danube?", ("2,850 km", "2850 kilometres"))
    assert parts(one, "2850 km.")["exact_match"] == 1  # punctuation does not count, as published
    said = parts(one, "The Danube is 2,850 km long.")
    assert (said["exact_match"], said["stated"]) == (0, 1)
    assert said["f1"] == pytest.approx(2 * 2 / (5 + 2))  # danube is 2850 km long; 2850 km
    assert parts(one, "I don't know.") == {
        "f1": 0, "exact_match": 0, "stated": 0, "answered_f1": 0, "refused_wrongly": 1,
    }  # fmt: skip
    none = ShortQuestion("Who dug it?", ())
    assert parts(none, "Unknown") == {"f1": 1, "exact_match": 1, "stated": 1, "refused": 1}
    assert parts(none, "Giants") == {"f1": 0, "exact_match": 0, "stated": 0, "refused": 0}


def test_squad_itself(tmp_path: Path) -> None:
    path = tmp_path / "dev-v2.0.json"
    path.write_text(json.dumps(SQUAD))
    asked = qa(QABlock(data=str(path)), 0)
    lm = ScriptedLM({r"2,850 km long[^ ]*\n.*How long": "2,850 km", "Who dug": "Unknown"})
    one, two = run(asked, lm)
    assert one.parts["exact_match"] == two.parts["exact_match"] == 1
    assert one.about == two.about != ""
    assert one.reasons["accepted"] == "2,850 km"
    assert [m.name for m in asked.measures] == [
        "f1",
        "exact_match",
        "stated",
        "answered_f1",
        "refused",
        "refused_wrongly",
    ]
    assert "1 of them have no answer: a refusal is right" in asked.notes


@pytest.mark.parametrize(
    ("row", "answers", "page"),
    [
        ({"question": "q?", "answers": ["a", "b", "a"]}, ("a", "b"), ""),
        ({"question": "q?", "answer": "a"}, ("a",), ""),
        ({"question": "q?", "answers": {"text": ["a"], "answer_start": [3]}, "context": "c"}, ("a",), "c"),
        ({"question": "q?", "answers": {"text": [], "answer_start": []}, "context": "c"}, (), "c"),
        ({"question": "q?", "answers": [{"text": "a"}], "document": "d"}, ("a",), "d"),
        ({"question": "q?", "answers": [], "is_impossible": True}, (), ""),
        ({"question": "q?", "answers": [{"text": "plausible"}], "is_impossible": True}, (), ""),
        ({"question": "名前は?", "answers": ["太郎"]}, ("太郎",), ""),
    ],
)
def test_rows(row: dict[str, Any], answers: tuple[str, ...], page: str) -> None:
    (one,) = module.parse(row)
    assert (one.answers, one.page) == (answers, page)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"answers": ["a"]}, "line 1: field 'question' is missing"),
        ({"question": "q?"}, "line 1: field 'answers' is missing"),
        ({"question": "q?", "answers": 3}, "must be a text or a list"),
        ({"question": "q?", "answers": [" "]}, "no answer has any text"),
        ({"question": "q?", "answers": [], "is_impossible": False}, "no answer has any text"),
        ({"paragraphs": 3}, "'paragraphs' must be a list of objects"),
        ({"paragraphs": [{"context": "c"}]}, "paragraph 1: field 'qas' must be"),
        ({"paragraphs": [{"qas": []}]}, "paragraph 1: field 'context' is missing"),
        (
            {"paragraphs": [{"context": "c", "qas": [{"question": "q?"}]}]},
            "paragraph 1: question 1: field 'answers'",
        ),
    ],
)
def test_rows_that_cannot_be_used(tmp_path: Path, row: dict[str, Any], problem: str) -> None:
    with pytest.raises(DataError, match=problem) as caught:
        qa(QABlock(data=jsonl(tmp_path / "x.jsonl", [row])), 0)
    assert "SQuAD's .json" in caught.value.hint


def test_our_own_questions() -> None:
    asked = qa(QABlock(), 0)
    every = asked._questions
    assert len(every) >= 30
    assert {bool(one.page) for one in every} == {bool(one.answers) for one in every} == {True, False}
    for one in every:
        for answer in one.answers:
            assert parts(one, answer)["exact_match"] == 1
        if one.page and one.answers:
            assert any(answer.lower() in one.page.lower() for answer in one.answers)
    items = run(asked, ScriptedLM({".": "Unknown"}))
    assert mean(items, "refused") == mean(items, "refused_wrongly") == 1
    assert mean(items, "answered_f1") == 0


def test_failures_resuming_and_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 4)
    rows = [{"question": f"What is {i}?", "answers": [str(i)]} for i in range(10)]
    asked = qa(QABlock(data=jsonl(tmp_path / "x.jsonl", [*rows, rows[3]])), 0)
    assert len(asked) == 10
    lm = Likely({f"What is {i}\\?": str(i) for i in range(10) if i != 5})
    seen: list[int] = []
    whole = run(asked, lm, progress=seen.append)
    assert lm.chats == [4, 4, 2]
    assert sum(seen) == 10
    assert [one.error is not None for one in whole] == [i == 5 for i in range(10)]
    assert whole[5].parts == {}
    assert mean(whole, "f1") == 1
    assert run(asked, lm, done=frozenset(one.item for one in whole[:5])) == whole[4:]


def test_no_apart_figures_where_all_have_an_answer(tmp_path: Path) -> None:
    asked = qa(QABlock(data=jsonl(tmp_path / "x.jsonl", [{"question": "q?", "answers": ["a"]}])), 0)
    assert [one.name for one in asked.measures] == ["f1", "exact_match", "stated"]
