"""Answers out of rows in every layout, their keys and rubrics; what cannot be read is counted and named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from selfstudy.errors import DataError
from selfstudy.files.rows import Row
from selfstudy.verbs.rating.given import Given, collect, read_given


def of(*values: dict[str, Any]) -> Given:
    return collect([Row(f"row {n}", value) for n, value in enumerate(values, start=1)], "the file")


def texts(given: Given) -> list[list[str]]:
    return [[answer.text for answer in one.answers] for one in given.prompts]


def keys(given: Given) -> list[list[bool | None]]:
    return [[answer.correct for answer in one.answers] for one in given.prompts]


def test_rows_of_one_prompt_belong_together_whatever_their_layout() -> None:
    found = of(
        {"prompt": "Who?", "completions": ["Ann.", "Bob."], "correct": [True, False]},
        {"prompt": "Where?", "completion": "Here.", "correct": "TRUE"},
        {"prompt": "Who?", "completion": "Cyd."},
        {"prompt": "Who?", "chosen": "Dee.", "rejected": "Eve."},
        {
            "prompt": [{"role": "user", "content": "Who?"}],
            "completion": [{"role": "assistant", "content": "Fay."}],
        },
    )
    assert texts(found) == [["Ann.", "Bob.", "Cyd.", "Dee.", "Eve.", "Fay."], ["Here."]]
    assert keys(found) == [[True, False, None, True, False, None], [True]]
    assert (found.answers, found.failures) == (7, ())


def test_repeats_are_counted() -> None:
    found = of(
        {"prompt": "Who?", "completions": ["Ann.", " Ann.\n"]},
        {"prompt": "No?", "chosen": "x", "rejected": "x"},
    )
    assert texts(found) == [["Ann."], ["x"]]
    assert [one.repeats for one in found.prompts] == [1, 1]


def test_completions_may_be_objects() -> None:
    found = of({"prompt": "Who?", "completions": [{"text": "Ann.", "correct": 1}, {"completion": "Bob."}]})
    assert (texts(found), keys(found)) == ([["Ann.", "Bob."]], [[True, None]])


def test_thinking_is_no_part_of_an_answer() -> None:
    assert texts(of({"prompt": "Who?", "completion": "<think>Hm.</think>Ann."})) == [["Ann."]]


def test_the_rubric_of_a_row() -> None:
    found = of(
        {
            "prompt": "Who?",
            "completion": "Ann.",
            "gold": "It is Ann. She is tall.",
            "claims": ["She is 40."],
            "evidence": "She lives here.",
            "contradictions": ["It is Bob."],
        },
        {"prompt": "Who?", "completion": "Bob.", "reference": ["She is tall."]},
    )
    (one,) = found.prompts
    assert [(c.importance, c.text) for c in one.criteria] == [
        ("Essential", "States: It is Ann."),
        ("Essential", "States: She is tall."),
        ("Important", "States: She is 40."),
        ("Important", "States: She lives here."),
        ("Pitfall", "Avoids saying: It is Bob."),
    ]
    assert one.responses[1].criteria == one.criteria


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"prompt": "Who?"}, "there is no 'completions', 'completion' or 'chosen' and 'rejected'"),
        ({"completion": "Ann."}, "there is no prompt"),
        ({"prompt": "Who?", "completion": " "}, "'completion' is empty"),
        ({"prompt": "Who?", "completion": 5}, "'completion' must be text, found 5"),
        ({"prompt": "Who?", "completions": "Ann."}, "'completions' must be a list"),
        ({"prompt": "Who?", "completions": ["a", "b"], "correct": [True]}, "a value for each of 2"),
        ({"prompt": "Who?", "completion": "a", "correct": "perhaps"}, "'correct' must be true or false"),
        ({"prompt": "Who?", "completion": "a", "correct": 0.5}, "'correct' must be true or false"),
        ({"prompt": "Who?", "completion": "a", "claims": [5]}, "'claims[0]' must be text"),
        ({"prompt": "Who?", "completion": "a", "context": "Long."}, "'context' would be dropped"),
        ({"prompt": "Who?", "chosen": "", "rejected": "b"}, "'chosen'"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(row: dict[str, Any], why: str) -> None:
    found = of({"prompt": "Good?", "completion": "Yes."}, row)
    assert texts(found) == [["Yes."]]
    ((place, said),) = found.failures
    assert place == "row 2"
    assert why in said


def test_one_bad_answer_does_not_lose_the_others() -> None:
    found = of({"prompt": "Who?", "completions": ["Ann.", None, "", "Bob."]})
    assert texts(found) == [["Ann.", "Bob."]]
    assert [why for _, why in found.failures] == [
        "field 'completions[1]' must be text, found None",
        "field 'completions[2]' is empty",
    ]


@pytest.mark.parametrize("rows", [(), ({"a": 1},)])
def test_a_file_without_a_usable_row_is_refused(rows: tuple[dict[str, Any], ...]) -> None:
    with pytest.raises(DataError, match=r"holds no rows|none of 1 rows can be read; row 1: ") as raised:
        of(*rows)
    assert "completions" in raised.value.hint


def test_several_turns_are_a_transcript_for_the_judge() -> None:
    (one,) = of(
        {
            "prompt": [
                {"role": "system", "content": "Be short."},
                {"role": "user", "content": "Who?"},
                {"role": "assistant", "content": "Ann."},
                {"role": "user", "content": "Why?"},
            ],
            "completion": "So.",
        }
    ).prompts
    assert one.text == "Be short.\nUser: Who?\nAssistant: Ann.\nUser: Why?"


def test_tables_hold_lists_as_text(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    cell = json.dumps(["Ann.", "Bob."]).replace('"', '""')
    path.write_text(f'prompt,completions,correct\nWho?,"{cell}","[true, false]"\n')
    found = read_given(path)
    assert (texts(found), keys(found)) == ([["Ann.", "Bob."]], [[True, False]])


def test_parquet(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    rows = [{"prompt": "Who?", "completions": ["Ann.", "Bob."], "correct": [True, False]}]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    assert texts(read_given(tmp_path / "a.parquet")) == [["Ann.", "Bob."]]
