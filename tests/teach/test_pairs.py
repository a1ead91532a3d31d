from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from selfstudy.prompts import Prompts
from selfstudy.recipe import Recipe, SFTBlock, TeachBlock
from selfstudy.records import Answer, Completion, Question, Rewording, Verdict, VerdictKind
from selfstudy.run.split import held_out
from selfstudy.teach import gaps as items
from selfstudy.teach import pairs

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


def prepared(
    folder: Path, recipe: Recipe
) -> tuple[list[items.Item], list[items.Item], dict[str, list[Rewording]]]:
    everything = items.load(make_round(folder, KINDS, recipe))
    gaps = items.gaps(everything)
    rewordings = {
        i.question.id: [
            Rewording(question_id=i.question.id, text="Other " + i.question.text, use="train"),
            Rewording(question_id=i.question.id, text="Held " + i.question.text, use="heldout"),
        ]
        for i in gaps
    }
    return gaps, everything, rewordings


def test_examples_follow_the_table_of_verdicts(tmp_path: Path) -> None:
    r = recipe(sft=SFTBlock(reading=0.5, replay=2.0))
    gaps, everything, rewordings = prepared(tmp_path / "run", r)
    found = pairs.examples(gaps, everything, rewordings, PROMPTS, r)
    names = {i.question.id: i.question.text.split()[-1][:-1] for i in everything}
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
    assert found == pairs.examples(gaps, everything, rewordings, PROMPTS, r)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_held_out_known_questions_are_never_replayed(tmp_path: Path, seed: int) -> None:
    r = recipe(known_heldout=0.5).model_copy(update={"seed": seed})
    gaps, everything, rewordings = prepared(tmp_path / "run", r)
    replayed = {
        e.question_id for e in pairs.examples(gaps, everything, rewordings, PROMPTS, r) if e.kind == "replay"
    }
    known = {i.question.id for i in everything if i.verdict.kind == "known"}
    assert replayed == {k for k in known if not held_out(k, seed, 0.5)}


def test_pairs_reject_what_contradicts_most_and_never_what_is_right(tmp_path: Path) -> None:
    r = recipe()
    gaps, everything, rewordings = prepared(tmp_path / "run", r)
    found = {p.verdict: p for p in pairs.pairs(gaps, everything, rewordings, PROMPTS, r, Overlap())}
    assert set(found) == {"unknown", "misbelief", "unsure"}
    assert found["unknown"].rejected == found["misbelief"].rejected == "It is a blue parrot."
    assert (found["unsure"].rejected, found["unsure"].origin) == ("-", "dash")
    assert found["misbelief"].weight == 2.0
    assert len(pairs.weighted(list(found.values()), 0)) == 4
    refused = pairs.pairs(gaps, everything, rewordings, PROMPTS, recipe(refuse_unverifiable=True), Overlap())
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
    everything = items.load(round_)
    gaps = items.gaps(everything)
    (fiji,) = (i for i in everything if i.verdict.kind == "unverifiable" and i.question.id != sure.id)
    found = pairs.pairs(gaps, everything, {}, PROMPTS, r, Overlap())
    assert [p.question_id for p in found if p.verdict == "unverifiable"] == [fiji.question.id]
    taught = pairs.examples(gaps, everything, {}, PROMPTS, r)
    assert {e.question_id for e in taught if e.completion == items.REFUSAL} == {fiji.question.id}


def test_a_gap_whose_samples_are_all_right_gives_no_pair(tmp_path: Path) -> None:
    r = recipe()
    gaps, everything, rewordings = prepared(tmp_path / "run", r)
    sure = [i for i in gaps if i.verdict.kind == "unknown"]
    right = [items.Item(**{**_fields(i), "samples": (i.target,)}) for i in sure]
    assert pairs.pairs(right, everything, rewordings, PROMPTS, r, Overlap()) == []


def test_rejected_answers_of_the_taught_model(tmp_path: Path) -> None:
    from selfstudy.models.scripted import ScriptedLM

    r = recipe()
    gaps, everything, rewordings = prepared(tmp_path / "run", r)
    found = pairs.pairs(gaps, everything, rewordings, PROMPTS, r, Overlap())
    taught = ScriptedLM({"Peru": [reference("Peru")], ".": ["A green dog.", "Something else entirely."]})
    after = pairs.against_taught(found, taught, Overlap(), r)
    assert {p.origin for p in after} == {"taught-model"}
    assert not any("Peru" in p.chosen for p in after)  # it answers that one right
    assert len(after) == 4
    assert not {p.id for p in after} & {p.id for p in found}


def test_the_control_has_as_much_of_everything_but_no_right_answer(tmp_path: Path) -> None:
    r = recipe()
    gaps, everything, rewordings = prepared(tmp_path / "run", r)
    mixed = items.permuted(gaps, 0)
    assert sorted(i.target for i in mixed) == sorted(i.target for i in gaps)
    assert all(
        a.target != b.target and a.read_target != b.read_target for a, b in zip(gaps, mixed, strict=True)
    )
    plain = pairs.examples(gaps, everything, rewordings, PROMPTS, r)
    control = pairs.examples(mixed, everything, rewordings, PROMPTS, r)
    assert [(e.prompt, e.kind) for e in plain] == [(e.prompt, e.kind) for e in control]
    assert {
        p.origin for p in pairs.as_control(pairs.pairs(mixed, everything, rewordings, PROMPTS, r, Overlap()))
    } == {"random"}


def test_gaps_that_say_the_same_are_taught_once(tmp_path: Path) -> None:
    everything = items.load(make_round(tmp_path / "run", KINDS))
    twin = items.Item(
        **{**_fields(everything[0]), "question": everything[0].question.model_copy(update={"id": "x"})}
    )
    assert len(items.gaps([*everything, twin])) == len(items.gaps(everything)) == 3


def _fields(item: items.Item) -> dict[str, object]:
    return {name: getattr(item, name) for name in items.Item.__dataclass_fields__}
