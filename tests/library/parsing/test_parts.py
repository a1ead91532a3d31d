"""A long text is cut; tests/library/test_folder.py and parsing/test_documents.py have documents of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from selfstudy.library.parsing.parts import split_text


@given(st.text("ab. \n", max_size=300), st.integers(5, 50), st.integers(1, 40))
def test_split_keeps_all_and_does_not_depend_on_blocks(text: str, size: int, block: int) -> None:
    parts = list(split_text([text], size))
    assert "".join(parts) == text
    assert all(0 < len(part) <= size for part in parts)
    assert list(split_text((text[i : i + block] for i in range(0, len(text), block)), size)) == parts


def test_split_prefers_paragraphs_then_sentences() -> None:
    assert next(split_text(["One two three.\n\nFour five. Six"], 24)) == "One two three.\n\n"
    assert next(split_text(["One two three. Four five six seven"], 24)) == "One two three."
