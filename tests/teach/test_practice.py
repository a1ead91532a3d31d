from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from selfstudy.judging.rubric import Criterion
from selfstudy.judging.rubric_reward import NO_RUBRIC
from selfstudy.models.base import chat
from selfstudy.recipe import OnlineDPOBlock, RewardBlock
from selfstudy.records import Example
from selfstudy.teach.imported import ImportedLessons
from selfstudy.teach.lesson import Lesson
from selfstudy.teach.practice import OnlinePrompt, Practice, exercises

from .lessons import PROMPTS, document, prepared, question, recipe

NO_REWARDS: Any = None
BY_RUBRIC = OnlineDPOBlock(reward=RewardBlock(type="rubric"))


def test_gaps_are_asked_in_every_trained_wording_and_judged_with_their_page(tmp_path: Path) -> None:
    lesson = prepared(tmp_path / "run", recipe())
    found = exercises(lesson, OnlineDPOBlock())
    peru = [one for one in found if "Peru" in one.shown]
    assert [one.prompt for one in peru] == [
        PROMPTS.chat("answer", question=wording)
        for wording in (question("Peru"), "Other " + question("Peru"))
    ]
    assert peru[0].shown == f"Document: {document('Peru')}\n{question('Peru')}"
    assert all(document("Peru") not in turn.content for one in peru for turn in one.prompt)
    assert {one.question_id for one in found} == {gap.question.id for gap in lesson.gaps}
    assert exercises(lesson.control(), OnlineDPOBlock()) == found
    blind = exercises(lesson, OnlineDPOBlock(judge_reads=False))
    assert [one.shown for one in blind if "Peru" in one.shown] == [
        question("Peru"),
        "Other " + question("Peru"),
    ]


def test_a_gap_is_held_to_its_reference_and_not_to_what_the_model_wrongly_believes(tmp_path: Path) -> None:
    lesson = prepared(tmp_path / "run", recipe())
    gap = next(one for one in lesson.gaps if "Peru" in one.question.text)
    wrong = replace(gap, verdict=gap.verdict.model_copy(update={"kind": "misbelief"}), passage="It is Cuba.")
    right = Criterion(f"States: {gap.reference}", "Essential")
    assert exercises(replace(lesson, gaps=[gap]), BY_RUBRIC)[0].criteria == (right,)
    assert exercises(replace(lesson, gaps=[wrong]), BY_RUBRIC)[0].criteria == (
        right,
        Criterion("Avoids saying: It is Cuba.", "Pitfall"),
    )
    assert exercises(replace(lesson, gaps=[gap]), OnlineDPOBlock())[0].criteria == ()


def test_imported_prompts_come_instead() -> None:
    examples = [
        Example(prompt=chat(text), completion=said, question_id=text, kind="imported")
        for text, said in (("One?", "1"), ("Two?", "2"), ("One?", "one"))
    ]
    lesson = Lesson(recipe(), PROMPTS, [], [], {}, ImportedLessons(tuple(examples), ()))
    assert [one.shown for one in exercises(lesson, OnlineDPOBlock())] == ["One?", "Two?"]
    lost: dict[str, str] = {}
    assert exercises(lesson, BY_RUBRIC, lost.__setitem__) == []
    assert lost == dict.fromkeys(("One?", "Two?"), NO_RUBRIC)


def test_a_file_of_prompts(tmp_path: Path) -> None:
    lesson = Lesson(recipe(), PROMPTS, [], [], {})
    lines = tmp_path / "p.txt"
    lines.write_text("Why is it so?\n\nWhat then?\nWhy is it so?\n", encoding="utf-8")
    found = exercises(lesson, OnlineDPOBlock(prompts=lines))
    assert [(one.prompt, one.shown) for one in found] == [
        (chat(text), text) for text in ("Why is it so?", "What then?")
    ]
    rows = tmp_path / "p.jsonl"
    rows.write_text(
        '{"prompt": "Why?", "document": "It is so.", "gold": ["So."], "contradictions": "Not so."}\n'
        '{"prompt": 3}\n{"prompt": " "}\nno\n{"prompt": "What?"}\n{"prompt": "Who?", "gold": 3}\n',
        encoding="utf-8",
    )
    lost: dict[str, str] = {}
    found = exercises(lesson, OnlineDPOBlock(prompts=rows), lost.__setitem__)
    assert [one.shown for one in found] == ["Document: It is so.\nWhy?", "What?", "Who?"]
    assert [one.prompt for one in found] == [chat("Why?"), chat("What?"), chat("Who?")]
    assert set(lost) == {f"p.jsonl, line {n}" for n in (2, 3, 4)}
    lost.clear()
    (held,) = exercises(lesson, BY_RUBRIC.model_copy(update={"prompts": rows}), lost.__setitem__)
    assert held.criteria == (
        Criterion("States: So.", "Essential"),
        Criterion("Avoids saying: Not so.", "Pitfall"),
    )
    assert set(lost) == {f"p.jsonl, line {n}" for n in (2, 3, 4, 5, 6)}
    assert lost["p.jsonl, line 5"] == NO_RUBRIC


def test_each_step_has_its_own_batch_whatever_was_asked_before() -> None:
    every = [OnlinePrompt(chat(str(n)), str(n), str(n)) for n in range(7)]
    practice = Practice(every, NO_REWARDS)
    batches = [practice.batch(0, step, 3) for step in range(7)]
    assert [practice.batch(0, step, 3) for step in reversed(range(7))] == batches[::-1]
    asked = [one.shown for batch in batches for one in batch]
    assert [Counter(asked[start : start + 7]) for start in (0, 7, 14)] == [Counter(map(str, range(7)))] * 3
    assert asked[:7] != asked[7:14]
    assert practice.batch(1, 0, 7) != practice.batch(0, 0, 7)
    assert Counter(one.shown for one in practice.batch(0, 0, 14)) == Counter(map(str, range(7))) + Counter(
        map(str, range(7))
    )
