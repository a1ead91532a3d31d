"""The tables of cue words are in the form in which `judging.terms` gives words."""

from __future__ import annotations

from selfstudy.judging import cues
from selfstudy.judging.terms import words


def test_tables_are_in_the_form_of_terms() -> None:
    tables = [table for name, table in vars(cues).items() if name.isupper()]
    single = {word for table in tables if isinstance(table, frozenset) for word in table}
    assert {word for word in single if words(f"x {word} .") != ["x", word]} == set()
    found = [
        p for table in (cues.CUE_PHRASES, cues.UNSURE, cues.NO_CUES) for some in table.values() for p in some
    ]
    assert [phrase for phrase in found if words(" ".join(phrase)) != list(phrase)] == []


def test_the_longest_phrase_counts() -> None:
    said = ["there", "is", "no", "other", "than", "none"]
    assert cues.phrase_at(said, 2, cues.NO_CUES) == 3
    assert cues.phrase_at(said, 0, cues.NO_CUES) == cues.phrase_at(said, 9, cues.NO_CUES) == 0
