"""Which models a run is served as, by which names, and in which prompt a question is put."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from selfstudy import Run
from selfstudy.errors import RunError
from selfstudy.models import load_lm, lora, taught
from selfstudy.models.base import HasAdapters, Sampling, ScoresTokens
from selfstudy.models.local.lm import LocalLM
from selfstudy.prompts import Prompts
from selfstudy.recipe import LocalModel, Recipe, ServerModel
from selfstudy.records import Message
from selfstudy.run.standing import promote
from selfstudy.serve.api_error import ApiError
from selfstudy.serve.offer import ModelSource, Offer
from tests.models.server.conftest import servers, workshop
from tests.serve.serving import Echo, plain_offer

__all__ = ["servers", "workshop"]
QUESTION = (Message(role="user", content="What is the capital of France? "),)


def make_adapter(model: Path, folder: Path) -> Path:
    """A small random adapter."""
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    wrapped = get_peft_model(
        LocalLM(LocalModel(path=str(model))).model, LoraConfig(r=2, target_modules="all-linear")
    )
    for name, weight in wrapped.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.3)
    lora.save(wrapped, folder)
    return folder


def make_run(folder: Path, model: Any, make: Callable[[Path], object] | None = None) -> Path:
    """A run whose first round promoted what `make` leaves in a folder."""
    with Run.create_or_resume(folder, Recipe(model=model)) as run:
        turn = run.round(1)
        if make is not None:
            make(turn.adapter())
            run.write_json(turn.gate_file, {"promoted": True})
            promote(turn, turn.adapter, move=False)
    return folder


def said(offer: Offer, name: str) -> str:
    choice = offer.find(name)
    chat, penalty = offer.put(QUESTION)
    sampling = Sampling(temperature=0.0, max_new_tokens=12, repetition_penalty=penalty)
    assert isinstance(choice.lm, HasAdapters)
    return choice.lm.generate_as([chat], [choice.adapter], sampling)[0][0].text


def test_a_run_is_served_as_its_base_and_what_it_promoted(tiny_llama: Path, tmp_path: Path) -> None:
    block = LocalModel(path=str(tiny_llama))
    place = make_run(tmp_path / "run", block, lambda folder: make_adapter(tiny_llama, folder))
    offer = ModelSource(str(place)).load()
    name = f"taught-{taught.adapter_name('', place / 'rounds/1/adapter')[1:]}"
    assert list(offer.choices) == ["taught", name, "base"]
    assert offer.notes == ("round 1 was promoted",)
    assert offer.find("").lm is offer.find("base").lm, "one model in memory answers as both"
    assert offer.find("routed") == offer.find("taught") == offer.find(name)
    assert isinstance(offer.find("").lm, ScoresTokens)
    chat = Prompts().chat("answer", question=QUESTION[0].content.strip())
    sampling = Sampling(temperature=0.0, max_new_tokens=12, repetition_penalty=1.1)
    taught_lm = load_lm(LocalModel(path=str(tiny_llama), adapter=place / "rounds/1/adapter"))
    assert said(offer, "taught") == taught_lm.generate([chat], sampling)[0][0].text
    assert said(offer, "base") == load_lm(block).generate([chat], sampling)[0][0].text
    assert said(offer, "taught") != said(offer, "base")


def test_a_run_that_promoted_nothing_is_its_base_until_it_does(tiny_llama: Path, tmp_path: Path) -> None:
    block = LocalModel(path=str(tiny_llama))
    source = ModelSource(str(make_run(tmp_path / "run", block)))
    offer = source.load()
    assert source.state() == offer.state
    assert (list(offer.choices), offer.notes) == (["base"], ("nothing was promoted: the base model",))
    make_run(tmp_path / "run", block, lambda folder: make_adapter(tiny_llama, folder))
    assert source.state() != offer.state
    assert "taught" in source.load().choices


def test_adapters_beside_a_router_are_served_by_their_names(
    tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def routed(folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        (folder / taught.ROUTER).write_text("{}")

    place = make_run(tmp_path / "run", LocalModel(path=str(tiny_llama)), routed)
    lm = Echo()
    monkeypatch.setattr("selfstudy.models.load_lm", lambda block, **rest: lm)
    offer = ModelSource(str(place)).load()
    assert list(offer.choices) == ["routed", "base", *lm.adapters]
    assert offer.find("").routed
    assert [offer.find(name).label for name in lm.adapters] == list(lm.adapters)
    with pytest.raises(ApiError, match="there is no model"):
        offer.find("taught")
    monkeypatch.setattr(lm, "adapters", ("base", "routed", "togo-00000002"), raising=False)
    offer = ModelSource(str(place)).load()
    assert list(offer.choices) == ["routed", "base", "togo-00000002"]
    assert offer.find("base").adapter is None
    assert offer.find("routed").routed


def test_a_whole_model_is_served_beside_its_base(tiny_llama: Path, tmp_path: Path) -> None:
    def whole(folder: Path) -> None:
        lm = LocalLM(LocalModel(path=str(tiny_llama)))
        lm.model.lm_head.weight.data.mul_(-1)
        lm.model.save_pretrained(folder)
        lm.tokenizer.save_pretrained(folder)

    offer = ModelSource(str(make_run(tmp_path / "run", LocalModel(path=str(tiny_llama)), whole))).load()
    taught_name, named, base = offer.choices
    assert (taught_name, base) == ("taught", "base")
    assert named.startswith("taught-")
    assert said(offer, "taught") != said(offer, "base")


def test_a_question_by_itself_goes_into_the_prompt_that_was_taught_and_nothing_else_does(
    tiny_llama: Path, tmp_path: Path
) -> None:
    place = str(make_run(tmp_path / "run", LocalModel(path=str(tiny_llama))))
    offer = ModelSource(place).load()
    chat, penalty = offer.put(QUESTION)
    assert chat == Prompts().chat("answer", question="What is the capital of France?")
    assert penalty == 1.1
    for own in ((Message(role="system", content="Be brief."), *QUESTION), QUESTION * 3):
        assert offer.put(own) == (own, 1.0)
    assert ModelSource(place, "plain").load().put(QUESTION) == (QUESTION, 1.0)
    assert ModelSource(str(tiny_llama)).load().put(QUESTION) == (QUESTION, 1.0)
    assert ModelSource(str(tiny_llama), "answer").load().put(QUESTION)[0] == chat
    with pytest.raises(RunError, match="whose recipe says"):
        ModelSource(place, style="chat").load()
    assert plain_offer(Echo()).put(QUESTION) == (QUESTION, 1.0)


def test_behind_an_engine_the_adapter_answers_by_its_name(
    servers: Any, tiny_llama: Path, tmp_path: Path
) -> None:
    block = ServerModel(engine="vllm", model=str(tiny_llama), startup_seconds=120)
    place = make_run(tmp_path / "run", block, lambda folder: make_adapter(tiny_llama, folder))
    offer = ModelSource(str(place), servers=servers).load()
    assert [name.partition("-")[0] for name in offer.choices] == ["taught", "taught", "base"]
    assert said(offer, "taught") != said(offer, "base")
