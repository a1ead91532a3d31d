"""Lessons that somebody else made."""

from __future__ import annotations

from pathlib import Path

from selfstudy.models.base import chat
from selfstudy.records import Example, Pair
from selfstudy.teach.imported import as_control, imported_lessons

from .lessons import make_round

PAIRS = [
    Pair(prompt=chat(f"Say {n}."), chosen=n, rejected="-", question_id=n, origin="imported") for n in "abc"
]


def test_only_imported_ones_count_and_pairs_give_examples(tmp_path: Path) -> None:
    round_ = make_round(tmp_path / "run", {"Peru": "unknown"})
    assert not imported_lessons(round_)
    own = Pair(prompt=chat("Say d."), chosen="d", rejected="-", question_id="d", origin="sample")
    round_.append([*PAIRS, own])
    found = imported_lessons(round_)
    assert found.pairs == tuple(PAIRS)
    assert [(e.completion, e.kind) for e in found.examples] == [(n, "imported") for n in "abc"]
    example = Example(prompt=chat("Say e."), completion="e", question_id="e", kind="imported")
    round_.append([example])
    assert imported_lessons(round_).examples == (example, *found.examples)
    assert (found.alone, imported_lessons(round_).alone) == ((), (example,))


def test_several_pairs_of_a_prompt_teach_its_answer_once_as_a_resumed_run_would(tmp_path: Path) -> None:
    round_ = make_round(tmp_path / "run", {"Peru": "unknown"})
    more = [pair.model_copy(update={"id": f"{pair.id}{n}", "rejected": n}) for pair in PAIRS for n in "xy"]
    round_.append([*PAIRS, *more])
    first = imported_lessons(round_)
    assert len(first.pairs) == 9
    assert [e.completion for e in first.examples] == list("abc")
    round_.append(first.examples)  # what a phase writes before it trains
    assert imported_lessons(round_) == first


def test_the_control_prefers_what_was_the_answer_to_another_prompt(tmp_path: Path) -> None:
    round_ = make_round(tmp_path / "run", {"Peru": "unknown"})
    round_.append(PAIRS)
    lessons = imported_lessons(round_)
    control = as_control(lessons, 0)
    assert [p.prompt for p in control.pairs] == [p.prompt for p in lessons.pairs]
    assert sorted(p.chosen for p in control.pairs) == list("abc")
    assert all(a.chosen != b.chosen and a.id != b.id for a, b in zip(control.pairs, PAIRS, strict=True))
    assert [e.completion for e in control.examples] == [p.chosen for p in control.pairs]
