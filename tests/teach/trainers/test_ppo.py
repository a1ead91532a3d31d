"""PPO: what pays becomes more, chance does not; the network of values learns and leaves the policy alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from selfstudy.models import load_lm
from selfstudy.models.local.weights import answering_model
from selfstudy.recipe import LocalModel
from selfstudy.teach import advantages
from selfstudy.teach.cited_practice import RewardLevel
from selfstudy.teach.trainers import ppo, processes, shared
from selfstudy.teach.trainers.policy_gradient import rollouts

from .policies import LORA, MOST, block, practice, train
from .small import setting

torch.set_num_threads(1)


@pytest.mark.parametrize("level", ["fine", "holistic"])
def test_what_pays_becomes_more_until_nearly_all_of_it_is_earned(level: RewardLevel, citing_lm: Any) -> None:
    trained = train(
        "ppo", citing_lm, practice(level), steps=9, batch_size=6, completions=6, learning_rate=5e-3
    )
    earned = [one.metrics["reward"] for one in trained.steps]
    assert earned[0] < 0.6 * MOST
    assert min(earned[-3:]) > 0.9 * MOST
    assert trained.steps[-1].metrics["kl"] > 0.3


def test_chance_teaches_nothing(citing_lm: Any) -> None:
    """The same answers at first, and as many updates."""
    trained = train(
        "ppo", citing_lm, practice("random"), steps=9, batch_size=6, completions=6, learning_rate=5e-3
    )
    earned = [one.metrics["reward"] for one in trained.steps]
    assert max(earned) < 0.75 * MOST
    assert sum(earned[-3:]) / 3 < earned[0] + 0.1


def test_all_weights_can_be_trained(citing_lm: Any) -> None:
    before = {name: p.clone() for name, p in citing_lm.model.named_parameters()}
    how = setting(phase="ppo", lora=None)
    trained = train(
        "ppo", citing_lm, practice(), how=how, steps=6, batch_size=6, completions=6, learning_rate=1e-3
    )
    earned = [one.metrics["reward"] for one in trained.steps]
    assert earned[-1] > earned[0] + 0.2
    assert all(torch.equal(p, before[name]) for name, p in citing_lm.model.named_parameters())
    assert abs(trained.steps[0].metrics["kl"]) < 1e-5
    assert not hasattr(trained.model, "peft_config")


def made(lm: Any, lora: Any, **changes: Any) -> Any:
    model = shared.training_copy(lm, whole=lora is None)
    with shared.isolated(0):
        how = setting(phase="ppo", lora=lora)
        return ppo._PPO(model, lm, practice(), block("ppo", **changes), how, processes.Processes())


@pytest.mark.parametrize("lora", [LORA, None], ids=["lora", "full"])
@pytest.mark.parametrize("architecture", ["llama", "qwen3"])
def test_the_network_of_values_has_weights_of_its_own_but_for_frozen_ones(
    architecture: str, lora: Any, model_folder: Callable[..., Path]
) -> None:
    """Also where a model's vocabulary layer is its embedding: that of the policy stays where it is."""
    lm = load_lm(LocalModel(path=str(model_folder(architecture))))
    training = made(lm, lora)
    policy, value = training.model, training._parts["beside"]
    core = answering_model(policy)
    tied = core.get_output_embeddings().weight is core.get_input_embeddings().weight
    assert tied == (architecture == "qwen3")
    assert isinstance(answering_model(value).get_output_embeddings(), ppo._Head)
    own, others = (dict(one.named_parameters()) for one in (policy, value))
    for name, parameter in own.items():
        if name in others:
            shares = others[name].data_ptr() == parameter.data_ptr()
            assert shares == (lora is not None and not parameter.requires_grad), name
    trained = {id(p) for group in training._optimizer.param_groups for p in group["params"]}
    assert trained == {id(p) for p in training._parts.parameters() if p.requires_grad}
    assert len(training._optimizer.param_groups) == 2


def test_only_the_policy_moves_the_policy(citing_lm: Any) -> None:
    """Without any advantage a step trains the values alone."""
    training = made(citing_lm, LORA)
    model, value = training.model, training._parts["beside"]
    row = {"prompt_ids": [7, 8, 9], "answer_ids": [10, 11]}
    batch = rollouts.collated([row], "cpu")
    one = rollouts.Rollout(0, shared_row(row), [0.0, 1.0], [0, 0], "")
    matrices = rollouts.matrices([one], "cpu")
    prepared = {
        "advantages": torch.zeros(1, 2),
        "returns": torch.ones(1, 2),
        "old": training._logprobs(model, batch).detach(),
        "values": training._values(batch).detach(),
    }
    assert not prepared["values"].any()  # 0 at the start
    loss = training._backward(slice(0, 1), batch, matrices, prepared)
    assert loss == pytest.approx(0.5)
    assert not any(p.grad.any() for p in model.parameters() if p.grad is not None)
    assert any(p.grad.any() for p in value.parameters() if p.grad is not None)


def shared_row(row: dict[str, list[int]]) -> dict[str, list[int]]:
    return dict(row)


def test_the_values_learn_what_is_still_earned(citing_lm: Any) -> None:
    changes = {"steps": 8, "batch_size": 6, "learning_rate": 1e-6, "value_rate": 2e-2}
    trained = train("ppo", citing_lm, practice(), **changes)
    explained = [one.metrics["explained"] for one in trained.steps]
    assert explained[0] == pytest.approx(0, abs=1e-5)
    assert explained[-1] > 0.05


def test_the_advantages_are_those_of_shaped_and_whitened_rewards(citing_lm: Any) -> None:
    training = made(citing_lm, LORA, kl=0.3, lam=0.5)
    answers = [
        rollouts.Rollout(0, {}, [0.0, 0.2, 1.0], [0, 0, 0], ""),
        rollouts.Rollout(1, {}, [-0.2, 0.4], [0, 0], ""),
    ]
    matrices = rollouts.matrices(answers, "cpu")
    told = [
        {"old": [-1.0, -2.0, -3.0], "reference": [-1.5, -2.0, -2.0], "values": [0.1, 0.2, 0.3]},
        {"old": [-1.0, -1.0], "reference": [-1.0, -3.0], "values": [0.0, 0.5]},
    ]
    columns = rollouts.columns(told, "cpu")
    prepared, metrics = training._prepared(matrices, columns)
    shaped = torch.tensor([[-0.15, 0.2, 1.3], [-0.2, -0.2, 0.0]])
    white = advantages.whitened(shaped, matrices.mask, shift=False)
    found, returns = advantages.gae(white, columns["values"], matrices.mask, gamma=1.0, lam=0.5)
    assert torch.allclose(prepared["advantages"], advantages.whitened(found, matrices.mask))
    assert torch.allclose(prepared["returns"], returns)
    assert metrics["shaped_reward"] == pytest.approx((1.35 - 0.4) / 2)


def test_the_published_formulas_run_too(citing_lm: Any) -> None:
    trained = train("ppo", citing_lm, practice(), steps=2, published=True, updates=2)
    assert trained.failure is None
    assert len(trained.steps) == 2
