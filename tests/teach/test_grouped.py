"""A lesson for each group of sources: who is in which, and what a kill leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from selfstudy.models import Models, load_lm, lora
from selfstudy.models.embedder import load as load_embedder
from selfstudy.models.router import Router
from selfstudy.models.taught import adapters_of
from selfstudy.progress import Silent
from selfstudy.recipe import DeployBlock, EmbedderBlock, LocalModel, Recipe, TeachBlock
from selfstudy.records import (
    Chat,
    Example,
    Failure,
    Message,
    Question,
    Reference,
    TrainedItem,
    TrainingStep,
    VerdictKind,
)
from selfstudy.run import Round, curriculum, standing
from selfstudy.run.models import as_taught
from selfstudy.teach import followers, grouped
from selfstudy.teach.gaps import JudgedQuestion
from selfstudy.teach.grouped import split
from selfstudy.teach.imported import ImportedLessons
from selfstudy.teach.lesson import Lesson
from selfstudy.teach.stage import run_teach
from selfstudy.teach.trainers import lifelines

from .lessons import PROMPTS, Overlap, fill, make_round, prepared, question, recipe

torch.set_num_threads(1)


class Notes(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def lesson(folder: Path, sources: dict[str, str], **deploy: object) -> Lesson:
    """Peru, Chile and Ghana are gaps, Nepal and Cuba known, Fiji has no evidence; each source as given."""
    block = DeployBlock.model_validate({"type": "dynamic", **deploy})
    changed: Recipe = recipe().model_copy(update={"deploy": block})
    found = prepared(folder, changed)

    def placed(asked: Sequence[JudgedQuestion]) -> list[JudgedQuestion]:
        return [replace(one, source=sources.get(_country(one), one.source)) for one in asked]

    return replace(found, gaps=placed(found.gaps), everything=placed(found.everything))


def _country(one: JudgedQuestion) -> str:
    return one.question.text.split()[-1][:-1]


def asked(lessons: dict[str, Lesson]) -> dict[str, list[str]]:
    return {name: list(map(_country, one.gaps)) for name, one in lessons.items()}


def replayed(lessons: dict[str, Lesson]) -> dict[str, set[str]]:
    """What is known in each group."""
    return {
        name: {_country(one) for one in each.everything if one.verdict.kind == "known"}
        for name, each in lessons.items()
    }


PLACES = {"Peru": "am/pe.txt", "Chile": "am/cl.txt", "Ghana": "af/gh.txt"}


def test_each_group_has_its_gaps_and_what_is_known(tmp_path: Path) -> None:
    found = split(lesson(tmp_path / "run", PLACES), Silent())
    assert asked(found) == {"am": ["Peru", "Chile"], "af": ["Ghana"]}
    for name, one in found.items():
        assert [_country(q) for q in one.everything if q.verdict.kind != "known"] == asked(found)[name]


def test_too_many_groups_share_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouped, "MOST", 2)
    notes = Notes()
    found = split(lesson(tmp_path / "run", {**PLACES, "Chile": "other/cl.txt"}), notes)
    assert list(asked(found)) == ["af", "other"]
    assert sorted(asked(found)["other"]) == ["Chile", "Peru"]
    assert "the gaps are of 3 groups; the 2 smallest share one adapter, other" in notes.notes[0]


def test_a_group_replays_what_its_own_sources_say(tmp_path: Path) -> None:
    """So that no other source is in it; what rests on no source is not forgotten with any."""
    own = {**PLACES, "Nepal": "af/np.txt", "Cuba": "am/cu.txt"}
    found = split(lesson(tmp_path / "run", own), Silent())
    assert replayed(found)["af"] == {"Nepal"}
    loose = split(lesson(tmp_path / "loose", {**own, "Cuba": ""}), Silent())
    assert replayed(loose)["af"] == {"Nepal", "Cuba"}


def test_a_group_with_less_to_replay_than_to_learn_takes_of_others(tmp_path: Path) -> None:
    one = {**PLACES, "Nepal": "af/np.txt", "Cuba": "am/cu.txt"}
    found = replayed(split(lesson(tmp_path / "run", one), Silent()))
    assert found == {"am": {"Nepal", "Cuba"}, "af": {"Nepal"}}
    none = {**PLACES, "Nepal": "as/np.txt", "Cuba": "as/cu.txt"}
    for again in ("none", "again"):
        assert len(replayed(split(lesson(tmp_path / again, none), Silent()))["af"]) == 1


def test_a_round_may_be_one_group(tmp_path: Path) -> None:
    found = split(lesson(tmp_path / "run", PLACES, groups="round"), Silent())
    assert list(found) == ["all"]
    assert replayed(found)["all"] == {"Nepal", "Cuba"}


def test_lessons_of_others_are_one_group(tmp_path: Path) -> None:
    chat: Chat = (Message(role="user", content="Why?"),)
    one = Example(prompt=chat, completion="So.", question_id="q", kind="imported")
    given = replace(lesson(tmp_path / "run", PLACES), imported=ImportedLessons((one,), ()))
    found = split(given, Silent())
    assert list(found) == ["imported"]
    assert found["imported"].size == 1, "the gaps are not taught then"


GROUPS = {"south": ["Peru*", "Chile*"], "rest": ["*"]}
FAST = {
    "method": "sft",
    "wordings": 0,
    "heldout_wordings": 0,
    "known_heldout": 0.0,
    "sft": {"epochs": 2, "learning_rate": 1e-2, "batch_size": 4, "replay": 1, "warmup": 0.0},
    "lora": {"r": 4, "alpha": 8, "dropout": 0.0},
}


def dynamic(model: Path, **teach: object) -> Recipe:
    return Recipe(
        model=LocalModel(path=str(model)),
        teach=TeachBlock.model_validate({**FAST, **teach}),
        deploy=DeployBlock.model_validate({"type": "dynamic", "groups": GROUPS}),
    )


def models_of(round_: Round) -> Models:
    lm: Any = load_lm(as_taught(round_.run.recipe.model, standing.standing(round_)))
    return Models(lm=lm, nli=Overlap(), embedder=load_embedder(EmbedderBlock()))


def groups_in(folder: Path) -> dict[str, list[str]]:
    """The ids that each group in a folder was taught."""
    read = [curriculum.read(place) for place in adapters_of(folder).values()]
    return {one.group: list(one.questions) for one in read if one is not None}


def ids(round_: Round) -> dict[str, str]:
    return {asked.text.split()[-1][:-1]: asked.id for asked in round_.iter(Question)}


def test_round_after_round_adapters_are_trained_on_the_base_and_stand_beside_each_other(
    tiny_llama: Path, tmp_path: Path
) -> None:
    first = make_round(
        tmp_path / "run", {"Peru": "unknown", "Ghana": "unknown", "Nepal": "known"}, dynamic(tiny_llama)
    )
    folder = run_teach(first, models_of(first), PROMPTS, Silent(), unrelated=["Who wrote the play Hamlet?"])
    control = run_teach(first, models_of(first), PROMPTS, Silent(), arm="control")
    assert folder
    assert control
    name = ids(first)
    assert groups_in(folder) == groups_in(control) == {"south": [name["Peru"]], "rest": [name["Ghana"]]}
    assert set(adapters_of(folder)).isdisjoint(adapters_of(control))
    assert {step.phase for step in first.iter(TrainingStep)} == {"south/sft", "rest/sft"}
    trained = {(one.adapter, one.phase, one.question_id) for one in first.iter(TrainedItem)}
    nepal = {(group, f"{group}/sft", name["Nepal"]) for group in ("south", "rest")}
    assert trained == {("south", "south/sft", name["Peru"]), ("rest", "rest/sft", name["Ghana"]), *nepal}
    first.run.write_json(first.gate_file, {"promoted": True})
    # Peru is right now, by its adapter: neither replayed to another, nor a question of the base model's
    second = fill(first.run.round(2), {"Peru": "known", "Cuba": "known", "Chile": "unknown"})
    name = ids(second)
    later = run_teach(second, models_of(second), PROMPTS, Silent())
    assert later
    router = Router.load(later)
    old, new = sorted(adapters_of(folder)), [n for n in adapters_of(later) if n not in adapters_of(folder)]
    assert router.adapters == (*old, *new)
    for one in old:
        weights = [place / one / lora.WEIGHTS for place in (folder, later)]
        assert weights[0].samefile(weights[1])
    read = curriculum.read(later / new[0])
    assert read is not None
    assert (read.round, read.questions, read.replayed) == (2, (name["Chile"],), (name["Cuba"],))
    routes = router.route([question(country) for country in ("Peru", "Ghana", "Chile", "Nepal", "Cuba")])
    assert [one.adapter and one.adapter.rpartition("-")[0] for one in routes] == [
        *("south", "rest", "south", None, None)
    ]
    assert routes[2].adapter == new[0]
    # on the base model, not on what stood: the same lesson without a first round gives the same weights
    alone = fill(
        make_round(tmp_path / "alone", {}, dynamic(tiny_llama)), {"Cuba": "known", "Chile": "unknown"}
    )
    found = run_teach(alone, models_of(alone), PROMPTS, Silent())
    assert found
    assert list(adapters_of(found)) == new


def test_what_is_taught_again_is_of_the_new_adapter_alone(tiny_llama: Path, tmp_path: Path) -> None:
    first = make_round(tmp_path / "run", {"Peru": "unknown", "Ghana": "unknown"}, dynamic(tiny_llama))
    folder = run_teach(first, models_of(first), PROMPTS, Silent())
    assert folder
    first.run.write_json(first.gate_file, {"promoted": True})
    second = fill(first.run.round(2), {"Peru": "unknown", "Nepal": "known"})
    notes = Notes()
    later = run_teach(second, models_of(second), PROMPTS, notes)
    assert later
    gone = next(name for name in adapters_of(folder) if name.startswith("south"))
    assert f"adapter {gone} is left out: all that it was taught was taught again" in notes.notes
    assert gone not in adapters_of(later)
    assert sorted(groups_in(later)) == ["rest", "south"]


def test_a_group_that_cannot_be_trained_is_left_out_and_the_others_stay(
    tiny_llama: Path, tmp_path: Path
) -> None:
    round_ = make_round(tmp_path / "run", {"Peru": "unknown", "Ghana": "unknown"}, dynamic(tiny_llama))
    round_.rewrite(
        Reference,
        [
            one.model_copy(update={"text": "Accra. " * 3000}) if "Accra" in one.text else one
            for one in round_.iter(Reference)
        ],
    )
    folder = run_teach(round_, models_of(round_), PROMPTS, Silent())
    assert folder
    assert list(groups_in(folder)) == ["south"]
    failures = [f for f in round_.iter(Failure) if f.item_id == "taught/rest"]
    assert len(failures) == 1
    assert "none of the" in failures[0].message
    assert standing.trained(round_, "taught") == folder


def test_no_group_is_left_out_because_another_process_has_ended(
    tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: object) -> None:
        raise lifelines.parted("process 1 of 2 was killed")

    monkeypatch.setattr(followers, "trained", lost)
    round_ = make_round(tmp_path / "run", {"Peru": "unknown", "Ghana": "unknown"}, dynamic(tiny_llama))
    with pytest.raises(lifelines.LostProcessError, match="process 1 of 2 was killed"):
        run_teach(round_, models_of(round_), PROMPTS, Silent())
    assert not round_.read(Failure)


def test_where_no_group_can_be_trained_the_arm_has_failed(tiny_llama: Path, tmp_path: Path) -> None:
    hot = {"sft": {"epochs": 8, "learning_rate": 1e30, "batch_size": 4, "warmup": 0.0}}
    round_ = make_round(tmp_path / "run", {"Peru": "unknown", "Ghana": "unknown"}, dynamic(tiny_llama, **hot))
    assert run_teach(round_, models_of(round_), PROMPTS, Silent()) is None
    assert {f.item_id for f in round_.iter(Failure)} == {"taught", "taught/south", "taught/rest"}
    assert not list(round_.path.glob("adapter*"))


@pytest.mark.parametrize("torn", [False, True], ids=["between", "within"])
def test_a_kill_costs_no_group_that_was_trained(torn: bool, tiny_llama: Path, tmp_path: Path) -> None:
    kinds: dict[str, VerdictKind] = {"Peru": "unknown", "Ghana": "unknown", "Nepal": "known"}
    whole = make_round(tmp_path / "whole", kinds, dynamic(tiny_llama))
    expected = run_teach(whole, models_of(whole), PROMPTS, Silent())
    round_ = make_round(tmp_path / "torn", kinds, dynamic(tiny_llama))

    class Dying(Silent):
        def note(self, text: str) -> None:
            if not torn and text.startswith("group 2"):
                raise KeyboardInterrupt

        def task(self, label: str, total: int) -> Any:
            if torn and "south/sft" in label:
                raise KeyboardInterrupt
            return super().task(label, total)

    with pytest.raises(KeyboardInterrupt):
        run_teach(round_, models_of(round_), PROMPTS, Dying())
    kept = {
        place / lora.WEIGHTS: (place / lora.WEIGHTS).stat().st_ino
        for place in adapters_of(round_.path / "adapter.tmp" / "final").values()
    }
    assert len(kept) == 1
    folder = run_teach(round_, models_of(round_), PROMPTS, Silent())
    assert folder
    assert expected
    assert standing.hashes(folder) == standing.hashes(expected)
    assert {(folder / place.parent.name / lora.WEIGHTS).stat().st_ino for place in kept} == set(kept.values())
    for kind in (TrainingStep, TrainedItem, Example):
        assert [one.id for one in round_.iter(kind)] == [one.id for one in whole.iter(kind)]
