"""Questions with documents out of files and out of gaps; which of them are kept apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfstudy.files.rows import Row
from selfstudy.judging.trust import REFUSAL
from selfstudy.prompts import Prompts
from selfstudy.recipe import CitationRewardBlock, GRPOBlock
from selfstudy.teach import cited_exercises
from selfstudy.teach.cited_practice import CitedExercise
from tests.judging.test_citations import Entails

from .cited import exercise
from .lessons import prepared, recipe

DOC = {"title": "Rome", "text": "Rome is old."}
ROW = {"question": "Is Rome old?", "docs": [DOC], "claims": ["Rome is old."], "output": " Rome is old [1]. "}


def read(*values: Any) -> tuple[list[CitedExercise], list[tuple[str, str]]]:
    failures: list[tuple[str, str]] = []
    rows = [
        Row(f"line {at}", None, value) if isinstance(value, str) else Row(f"line {at}", value, "")
        for at, value in enumerate(values, 1)
    ]
    found = cited_exercises.of_rows(
        rows, Prompts(), lambda item, why: failures.append((item, why)), "f.jsonl"
    )
    return found, failures


def test_rows_become_exercises_and_bad_ones_failures_with_their_place() -> None:
    found, failures = read(
        ROW,
        ROW | {"question": ""},
        "not JSON",
        ROW | {"docs": [{"title": "x"}]},
        ROW | {"claims": []},
        ROW | {"question": "Else?", "output": 3},
    )
    (one,) = found
    assert one.answer == "Rome is old [1]."
    assert one.item.question in one.prompt[-1].content
    assert "[1] Rome: Rome is old." in one.prompt[-1].content
    assert [item for item, _ in failures] == [f"f.jsonl, line {at}" for at in (2, 3, 4, 5, 6)]
    assert "'question' is empty" in failures[0][1]
    assert failures[1][1] == "not JSON"
    assert "docs[0].text" in failures[2][1]
    assert "'claims' is an empty list" in failures[3][1]


def test_of_the_same_question_with_the_same_documents_the_first_counts() -> None:
    other = ROW | {"docs": [DOC, DOC | {"text": "It is big."}]}
    found, failures = read(ROW, ROW | {"output": "else"}, other)
    assert [one.answer for one in found] == ["Rome is old [1]."] * 2
    assert found[0].question_id != found[1].question_id
    assert not failures


def named(*names: tuple[str, str]) -> list[CitedExercise]:
    """Exercises by question and id."""
    return [exercise(name, question=question) for question, name in names]


@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("123456")), max_size=12),
    st.sampled_from([0.0, 0.1, 0.5, 0.9]),
    st.integers(0, 5),
)
def test_a_question_is_on_one_side_in_all_its_wordings_and_with_all_its_documents(
    names: list[tuple[str, str]], share: float, seed: int
) -> None:
    given = named(*names)
    trained, dev = cited_exercises.apart(given, share, seed)
    assert len(trained) + len(dev) == len(given)
    assert {one.item.question for one in trained}.isdisjoint(one.item.question for one in dev)
    assert {one.question_id for one in trained}.isdisjoint(one.question_id for one in dev)
    assert trained or not given
    assert not dev or share
    assert [one for one in given if one in trained] == trained
    assert cited_exercises.apart(given, share, seed) == (trained, dev)


def test_how_many_are_kept_apart() -> None:
    given = named(*((str(n), str(n)) for n in range(10)))
    counts = {share: len(cited_exercises.apart(given, share, 0)[1]) for share in (0.0, 0.01, 0.3, 0.99)}
    assert counts == {0.0: 0, 0.01: 1, 0.3: 3, 0.99: 9}
    assert not cited_exercises.apart(given[:1], 0.5, 0)[1]
    sides = {cited_exercises.apart(given, 0.3, seed)[1][0].question_id for seed in range(9)}
    assert len(sides) > 1
    made = cited_exercises.practice(
        given, cited_exercises.rewards(CitationRewardBlock(), judge(), "fine"), 0.3, 0
    )
    assert (len(made), len(made.dev)) == (7, 3)


def judge() -> Entails:
    """A page answers if it has the words."""
    return Entails(lambda page, claim: claim in page)


@pytest.mark.parametrize("withheld", [0.0, 1.0])
def test_gaps_are_asked_with_their_page_among_near_ones_and_again_without_it(
    withheld: float, tmp_path: Path
) -> None:
    lesson = prepared(tmp_path, recipe())
    block = GRPOBlock(documents=3, withheld=withheld)
    found = cited_exercises.exercises(lesson, block, judge(), lambda item, why: None)
    gaps = {gap.question.id: gap for gap in lesson.gaps if gap.document}
    asked = [one for one in found if one.item.answerable]
    refused = [one for one in found if not one.item.answerable]
    wordings = [word for gap in gaps.values() for word in lesson.wordings(gap)]
    assert [one.item.question for one in asked] == wordings
    for one in asked:
        gap = gaps[one.question_id]
        assert gap.document in one.item.documents
        assert 1 <= len(one.item.documents) <= 3
        assert one.item.claims == (gap.reference,)
        assert one.answer == ""
        assert one.item.found is not None
        for page, (holds,) in zip(one.item.documents, one.item.found, strict=True):
            assert holds == (page == gap.document or gap.reference in page)
    assert bool(refused) == bool(withheld)
    for one in refused:
        assert gaps[one.question_id].document not in one.item.documents
        assert one.item.documents
        assert one.answer == REFUSAL
        assert one.item.answerable is False
    assert found == cited_exercises.exercises(lesson, block, judge(), lambda item, why: None)


def test_the_control_is_asked_the_same(tmp_path: Path) -> None:
    lesson = prepared(tmp_path, recipe())
    block = GRPOBlock(withheld=0.5)
    made = [
        cited_exercises.exercises(one, block, judge(), lambda item, why: None)
        for one in (lesson, lesson.control())
    ]
    assert made[0] == made[1]


def test_a_file_takes_the_place_of_gaps(tmp_path: Path) -> None:
    file = tmp_path / "cited.jsonl"
    file.write_text('{"question": "Who?", "docs": [{"text": "He."}], "claims": ["He."]}\n{', "utf-8")
    lost: list[str] = []
    lesson = prepared(tmp_path / "run", recipe())
    found = cited_exercises.exercises(
        lesson, GRPOBlock(data=file), judge(), lambda item, why: lost.append(item)
    )
    assert [one.item.question for one in found] == ["Who?"]
    assert lost == ["cited.jsonl, line 2"]
