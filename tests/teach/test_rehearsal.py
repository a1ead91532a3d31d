"""What is rehearsed: reading from pages that verify does not use, and texts with nothing to learn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from selfstudy.progress import Silent
from selfstudy.recipe import DistillBlock, SFTBlock
from selfstudy.records import Example, VerdictKind
from selfstudy.teach import rehearsal
from selfstudy.teach.examples import examples
from selfstudy.teach.gaps import gaps_to_teach, judged_questions
from selfstudy.teach.lesson import Lesson
from selfstudy.teach.phases import PHASES, Student

from .lessons import NAMES, PROMPTS, make_round, prepared, question, recipe, reference


def test_reading_is_rehearsed_from_pages_with_another_answer(tmp_path: Path) -> None:
    lesson = prepared(tmp_path / "run", recipe())
    found = rehearsal.swapped(lesson, 100)
    assert len({e.id for e in found}) == len(found) >= 4
    for example in found:
        country = next(name for name in NAMES if name in example.prompt[-1].content.split("Question:")[1])
        assert example.completion != reference(country)
        assert example.completion in example.prompt[-1].content
        assert NAMES[country] not in example.prompt[-1].content
    assert len(rehearsal.swapped(lesson, 2)) == 2
    assert rehearsal.swapped(lesson.control(), 100) == found


def test_its_pages_are_those_of_known_questions_and_of_every_other_gap(tmp_path: Path) -> None:
    kinds: dict[str, VerdictKind] = dict.fromkeys(NAMES, "unknown")
    kinds |= {"Nepal": "known", "Cuba": "known"}
    r = recipe(known_heldout=1.0)
    everything = judged_questions(make_round(tmp_path / "run", kinds, r))
    gaps = gaps_to_teach(everything)
    found = rehearsal.swapped(Lesson(r, PROMPTS, gaps, everything, {}), 100)
    assert len(gaps) == 4
    assert len({e.question_id for e in found}) == 2
    assert {e.question_id for e in found} < {gap.question.id for gap in gaps}


def test_a_page_of_several_questions_is_in_one_half_with_all_of_them(tmp_path: Path) -> None:
    kinds: dict[str, VerdictKind] = {**dict.fromkeys(NAMES, "unknown"), "Nepal": "known"}
    everything = judged_questions(make_round(tmp_path / "run", kinds, recipe()))
    together = {question(name) for name in ("Peru", "Chile", "Nepal")}
    some = [q for q in everything if q.question.text in together]
    shared = " ".join(q.document for q in some)
    everything = [replace(q, document=shared) if q in some else q for q in everything]
    gaps, read = gaps_to_teach(everything), set()
    for seed in range(4):
        r = recipe().model_copy(update={"seed": seed})
        found = {e.question_id for e in rehearsal.swapped(Lesson(r, PROMPTS, gaps, everything, {}), 100)}
        read.add(len(found & {q.question.id for q in some}))
    assert read == {0, 3}


def test_neutral_examples_are_the_models_own(tmp_path: Path) -> None:
    lesson = prepared(tmp_path / "run", recipe())
    found = rehearsal.neutral(lesson, 50)
    assert len(found) == 50
    assert all(e.teacher == e.prompt and not e.prompt[0].demonstration for e in found)
    assert 1 <= max(sum(e.id == other.id for e in found) for other in found) <= 3
    assert rehearsal.neutral(lesson, 0) == []


def test_examples_of_distillation_have_what_the_frozen_model_reads(tmp_path: Path) -> None:
    block = DistillBlock(reading=0.5, replay=1.0, swapped=0.5, neutral=0.5)
    lesson = prepared(tmp_path / "run", recipe(distill=block))
    found = examples(lesson, block, shown=True)
    gaps = {gap.question.id: gap for gap in lesson.gaps}
    for example in found:
        shown = example.teacher[-1].content if example.teacher else ""
        if example.kind == "reference":
            assert gaps[example.question_id].target in shown
            assert gaps[example.question_id].document in shown
            assert example.prompt[-1].content in shown.replace("Question: ", "")
        elif example.kind == "swapped":
            assert not example.teacher
        else:
            assert example.teacher == example.prompt
    assert {e.kind for e in found} == {"reference", "reading", "replay", "swapped", "neutral"}
    wrong = [e for e in examples(lesson.control(), block, shown=True) if e.kind == "reference"]
    assert all(gaps[e.question_id].document not in e.teacher[-1].content for e in wrong)
    plain = examples(lesson, SFTBlock(reading=0.5))
    assert not any(e.teacher for e in plain)


@pytest.mark.parametrize("targets", ["text", "reference"])
def test_gaps_are_shown_by_the_frozen_model_only_if_the_recipe_says_so(tmp_path: Path, targets: str) -> None:
    block = DistillBlock.model_validate({"targets": targets, "neutral": 0.5})
    lesson = prepared(tmp_path / "run", recipe(distill=block))
    asked_nothing: Any = None
    student = Student(False, asked_nothing, asked_nothing, Silent(), *[asked_nothing] * 3)
    found = [e for e in PHASES["distill"].data(lesson, block, student) if isinstance(e, Example)]
    assert all(bool(e.teacher) == (targets == "reference") for e in found if e.kind == "reference")
    assert all(e.teacher == e.prompt for e in found if e.kind in ("replay", "neutral"))
    assert {e.kind for e in found} > {"reference", "replay", "neutral"}
