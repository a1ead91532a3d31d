from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from selfstudy.prompts import Prompts
from selfstudy.recipe import Recipe, SFTBlock, TeachBlock
from selfstudy.records import Answer, Completion, Question, Rewording, Verdict, VerdictKind
from selfstudy.run.split import held_out
from selfstudy.teach import pairs
from selfstudy.teach.examples import examples
from selfstudy.teach.gaps import gaps_to_teach, judged_questions
from selfstudy.teach.lesson import REFUSAL, Lesson

from .lessons import Overlap, make_round, reference

KINDS: dict[str, VerdictKind] = {
    "Peru": "unknown",
    "Chile": "misbelief",
    "Ghana": "unsure",
    "Nepal": "known",
    "Cuba": "known",
    "Fiji": "unverifiable",
}
PROMPTS = Prompts()


def recipe(**teach: object) -> Recipe:
    return Recipe(teach=TeachBlock.model_validate({"known_heldout": 0.0, **teach}))


def prepared(folder: Path, recipe: Recipe) -> Lesson:
    everything = judged_questions(make_round(folder, KINDS, recipe))
    gaps = gaps_to_teach(everything)
    rewordings = {
        gap.question.id: [
            Rewording(question_id=gap.question.id, text="Other " + gap.question.text, use="train"),
            Rewording(question_id=gap.question.id, text="Held " + gap.question.text, use="heldout"),
        ]
        for gap in gaps
    }
    return Lesson(recipe, PROMPTS, gaps, everything, rewordings)


def test_examples_follow_the_table_of_verdicts(tmp_path: Path) -> None:
    r = recipe(sft=SFTBlock(reading=0.5, replay=2.0))
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
    assert len(replay) == 2 * (len(found) - len(replay))
    assert {names[e.question_id] for e in replay} == {"Nepal", "Cuba"}
    assert 0.2 < sum("Document" in e.prompt[-1].content for e in replay) / len(replay) < 0.45
    assert not any("Held" in e.prompt[-1].content for e in found)
    assert found == examples(lesson, r.teach.sft)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_held_out_known_questions_are_never_replayed(tmp_path: Path, seed: int) -> None:
    r = recipe(known_heldout=0.5).model_copy(update={"seed": seed})
    lesson = prepared(tmp_path / "run", r)
    replayed = {e.question_id for e in examples(lesson, r.teach.sft) if e.kind == "replay"}
    known = {i.question.id for i in lesson.everything if i.verdict.kind == "known"}
    assert replayed == {k for k in known if not held_out(k, seed, 0.5)}


def test_pairs_reject_what_contradicts_most_and_never_what_is_right(tmp_path: Path) -> None:
    r = recipe()
    lesson = prepared(tmp_path / "run", r)
    found = {p.verdict: p for p in pairs.pairs(lesson, Overlap())}
    assert set(found) == {"unknown", "misbelief", "unsure"}
    assert found["unknown"].rejected == found["misbelief"].rejected == "It is a blue parrot."
    assert (found["unsure"].rejected, found["unsure"].origin) == ("-", "dash")
    assert found["misbelief"].weight == 2.0
    assert len(pairs.weighted(list(found.values()), 0)) == 4
    refused = pairs.pairs(replace(lesson, recipe=recipe(refuse_unverifiable=True)), Overlap())
    assert [p.chosen for p in refused if p.verdict == "unverifiable"] == ["I don't know."]


def test_only_gaps_without_evidence_are_refused(tmp_path: Path) -> None:
    r = recipe(refuse_unverifiable=True)
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


def test_a_gap_whose_samples_are_all_right_gives_no_pair(tmp_path: Path) -> None:
    r = recipe()
    lesson = prepared(tmp_path / "run", r)
    sure = [i for i in lesson.gaps if i.verdict.kind == "unknown"]
    right = [replace(i, samples=(i.target,)) for i in sure]
    assert pairs.pairs(replace(lesson, gaps=right), Overlap()) == []


def test_rejected_answers_of_the_taught_model(tmp_path: Path) -> None:
    from selfstudy.models.scripted import ScriptedLM

    r = recipe()
    lesson = prepared(tmp_path / "run", r)
    found = pairs.pairs(lesson, Overlap())
    taught = ScriptedLM({"Peru": [reference("Peru")], ".": ["A green dog.", "Something else entirely."]})
    after = pairs.against_taught(found, taught, Overlap(), r)
    assert {p.origin for p in after} == {"taught-model"}
    assert not any("Peru" in p.chosen for p in after)  # it answers that one right
    assert len(after) == 4
    assert not {p.id for p in after} & {p.id for p in found}


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


def test_gaps_that_say_the_same_are_taught_once(tmp_path: Path) -> None:
    everything = judged_questions(make_round(tmp_path / "run", KINDS))
    first = everything[0]
    twin = replace(first, question=first.question.model_copy(update={"id": "x"}))
    assert len(gaps_to_teach([*everything, twin])) == len(gaps_to_teach(everything)) == 3
