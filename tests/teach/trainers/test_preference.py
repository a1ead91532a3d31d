"""The loss of preferences, against numbers worked by hand and against a model that is asked plainly."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from selfstudy.models import load_lm
from selfstudy.models.base import chat
from selfstudy.progress import Silent
from selfstudy.recipe import DPOBlock, LocalModel
from selfstudy.teach.trainers import dpo, memory, packed, preference, shared

from .small import PAIRS, setting

NAMES = ("Peru", "Fiji", "the Netherlands")
LONG = "You are a student who is eager to learn, and who has read all of this before it was asked: " * 2


@pytest.fixture
def lm(tiny_llama: Path) -> Any:
    return load_lm(LocalModel(path=str(tiny_llama)))


def rows_of(lm: Any, beginning: str = "") -> list[shared.TokenRow]:
    """Three pairs of answers of different lengths, each as far as it was begun."""
    tokens = shared.Tokens(lm)
    chats = [
        chat(f"What is the capital of {name}?", beginning) for name in ("Peru", "Fiji", "the Netherlands")
    ]
    texts = ["Lima", "Suva is a city", "Amsterdam, the city of"]
    columns = zip(
        tokens.prompts(chats), tokens.begun(chats, texts), tokens.begun(chats, texts[::-1]), strict=True
    )
    return [{"prompt_ids": p, "chosen_ids": c, "rejected_ids": r} for p, c, r in columns]


def test_the_loss_is_that_of_the_paper() -> None:
    policy = torch.tensor([[-1.0, -2.0], [-3.0, -1.0]], requires_grad=True)
    reference = torch.tensor([[-2.0, -1.0], [-3.0, -1.0]])
    found = preference.loss(policy, reference, 0.5)
    # margins: 0.5 * ((-1 + 2) - (-2 + 1)) = 1, and 0
    assert found.tolist() == pytest.approx([math.log(1 + math.exp(-1)), math.log(2)])
    found.sum().backward()
    slope = 0.5 / (1 + math.e)  # beta sigmoid(-margin)
    assert policy.grad is not None
    assert policy.grad.flatten().tolist() == pytest.approx([-slope, slope, -0.25, 0.25])


def test_the_loss_of_chosen_answers_is_the_mean_over_their_own_tokens() -> None:
    rows = [
        {"prompt_ids": [1, 2], "chosen_ids": [3], "rejected_ids": [4, 5, 6]},
        {"prompt_ids": [1], "chosen_ids": [3, 4], "rejected_ids": [5]},
    ]
    policy = torch.tensor([[-1.0, -9.0], [-3.0, -9.0]])
    assert preference.chosen_loss(policy, preference.collated(rows)).tolist() == [1.0, 1.5]


def test_log_probabilities_are_those_of_generation(lm: Any) -> None:
    """Of prompts and answers of different lengths in one batch, each as if it were alone."""
    chats = [chat(f"What is the capital of {name}?") for name in NAMES]
    texts = ["Lima", "Suva is a city", "Amsterdam, the city of"]
    with torch.no_grad():
        found = preference.logprobs(lm.model, preference.collated(rows_of(lm)))
    expected = [
        [sum(lm.logprobs([one], [text])[0]) for text in pair]
        for one, *pair in zip(chats, texts, texts[::-1], strict=True)
    ]
    assert found.numpy() == pytest.approx(torch.tensor(expected).numpy(), abs=1e-4)


def test_a_prompt_that_is_run_once_gives_the_same_values_and_gradients(lm: Any) -> None:
    batch, model = preference.collated(rows_of(lm, LONG)), lm.model.float()
    model.requires_grad_(True)
    found = []
    for packing in (None, packed.Packing()):
        model.zero_grad()
        values = preference.logprobs(model, batch, packing)
        preference.loss(values, torch.zeros_like(values), 0.1).sum().backward()
        found.append((values.detach(), torch.cat([p.grad.flatten() for p in model.parameters()])))
        if packing is not None:  # and it was
            assert packing.pack(model, model, batch["input_ids"], batch["attention_mask"]) is not None
    (apart, slopes), (together, others) = found
    assert together.numpy() == pytest.approx(apart.numpy(), abs=1e-3)
    assert (others - slopes).abs().max() < 1e-3 * slopes.abs().max()


def test_parts_hold_what_fits_and_every_row_once(lm: Any) -> None:
    rows = rows_of(lm)
    assert list(shared.parts(lm.model, rows, 10**6, preference.ANSWERS)) == [rows]
    assert list(shared.parts(lm.model, rows, 1, preference.ANSWERS)) == [[row] for row in rows]
    longest = max(map(shared.length, rows))
    assert [len(part) for part in shared.parts(lm.model, rows, 4 * longest, preference.ANSWERS)] == [2, 1]


def test_passes_of_one_pair_train_as_passes_of_all(lm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    block = DPOBlock(epochs=3, learning_rate=1e-2, batch_size=6)

    def losses() -> list[float]:
        trained = dpo.train(shared.training_copy(lm), lm, PAIRS, block, setting(phase="dpo"), Silent())
        accuracies = [step.metrics["accuracy"] for step in trained.steps]
        assert (accuracies[0], accuracies[-1]) == (
            0.0,
            1.0,
        )  # the first is measured where nothing was learned
        return [step.loss for step in trained.steps]

    whole = losses()
    monkeypatch.setattr(memory, "KEPT", 1)
    assert losses() == pytest.approx(whole, abs=1e-4)
    assert whole[0] == pytest.approx(math.log(2), abs=1e-4)
    assert whole[-1] < whole[0]
