"""The phases of a training: how a recipe names them, and that any order of them can be run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import pytest
import torch

from selfstudy.errors import ModelError, RecipeError
from selfstudy.models import lora as adapters
from selfstudy.models.base import chat
from selfstudy.models.embedder import load as load_embedder
from selfstudy.models.scripted import ScriptedLM
from selfstudy.progress import Silent
from selfstudy.prompts import Prompts
from selfstudy.recipe import (
    DistillBlock,
    DPOBlock,
    EmbedderBlock,
    OnlineDPOBlock,
    PhaseBlock,
    Recipe,
    SFTBlock,
    SocraticBlock,
    TeachBlock,
)
from selfstudy.recipe.file import load_recipe, parse_recipe, read_yaml, to_yaml
from selfstudy.recipe.teach import PHASE_BLOCKS, short_key
from selfstudy.records import Example, Failure, Pair, TrainingStep
from selfstudy.teach.imported import ImportedLessons
from selfstudy.teach.lesson import Lesson
from selfstudy.teach.phases import PHASES, Student, labelled
from selfstudy.teach.stage import run_teach

from .lessons import Overlap, recipe
from .test_stage import Listener, lesson

torch.set_num_threads(1)

SHORT: dict[str, object] = {"sft": {}, "dpo": {}, "distill": {}}
"""The recipe of these tests says more of them than a list of phases bears."""
QUICK = {"epochs": 2, "learning_rate": 1e-2, "batch_size": 4}


def test_every_block_has_a_row_and_a_trainer() -> None:
    assert set(PHASES) == {block.model_fields["type"].default for block in get_args(PhaseBlock)}
    assert all(callable(phase.load().train) for phase in PHASES.values())


def test_the_short_form_knows_every_phase() -> None:
    fields = TeachBlock.model_fields
    assert set(PHASE_BLOCKS) == set(PHASES)
    assert {short_key(name) for name in PHASE_BLOCKS} <= set(fields)
    methods = [one for choice in get_args(fields["method"].annotation) for one in get_args(choice)]
    assert {name for method in methods for name in method.split("+")} == set(PHASES)


def test_the_short_form_stands_for_phases() -> None:
    short = TeachBlock(method="sft+dpo", sft=SFTBlock(replay=3), dpo=DPOBlock(beta=0.5))
    assert short.plan == (SFTBlock(replay=3), DPOBlock(beta=0.5))
    assert TeachBlock().plan == (DistillBlock(),)
    assert TeachBlock.model_validate({"sft": {"replay": 2}}).plan == (SFTBlock(replay=2),)
    assert TeachBlock.model_validate({"sft": {}, "distill": {"replay": 2}}).plan == (DistillBlock(replay=2),)
    online = TeachBlock.model_validate({"method": "online-dpo", "online_dpo": {"steps": 3}})
    assert online.plan == (OnlineDPOBlock(steps=3),)
    long = TeachBlock.model_validate({"phases": [{"type": "dpo"}, {"type": "sft", "replay": 3}]})
    assert long.plan == (DPOBlock(), SFTBlock(replay=3))
    assert long.method is None
    assert [name for name, _, _ in labelled((SFTBlock(), DPOBlock(), SFTBlock()))] == ["sft", "dpo", "sft-2"]


def test_a_tutors_control_has_as_many_pairs_with_the_turns_exchanged(tmp_path: Path) -> None:
    alone = [
        Example(prompt=chat(f"{n} times {n}?"), completion=f"Say {n}?", question_id=n, kind="imported")
        for n in "3456"
    ]
    given = [
        Pair(prompt=e.prompt, chosen=f"Why {n}?", rejected="-", question_id=n, origin="imported")
        for n, e in zip("3456", alone, strict=True)
    ]
    imported = ImportedLessons((), tuple(given), tuple(alone))
    taught = Lesson(recipe(), Prompts(), [], [], {}, imported)
    lm = ScriptedLM({"times": "It is so."})
    embedder = load_embedder(EmbedderBlock())
    student = Student(False, lambda: lm, Overlap(), Silent(), lambda item, why: None, lm, embedder)
    data = PHASES["socratic"].data
    found, control = (data(one, SocraticBlock(), student) for one in (taught, taught.control()))
    assert [(p.origin, p.rejected) for p in found] == [("imported", "-")] * 4 + [("telling", "It is so.")] * 4
    assert [(p.prompt, p.rejected) for p in control] == [(p.prompt, p.rejected) for p in found]
    assert {p.origin for p in control} == {"random"}
    for half in (slice(0, 4), slice(4, 8)):
        assert sorted(p.chosen for p in control[half]) == sorted(p.chosen for p in found[half])
        assert all(a.chosen != b.chosen for a, b in zip(control[half], found[half], strict=True))


def test_a_recipe_with_phases_is_written_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(
        "library: atlas\nteach: {phases: [{type: sft, epochs: 2}, {type: dpo, beta: 0.3}]}\n",
        encoding="utf-8",
    )
    recipe = load_recipe(path, ["teach.phases.1.beta=0.2"])
    assert recipe.teach.plan == (SFTBlock(epochs=2), DPOBlock(beta=0.2))
    path.write_text(to_yaml(recipe), encoding="utf-8")
    assert parse_recipe(read_yaml(path), str(path)) == recipe
    assert parse_recipe({"teach": TeachBlock().model_dump()}, "x") == Recipe()


@pytest.mark.parametrize(
    ("teach", "message"),
    [
        ("{method: sft, phases: [{type: sft}]}", "phases or method, not both; method is 'sft'"),
        ("{method: null}", "name at least one phase"),
        ("{phases: [{type: sft}], sft: {epochs: 3}}", "teach.sft is for the short form"),
        ("{phases: [{type: sft}], online_dpo: {steps: 3}}", "teach.online_dpo is for the short form"),
        ("{phases: [{type: online-dpo, completions: 1}]}", "teach.phases.0.completions = 1"),
        ("{phases: [{type: orpo}]}", "teach.phases.0.type = \"orpo\": must be one of 'sft', 'dpo'"),
        ("{phases: [{type: grpo, completions: 1}]}", "teach.phases.0.completions = 1"),
        ("{phases: [{type: dpo, betta: 1}]}", "did you mean teach.phases.0.beta?"),
        ("{phases: [{epochs: 1}]}", "teach.phases.0"),
    ],
)
def test_what_does_not_fit_together_is_refused(teach: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(f"library: atlas\nteach: {teach}\n", encoding="utf-8")
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    assert message in str(caught.value)


def test_defaults_follow_what_is_trained_and_how_much() -> None:
    assert (SFTBlock().rate(), DPOBlock().rate()) == (2e-4, 3e-5)
    assert (SFTBlock().rate(full=True), DPOBlock().rate(full=True)) == pytest.approx((2e-5, 3e-6))
    given = SFTBlock(learning_rate=1e-3)
    assert given.rate() == given.rate(full=True) == 1e-3
    assert SFTBlock(epochs=2.5).passes(10) == 2.5
    assert DPOBlock().passes(10) == 3
    assert OnlineDPOBlock().rate() == 5e-6
    assert OnlineDPOBlock().rate(full=True) == pytest.approx(5e-7)  # as published (methods-more H)
    few, some, many = (SFTBlock().passes(items) for items in (1, 1600, 100_000))
    assert many == SFTBlock.EPOCHS[0] < some < few == SFTBlock.EPOCHS[1]
    assert some * 1600 / 32 == SFTBlock.STEPS


def test_phases_in_any_order_end_in_one_adapter(tiny_llama: Path, tmp_path: Path) -> None:
    plan = [{"type": "dpo", **QUICK}, {"type": "sft", **QUICK}, {"type": "dpo", **QUICK}]
    round_, models = lesson(
        tmp_path / "run", tiny_llama, method=None, sft={}, dpo={}, distill={}, phases=plan
    )
    folder = run_teach(round_, models, Prompts(), Silent())
    assert folder is not None
    assert adapters.require_plain(folder)["r"] == 3 * 4
    assert {step.phase for step in round_.iter(TrainingStep)} == {"dpo", "sft", "dpo-2"}
    origins = [pair.origin for pair in round_.iter(Pair)]
    assert set(origins) == {"sample", "dash", "taught-model"}


ONLINE = {"type": "online-dpo", "steps": 4, "batch_size": 4, "max_new_tokens": 6, "learning_rate": 1e-2}


def test_online_training_between_others_and_its_control(tiny_llama: Path, tmp_path: Path) -> None:
    chance = {**ONLINE, "reward": {"type": "random"}}
    plan = [{"type": "sft", **QUICK}, chance, {"type": "sft", **QUICK}]
    round_, models = lesson(tmp_path / "run", tiny_llama, method=None, **SHORT, phases=plan)
    listener = Listener()
    folder = run_teach(round_, models, Prompts(), listener)
    assert folder is not None
    assert adapters.require_plain(folder)["r"] == 3 * 4
    assert {step.phase for step in round_.iter(TrainingStep)} == {"sft", "online-dpo", "sft-2"}
    taught = round_.read(Pair)
    assert {pair.origin for pair in taught} == {"online"}
    assert any("pairs" in note and "judging" in note and "updating" in note for note in listener.notes)
    run_teach(round_, models, Prompts(), Silent(), arm="control")
    both = round_.read(Pair)
    assert both[: len(taught)] == taught
    assert {pair.origin for pair in both[len(taught) :]} == {"random"}
    assert {pair.prompt for pair in both[len(taught) :]} <= {pair.prompt for pair in taught}


def test_a_judge_that_never_parses_leaves_no_adapter(tiny_llama: Path, tmp_path: Path) -> None:
    """A random model says nothing that can be read as a rating."""
    round_, models = lesson(tmp_path / "run", tiny_llama, method=None, **SHORT, phases=[ONLINE])
    listener = Listener()
    assert run_teach(round_, models, Prompts(), listener) is None
    assert not list(round_.path.glob("adapter*"))
    assert not round_.read(Pair)
    assert not round_.read(TrainingStep)
    (failure,) = round_.read(Failure)
    assert (failure.stage, failure.item_id) == ("teach", "online-dpo")
    assert "no pair to learn from: 0 pairs, 0 ties, 0 identical, 16 unscored" in failure.message
    assert "no rating in [[ ]]" in failure.message
    assert any("online-dpo has trained nothing" in note for note in listener.notes)


def test_a_phase_that_learned_nothing_leaves_the_others_as_they_are(tiny_llama: Path, tmp_path: Path) -> None:
    plain, with_idle = (
        run_teach(
            *lesson(tmp_path / name, tiny_llama, method=None, **SHORT, phases=plan), Prompts(), Silent()
        )
        for name, plan in (
            ("plain", [{"type": "sft", **QUICK}]),
            ("idle", [ONLINE, {"type": "sft", **QUICK}, ONLINE]),
        )
    )
    assert plain is not None
    assert with_idle is not None
    assert (plain / adapters.WEIGHTS).read_bytes() == (with_idle / adapters.WEIGHTS).read_bytes()


def test_a_killed_online_training_goes_on_and_ends_the_same(tiny_llama: Path, tmp_path: Path) -> None:
    """Killed in each of its steps in turn, after a phase that starts again."""
    online = {**ONLINE, "reward": {"type": "random"}, "checkpoint_every": 1}
    plan = [{"type": "sft", **QUICK}, online]
    (whole, models), (torn, _) = (
        lesson(tmp_path / name, tiny_llama, method=None, **SHORT, phases=plan) for name in ("whole", "torn")
    )
    expected = run_teach(whole, models, Prompts(), Silent())
    assert expected is not None
    for _ in range(4):
        with pytest.raises(KeyboardInterrupt):
            run_teach(torn, models, Prompts(), Dying())  # type: ignore[arg-type]
    listener = Listener()
    folder = run_teach(torn, models, Prompts(), listener)
    assert folder is not None
    assert any(
        "starts again from its first step, but for phases with a checkpoint" in n for n in listener.notes
    )
    assert any("goes on after step 4" in note for note in listener.notes)
    assert (folder / adapters.WEIGHTS).read_bytes() == (expected / adapters.WEIGHTS).read_bytes()
    for name in (Pair.file, TrainingStep.file, Example.file):
        assert (torn.path / name).read_bytes() == (whole.path / name).read_bytes()
    assert not list(torn.path.glob("*.tmp"))


class Dying(Silent):
    """Dies when an online phase has done one step."""

    @contextmanager
    def task(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        yield self._die if "online" in label else lambda count: None

    def _die(self, count: int) -> None:
        if count == 1 and self.begun:
            raise KeyboardInterrupt
        self.begun = True

    begun = False


@pytest.mark.parametrize("arm", ["taught", "control"])
def test_a_killed_training_leaves_nothing_of_its_first_attempt(
    arm: str, tiny_llama: Path, tmp_path: Path
) -> None:
    """What it answered before the kill may differ from what it answers after: other hardware."""
    round_, models = lesson(tmp_path / "run", tiny_llama, method="sft+dpo")
    if arm == "control":
        run_teach(round_, models, Prompts(), Silent())
    before = round_.read(Pair)
    examples = round_.read(Example)

    class Dying(Silent):
        def task(self, label: str, total: int) -> object:
            if label.startswith("teach: dpo"):
                raise KeyboardInterrupt
            return super().task(label, total)

    with pytest.raises(KeyboardInterrupt):
        run_teach(round_, models, Prompts(), Dying(), arm=arm)  # type: ignore[arg-type]
    first = [pair for pair in round_.iter(Pair) if pair.id not in {p.id for p in before}]
    assert first
    stale = [
        Pair(**pair.model_dump(exclude={"id", "rejected"}), rejected="It is a stale answer.")
        for pair in first
    ]
    round_.append(stale)
    if arm == "taught":
        round_.append(
            [e.model_copy(update={"id": "stale", "completion": "stale"}) for e in round_.read(Example)]
        )
    round_.fail("teach", arm, "sft: the loss became nan at step 3")
    run_teach(round_, models, Prompts(), Silent(), arm=arm)  # type: ignore[arg-type]
    after = round_.read(Pair)
    assert not {p.id for p in stale} & {p.id for p in after}
    assert [p for p in after if p.id in {b.id for b in before}] == before
    assert "stale" not in {e.completion for e in round_.iter(Example)}
    if arm == "control":
        assert round_.read(Example) == examples
    assert not [f for f in round_.iter(Failure) if f.item_id == arm]


def test_experts_and_dropout(mixture: Path, tmp_path: Path) -> None:
    """The fused experts are left out; what cannot work is refused before anything is written or trained."""
    lora = {"r": 4, "alpha": 8, "dropout": 0.05}
    round_, models = lesson(tmp_path / "run", mixture, method="sft+dpo", sft=QUICK, dpo=QUICK, lora=lora)
    folder = run_teach(round_, models, Prompts(), Silent())
    assert folder is not None
    assert adapters.require_plain(folder)["r"] == 8


@pytest.mark.parametrize(
    ("lora", "method", "said"),
    [
        ({"dropout": 0.05, "target_modules": ("w1", "w2", "w3")}, "sft", "set teach.lora.dropout to 0"),
        ({"dropout": 0.0, "target_modules": ("w1", "w2", "w3", "q_proj")}, "sft+dpo", "cannot be combined"),
        ({"target_modules": ("no_such_layer",)}, "dpo", "no_such_layer"),
    ],
)
def test_what_no_phase_could_run_is_refused_before_the_first(
    lora: dict[str, object], method: str, said: str, mixture: Path, tmp_path: Path
) -> None:
    round_, models = lesson(
        tmp_path / "run", mixture, method=method, sft=QUICK, dpo=QUICK, lora={"r": 4, "alpha": 8, **lora}
    )
    before = sorted(p.name for p in round_.path.iterdir())
    with pytest.raises(ModelError) as caught:
        run_teach(round_, models, Prompts(), Silent())
    assert said in str(caught.value)
    assert sorted(p.name for p in round_.path.iterdir()) == before


def test_what_is_too_long_is_left_out_and_counted(tiny_llama: Path, tmp_path: Path) -> None:
    sft = {**QUICK, "reading": 1.0}
    round_, models = lesson(tmp_path / "run", tiny_llama, method="sft", sft=sft)
    models.lm.model.config.max_position_embeddings = 90  # type: ignore[attr-defined]
    listener = Listener()
    assert run_teach(round_, models, Prompts(), listener) is not None
    failures = [f for f in round_.iter(Failure) if f.stage == "teach"]
    long = {e.id for e in round_.iter(Example) if "Document" in e.prompt[-1].content}
    assert {f.item_id for f in failures} == long
    assert all("the model reads 90" in f.message for f in failures)
    assert any(f"{len(long)} left out" in note for note in listener.notes)
    models.lm.model.config.max_position_embeddings = 4  # type: ignore[attr-defined]
    with pytest.raises(ModelError, match="the model reads 4"):
        run_teach(round_, models, Prompts(), Silent(), arm="control")
