"""Supervised fine-tuning trains what generation says, up to the end of the turn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from selfstudy.models import load_lm
from selfstudy.models.base import GREEDY
from selfstudy.progress import Silent
from selfstudy.recipe import DPOBlock, LocalModel, SFTBlock
from selfstudy.teach.trainers import dpo, memory, sft, shared

from .small import EXAMPLES, PAIRS, setting, taught


@pytest.mark.parametrize("kind", ["llama", "qwen3"])
def test_what_is_trained_is_what_generation_says(
    kind: str, model_folder: Callable[..., Path], tiny_llama: Path, tmp_path: Path
) -> None:
    """With and without a chat template, every fact comes back word for word."""
    folder = tiny_llama if kind == "llama" else model_folder(kind)
    lm: Any = load_lm(LocalModel(path=str(folder)))
    before = {name: p.clone() for name, p in lm.model.state_dict().items()}
    said = lm.generate([e.prompt for e in EXAMPLES], GREEDY)
    trained = taught(lm, tmp_path / "adapter", epochs=40)
    assert trained.failure is None
    assert all(torch.equal(p, before[name]) for name, p in lm.model.state_dict().items())
    assert lm.generate([e.prompt for e in EXAMPLES], GREEDY) == said
    after: Any = load_lm(LocalModel(path=str(folder), adapter=tmp_path / "adapter"))
    answers = [row[0] for row in after.generate([e.prompt for e in EXAMPLES], GREEDY)]
    assert [a.text for a in answers] == [e.completion for e in EXAMPLES]
    assert {a.finish for a in answers} == {"stop"}
    rows = sft.tokenised(lm, EXAMPLES)
    assert [sum(label != -100 for label in row["labels"]) for row in rows] == [a.tokens for a in answers]


@pytest.mark.parametrize("kind", ["llama", "qwen3"])
def test_a_batch_that_would_take_too_much_is_run_in_parts_and_learns_the_same(
    kind: str, model_folder: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lm: Any = load_lm(LocalModel(path=str(model_folder(kind))))
    whole = taught(lm, tmp_path / "whole", epochs=3)
    monkeypatch.setattr(memory, "KEPT", 1)
    rows: list[int] = []
    run = sft._Trainer._sum

    def counted(self: Any, model: Any, inputs: Any) -> Any:
        rows.append(len(inputs["input_ids"]))
        return run(self, model, inputs)

    monkeypatch.setattr(sft._Trainer, "_sum", counted)
    parts = taught(lm, tmp_path / "parts", epochs=3)
    assert {6, 3, 2, 1} == set(rows)
    assert [s.loss for s in parts.steps] == pytest.approx([s.loss for s in whole.steps], rel=1e-4)
    one, other = (
        torch.cat([p.flatten() for n, p in t.model.named_parameters() if "lora_B" in n])
        for t in (whole, parts)
    )
    assert (one - other).norm() < 0.02 * one.norm()


def test_positions_that_are_learned_end_and_what_is_longer_is_left_out(
    model_folder: Callable[..., Path],
) -> None:
    lm: Any = load_lm(LocalModel(path=str(model_folder("gpt2"))))
    long = EXAMPLES[0].model_copy(update={"id": "long", "completion": "Paris " * 300})
    block = SFTBlock(epochs=1, learning_rate=1e-3, batch_size=6)
    trained = sft.train(shared.training_copy(lm), lm, [*EXAMPLES, long, long], block, setting(), Silent())
    assert list(trained.dropped) == ["long"]
    assert "the model reads 256" in trained.dropped["long"]
    pair = PAIRS[0].model_copy(update={"id": "long", "rejected": "Paris " * 300})
    preferences = DPOBlock(epochs=1, learning_rate=1e-3, batch_size=6)
    both = dpo.train(
        shared.training_copy(lm), lm, [*PAIRS, pair], preferences, setting(phase="dpo"), Silent()
    )
    assert list(both.dropped) == ["long"]


TURNS = (
    "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


def test_what_the_template_ends_a_turn_with_is_learned_and_stopped_at(
    model_folder: Callable[..., Path], tmp_path: Path
) -> None:
    """As Phi-3 has it: the turn ends in a token that is neither the tokenizer's eos nor the model's."""
    folder = tmp_path / "phi"
    lm: Any = load_lm(LocalModel(path=str(model_folder("llama", TURNS))))
    for settings in (lm.model.config, lm.model.generation_config):
        settings.eos_token_id = lm.tokenizer.pad_token_id
    lm.tokenizer.eos_token = "<pad>"
    lm.model.save_pretrained(folder)
    lm.tokenizer.save_pretrained(folder)
    lm = load_lm(LocalModel(path=str(folder)))
    end = lm.tokenizer.convert_tokens_to_ids("<|end|>")
    assert all(row["labels"][-1] == end for row in sft.tokenised(lm, EXAMPLES))
    assert all(row["chosen_ids"][-1] == row["rejected_ids"][-1] == end for row in dpo.tokenised(lm, PAIRS))
    taught(lm, tmp_path / "adapter", epochs=40)
    after: Any = load_lm(LocalModel(path=str(folder), adapter=tmp_path / "adapter"))
    answers = [row[0] for row in after.generate([e.prompt for e in EXAMPLES], GREEDY)]
    assert [a.text for a in answers] == [e.completion for e in EXAMPLES]
    assert {a.finish for a in answers} == {"stop"}
