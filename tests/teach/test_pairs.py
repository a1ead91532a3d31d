"""What is preferred to what, by verdict."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from selfstudy.teach import pairs

from .lessons import Overlap, prepared, recipe, reference


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
