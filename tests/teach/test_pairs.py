"""What is preferred to what, by verdict."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from selfstudy.recipe import DPOBlock
from selfstudy.records import Verdict, VerdictKind
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
    wants = prepared(tmp_path / "refuses", recipe(refuse_unverifiable=True, refusals={"heldout": 0}))
    refused = pairs.pairs(wants, Overlap())
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


def test_to_a_refusal_every_answer_is_the_opposite(tmp_path: Path) -> None:
    """Whatever entailment says of it; but no other refusal."""
    from selfstudy.models.scripted import ScriptedLM

    r = recipe(refuse_unverifiable=True, refusals={"heldout": 0})
    lesson = prepared(tmp_path / "run", r)
    found = [p for p in pairs.pairs(lesson, Overlap()) if p.verdict == "unverifiable"]
    assert len(found) == 1
    near = "I know: don't ask."
    for said, wanted in ((["Unknown.", near], [near]), (["Unknown.", "I am not sure."], [])):
        after = pairs.against_taught(found, ScriptedLM({".": said}), Overlap(), r)
        assert [(p.chosen, p.rejected) for p in after] == [("I don't know.", one) for one in wanted]


def test_several_pairs_of_a_gap(tmp_path: Path) -> None:
    """The most consistent answer with the most contradicting one, and so on; a gap counts once."""
    lesson = prepared(tmp_path / "run", recipe())
    (gap,) = (one for one in lesson.gaps if one.verdict.kind == "unknown")
    target = gap.target  # The capital of Peru is Lima.
    near, far = (
        "The capital of Peru is the city of Lima.",
        "Lima is what the capital of Peru is called there.",
    )
    wrong = ("The capital of Peru is Rome.", "It is a blue parrot.", "Green cheese!", "Peru has none at all.")
    gap = replace(gap, samples=(*wrong, target), readings=(far, near))
    only = replace(lesson, gaps=[gap], rewordings={})

    def made(**block: object) -> list[tuple[str, str, float]]:
        found = pairs.pairs(only, Overlap(), DPOBlock.model_validate(block))
        return [(pair.chosen, pair.rejected, pair.part) for pair in found]

    first = made()
    assert [row[0] for row in first] == [target]
    assert first[0][2] == 1.0
    four = made(pairs=4)
    assert [row[0] for row in four] == [target, near, far]  # the fourth, of Rome, hardly contradicts
    assert four[0][1] == first[0][1]
    assert len({row[1] for row in four}) == 3
    assert wrong[0] not in {row[1] for row in four}
    assert [row[2] for row in four] == [1 / 3] * 3
    assert [row[:2] for row in made(pairs=2)] == [row[:2] for row in four[:2]]
    assert [row[2] for row in made(pairs=3, count="pair")] == [1.0] * 3
    fewer = replace(only, gaps=[replace(gap, readings=())])
    again = pairs.pairs(fewer, Overlap(), DPOBlock(pairs=3))
    assert {pair.chosen for pair in again} == {target}
    assert len({pair.rejected for pair in again}) == 3


class Counted(Overlap):
    calls = 0

    def probabilities(self, pairs: Any, progress: Any = None) -> Any:
        self.calls += 1
        return super().probabilities(pairs, progress)


def test_all_is_judged_in_one_batch_and_every_wording_gets_the_same_pairs(tmp_path: Path) -> None:
    lesson, nli = prepared(tmp_path / "run", recipe()), Counted()
    found = pairs.pairs(lesson, nli, DPOBlock(pairs=4))
    assert nli.calls == 1
    by_prompt: dict[Any, list[tuple[str, str]]] = {}
    for pair in found:
        by_prompt.setdefault((pair.question_id, pair.prompt), []).append((pair.chosen, pair.rejected))
    of_gap: dict[str, set[tuple[tuple[str, str], ...]]] = {}
    for (gap, _), rows in by_prompt.items():
        of_gap.setdefault(gap, set()).add(tuple(rows))
    assert all(len(rows) == 1 for rows in of_gap.values())
    assert {len(rows) for rows in by_prompt.values()} == {1}  # Rome and Oslo hardly contradict
    dashes = [pair for pair in found if pair.origin == "dash"]
    assert all(pair.part == 1.0 for pair in dashes)


def test_after_another_phase_one_prompt_is_asked_once_for_all_its_pairs(tmp_path: Path) -> None:
    from selfstudy.models.scripted import ScriptedLM

    lesson = prepared(tmp_path / "run", recipe())
    found = pairs.pairs(lesson, Overlap(), DPOBlock(pairs=2))
    taught = ScriptedLM({".": ["A green dog.", "Something else entirely.", "A green dog.", "No."]})
    after = pairs.against_taught(found, taught, Overlap(), lesson.recipe)
    for prompt in {pair.prompt for pair in found}:
        before = [pair for pair in found if pair.prompt == prompt]
        now = [pair for pair in after if pair.prompt == prompt]
        assert [pair.chosen for pair in now] == [pair.chosen for pair in before]
        assert len({pair.rejected for pair in now}) == len(now)
        assert sum(pair.part for pair in now) == pytest.approx(1.0)


LABELS: list[tuple[str | None, VerdictKind, bool | None, bool]] = [
    ("yes", "unsure", True, True),
    ("yes", "unknown", True, True),  # the label decides
    ("partly", "unsure", True, False),
    ("partly", "unknown", False, False),
    ("no", "unknown", False, False),
    ("no", "misbelief", False, False),
    (None, "unsure", None, True),
    (None, "unknown", True, True),
    (None, "unknown", False, False),
]


@pytest.mark.parametrize(("label", "kind", "agrees", "right"), LABELS)
def test_pairs_by_the_published_labels(
    label: Any, kind: VerdictKind, agrees: bool | None, right: bool, tmp_path: Path
) -> None:
    lesson = prepared(tmp_path / "run", recipe())
    verdict = Verdict(question_id="q", kind=kind, score=0.9, agrees=agrees, label=label)
    gap = replace(lesson.gaps[0], verdict=verdict, passage="It is Rome.", reference="It is Lima.")
    found = pairs.published(replace(lesson, gaps=[gap]))
    said = {(pair.chosen, pair.rejected, pair.origin) for pair in found}
    assert said == {("It is Rome.", "-", "dash") if right else ("It is Lima.", "It is Rome.", "passage")}
    assert len(found) == 2  # of each trained wording
    (weight,) = {pair.weight for pair in found}
    assert weight == (2.0 if kind == "misbelief" else 1.0)
    control = replace(lesson, gaps=[replace(gap, target="It is Accra.")], arm="control")
    assert {pair.chosen for pair in pairs.published(control)} == {"It is Accra."}


def test_a_passage_that_says_the_reference_or_nothing_is_not_rejected(tmp_path: Path) -> None:
    lesson = prepared(tmp_path / "run", recipe())
    verdict = Verdict(question_id="q", kind="unknown", score=0.9, label="no")
    for passage in ("It is Lima.", "", " "):
        gap = replace(lesson.gaps[0], verdict=verdict, passage=passage, reference="It is Lima.")
        assert pairs.published(replace(lesson, gaps=[gap])) == []


def test_published_labels_make_one_pair() -> None:
    with pytest.raises(ValidationError, match="leave one of the two out"):
        DPOBlock(pairs=2, labels="published")
    with pytest.raises(ValidationError):
        DPOBlock(pairs=5)
