"""GRPO: what pays becomes more; the first update is that of REINFORCE with the same advantages."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from peft import get_peft_model

from selfstudy.models import lora_targets
from selfstudy.teach import advantages
from selfstudy.teach.cited_practice import RewardLevel
from selfstudy.teach.trainers import shared
from selfstudy.teach.trainers.policy_gradient import rollouts

from .policies import LORA, MOST, practice, rewards, train
from .small import setting

torch.set_num_threads(1)


@pytest.mark.parametrize("level", ["fine", "holistic"])
def test_what_pays_becomes_more_until_nearly_all_of_it_is_earned(level: RewardLevel, citing_lm: Any) -> None:
    trained = train(
        "grpo", citing_lm, practice(level), steps=9, batch_size=6, completions=6, learning_rate=5e-3
    )
    earned = [one.metrics["reward"] for one in trained.steps]
    assert earned[0] < 0.6 * MOST
    assert min(earned[-3:]) > 0.9 * MOST
    assert trained.steps[-1].metrics["kl"] > 0.3  # half of the answers were right at the start: log 2


def test_all_weights_can_be_trained(citing_lm: Any) -> None:
    before = {name: p.clone() for name, p in citing_lm.model.named_parameters()}
    how = setting(phase="grpo", lora=None)
    trained = train(
        "grpo", citing_lm, practice(), how=how, steps=6, batch_size=6, completions=6, learning_rate=1e-3
    )
    earned = [one.metrics["reward"] for one in trained.steps]
    assert earned[-1] > earned[0] + 0.2
    assert all(torch.equal(p, before[name]) for name, p in citing_lm.model.named_parameters())
    assert abs(trained.steps[0].metrics["kl"]) < 1e-5  # the reference is the model as it was
    assert not hasattr(trained.model, "peft_config")


@pytest.mark.parametrize("kept", ["segments", "answer"])
def test_the_first_update_is_that_of_reinforce(
    kept: str, citing_lm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gradient of -(1 / tokens) sum A log pi, answer by answer, on the tokens that were drawn."""
    gradients: list[list[torch.Tensor]] = []
    answers: list[rollouts.Rollout] = []
    clip, collected = torch.nn.utils.clip_grad_norm_, rollouts.collected

    def seen(parameters: Any, most: float) -> torch.Tensor:
        gradients.append([p.grad.clone() for p in parameters])
        return clip(parameters, most)

    def kept_answers(*args: Any) -> rollouts.Rollouts:
        found = collected(*args)
        answers.extend(found.answers)
        return found

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", seen)
    monkeypatch.setattr(rollouts, "collected", kept_answers)
    trained = train("grpo", citing_lm, practice(), steps=1, advantages=kept)
    assert len(answers) == 12

    with shared.isolated(0):
        plain = shared.training_copy(citing_lm)
        plain = get_peft_model(plain, lora_targets.lora_config(plain, LORA))
    made = rollouts.matrices(answers, "cpu")
    segments = made.segments if kept == "segments" else torch.zeros_like(made.segments)
    expected, _ = advantages.segment_advantages(made.rewards, segments, made.mask, made.groups)
    total, value = torch.tensor(0.0), 0.0
    for one, advantage in zip(answers, expected, strict=True):
        prompt, answer = one.row["prompt_ids"], one.row["answer_ids"]
        logits = plain(input_ids=torch.tensor([[*prompt, *answer]])).logits[0].log_softmax(-1)
        own = logits[torch.arange(len(prompt) - 1, len(prompt) + len(answer) - 1), answer]
        total = total - (advantage[: len(answer)] * own).sum() / int(made.mask.sum())
        value -= float(advantage[: len(answer)].sum()) / int(made.mask.sum())
    total.backward()
    wanted = [p.grad for p in plain.parameters() if p.requires_grad]
    assert any(float(one.abs().max()) > 1e-3 for one in wanted if one is not None)
    for one, other in zip(gradients[0], wanted, strict=True):
        assert torch.allclose(one, other, atol=1e-5)
    assert trained.steps[0].loss == pytest.approx(value, abs=1e-5)
    assert abs(trained.steps[0].metrics["kl"]) < 1e-4


@pytest.mark.parametrize("aggregation", ["dapo", "grpo", "dr_grpo"])
@pytest.mark.parametrize("scale", ["group", "batch", "none"])
def test_all_ways_to_add_and_to_scale_run_with_a_divergence(
    aggregation: str, scale: str, citing_lm: Any
) -> None:
    changes = {"aggregation": aggregation, "scale": scale, "kl": 0.1, "clip_high": 0.28, "updates": 2}
    trained = train("grpo", citing_lm, practice(), steps=2, **changes)
    assert trained.failure is None
    assert all(math.isfinite(one.loss) for one in trained.steps)


def test_groups_whose_answers_earn_the_same_teach_nothing(citing_lm: Any) -> None:
    same = practice(rewards=rewards(entails=lambda document, statement: False))
    trained = train("grpo", citing_lm, same, steps=1, temperature=0.01)
    assert trained.steps[0].metrics["groups_without_spread"] == 3
    assert not any(p.any() for n, p in trained.model.named_parameters() if "lora_B" in n)
