"""Several adapters in one batch: each chat is answered as its adapter would answer it alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from selfstudy.errors import ModelError
from selfstudy.models.base import GREEDY, HasAdapters, Sampling, ScoresTokens, StopListening, chat
from selfstudy.models.local.lm import LocalLM
from selfstudy.models.local.mixed import MixedLM
from selfstudy.recipe import LocalModel
from selfstudy.records import Chat, Completion
from tests.conftest import MODELS, TEMPLATE

PAGE = "The Danube flows through Vienna, Budapest and Belgrade. " * 2
SAMPLING = Sampling(n=2, greedy_first=True, max_new_tokens=12, seed=3, temperature=0.7)
WHO: tuple[str | None, ...] = (None, "a-1", "b-2", "a-1", None, "b-2")
CHATS: list[Chat] = [chat(f"{PAGE}{end}") for end in ("Who?", "Who?", "Who?", "Where?", "Which cities?", "?")]


def block(folder: Path, **options: object) -> LocalModel:
    return LocalModel.model_validate({"path": str(folder), "device": "cpu", **options})


def make_adapter(model: Path, folder: Path, seed: int, rank: int, **options: Any) -> Path:
    """An adapter that says other things than the model, in all layers that may have one."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    plain = AutoModelForCausalLM.from_pretrained(model)
    mamba = plain.config.model_type == "mamba"
    targets = ["in_proj", "x_proj"] if mamba else "all-linear"
    if plain.config.model_type == "gpt2":
        targets = ["c_attn", "c_fc", "c_proj"]
    torch.manual_seed(seed)
    options = {"r": rank, "lora_alpha": 8, "target_modules": targets, **options}
    wrapped = get_peft_model(plain, LoraConfig(task_type="CAUSAL_LM", **options))
    with torch.no_grad():
        for name, matrix in wrapped.named_parameters():
            if ".lora_B." in name:
                matrix.normal_(0, 0.3)
    wrapped.save_pretrained(folder)
    return folder


def pair(model: Path, folder: Path) -> dict[str, Path]:
    return {
        "a-1": make_adapter(model, folder / "a", 1, 4),
        "b-2": make_adapter(model, folder / "b", 2, 8, use_rslora=True),
    }


@pytest.fixture(scope="module")
def folders(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return pair(tiny_llama, tmp_path_factory.mktemp("adapters"))


@pytest.fixture(scope="module")
def lm(tiny_llama: Path, folders: dict[str, Path]) -> MixedLM:
    return MixedLM(block(tiny_llama), folders)


def same(found: list[list[Completion]], wanted: list[list[Completion]]) -> None:
    assert [[one.text for one in row] for row in found] == [[one.text for one in row] for row in wanted]
    for row, other in zip(found, wanted, strict=True):
        assert [one.logprob for one in row] == pytest.approx([one.logprob for one in other], abs=1e-4)


@pytest.mark.parametrize("kind", MODELS)
def test_a_mixed_batch_is_what_each_adapter_answers_merged_and_alone(
    kind: str, model_folder: Callable[..., Path], tmp_path: Path
) -> None:
    folder = model_folder(kind, TEMPLATE)
    adapters = pair(folder, tmp_path)
    lm = MixedLM(block(folder), adapters)
    found = lm.generate_as(CHATS, WHO, SAMPLING)
    texts = [row[0].text or "Paris" for row in found]
    scores = lm.logprobs_as(CHATS, texts, WHO)
    for name in (None, *adapters):
        single = LocalLM(block(folder, adapter=adapters.get(name) if name else None))
        own = [i for i, who in enumerate(WHO) if who == name]
        same([found[i] for i in own], single.generate([CHATS[i] for i in own], SAMPLING))
        alone = single.logprobs([CHATS[i] for i in own], [texts[i] for i in own])
        for i, values in zip(own, alone, strict=True):
            assert scores[i] == pytest.approx(values, abs=1e-4)
    assert len({round(row[0].logprob, 2) for row in found[:3]}) == 3  # the same chat


def test_nothing_depends_on_the_others_of_a_batch(lm: MixedLM) -> None:
    together = lm.generate_as(CHATS, WHO, SAMPLING)
    same([lm.generate_as([one], [who], SAMPLING)[0] for one, who in zip(CHATS, WHO, strict=True)], together)
    order = [4, 1, 5, 0, 3, 2]
    again = lm.generate_as([CHATS[i] for i in order], [WHO[i] for i in order], SAMPLING)
    same(again, [together[i] for i in order])


def test_a_small_budget_changes_nothing(tiny_llama: Path, folders: dict[str, Path], lm: MixedLM) -> None:
    small = MixedLM(block(tiny_llama, token_budget=300), folders)
    same(small.generate_as(CHATS, WHO, SAMPLING), lm.generate_as(CHATS, WHO, SAMPLING))


def test_contrastive_search_with_adapters(tiny_llama: Path, folders: dict[str, Path], lm: MixedLM) -> None:
    search = Sampling(temperature=0.0, penalty_alpha=0.5, top_k=3, max_new_tokens=8)
    found = lm.generate_as(CHATS, WHO, search)
    single = LocalLM(block(tiny_llama, adapter=folders["b-2"]))
    same([found[2], found[5]], single.generate([CHATS[2], CHATS[5]], search))


def test_the_model_itself_stays_the_base_model(tiny_llama: Path, lm: MixedLM) -> None:
    base = LocalLM(block(tiny_llama))
    lm.generate_as(CHATS, WHO, GREEDY)
    same(lm.generate(CHATS, SAMPLING), base.generate(CHATS, SAMPLING))
    same(lm.generate_as(CHATS, [None] * 6, SAMPLING), base.generate(CHATS, SAMPLING))
    assert lm.adapter is None
    wanted = base.model.state_dict()
    for state in (lm.model.state_dict(), lm.merged_copy().state_dict()):
        assert state.keys() == wanted.keys()
        assert all(torch.equal(state[key], wanted[key]) for key in wanted)


def test_answers_that_have_begun_and_words(tiny_llama: Path, folders: dict[str, Path], lm: MixedLM) -> None:
    single = LocalLM(block(tiny_llama, adapter=folders["a-1"]))
    begun = ["Paris", "", "The Danube", "It", "", "x"]
    found = lm.continued_as(CHATS, begun, WHO, SAMPLING)
    same([found[1], found[3]], single.continued([CHATS[1], CHATS[3]], ["", "It"], SAMPLING))
    texts = ["Paris is the capital"] * 6
    (words,) = single.word_logprobs([CHATS[1]], texts[:1])
    assert [word for word, _ in lm.word_logprobs_as(CHATS, texts, WHO)[1]] == [word for word, _ in words]


def test_tokens_and_what_else_was_likely(lm: MixedLM) -> None:
    assert isinstance(lm, HasAdapters)
    assert isinstance(lm, ScoresTokens)
    texts = ["Paris is the élan 中国 of 🙂.", "  Vienna ", ""]
    found = lm.token_logprobs(CHATS[:3], texts, WHO[:3], top=3)
    assert ["".join(token.text for token in row) for row in found] == [text.strip() for text in texts]
    scores = lm.logprobs_as(CHATS[:3], texts, WHO[:3])
    assert [[token.logprob for token in row] for row in found] == scores
    for token in found[0]:
        (_, best), (_, second), (_, third) = token.top
        assert best >= second >= third
        assert best >= token.logprob
    assert all(not token.top for token in lm.token_logprobs(CHATS[:1], ["Paris"], [None])[0])


def test_each_listener_hears_its_own_chat(lm: MixedLM) -> None:
    heard: list[list[str]] = [[] for _ in CHATS]
    listeners = [one.append for one in heard]
    settled: list[tuple[int, list[Completion]]] = []
    found = lm.generate_as(
        CHATS, WHO, SAMPLING, heard=[None, *listeners[1:]], settled=lambda at, row: settled.append((at, row))
    )
    same(lm.generate_as(CHATS, WHO, SAMPLING), found)
    assert not heard[0]
    for texts, row in zip(heard[1:], found[1:], strict=True):
        assert texts[-1] == row[0].text
        assert len(texts) == row[0].tokens
    assert sorted(at for at, _ in settled) == list(range(6))
    assert all(row == found[at] for at, row in settled)


def test_who_leaves_is_not_answered_to_the_end(lm: MixedLM) -> None:
    passes = 0

    def leaves(text: str) -> None:
        nonlocal passes
        passes += 1
        if passes == 3:
            raise StopListening

    whole = lm.generate_as(CHATS, WHO, SAMPLING)
    longest = max(range(6), key=lambda i: whole[i][0].tokens)
    assert whole[longest][0].tokens > 4
    found = lm.generate_as(CHATS, WHO, SAMPLING, heard=[leaves if i == longest else None for i in range(6)])
    assert passes == 3
    assert found[longest][0].finish == "length"
    assert max(one.tokens for one in found[longest]) <= 4  # its samples too
    same(
        [row for i, row in enumerate(found) if i != longest], [r for i, r in enumerate(whole) if i != longest]
    )


def test_an_unknown_name_and_a_wrong_count(lm: MixedLM) -> None:
    with pytest.raises(ModelError, match=r"has no adapter 'c-3'") as error:
        lm.generate_as(CHATS[:1], ["c-3"], GREEDY)
    assert error.value.hint == "it has: a-1, b-2"
    with pytest.raises(ValueError, match="1 chats but 2 adapters"):
        lm.generate_as(CHATS[:1], [None, None], GREEDY)


def test_without_adapters_it_is_the_base_model(tiny_llama: Path, lm: MixedLM) -> None:
    bare = MixedLM(block(tiny_llama), {})
    assert bare.adapters == ()
    same(bare.generate_as(CHATS, [None] * 6, SAMPLING), lm.generate(CHATS, SAMPLING))


def test_adapters_that_cannot_be_mixed_or_trusted_are_refused(tiny_llama: Path, tmp_path: Path) -> None:
    def refused(folder: Path) -> str:
        with pytest.raises(ModelError) as error:
            MixedLM(block(tiny_llama), {"a-1": folder})
        return str(error.value)

    assert "use_dora" in refused(make_adapter(tiny_llama, tmp_path / "dora", 1, 4, use_dora=True))
    good = make_adapter(tiny_llama, tmp_path / "good", 1, 4)
    assert "NaN or inf" in refused(_changed(good, tmp_path / "nan", lambda a: a.fill_(torch.nan)))
    assert "does not fit" in refused(_changed(good, tmp_path / "size", lambda a: a.resize_(4, 7)))
    config = json.loads((good / "adapter_config.json").read_text())
    huge = Path(shutil.copytree(good, tmp_path / "huge"))
    (huge / "adapter_config.json").write_text(json.dumps(config | {"r": 10**9}))
    assert "claims the rank 1000000000" in refused(huge)
    assert "has no adapter_config.json" in refused(tmp_path / "absent")


def _changed(good: Path, folder: Path, change: Callable[[torch.Tensor], object]) -> Path:
    shutil.copytree(good, folder)
    tensors = load_file(folder / "adapter_model.safetensors")
    change(next(value for name, value in sorted(tensors.items()) if "lora_A" in name))
    save_file({name: one.contiguous() for name, one in tensors.items()}, folder / "adapter_model.safetensors")
    return folder


def test_what_changes_nothing_is_said(tiny_llama: Path, tmp_path: Path) -> None:
    idle = _changed_all(make_adapter(tiny_llama, tmp_path / "idle", 1, 4))
    said: list[str] = []
    MixedLM(block(tiny_llama), {"a-1": idle}, said.append)
    assert len(said) == 1
    assert said[0].startswith("a-1: the adapter changes nothing")


def _changed_all(folder: Path) -> Path:
    tensors = load_file(folder / "adapter_model.safetensors")
    save_file(
        {name: torch.zeros_like(one) for name, one in tensors.items()}, folder / "adapter_model.safetensors"
    )
    return folder


def test_a_mixture_of_experts(mixture: Path, tmp_path: Path) -> None:
    """Attention alone has adapters; experts of one tensor are not put on by peft's own names."""
    target = {"target_modules": ["q_proj", "v_proj"]}
    adapters = {"a-1": make_adapter(mixture, tmp_path / "a", 1, 4, **target)}
    lm = MixedLM(block(mixture), adapters)
    who = [None, "a-1", None, "a-1", None, "a-1"]
    found = lm.generate_as(CHATS, who, GREEDY)
    single = LocalLM(block(mixture, adapter=adapters["a-1"]))
    same(found[1::2], single.generate(CHATS[1::2], GREEDY))


def test_in_bfloat16_adapters_lose_nothing(tiny_llama: Path, folders: dict[str, Path]) -> None:
    """As unmerged ones alone; a mean over answers, as bfloat16 rounds by the shape of a batch."""
    lm = MixedLM(block(tiny_llama, dtype="bfloat16"), folders)
    single = LocalLM(block(tiny_llama, dtype="bfloat16", adapter=folders["a-1"]))
    base = lm.logprobs(CHATS, ["Paris is the capital"] * 6)
    mixed = lm.logprobs_as(CHATS, ["Paris is the capital"] * 6, WHO)
    wanted = single.logprobs(CHATS, ["Paris is the capital"] * 6)
    off = max(abs(a - b) for a, b in zip(mixed[1], wanted[1], strict=True))
    change = max(abs(a - b) for a, b in zip(base[1], wanted[1], strict=True))
    assert off < 0.1 * change
