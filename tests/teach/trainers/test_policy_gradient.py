"""What PPO and GRPO have in common: the best weights are kept, and a kill changes nothing."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import torch

from selfstudy.errors import ModelError
from selfstudy.models import load_lm
from selfstudy.models import lora as adapters
from selfstudy.models.base import chat
from selfstudy.recipe import LocalModel
from selfstudy.teach.cited_practice import CitationRewards, CitedExercise, CitedPractice, RewardedAnswer
from selfstudy.teach.rewards import DEFAULTS
from selfstudy.teach.trainers import checkpoint, policy_gradient, ppo
from selfstudy.teach.trainers.shared import Trained

from ..test_stage import Listener
from .policies import EXERCISES, LORA, Killed, has_the_city, practice, rewards, train, trained_weights
from .small import setting

torch.set_num_threads(1)
KINDS = ("ppo", "grpo")


class Fails(CitationRewards):
    """Cannot judge some outputs."""

    def __init__(self, failing: Callable[[str, int], bool]) -> None:
        super().__init__(rewards()._entailment, DEFAULTS)
        self._failing, self._calls = failing, 0

    def rewards(
        self,
        exercises: Sequence[CitedExercise],
        outputs: Sequence[Sequence[str]],
        seed: int = 0,
        *,
        never_own: bool = False,
    ) -> list[list[RewardedAnswer]]:
        self._calls += 1
        found = super().rewards(exercises, outputs, seed)
        return [
            [
                RewardedAnswer(o.text, error="no idea") if self._failing(o.text, self._calls) else o
                for o in row
            ]
            for row in found
        ]


Saved = list[dict[str, torch.Tensor]]


@pytest.fixture(scope="module")
def unkilled() -> dict[tuple[str, bool], tuple[Trained, Saved]]:
    """Trainings from start to end, and the weights that they saved last; made by the first who asks."""
    return {}


@pytest.mark.parametrize("after", [1, 3, 5])
@pytest.mark.parametrize(("kind", "full"), [("ppo", False), ("ppo", True), ("grpo", False), ("grpo", True)])
def test_a_kill_and_another_start_end_as_if_nothing_had_happened(
    kind: str,
    full: bool,
    after: int,
    citing_lm: Any,
    unkilled: dict[tuple[str, bool], tuple[Trained, Saved]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of PPO with the network of values, whose weights are compared by the last checkpoint."""
    saved: Saved = []
    save = checkpoint.Checkpoint.save

    def keeping(self: Any, model: Any, *rest: Any) -> None:
        saved.append({name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad})
        save(self, model, *rest)

    monkeypatch.setattr(checkpoint.Checkpoint, "save", keeping)
    plain = setting(phase=kind, lora=None if full else LORA.model_copy(update={"dropout": 0.3}))
    given, changes = practice(dev=2), {"steps": 5, "learning_rate": 1e-3 if full else 1e-2}
    if (kind, full) not in unkilled:
        to_the_end = replace(plain, checkpoints=tmp_path / "whole")
        unkilled[kind, full] = train(kind, citing_lm, given, how=to_the_end, **changes), saved[-1:]
    whole, (expected,) = unkilled[kind, full]
    how = replace(plain, checkpoints=tmp_path / "torn")
    with pytest.raises(KeyboardInterrupt):
        train(kind, citing_lm, given, Killed(after), how, **changes)
    torch.manual_seed(after)
    listener = Listener()
    resumed = train(kind, citing_lm, given, listener, how, **changes)
    last = 5 if after == 5 else after // 2 * 2
    assert any(f"goes on after step {last}" in note for note in listener.notes) == bool(last)
    assert resumed.steps == whole.steps
    assert [one.step for one in resumed.steps] == [1, 2, 3, 4, 5]
    assert torch.equal(trained_weights(resumed), trained_weights(whole))
    assert saved[-1].keys() == expected.keys()
    assert any(name.startswith("beside") for name in expected) == (kind == "ppo")
    assert all(torch.equal(saved[-1][name], expected[name]) for name in expected)


def test_a_checkpoint_of_other_work_is_left_alone_and_one_without_its_best_weights_is_refused(
    citing_lm: Any, tmp_path: Path
) -> None:
    how = setting(phase="grpo", lora=LORA, checkpoints=tmp_path / "checkpoints")
    train("grpo", citing_lm, practice(), how=how)
    listener = Listener()
    train("grpo", citing_lm, practice("holistic"), listener, how)
    assert not any("goes on" in note for note in listener.notes)
    (best,) = (tmp_path / "checkpoints").glob("best-*")
    best.write_bytes(best.read_bytes()[:100])
    with pytest.raises(ModelError, match="the best weights so far are not beside its checkpoint"):
        train("grpo", citing_lm, practice("holistic"), how=how)


@pytest.mark.parametrize("kind", KINDS)
def test_the_weights_that_answer_best_what_was_kept_apart_are_the_result(kind: str, citing_lm: Any) -> None:
    """Measured after each step, by the same question as is asked here of the result."""
    listener = Listener()
    given, changes = practice(dev=3), {"steps": 6, "checkpoint_every": 1, "learning_rate": 5e-3}
    trained = train(kind, citing_lm, given, listener, **changes)
    last = train(kind, citing_lm, practice(exercises=given.exercises), **changes)
    assert not torch.equal(trained_weights(trained), trained_weights(last))
    values = [one.metrics["dev_reward"] for one in trained.steps]
    start = float(listener.notes[-1].rpartition("at the start ")[2])
    assert max(values) > start + 0.1
    policy = _around(citing_lm, trained.model)
    totals = policy_gradient.rollouts.rewards_of(policy, given, given.dev, 16)
    assert sum(totals) / len(totals) == pytest.approx(max(values))
    step = values.index(max(values)) + 1
    assert any(
        f"best weights: after step {step}, mean reward {max(values):+.3f}" in n for n in listener.notes
    )
    seen = {one.question_id: one.steps for one in trained.seen.records("taught", kind)}
    practised = [[one.question_id for one in given.batch(0, at, 3)] for at in range(step)]
    assert seen == {  # what came after the best weights is no part of them
        name: tuple(at + 1 for at, batch in enumerate(practised) if name in batch)
        for name in {name for batch in practised for name in batch}
    }


def test_training_may_leave_the_model_as_it_was(citing_lm: Any) -> None:
    """Everything earns the same of what is kept apart: nothing is better than the start."""
    same = practice(dev=2, rewards=rewards(entails=lambda document, statement: False))
    listener = Listener()
    trained = train("grpo", citing_lm, same, listener, steps=2)
    assert not any(p.any() for n, p in trained.model.named_parameters() if "lora_B" in n)
    assert any("best weights: those it began with" in note for note in listener.notes)


@pytest.mark.parametrize("kind", KINDS)
def test_without_questions_kept_apart_the_last_weights_are_the_result(kind: str, citing_lm: Any) -> None:
    """All of five steps, though there was a checkpoint after the fourth."""
    trained = train(kind, citing_lm, practice(), steps=5)
    shorter = train(kind, citing_lm, practice(), steps=5, checkpoint_every=1)
    assert torch.equal(trained_weights(trained), trained_weights(shorter))
    assert not any("dev_reward" in one.metrics for one in trained.steps)


def test_a_measurement_that_fails_does_not_cost_the_best_weights(citing_lm: Any) -> None:
    """Calls: the start, then step 1 and its measurement, which fails as all after it do; steps go on."""
    start = train("grpo", citing_lm, practice(dev=2), steps=1)
    given = practice(dev=2, rewards=Fails(lambda text, call: call > 1 and call % 2 == 1))
    listener = Listener()
    trained = train("grpo", citing_lm, given, listener, steps=3, checkpoint_every=1)
    assert len(trained.steps) == 3
    assert "dev_reward" in start.steps[0].metrics
    assert not any("dev_reward" in one.metrics for one in trained.steps)
    assert any("best weights: those it began with" in note for note in listener.notes)


@pytest.mark.parametrize("kind", KINDS)
def test_far_from_the_start_the_training_stops_with_the_best_weights(
    kind: str, citing_lm: Any, tmp_path: Path
) -> None:
    how = setting(phase=kind, lora=LORA, checkpoints=tmp_path / "checkpoints")
    changes = {"steps": 9, "most_kl": 0.2, "learning_rate": 2e-2, "checkpoint_every": 1}
    trained = train(kind, citing_lm, practice(dev=2), how=how, **changes)
    assert trained.failure is not None
    assert f"{kind}: answers are" in trained.failure
    assert "most_kl is 0.2: a smaller learning_rate, or a larger kl, keeps nearer" in trained.failure
    assert len(trained.steps) < 9
    listener = Listener()
    again = train(kind, citing_lm, practice(dev=2), listener, how, **changes)
    assert any("goes on after step" in note for note in listener.notes)
    assert (again.failure, again.steps) == (trained.failure, trained.steps)
    assert torch.equal(trained_weights(again), trained_weights(trained))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dev", [0, 2])
def test_a_loss_that_is_no_number_ends_the_training_with_whole_weights(
    kind: str, dev: int, citing_lm: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """NaN from the fourth step on: the best until then are the result, and the same again after a resume."""
    losses = {"ppo": "policy_loss", "grpo": "grpo_loss"}
    function = getattr(ppo.losses, losses[kind])

    def broken(*args: Any, **options: Any) -> torch.Tensor:
        found = function(*args, **options)
        return found * torch.nan if broken_now[0] else found

    broken_now = [False]
    monkeypatch.setattr(ppo.losses, losses[kind], broken)

    class Breaks(Killed):
        def _advance(self, count: int) -> None:
            self.left -= count
            broken_now[0] = self.left <= 0

    how = setting(phase=kind, lora=LORA, checkpoints=tmp_path / "checkpoints")
    trained = train(kind, citing_lm, practice(dev=dev), Breaks(3), how, steps=6)
    assert trained.failure == f"{kind}: the loss became nan at step 4, or weights did"
    assert trained_weights(trained).isfinite().all()
    assert [one.step for one in trained.steps] == [1, 2, 3]
    broken_now[0] = False
    resumed = train(kind, citing_lm, practice(dev=dev), None, how, steps=6)
    assert resumed.failure is None
    assert [one.step for one in resumed.steps] == [1, 2, 3, 4, 5, 6]
    assert torch.equal(
        trained_weights(resumed),
        trained_weights(
            train(kind, citing_lm, practice(dev=dev), how=replace(how, checkpoints=None), steps=6)
        ),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_answers_no_more_ends_the_training(kind: str, citing_lm: Any) -> None:
    trained = train(kind, citing_lm, practice(dev=2), steps=6, learning_rate=1e30, warmup=0.0)
    assert trained.failure is not None
    assert len(trained.steps) <= 1
    assert not any(p.any() for n, p in trained.model.named_parameters() if "lora_B" in n)  # the start


@pytest.mark.parametrize("kind", KINDS)
def test_where_nothing_can_be_judged_it_does_not_begin(kind: str, citing_lm: Any) -> None:
    given = practice(rewards=Fails(lambda text, call: True))
    with pytest.raises(ModelError, match="no answer has a reward at step 1: no idea") as error:
        train(kind, citing_lm, given)
    assert "what judges entailment" in str(error.value.hint)


@pytest.mark.parametrize("kind", KINDS)
def test_answers_without_a_reward_are_counted_and_not_learned_from(kind: str, citing_lm: Any) -> None:
    listener = Listener()
    given = practice(rewards=Fails(lambda text, call: "[2]" in text))
    trained = train(kind, citing_lm, given, listener, steps=2)
    counted = sum(int(one.metrics["answers"]) for one in trained.steps)
    assert 0 < counted < 24
    assert any(f"{counted} answers, {24 - counted} lost (no idea)" in note for note in listener.notes)


def test_a_step_without_any_answer_is_no_update(citing_lm: Any) -> None:
    """The second call is of the second step: nothing is learned then, and the curve has no such point."""
    given = practice(rewards=Fails(lambda text, call: call == 2))
    trained = train("grpo", citing_lm, given, steps=3)
    assert trained.failure is None
    assert [one.step for one in trained.steps] == [1, 3]


@pytest.mark.parametrize("kind", KINDS)
def test_questions_that_leave_no_room_are_dropped_by_name(kind: str, citing_lm: Any) -> None:
    long = replace(EXERCISES[0], prompt=chat("word " * 300), question_id="long")
    trained = train(kind, citing_lm, practice(exercises=[*EXERCISES, long]), steps=1)
    assert list(trained.dropped) == ["long"]
    assert "the model reads 256" in trained.dropped["long"]
    with pytest.raises(ModelError):
        train(kind, citing_lm, practice(exercises=[long]), steps=1)


@pytest.mark.parametrize("tokens", [16_384, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_how_a_batch_is_cut_changes_nothing_but_digits(kind: str, tokens: int, citing_lm: Any) -> None:
    whole = train(kind, citing_lm, practice(), steps=2)
    cut = train(kind, citing_lm, practice(), how=setting(phase=kind, lora=LORA, tokens=tokens), steps=2)
    for one, other in zip(whole.steps, cut.steps, strict=True):
        assert other.loss == pytest.approx(one.loss, abs=1e-4)
        assert other.metrics == pytest.approx(one.metrics, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("architecture", ["gpt2", "qwen3", "mamba"])
def test_other_architectures_can_be_trained(
    kind: str, architecture: str, model_folder: Callable[..., Path]
) -> None:
    """A model without a template, one with tied embeddings, one with other layers."""
    lm = load_lm(LocalModel(path=str(model_folder(architecture))))
    before = {name: p.clone() for name, p in lm.model.named_parameters()}
    how = setting(phase=kind, lora=None if architecture == "mamba" else LORA)
    trained = train(kind, lm, practice(dev=2), how=how, steps=2, max_new_tokens=6)
    assert trained.failure is None
    assert len(trained.steps) == 2
    assert all(torch.equal(p, before[name]) for name, p in lm.model.named_parameters())


def _around(lm: Any, model: Any) -> Any:
    from selfstudy.models.local.lm import LocalLM

    return LocalLM.around(model, lm.tokenizer)


def in_a_process(model: str, kind: str, folder: Path, said: Connection) -> None:
    """Trains to the end, and says when it has done a step; what a kill interrupts."""

    class Saying(Killed):
        def _advance(self, count: int) -> None:
            said.send(count)

    how = setting(phase=kind, lora=LORA, checkpoints=folder / "checkpoints")
    lm = load_lm(LocalModel(path=model))
    trained = train(kind, lm, practice(dev=2), Saying(0), how, steps=10, checkpoint_every=1)
    adapters.save(trained.model, folder / "adapter")
    (folder / "records").write_text("\n".join(one.model_dump_json() for one in trained.steps), "utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_kill_9_changes_nothing(kind: str, citing: Path, tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])

    def attempt(folder: Path, steps: int | None) -> None:
        """Trains in a process of its own, which is killed after so many steps of its own."""
        folder.mkdir(exist_ok=True)
        mine, its = context.Pipe(duplex=False)
        child = context.Process(target=in_a_process, args=(str(citing), kind, folder, its))
        child.start()
        its.close()
        for _ in range(steps or 0):
            assert mine.poll(500)
            mine.recv()
        if steps is not None:
            child.kill()
        child.join(500)
        assert child.exitcode == (0 if steps is None else -signal.SIGKILL)

    whole, torn = tmp_path / "whole", tmp_path / "torn"
    attempt(whole, None)
    for steps in (1, 3, 4):
        attempt(torn, steps)
    attempt(torn, None)
    for name in ("records", f"adapter/{adapters.WEIGHTS}"):
        assert (torn / name).read_bytes() == (whole / name).read_bytes()


def test_what_is_practised_has_a_size() -> None:
    assert len(practice(dev=2)) == 4
    assert isinstance(practice(), CitedPractice)
    assert has_the_city("Paris is in France.", "Paris.")
