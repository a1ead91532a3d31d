"""The material of an arm: what is refused, and what the control has."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.judging.refusals import is_refusal
from selfstudy.models import Models, load_lm
from selfstudy.models.embedder import load as load_embedder
from selfstudy.progress import Silent
from selfstudy.prompts import Prompts
from selfstudy.recipe import EmbedderBlock
from selfstudy.records import Answer, Completion, Example, Pair, Question, Verdict
from selfstudy.run import Round
from selfstudy.run.split import split_of
from selfstudy.teach import pairs
from selfstudy.teach.examples import examples
from selfstudy.teach.gaps import REFUSAL, gaps_to_teach, judged_questions
from selfstudy.teach.lesson import Lesson
from selfstudy.teach.stage import run_teach
from selfstudy.verify.refusing import taught_to_refuse

from .lessons import KINDS, PROMPTS, Overlap, make_round, prepared, recipe


def test_only_gaps_without_evidence_are_refused(tmp_path: Path) -> None:
    r = recipe(refuse_unverifiable=True, refusals={"heldout": 0})
    round_ = make_round(tmp_path / "run", KINDS, r)
    sure = Question(text="What is the capital of Togo?")
    passage = Completion(text="The capital of Togo is Lome.")
    round_.append(
        [
            sure,
            Answer(question_id=sure.id, passage=passage, samples=(passage, passage)),
            Verdict(question_id=sure.id, kind="unverifiable", score=0.5),  # at the threshold: no gap
        ]
    )
    everything = judged_questions(round_)
    lesson = Lesson(r, PROMPTS, gaps_to_teach(everything), everything, {})
    (fiji,) = (i for i in lesson.everything if i.verdict.kind == "unverifiable" and i.question.id != sure.id)
    found = pairs.pairs(lesson, Overlap())
    assert [p.question_id for p in found if p.verdict == "unverifiable"] == [fiji.question.id]
    taught = examples(lesson, r.teach.sft)
    assert {e.question_id for e in taught if e.completion == REFUSAL} == {fiji.question.id}


def without_evidence(round_: Round, count: int) -> None:
    for number in range(count):
        asked = Question(text=f"What is the capital of Nowhere{number}?")
        passage = Completion(text=f"The capital of Nowhere{number} is Rome.")
        round_.append(
            [
                asked,
                Answer(question_id=asked.id, passage=passage, samples=(passage, Completion(text="Oslo."))),
                Verdict(question_id=asked.id, kind="unverifiable", score=0.9),
            ]
        )


@pytest.mark.parametrize(("share", "wanted"), [(0.1, 0), (1.0, 3), (2.0, 6), (10.0, 13)])
def test_no_more_are_refused_than_the_gaps_allow(tmp_path: Path, share: float, wanted: int) -> None:
    r = recipe(refuse_unverifiable=True, refusals={"heldout": 0, "share": share})
    round_ = make_round(tmp_path / "run", KINDS, r)
    without_evidence(round_, 12)
    everything = judged_questions(round_)
    lesson = Lesson(r, PROMPTS, gaps_to_teach(everything), everything, {})
    assert len(lesson.gaps) == 3
    refused = lesson.refused()
    assert len(refused) == wanted
    assert refused == lesson.refused()
    shown = examples(lesson, r.teach.distill, shown=True)
    taught = [e for e in shown if e.kind == "refusal"]
    assert [e.question_id for e in taught] == [one.question.id for one in refused]
    assert all(e.completion == REFUSAL and not e.teacher for e in taught)  # the text itself is learned
    assert is_refusal(REFUSAL)
    assert not any(e.completion == REFUSAL for e in shown if e.kind != "refusal")


def test_what_is_held_out_is_not_refused(tmp_path: Path) -> None:
    r = recipe(refuse_unverifiable=True, refusals={"heldout": 0.5, "share": 10})
    round_ = make_round(tmp_path / "run", KINDS, r)
    without_evidence(round_, 12)
    everything = judged_questions(round_)
    refused = {q.question.id for q in Lesson(r, PROMPTS, gaps_to_teach(everything), everything, {}).refused()}
    kept = split_of(round_).unanswerable
    assert refused
    assert kept
    assert not refused & kept
    unverifiable = {v.question_id for v in round_.iter(Verdict) if v.kind == "unverifiable"}
    assert refused | kept == unverifiable


def test_the_control_refuses_as_often_and_what_by_chance(tmp_path: Path) -> None:
    r = recipe(refuse_unverifiable=True, refusals={"heldout": 0, "share": 2})
    round_ = make_round(tmp_path / "run", KINDS, r)
    without_evidence(round_, 12)
    everything = judged_questions(round_)
    lesson = Lesson(r, PROMPTS, gaps_to_teach(everything), everything, {})
    control = lesson.control()
    assert [q.question.id for q in control.refused()] == [q.question.id for q in lesson.refused()]
    said = [q.target for q in (*control.gaps, *control.refused())]
    assert sorted(said) == sorted(q.target for q in (*lesson.gaps, *lesson.refused()))
    assert any(q.target == REFUSAL for q in control.gaps) or len(set(said[:3])) == 3
    assert any(q.target != REFUSAL for q in control.refused())
    made = [e for e in examples(control, r.teach.sft) if e.kind == "refusal"]
    assert [e.completion for e in made] == [q.target for q in control.refused()]


def test_demonstrations_come_in_many_orders_and_each_with_its_answer(tmp_path: Path) -> None:
    """What is kept after one order alone is forgotten after another: docs/decisions/0011."""
    r = recipe()
    lesson = prepared(tmp_path / "run", r)
    asked = lesson.prompts.chat("answer", question="?")
    pairs_there = set(zip(asked[1:-1:2], asked[2:-1:2], strict=True))
    assert len(pairs_there) == 3
    everything = examples(lesson, r.teach.sft, shown=True)
    found = [e for e in everything if e.prompt[1:3] in pairs_there]
    shown = [tuple(zip(e.prompt[1:-1:2], e.prompt[2:-1:2], strict=True)) for e in found]
    assert all(set(pairs) == pairs_there for pairs in shown)
    assert len(set(shown)) > 3
    kept = [e for e in found if e.kind == "replay"]
    assert kept
    assert all(e.teacher == e.prompt for e in kept)
    by_wording = {e.prompt[-1]: e.prompt for e in found}
    assert all(e.prompt == by_wording[e.prompt[-1]] for e in found)


def test_the_control_has_as_much_of_everything_but_no_right_answer(tmp_path: Path) -> None:
    r = recipe()
    lesson = prepared(tmp_path / "run", r)
    control = lesson.control()
    assert control.arm == "control"
    assert sorted(i.target for i in control.gaps) == sorted(i.target for i in lesson.gaps)
    assert all(
        a.target != b.target and a.read_target != b.read_target
        for a, b in zip(lesson.gaps, control.gaps, strict=True)
    )
    plain, mixed = examples(lesson, r.teach.sft), examples(control, r.teach.sft)
    assert [(e.prompt, e.kind) for e in plain] == [(e.prompt, e.kind) for e in mixed]
    assert {p.origin for p in pairs.as_control(pairs.pairs(control, Overlap()))} == {"random"}


@pytest.mark.parametrize("method", ["distill", "dpo"])
def test_refusals_are_trained_and_recorded(method: str, tiny_llama: Path, tmp_path: Path) -> None:
    """And are no test any more, in this round's verify or a later one."""
    lora = {"r": 4, "alpha": 8, "dropout": 0.0}
    wants = {"refuse_unverifiable": True, "refusals": {"heldout": 0.5, "share": 10}, "method": method}
    quick = {name: {"epochs": 1, "batch_size": 4} for name in ("distill", "dpo")}
    r = recipe(**wants, **quick, lora=lora, wordings=0, heldout_wordings=0)
    round_ = make_round(tmp_path / "run", KINDS, r, tiny_llama)
    without_evidence(round_, 6)
    lm = load_lm(round_.run.recipe.model)
    models = Models(lm=lm, nli=Overlap(), embedder=load_embedder(EmbedderBlock()))
    may = split_of(round_).refusable
    assert run_teach(round_, models, Prompts(), Silent())
    assert taught_to_refuse(round_)
    kind = Example if method == "distill" else Pair
    refused = [e for e in round_.iter(kind) if e.question_id in may]
    assert {e.question_id for e in refused} == may
    assert {getattr(e, "completion", "") or getattr(e, "chosen", "") for e in refused} == {REFUSAL}
    later = round_.run.round(2)
    later.append(round_.iter(Question))
    later.append(round_.iter(Verdict))
    assert split_of(later).unanswerable == split_of(round_).unanswerable
    assert not split_of(later).unanswerable & may
