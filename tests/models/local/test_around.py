"""LocalLM.around: live weights answer as their saved adapter does, and go on training afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from selfstudy.errors import ModelError
from selfstudy.models import lora
from selfstudy.models.base import GREEDY, Sampling, chat
from selfstudy.models.local.lm import LocalLM
from selfstudy.recipe import LocalModel
from selfstudy.teach.trainers import fast_lora

CHATS = [chat("Who?"), chat("What is the capital of France?", "You are a student."), chat("Where?")]
SETTINGS = Sampling(n=0, greedy_first=True, max_new_tokens=12, repetition_penalty=1.1)


def load(folder: Path, **options: object) -> LocalLM:
    return LocalLM(LocalModel.model_validate({"path": str(folder), "device": "cpu", **options}))


def adapted(model: Any, std: float = 0.3) -> Any:
    """A peft model with an adapter that says something, and dropout."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    wrapped = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear", lora_dropout=0.5))
    for name, weight in wrapped.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=std)
    return wrapped


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("kind", ["llama", "qwen3"])
def test_live_weights_answer_as_the_saved_adapter(
    kind: str, fast: bool, model_folder: Callable[..., Path], tiny_llama: Path, tmp_path: Path
) -> None:
    folder = tiny_llama if kind == "llama" else model_folder(kind)
    base = load(folder)
    tokenizer = base.tokenizer
    plain = base.generate(CHATS, SETTINGS)
    live = adapted(base.model)
    if fast:
        for module in live.modules():  # the fast layer is for those without dropout
            if isinstance(getattr(module, "lora_dropout", None), torch.nn.ModuleDict):
                module.lora_dropout["default"] = torch.nn.Identity()
        assert fast_lora.accelerate(live) > 0
    live.train()
    modes = [module.training for module in live.modules()]
    lm = LocalLM.around(live, tokenizer, name="live")
    answers, scores = lm.generate(CHATS, SETTINGS), lm.logprobs(CHATS, ["Paris.", "It is Paris.", "x"])
    assert lm.name == "live"
    assert [module.training for module in live.modules()] == modes
    assert all(p.grad is None for p in live.parameters())

    lora.save(live, tmp_path / "adapter")
    saved = load(folder, adapter=tmp_path / "adapter")
    expected = saved.generate(CHATS, SETTINGS)
    texts = [[one.text for one in row] for row in answers]
    assert texts == [[one.text for one in row] for row in expected]
    assert texts != [[one.text for one in row] for row in plain]
    for found, wanted in zip(scores, saved.logprobs(CHATS, ["Paris.", "It is Paris.", "x"]), strict=True):
        assert found == pytest.approx(wanted, abs=1e-4)


def test_training_goes_on_between_answers_and_shows_in_them(tiny_llama: Path) -> None:
    base = load(tiny_llama)
    live = adapted(base.model)
    live.train()
    lm = LocalLM.around(live, base.tokenizer)
    before = lm.generate(CHATS, GREEDY)
    ids = torch.tensor([[5, 6, 7, 8, 9, 10, 11, 12]])
    optimizer = torch.optim.SGD([p for p in live.parameters() if p.requires_grad], lr=5.0)
    for _ in range(3):
        live(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert lm.generate(CHATS, GREEDY) != before
    assert live.training


def test_a_forward_that_a_trainer_put_in_place_waits(tiny_llama: Path) -> None:
    base = load(tiny_llama)
    expected = base.generate(CHATS, GREEDY)

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("the trainer's own forward answers nothing")

    base.model.forward = refuse
    assert LocalLM.around(base.model, base.tokenizer).generate(CHATS, GREEDY) == expected
    assert base.model.forward is refuse


def test_prompt_tuning_is_refused(tiny_llama: Path) -> None:
    from peft import PromptTuningConfig, get_peft_model

    base = load(tiny_llama)
    live = get_peft_model(base.model, PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2))
    with pytest.raises(ModelError, match="changes the prompt"):
        LocalLM.around(live, base.tokenizer)
