from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from selfstudy import duplicates
from selfstudy.errors import ModelError
from selfstudy.models import Models, load_lm, taught
from selfstudy.models import lora as adapters
from selfstudy.models.base import chat
from selfstudy.models.embedder import load as load_embedder
from selfstudy.models.scripted import ScriptedLM
from selfstudy.progress import Silent
from selfstudy.prompts import Prompts
from selfstudy.recipe import EmbedderBlock, Recipe, TeachBlock
from selfstudy.records import Example, Failure, Pair, Rewording, TrainedItem, TrainingStep, VerdictKind
from selfstudy.run import Round
from selfstudy.run.curriculum import CURRICULUM
from selfstudy.run.models import as_taught, whole_block
from selfstudy.run.standing import hashes
from selfstudy.teach import stage
from selfstudy.teach.gaps import judged_questions
from selfstudy.teach.stage import run_teach

from .lessons import Overlap, make_round

torch.set_num_threads(1)

KINDS: dict[str, VerdictKind] = {"Peru": "unknown", "Chile": "misbelief", "Ghana": "unsure", "Nepal": "known"}


class Listener(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def recipe(**changes: object) -> Recipe:
    teach = {
        "known_heldout": 0.0,
        "wordings": 1,
        "sft": {"epochs": 4, "learning_rate": 1e-2, "batch_size": 4},
        "dpo": {"epochs": 2, "learning_rate": 1e-2, "batch_size": 4},
        "distill": {"epochs": 2, "learning_rate": 1e-2, "batch_size": 4, "swapped": 0.5, "neutral": 0.5},
        "lora": {"r": 4, "alpha": 8, "dropout": 0.0},
    }
    return Recipe(teach=TeachBlock.model_validate({**teach, **changes}))


def lesson(folder: Path, model: Path, **changes: object) -> tuple[Round, Models]:
    round_ = make_round(folder, KINDS, recipe(**changes), model)
    lm: Any = load_lm(round_.run.recipe.model)
    return round_, Models(lm=lm, nli=Overlap(), embedder=load_embedder(EmbedderBlock()))


@pytest.mark.parametrize("method", ["sft", "dpo", "sft+dpo", "distill"])
def test_every_method_ends_with_one_adapter_of_the_base(
    method: str, tiny_llama: Path, tmp_path: Path
) -> None:
    round_, models = lesson(tmp_path / "run", tiny_llama, method=method)
    folder = run_teach(round_, models, Prompts(), Silent())
    assert folder == round_.path / "adapter"
    assert sorted(p.name for p in folder.iterdir()) == [adapters.CONFIG, adapters.WEIGHTS, CURRICULUM]
    load_lm(round_.run.recipe.model.model_copy(update={"adapter": folder}))
    phases = {step.phase for step in round_.iter(TrainingStep)}
    assert phases == set(method.split("+"))
    assert {p.origin for p in round_.iter(Pair)} == {
        "sft": set(),
        "distill": set(),
        "dpo": {"sample", "dash"},
        "sft+dpo": {"taught-model"},
    }[method]
    assert bool(round_.read(Example)) == (method != "dpo")
    assert not list(round_.path.glob("*.tmp"))
    before = [p.read_bytes() for p in sorted(round_.path.glob("*.jsonl"))]
    assert run_teach(round_, models, Prompts(), Silent()) == folder  # cheap and harmless
    assert [p.read_bytes() for p in sorted(round_.path.glob("*.jsonl"))] == before


@pytest.mark.parametrize("method", ["sft+dpo", "distill"])
def test_all_weights_may_be_trained_and_the_model_that_answers_is_not_touched(
    method: str, tiny_llama: Path, tmp_path: Path
) -> None:
    teach = {"method": method, "finetuning": "full", "lora": {}}
    round_, models = lesson(tmp_path / "run", tiny_llama, **teach)
    before = said(models.lm)
    folder = run_teach(round_, models, Prompts(), Silent())
    assert folder == round_.path / "adapter"
    assert taught.is_whole(folder)
    assert '"use_cache": true' in (folder / "config.json").read_text()
    assert said(models.lm) == before
    block = as_taught(round_.run.recipe.model, folder)
    assert block == whole_block(round_.run.recipe.model, folder)
    after = load_lm(block)
    assert said(after) != before
    assert {step.phase for step in round_.iter(TrainingStep)} == set(method.split("+"))
    assert not list(round_.path.glob("*.tmp"))
    again, _ = lesson(tmp_path / "again", tiny_llama, **teach)
    twin = run_teach(again, models, Prompts(), Silent())
    assert twin
    assert hashes(twin) == hashes(folder)
    # and on, from the whole model
    later, _ = lesson(tmp_path / "later", tiny_llama, **teach)
    models = replace(models, lm=after)
    further = run_teach(later, models, Prompts(), Silent())
    assert further
    assert hashes(further)["model.safetensors"] != hashes(folder)["model.safetensors"]


def said(lm: Any) -> list[list[float]]:
    """How likely a model finds an answer."""
    found: list[list[float]] = lm.logprobs([chat("What is the capital of Peru?")], ["Lima."])
    return found


def test_a_model_too_large_to_be_trained_as_a_whole_is_refused_before_anything_is(
    tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    round_, models = lesson(tmp_path / "run", tiny_llama, finetuning="full", lora={})
    lm: Any = models.lm
    needed = 16 * sum(one.numel() for one in lm.model.parameters())
    monkeypatch.setattr("selfstudy.models.local.loading.unused_memory", lambda device: needed - 1)
    with pytest.raises(
        ModelError, match=r"takes \d\.\d GB and more, and \d\.\d GB are free on cpu"
    ) as caught:
        run_teach(round_, models, Prompts(), Silent())
    assert "teach.finetuning: lora" in caught.value.hint
    assert not round_.read(Rewording)


@pytest.mark.parametrize("full", [False, True], ids=["lora", "full"])
def test_a_kill_in_training_starts_it_again_and_gives_the_same(
    full: bool, tiny_llama: Path, tmp_path: Path
) -> None:
    how: dict[str, object] = {"method": "sft"} | ({"finetuning": "full", "lora": {}} if full else {})
    whole, models = lesson(tmp_path / "whole", tiny_llama, **how)
    torn, _ = lesson(tmp_path / "torn", tiny_llama, **how)
    expected = run_teach(whole, models, Prompts(), Silent())
    run_teach(whole, models, Prompts(), Silent(), arm="control")
    assert expected

    class Dying(Silent):
        def task(self, label: str, total: int) -> Any:
            if "sft" in label:
                raise KeyboardInterrupt
            return super().task(label, total)

    with pytest.raises(KeyboardInterrupt):
        run_teach(torn, models, Prompts(), Dying())
    listener = Listener()
    folder = run_teach(torn, models, Prompts(), listener)
    assert folder
    assert any("starts again" in note for note in listener.notes)
    run_teach(torn, models, Prompts(), Silent(), arm="control")
    assert taught.is_whole(folder) == full
    assert hashes(folder) == hashes(expected)
    assert hashes(torn.adapter("control")) == hashes(whole.adapter("control")) != hashes(folder)
    for name in ("examples.jsonl", "training.jsonl", "trained.jsonl", "rewordings.jsonl"):
        for a, b in ((whole.path / name, torn.path / name),):
            assert a.exists() == b.exists()
            assert not a.exists() or a.read_bytes() == b.read_bytes()


def test_of_a_training_that_was_killed_no_step_stays(tiny_llama: Path, tmp_path: Path) -> None:
    """Its first phase had written down what it trained, and the other arm's steps are not touched."""
    round_, models = lesson(tmp_path / "run", tiny_llama, method="sft+dpo")
    run_teach(round_, models, Prompts(), Silent(), arm="control")
    control = round_.read(TrainedItem)

    class Dying(Silent):
        def task(self, label: str, total: int) -> Any:
            if "teach: dpo" in label:
                raise KeyboardInterrupt
            return super().task(label, total)

    with pytest.raises(KeyboardInterrupt):
        run_teach(round_, models, Prompts(), Dying())
    begun = [one for one in round_.iter(TrainedItem) if one.arm == "taught"]
    assert {one.phase for one in begun} == {"sft"}
    round_.append([begun[0].model_copy(update={"id": "of the first attempt", "steps": (99,)})])
    run_teach(round_, models, Prompts(), Silent())
    found = round_.read(TrainedItem)
    assert [one for one in found if one.arm == "control"] == control
    taught_ = [one for one in found if one.arm == "taught"]
    assert taught_[: len(begun)] == begun
    steps = [point for point in round_.iter(TrainingStep) if point.arm == "taught"]
    for phase, kind in (("sft", Example), ("dpo", Pair)):
        items = {one.item_id: one for one in taught_ if one.phase == phase}
        assert items.keys() == {
            item.id for item in round_.iter(kind) if getattr(item, "origin", "") != "random"
        }
        last = max(point.step for point in steps if point.phase == phase)
        assert {step for one in items.values() for step in one.steps} == set(range(1, last + 1))


def test_the_control_is_another_adapter_with_its_own_curve(tiny_llama: Path, tmp_path: Path) -> None:
    round_, models = lesson(tmp_path / "run", tiny_llama)
    taught = run_teach(round_, models, Prompts(), Silent())
    examples = round_.read(Example)
    control = run_teach(round_, models, Prompts(), Silent(), arm="control")
    assert taught
    assert control == round_.path / "control"
    assert (taught / adapters.WEIGHTS).read_bytes() != (control / adapters.WEIGHTS).read_bytes()
    assert round_.read(Example) == examples
    steps = round_.read(TrainingStep)
    assert sum(s.arm == "control" for s in steps) == sum(s.arm == "taught" for s in steps) > 0


def test_divergence_is_a_failure_record(tiny_llama: Path, tmp_path: Path) -> None:
    sft = {"epochs": 8, "learning_rate": 1e30, "batch_size": 4, "warmup": 0.0}
    round_, models = lesson(tmp_path / "run", tiny_llama, sft=sft, method="sft+dpo")
    assert run_teach(round_, models, Prompts(), Silent()) == round_.path / "adapter"
    assert [(f.stage, f.item_id) for f in round_.iter(Failure)] == [("teach", "taught")]
    assert {s.phase for s in round_.iter(TrainingStep)} == {"sft"}


def test_nothing_to_teach_and_models_that_cannot_be_taught(tiny_llama: Path, tmp_path: Path) -> None:
    quiet = make_round(tmp_path / "quiet", {"Nepal": "known", "Fiji": "unverifiable"}, recipe(), tiny_llama)
    models = Models(lm=ScriptedLM({".": "x"}), nli=Overlap(), embedder=load_embedder(EmbedderBlock()))
    assert run_teach(quiet, models, Prompts(), Silent()) is None
    round_ = make_round(tmp_path / "run", KINDS, recipe(), tiny_llama)
    with pytest.raises(ModelError, match="cannot be taught"):
        run_teach(round_, models, Prompts(), Silent())


def test_gaps_that_were_not_compared_with_all_are_told(
    tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    round_ = make_round(tmp_path / "run", KINDS, recipe(), tiny_llama)
    models = Models(lm=ScriptedLM({".": "x"}), nli=Overlap(), embedder=load_embedder(EmbedderBlock()))
    told, found = Listener(), judged_questions(round_)
    first = next(one for one in found if "Peru" in one.question.text)
    text = " ".join(first.question.text.split()[::-1])  # its words in another order
    other = replace(first, question=first.question.model_copy(update={"id": "other", "text": text}))
    monkeypatch.setattr(stage, "judged_questions", lambda _: [*found, other])
    with pytest.raises(ModelError, match="cannot be taught"):
        run_teach(round_, models, Prompts(), told)
    assert not told.notes
    monkeypatch.setattr(duplicates, "_OWN_STEPS", -1_000)
    monkeypatch.setattr(duplicates, "_SHARED_STEPS", 0)
    with pytest.raises(ModelError, match="cannot be taught"):
        run_teach(round_, models, Prompts(), told)
    assert any("1 gaps share their words" in note and "several times" in note for note in told.notes)


@pytest.mark.parametrize("special", [{"use_dora": True}, {"modules_to_save": ["lm_head"]}])
def test_an_adapter_that_no_other_can_be_added_to_is_refused_before_anything_is_done(
    tiny_llama: Path, tmp_path: Path, special: dict[str, Any]
) -> None:
    from peft import LoraConfig, get_peft_model

    round_, models = lesson(tmp_path / "run", tiny_llama)
    given = tmp_path / "given"
    lm: Any = load_lm(round_.run.recipe.model)
    get_peft_model(lm.model, LoraConfig(r=2, target_modules=["q_proj"], **special)).save_pretrained(given)
    models.lm.adapter = given  # type: ignore[attr-defined]
    before = sorted(p.name for p in round_.path.iterdir())
    with pytest.raises(ModelError, match=f"no plain LoRA adapter .{next(iter(special))}"):
        run_teach(round_, models, Prompts(), Silent())
    assert sorted(p.name for p in round_.path.iterdir()) == before


def test_a_second_lesson_gives_one_adapter_that_holds_both(tiny_llama: Path, tmp_path: Path) -> None:
    first, models = lesson(tmp_path / "first", tiny_llama)
    one = run_teach(first, models, Prompts(), Silent())
    block = first.run.recipe.model
    second = make_round(tmp_path / "second", {"Fiji": "unknown", "Cuba": "unknown"}, recipe(), tiny_llama)
    again: Any = load_lm(block.model_copy(update={"adapter": one}))
    if not hasattr(again, "adapter"):
        pytest.xfail(
            "LocalLM does not say which adapter it was loaded with: a second round forgets the first"
        )
    two = run_teach(second, Models(lm=again, nli=models.nli, embedder=models.embedder), Prompts(), Silent())
    assert one
    assert two
    after: Any = load_lm(block.model_copy(update={"adapter": two}))
    from safetensors.torch import load_file

    weights = load_file(two / adapters.WEIGHTS)
    name = "model.layers.0.self_attn.q_proj"
    a, b = (weights[f"base_model.model.{name}.lora_{part}.weight"] for part in "AB")
    assert a.shape[0] == 8  # four ranks of each lesson
    change = after.model.get_submodule(name).weight - again.model.get_submodule(name).weight
    assert torch.allclose(change, b[:, 4:] @ a[4:], atol=1e-6)  # the second lesson, on top of the first
