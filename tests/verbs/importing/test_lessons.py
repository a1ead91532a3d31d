"""Single rows as lessons: what they are about, and what they teach."""

from __future__ import annotations

import pytest

from selfstudy.prompts import Prompts
from selfstudy.recipe import Recipe
from selfstudy.records import Evidence, Example, Reference
from selfstudy.verbs.importing.lessons import is_lesson, lesson_records, read_lesson


@pytest.mark.parametrize(
    ("row", "is_one"),
    [
        ({"question": "a?", "answer": "b"}, True),
        ({"instruction": "Say b.", "output": "b"}, True),
        ({"question": "a?", "options": ["b", "c"], "answerKey": "A"}, True),
        ({"messages": [{"role": "user", "content": "a?"}]}, True),
        ({"prompt": "a", "completion": "b"}, False),
        ({"question": "a?"}, False),
    ],
)
def test_what_is_a_lesson(row: dict[str, object], is_one: bool) -> None:
    assert is_lesson(row) == is_one


def test_every_column_of_evidence_counts_once() -> None:
    row = {"question": "a?", "answer": "b", "evidence": ["p", "q"], "context": "q", "title": "T"}
    assert read_lesson(row).passages == (("T", "p"), ("T", "q"))


def test_with_its_page_alone() -> None:
    lesson = read_lesson({"question": "a?", "answer": "b", "context": "b it is", "system": "Be brief."})
    found = lesson_records(lesson, Prompts(), Recipe(), "file, line 1", page_only=True)
    (example,) = [r for r in found if isinstance(r, Example)]
    assert "b it is" in example.prompt[-1].content
    assert [t.content for t in example.prompt if t.role == "system"] == ["Be brief."]
    assert len([r for r in found if isinstance(r, Evidence | Reference)]) == 2
