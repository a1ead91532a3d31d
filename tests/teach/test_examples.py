"""What supervised training sees, by verdict."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from selfstudy.recipe import SFTBlock
from selfstudy.run.split import held_out
from selfstudy.teach.examples import examples

from .lessons import prepared, recipe, reference


def test_examples_follow_the_table_of_verdicts(tmp_path: Path) -> None:
    r = recipe(sft=SFTBlock(reading=0.5, replay=0.75))
    lesson = prepared(tmp_path / "run", r)
    found = examples(lesson, r.teach.sft)
    names = {i.question.id: i.question.text.split()[-1][:-1] for i in lesson.everything}
    taught = Counter(names[e.question_id] for e in found if e.kind == "reference")
    assert taught == {"Peru": 2, "Ghana": 2, "Chile": 4}  # two wordings; a misbelief twice
    assert {e.completion for e in found if e.kind == "reference"} == {reference(n) for n in taught}
    reading = [e for e in found if e.kind == "reading"]
    assert len({e.id for e in reading}) == 3  # half of six, before the weight
    assert all(reference(names[e.question_id]) in e.prompt[-1].content for e in reading)
    replay = [e for e in found if e.kind == "replay"]
    assert len(replay) == round(0.75 * (len(found) - len(replay)))
    assert {names[e.question_id] for e in replay} == {"Nepal", "Cuba"}
    assert 0.2 < sum("Document" in e.prompt[-1].content for e in replay) / len(replay) < 0.45
    assert not any("Held" in e.prompt[-1].content for e in found)
    assert found == examples(lesson, r.teach.sft)


def test_no_known_question_is_replayed_more_often_than_a_gap_is_taught(tmp_path: Path) -> None:
    """Two known questions, and a hundred times as many replays wanted: each would be there 600 times."""
    r = recipe(sft=SFTBlock(reading=0.5, replay=100))
    found = examples(prepared(tmp_path / "run", r), r.teach.sft)
    forms = Counter((e.kind, e.question_id, "Document" in e.prompt[-1].content) for e in found)
    for read, kind in ((False, "reference"), (True, "reading")):
        most = max(times for (of, _, _), times in forms.items() if of == kind)
        replayed = [times for (of, _, form), times in forms.items() if of == "replay" and form == read]
        assert replayed == [most, most]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_held_out_known_questions_are_never_replayed(tmp_path: Path, seed: int) -> None:
    r = recipe(known_heldout=0.5).model_copy(update={"seed": seed})
    lesson = prepared(tmp_path / "run", r)
    replayed = {e.question_id for e in examples(lesson, r.teach.sft) if e.kind == "replay"}
    known = {i.question.id for i in lesson.everything if i.verdict.kind == "known"}
    assert replayed == {k for k in known if not held_out(k, seed, 0.5)}
