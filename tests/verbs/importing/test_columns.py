"""The layouts that people have: a column of the prompt reaches the lesson, or is refused by its name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from selfstudy.cli import app
from selfstudy.files.rows import MalformedError
from selfstudy.prompts import Prompts
from selfstudy.recipe import Recipe
from selfstudy.records import Example, Pair
from selfstudy.run import Run
from selfstudy.verbs.importing.file import import_file
from selfstudy.verbs.importing.lessons import lesson_records, read_lesson
from selfstudy.verbs.importing.preferences import preference_records

ASK, GOOD, BAD, BRIEF = (
    "Who built the Lindau tower?",
    "Mara Lind built it.",
    "Otto Falk built it.",
    "Be brief.",
)
PAGE = "The tower was built by Mara Lind."


def role(name: str, words: str) -> dict[str, str]:
    return {"role": name, "content": words}


def said(name: str, words: str) -> dict[str, str]:
    return {"from": name, "value": words}


SIDES = {"chosen": GOOD, "rejected": BAD}
PAIRS: dict[str, tuple[dict[str, Any], list[tuple[str, str]]]] = {
    "TRL with a system column": (
        {"system": BRIEF, "prompt": ASK, **SIDES},
        [("system", BRIEF), ("user", ASK)],
    ),
    "TRL messages with a system column": (
        {
            "system": BRIEF,
            "prompt": [role("user", ASK)],
            "chosen": [role("assistant", GOOD)],
            "rejected": [role("assistant", BAD)],
        },
        [("system", BRIEF), ("user", ASK)],
    ),
    "Orca": ({"system": BRIEF, "question": ASK, **SIDES}, [("system", BRIEF), ("user", ASK)]),
    "Orca without a system": ({"system": "", "question": ASK, **SIDES}, [("user", ASK)]),
    "Argilla's Orca": (
        {"system": BRIEF, "input": ASK, **SIDES, "rating": [9, 1]},
        [("system", BRIEF), ("user", ASK)],
    ),
    "Argilla": (
        {"instruction": ASK, "chosen_response": GOOD, "rejected_response": BAD, "chosen_rating": 5},
        [("user", ASK)],
    ),
    "Alpaca": ({"instruction": ASK, "input": PAGE, **SIDES}, [("user", f"{ASK}\n{PAGE}")]),
    "LLaMA-Factory, history": (
        {"instruction": ASK, "input": "", "history": [["Hello?", "Good day."]], "system": BRIEF, **SIDES},
        [("system", BRIEF), ("user", "Hello?"), ("assistant", "Good day."), ("user", ASK)],
    ),
    "LLaMA-Factory, ShareGPT": (
        {
            "conversations": [said("system", BRIEF), said("human", ASK)],
            "chosen": said("gpt", GOOD),
            "rejected": said("gpt", BAD),
        },
        [("system", BRIEF), ("user", ASK)],
    ),
    "axolotl": (
        {
            "messages": [role("user", ASK)],
            "chosen": role("assistant", GOOD),
            "rejected": role("assistant", BAD),
        },
        [("user", ASK)],
    ),
    "ShareGPT, both whole": (
        {
            "chosen": [said("human", ASK), said("gpt", GOOD)],
            "rejected": [said("human", ASK), said("gpt", BAD)],
            "system": BRIEF,
        },
        [("system", BRIEF), ("user", ASK)],
    ),
    "UltraFeedback": (
        {
            "prompt": ASK,
            "messages": [role("user", ASK), role("assistant", GOOD)],
            "chosen": [role("user", ASK), role("assistant", GOOD)],
            "rejected": [role("user", ASK), role("assistant", BAD)],
        },
        [("user", ASK)],
    ),
    "a system turn in the prompt, whole conversations in the answers": (
        {
            "prompt": [role("system", BRIEF), role("user", ASK)],
            "chosen": [role("user", ASK), role("assistant", GOOD)],
            "rejected": [role("user", ASK), role("assistant", BAD)],
        },
        [("system", BRIEF), ("user", ASK)],
    ),
    "HH-RLHF with a system column": (
        {
            "system": BRIEF,
            "chosen": f"\n\nHuman: {ASK}\n\nAssistant: {GOOD}",
            "rejected": f"\n\nHuman: {ASK}\n\nAssistant: {BAD}",
        },
        [("system", BRIEF), ("user", ASK)],
    ),
    "HH-RLHF, prompt apart": (
        {"prompt": f"\n\nHuman: Hi!\n\nAssistant: Hello.\n\nHuman: {ASK}\n\nAssistant:", **SIDES},
        [("user", "Hi!"), ("assistant", "Hello."), ("user", ASK)],
    ),
    "a question inside its whole prompt": (
        {"prompt": f"Answer in a word. {ASK}", "question": ASK, **SIDES},
        [("user", f"Answer in a word. {ASK}")],
    ),
    "no Latin letters": (
        {"system": "簡潔に。", "question": "塔を建てたのは誰ですか。", **SIDES},
        [("system", "簡潔に。"), ("user", "塔を建てたのは誰ですか。")],
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_pairs(name: str) -> None:
    row, prompt = PAIRS[name]
    question, pair = preference_records(row)
    assert [(turn.role, turn.content) for turn in pair.prompt] == prompt
    assert (pair.chosen, pair.rejected, question.text) == (GOOD, BAD, prompt[-1][1])


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ({"prompt": ASK, "context": PAGE, **SIDES}, "'context' would be dropped"),
        ({"prompt": ASK, "tools": [{"name": "search"}], **SIDES}, "'tools' would be dropped"),
        ({"question": ASK, "prompt": "Something else?", **SIDES}, "'prompt', 'question' all hold a part"),
        ({"scenario": ASK, **SIDES}, "there is no prompt, and 'scenario' would be dropped"),
        (
            {"scenario": ASK, "chosen": "Long ago it was built.", "rejected": "Long ago nothing was."},
            "'scenario' would be dropped",
        ),
        (
            {"system": BRIEF, "chosen": "Long ago it was.", "rejected": "Long ago it was not."},
            "no turn of the user",
        ),
        (
            {
                "prompt": "Something else?",
                "chosen": [role("user", ASK), role("assistant", GOOD)],
                "rejected": [role("user", ASK), role("assistant", BAD)],
            },
            "does not hold the prompt 'Something else\\?'",
        ),
        (
            {
                "system": "Be long.",
                "chosen": [role("system", BRIEF), role("user", ASK), role("assistant", GOOD)],
                "rejected": [role("system", BRIEF), role("user", ASK), role("assistant", BAD)],
            },
            "different system turns",
        ),
        (
            {"conversations": [said("human", ASK), said("gpt", "Hm.")], **SIDES},
            "must end with the user's turn",
        ),
        ({"prompt": [role("user", ASK)], "input": PAGE, "chosen": GOOD, "rejected": BAD}, None),
    ],
)
def test_what_would_be_dropped_is_named(row: dict[str, Any], named: str | None) -> None:
    if named is None:  # one turn goes on with the input
        _, pair = preference_records(row)
        assert pair.prompt[-1].content == f"{ASK}\n{PAGE}"
        return
    with pytest.raises(MalformedError, match=named):
        preference_records(row)


LESSONS: dict[str, tuple[dict[str, Any], list[tuple[str, str]]]] = {
    "a system column": (
        {"system": BRIEF, "question": ASK, "answer": GOOD},
        [("system", BRIEF), ("user", f"{ASK} Answer in one concise sentence.")],
    ),
    "Alpaca": (
        {"instruction": "Say who built it.", "input": PAGE, "output": GOOD},
        [
            ("system", "You are a student who is eager to learn."),
            ("user", f"Say who built it.\n{PAGE} Answer in one concise sentence."),
        ],
    ),
    "LLaMA-Factory": (
        {"instruction": ASK, "output": GOOD, "history": [["Hello?", "Good day."]]},
        [("user", "Hello?"), ("assistant", "Good day."), ("user", ASK)],
    ),
    "ShareGPT": (
        {"conversations": [said("human", ASK), said("gpt", GOOD)], "system": BRIEF},
        [("system", BRIEF), ("user", ASK)],
    ),
    "messages": ({"messages": [role("user", ASK), role("assistant", GOOD)]}, [("user", ASK)]),
}


@pytest.mark.parametrize("name", LESSONS)
def test_lessons(name: str) -> None:
    row, prompt = LESSONS[name]
    records = lesson_records(read_lesson(row), Prompts(), Recipe(), "file, line 1")
    (example,) = [record for record in records if isinstance(record, Example)]
    assert [(turn.role, turn.content) for turn in example.prompt] == prompt
    assert example.completion == GOOD


def test_every_answer_of_a_conversation_is_taught_after_what_was_said_before() -> None:
    turns = [said("gpt", "Hello."), said("human", "Hi."), said("gpt", "What is it?"), said("human", ASK)]
    lesson = read_lesson({"conversations": [*turns, said("gpt", GOOD)]})
    found = [r for r in lesson_records(lesson, Prompts(), Recipe(), "x") if isinstance(r, Example)]
    assert [(len(e.prompt), e.completion) for e in found] == [(2, "What is it?"), (4, GOOD)]


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ({"question": ASK, "answer": GOOD, "tools": "search"}, "'tools' would be dropped"),
        ({"question": ASK, "prompt": "Something else?", "answer": GOOD}, "'prompt', 'question'"),
        ({"conversations": [said("human", ASK)]}, "must be the assistant's"),
        ({"conversations": [said("human", ASK), said("gpt", "")]}, "assistant is empty"),
        ({"messages": [role("user", ASK), role("assistant", GOOD)], "context": PAGE}, "'context' would be"),
    ],
)
def test_of_questions_too(row: dict[str, Any], named: str) -> None:
    with pytest.raises(MalformedError, match=named):
        read_lesson(row)


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": ASK, "chosen": f"<think>Who was it?</think>\n{GOOD}", "rejected": BAD},
        {"prompt": ASK, "chosen": [role("assistant", f"<think>Hm.</think>{GOOD}")], "rejected": BAD},
    ],
)
def test_thinking_is_no_part_of_an_answer(row: dict[str, Any]) -> None:
    _, pair = preference_records(row)
    assert pair.chosen == GOOD
    with pytest.raises(MalformedError, match="'rejected' holds no answer: the thinking"):
        preference_records(row | {"rejected": "<think>And on, and on"})
    assert read_lesson({"question": ASK, "answer": f"<think>Hm.</think>{GOOD}"}).answers == (GOOD,)
    with pytest.raises(MalformedError, match="'answer' holds no answer"):
        read_lesson({"question": ASK, "answer": "<think>Hm."})


@pytest.mark.parametrize(
    ("row", "prompt"),
    [
        ({"System": BRIEF, "Question": ASK, "Chosen": GOOD, "Rejected": BAD}, [BRIEF, ASK]),
        ({"SYSTEM ": BRIEF, "prompt": ASK, **SIDES}, [BRIEF, ASK]),
        ({"persona": BRIEF, "prompt": ASK, **SIDES}, [BRIEF, ASK]),
        ({"system_instruction": BRIEF, "query": ASK, **SIDES}, [BRIEF, ASK]),
        ({"Preamble": BRIEF, "Prompt": ASK, **SIDES}, [BRIEF, ASK]),
    ],
)
def test_names_of_columns_in_other_letters(row: dict[str, Any], prompt: list[str], tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps(row) + "\n")
    import_file(path, tmp_path / "run")
    with Run.open(tmp_path / "run", write=False) as run:
        (pair,) = run.round(1).read(Pair)
    assert [turn.content for turn in pair.prompt] == prompt


def test_a_file_by_the_command_line_says_which_columns_it_does_not_use(tmp_path: Path) -> None:
    path = tmp_path / "orca.jsonl"
    row = {"system": BRIEF, "question": ASK, **SIDES, "remark": "checked by hand", "source": "web"}
    path.write_text(json.dumps(row) + "\n")
    done = CliRunner().invoke(app, ["import", str(path), "--run", str(tmp_path / "run")])
    assert done.exit_code == 0, done.output
    assert "not used: remark (1 row)" in done.output
    with Run.open(tmp_path / "run", write=False) as run:
        (pair,) = run.round(1).read(Pair)
    assert [turn.content for turn in pair.prompt] == [BRIEF, ASK]
    assert import_file(path, tmp_path / "other")["unused"] == {"remark": 1}
    path.write_text(json.dumps(row | {"context": PAGE}) + "\n")
    refused = CliRunner().invoke(app, ["import", str(path), "--run", str(tmp_path / "third")])
    assert refused.exit_code == 2
    assert "line 1: field 'context' would be dropped" in refused.output
