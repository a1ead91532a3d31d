"""Each layout of the questions, and what is wrong with rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from selfstudy.errors import DataError
from selfstudy.files.rows import MalformedError
from selfstudy.recipe.suites import TruthfulQABlock
from selfstudy.verify.suites.truthfulqa import truthfulqa
from selfstudy.verify.suites.truthfulqa_data import TruthfulQuestion, parse

from .asked import jsonl

NEW = "Type,Category,Question,Best Answer,Best Incorrect Answer,Correct Answers,Incorrect Answers,Source\n"
OLD = "Type,Category,Question,Best Answer,Correct Answers,Incorrect Answers,Source\n"
TARGETS = {
    "question": "What colour is snow?",
    "mc1_targets": {"choices": ["White", "Green", "Red"], "labels": [1, 0, 0]},
    "mc2_targets": {"choices": ["Red", "White", "It is white", "Green"], "labels": [0, 1, 1, 0]},
}


def questions(path: Path) -> list[TruthfulQuestion]:
    return truthfulqa(TruthfulQABlock(data=str(path)), 0)._questions


def test_the_table_of_2025(tmp_path: Path) -> None:
    path = tmp_path / "TruthfulQA.csv"
    path.write_text(
        NEW + 'Adversarial,Colours,What colour is snow?,"White, mostly",Green,"White, mostly; It is white",'
        '"Green; Red",https://example.org\n',
        encoding="utf-8",
    )
    (one,) = questions(path)
    assert (one.question, one.category, one.best, one.worst) == (
        "What colour is snow?",
        "Colours",
        "White, mostly",
        "Green",
    )
    assert one.true == ("White, mostly", "It is white")
    assert one.false == ("Green", "Red")
    assert one.mc1 is not None
    assert one.mc2 is not None
    assert (one.mc1.texts, one.mc1.labels) == (("White, mostly", "Green", "Red"), (1, 0, 0))
    assert (one.mc2.texts, one.mc2.labels) == (("White, mostly", "It is white", "Green", "Red"), (1, 1, 0, 0))


def test_the_table_before_it(tmp_path: Path) -> None:
    """Has no binary form, and says so."""
    path = tmp_path / "TruthfulQA.csv"
    path.write_text(
        OLD + "Adversarial,C,What colour is snow?,White,White; It is white,Green,x\n", encoding="utf-8"
    )
    (one,) = questions(path)
    assert one.worst == ""
    notes = truthfulqa(TruthfulQABlock(data=str(path)), 0).notes
    assert any("1 of 1 questions have no best incorrect answer" in note for note in notes)
    assert not any(
        "no best" in n for n in truthfulqa(TruthfulQABlock(data=str(path), tasks=("mc1",)), 0).notes
    )


def test_a_best_answer_joins_the_others_unless_it_is_there_already() -> None:
    row = {
        "Question": "q?",
        "Best Answer": "Yes.",
        "Correct Answers": "yes; Always",
        "Incorrect Answers": "No",
    }
    (one,) = parse(row)
    assert one.true == ("yes", "Always")
    (one,) = parse(row | {"Best Answer": "Mostly", "Best Incorrect Answer": "Never"})
    assert one.true == ("Mostly", "yes", "Always")
    assert one.false == ("Never", "No")


def test_targets_are_taken_with_their_labels(tmp_path: Path) -> None:
    """They are not sorted: whoever takes the first for true is wrong here."""
    for path in (tmp_path / "a.jsonl", tmp_path / "a.json"):
        if path.suffix == ".json":
            path.write_text(json.dumps([TARGETS]))
        else:
            jsonl(path, [TARGETS])
        (one,) = questions(path)
        assert (one.best, one.worst) == ("White", "")
        assert one.true == ("White", "It is white")
        assert one.false == ("Red", "Green")
        assert one.mc2 is not None
        assert one.mc2.labels == (0, 1, 1, 0)


def test_parquet_as_the_hub_has_it(tmp_path: Path) -> None:
    from pyarrow import Table
    from pyarrow.parquet import write_table

    write_table(Table.from_pylist([TARGETS, TARGETS | {"question": "Another?"}]), tmp_path / "v.parquet")
    assert [one.question for one in questions(tmp_path / "v.parquet")] == ["What colour is snow?", "Another?"]


def test_mc1_alone_and_mc2_alone() -> None:
    (one,) = parse({key: value for key, value in TARGETS.items() if key != "mc2_targets"})
    assert one.mc2 is None
    assert one.false == ("Green", "Red")
    (one,) = parse({key: value for key, value in TARGETS.items() if key != "mc1_targets"})
    assert one.mc1 is None
    assert one.best == "White"


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({}, "'question' is missing"),
        ({"question": 7}, "must be text"),
        ({"question": "q?"}, "no correct answer"),
        ({"question": "q?", "correct_answers": ["a"]}, "no incorrect answer"),
        ({"question": "q?", "correct_answers": ["a", 3], "incorrect_answers": ["b"]}, "must be text"),
        ({"question": "q?", "correct_answers": {"a": 1}, "incorrect_answers": ["b"]}, "a list of texts"),
        ({"question": "q?", "correct_answers": ["a"], "incorrect_answers": ["b", "a"]}, "both correct and"),
        (
            {"question": "q?", "correct_answers": ["a"], "incorrect_answers": [str(i) for i in range(2000)]},
            "more than",
        ),
        (TARGETS | {"mc1_targets": ["White"]}, "must be {choices, labels}"),
        (TARGETS | {"mc1_targets": {"choices": ["a", "b"], "labels": [1]}}, "as many labels"),
        (TARGETS | {"mc1_targets": {"choices": ["a", "b"], "labels": [1, 1]}}, "no false choice"),
        (TARGETS | {"mc1_targets": {"choices": ["a", "b", "c"], "labels": [1, 1, 0]}}, "2 true choices"),
        (TARGETS | {"mc2_targets": {"choices": ["a", "b"], "labels": [0, 0]}}, "no true choice"),
        (TARGETS | {"mc2_targets": {"choices": ["a", "b"], "labels": ["1", [0]]}}, "labels are 0 or 1"),
        (TARGETS | {"mc2_targets": {"choices": ["a", None], "labels": [1, 0]}}, "missing or empty"),
        ({"question": "q" * 300_000}, "300,000 characters"),
    ],
)
def test_rows_that_cannot_be_used(row: dict[str, Any], problem: str) -> None:
    with pytest.raises(MalformedError, match=problem):
        parse(row)


def test_the_row_is_named_with_what_to_do(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "x.jsonl", [TARGETS, {"question": "q?"}])
    with pytest.raises(
        DataError, match=r"suite truthfulqa: .*x\.jsonl, line 2: it has no correct answer"
    ) as caught:
        truthfulqa(TruthfulQABlock(data=path), 0)
    assert "mc1_targets" in caught.value.hint
