"""Adapters that are never merged: one for each group of sources, a router that picks, a kill in between."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfstudy import Run, Study, learn
from selfstudy.errors import ModelError
from selfstudy.models.taught import ROUTER, adapter_name, adapters_of, is_routed
from selfstudy.records import GAPS, Check, Question, TrainingStep, Verdict
from selfstudy.run import curriculum
from selfstudy.run.standing import decided, hashes
from selfstudy.verbs.chat import open_talk

from .small import Listener, branch, cli, recipe, refusal

CHANGES = (
    "deploy=dynamic",
    "teach.sft.epochs=6",
    "teach.wordings=1",
    "teach.heldout_wordings=0",
    "verify.margin=0.4",
    "verify.samples=0",
    "verify.repeats=0",
    "verify.max_questions=20",
)
"""So few known questions exclude no small fall: the margin is wide."""
CITY, COUNTRY = "atlas-city", "atlas-country"


class Killed(BaseException):
    pass


class Dying(Listener):
    """Is killed when the second group begins."""

    def note(self, text: str) -> None:
        super().note(text)
        if text.startswith("group 2 of 2"):
            raise Killed


@pytest.fixture(scope="module")
def told(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], dict[str, int]]:
    """A run that was killed between two groups and went on; its notes, and what stood at the kill."""
    wanted = recipe(*CHANGES)
    run = branch(finished, tmp_path_factory.mktemp("dynamic") / "run", wanted)
    with pytest.raises(Killed), Run.open(run) as opened, Study(opened, Dying()) as study:
        study.teach()
    unfinished = adapters_of(run / "rounds/1/adapter.tmp/final")
    stood = {
        name: (folder / "adapter_model.safetensors").stat().st_ino for name, folder in unfinished.items()
    }
    heard = Listener()
    learn(wanted, run, heard)
    return run, heard.notes, stood


def test_each_group_has_an_adapter_and_a_kill_costs_no_group_that_was_trained(
    told: tuple[Path, list[str], dict[str, int]],
) -> None:
    path, notes, stood = told
    folder = path / "rounds/1/adapter"
    found = adapters_of(folder)
    assert len(stood) == 1
    assert {name.rpartition("-")[0] for name in found} == {CITY, COUNTRY}
    for name, inode in stood.items():
        assert (found[name] / "adapter_model.safetensors").stat().st_ino == inode
    assert "an interrupted training goes on with the group that it was at" in notes
    assert is_routed(folder)
    assert not (path / "rounds/1/adapter.tmp").exists()
    with Run.open(path, write=False) as run:
        first = run.round(1)
        steps = first.read(TrainingStep)
        gaps = {v.question_id for v in first.iter(Verdict) if v.kind in GAPS}
    assert {step.phase for step in steps} == {f"{CITY}/sft", f"{COUNTRY}/sft"}
    assert len({step.id for step in steps}) == len(steps)
    learned: set[str] = set()
    for name, place in found.items():
        read = curriculum.read(place)
        assert read is not None
        assert adapter_name(read.group, place) == name
        assert all(source.startswith(read.group.replace("-", ":")) for source in read.sources)
        assert not learned & set(read.questions)
        learned |= set(read.questions)
    assert learned
    assert learned <= gaps


def test_it_is_measured_promoted_and_reported_as_a_whole(
    told: tuple[Path, list[str], dict[str, int]],
) -> None:
    path, _, _ = told
    summary = json.loads((path / "summary.json").read_text(encoding="utf-8"))
    assert summary["promoted"] is True, summary["reasons"]
    assert summary["after"]["gap_correct"] > summary["before"]["gap_correct"]
    with Run.open(path, write=False) as run:
        assert hashes(run.promoted_folder) == hashes(decided(run.round(1)))
        assert (run.promoted_folder / ROUTER).is_file()
        checks = run.round(1).read(Check)
    routing = summary["routing"]
    assert {one["group"] for one in routing["adapters"]} == {CITY, COUNTRY}
    for one in routing["adapters"]:
        assert one["questions"] > 0
        assert one["shares"]["own"] > 0.9  # of wordings that the router has
        assert one["shares"]["false_activation"] <= 0.1
    kept = {c.asked for c in checks if c.arm == "taught" and c.target in ("known", "general")}
    assert kept
    report = (path / "report.html").read_text(encoding="utf-8")
    for one in routing["adapters"]:
        assert one["name"] in report


def test_chat_says_which_adapter_answered(told: tuple[Path, list[str], dict[str, int]]) -> None:
    path, _, _ = told
    found = adapters_of(path / "promoted")
    with Run.open(path, write=False) as run:
        questions = {q.id: q.text for q in run.round(1).iter(Question)}
    talk = open_talk(str(path))
    for name, place in found.items():
        read = curriculum.read(place)
        assert read is not None
        asked = questions[read.questions[0]]
        assert any(line.startswith("adapter") and name in line for line in talk.answer(asked))
    lines = talk.answer("How do I bake bread without yeast?")
    assert any(line.startswith("adapter") and "the base model answered" in line for line in lines)


def test_what_holds_several_is_not_exported_as_one(
    told: tuple[Path, list[str], dict[str, int]], tmp_path: Path
) -> None:
    path, _, _ = told
    message = refusal(cli("export", path, tmp_path / "x.gguf"))
    assert "of which a router picks one by prompt" in message
    assert all(name in message for name in adapters_of(path / "promoted"))


def test_what_cannot_be_adapters_beside_each_other_is_refused_before_work(
    told: tuple[Path, list[str], dict[str, int]], tmp_path: Path
) -> None:
    path, _, _ = told
    routed = recipe(f"model.adapter={path / 'promoted'}", "teach.wordings=1")
    with pytest.raises(ModelError, match="of which a router picks one: nothing can be taught on top of them"):
        learn(routed, tmp_path / "routed")
    engine = recipe(*CHANGES, "model={type: server, engine: tgi, model: atlas}", "smoke=skip")
    with pytest.raises(ModelError, match="engine tgi cannot answer with several adapters at once"):
        learn(engine, tmp_path / "engine")
