"""The tree decoder through LocalLM: equal to plain decoding, whatever shares the batch, any architecture."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from selfstudy.models.base import Sampling, chat
from selfstudy.models.local.lm import LocalLM
from selfstudy.recipe import LocalModel
from selfstudy.records import Completion
from tests.conftest import MODELS, TEMPLATE

CHATS = [
    chat("What is the capital of France?", "You are a student."),
    chat("Who?"),
    chat("The Danube flows through which countries and cities, please, and who lives there?"),
    chat("Who?"),
]
MIXED = Sampling(n=6, greedy_first=True, temperature=1.0, repetition_penalty=1.1, max_new_tokens=20, seed=3)
GREEDY = replace(MIXED, n=0)


@pytest.fixture(scope="module", params=[*MODELS, "rwkv"])
def lm(request: pytest.FixtureRequest, model_folder: Callable[..., Path]) -> LocalLM:
    return LocalLM(LocalModel(path=str(model_folder(request.param)), device="cpu"))


@pytest.fixture(scope="module")
def llama(tiny_llama: Path) -> LocalLM:
    return LocalLM(LocalModel(path=str(tiny_llama), device="cpu"))


def texts(found: list[list[Completion]]) -> list[list[str]]:
    return [[one.text for one in row] for row in found]


def reference(lm: LocalLM, index: int, steps: int = 20) -> list[int]:
    """Greedy tokens of transformers' own generate."""
    inputs = lm.tokenizer(lm.render(CHATS[index]), return_tensors="pt", return_token_type_ids=False)
    every = lm.model.generate(
        **inputs, do_sample=False, repetition_penalty=1.1, max_new_tokens=steps, pad_token_id=0
    )
    return list(every[0, inputs["input_ids"].shape[1] :].tolist())


def test_greedy_equals_generate_alone_and_in_a_batch(lm: LocalLM) -> None:
    together = lm.generate(CHATS, GREEDY)
    for index, row in enumerate(together):
        expected = reference(lm, index)
        assert row[0].text == lm.tokenizer.decode(expected, skip_special_tokens=True).strip()
        assert row[0].tokens == len(expected)
        assert row[0].finish == ("stop" if expected[-1] == lm.tokenizer.eos_token_id else "length")


def test_samples_do_not_depend_on_the_rest_of_the_batch(lm: LocalLM) -> None:
    """In float64: in float32 how a processor rounds a batch can move a choice that is as good as a tie."""
    lm = LocalLM.around(copy.deepcopy(lm.model).double(), lm.tokenizer, style=lm.style)
    together = lm.generate(CHATS, MIXED)
    assert len({one.text for row in together for one in row}) > 4
    for one, row in zip(CHATS[:3], together, strict=False):
        alone = lm.generate([one], MIXED)[0]
        assert texts([alone]) == texts([row])
        assert [c.logprob for c in alone] == pytest.approx([c.logprob for c in row], abs=1e-3)
    assert texts(lm.generate(CHATS, GREEDY)) == [[row[0].text] for row in together]


def test_fewer_samples_are_the_first_of_more_and_seeds_differ(llama: LocalLM) -> None:
    more = texts(llama.generate(CHATS[:1], MIXED))[0]
    assert texts(llama.generate(CHATS[:1], replace(MIXED, n=3, greedy_first=False)))[0] == more[1:4]
    assert texts(llama.generate(CHATS[:1], replace(MIXED, seed=4)))[0][1:] != more[1:]


def test_identical_chats_get_their_own_samples_and_one_greedy_answer(llama: LocalLM) -> None:
    first, second = texts(llama.generate([CHATS[1], CHATS[1]], MIXED))
    assert first[0] == second[0]
    assert first[1:] != second[1:]


@pytest.mark.parametrize("budget", [1, 60, 300])
def test_a_small_token_budget_changes_nothing_but_the_batches(
    tiny_llama: Path, llama: LocalLM, budget: int
) -> None:
    small = LocalLM(LocalModel(path=str(tiny_llama), device="cpu", token_budget=budget))
    most = 0
    forward = small._forward.next_logits

    def watched(tokens: torch.Tensor, mask: torch.Tensor, cache: Any = None, *others: Any) -> Any:
        nonlocal most
        most = max(most, tokens.numel() if len(tokens) > 1 else 0)
        return forward(tokens, mask, cache, *others)

    small._forward.next_logits = watched  # type: ignore[method-assign]
    assert texts(small.generate(CHATS, MIXED)) == texts(llama.generate(CHATS, MIXED))
    assert most <= budget


def test_agreeing_samples_are_computed_once(llama: LocalLM) -> None:
    rows = 0
    forward = llama._forward.next_logits

    def counted(tokens: torch.Tensor, mask: torch.Tensor, cache: Any = None, *others: Any) -> Any:
        nonlocal rows
        rows += len(tokens)
        return forward(tokens, mask, cache, *others)

    llama._forward.next_logits = counted  # type: ignore[method-assign]
    try:
        found = llama.generate(CHATS[:1], Sampling(n=10, temperature=1e-3, max_new_tokens=8))
    finally:
        llama._forward.next_logits = forward  # type: ignore[method-assign]
    assert len({one.text for one in found[0]}) == 1
    assert rows == found[0][0].tokens


def test_first_tokens_follow_the_softmax(llama: LocalLM) -> None:
    ids = torch.tensor(llama._format.encode([llama.render(CHATS[0])]))
    with torch.inference_mode():
        expected = llama.model(ids).logits[0, -1].softmax(0)
    draws = 4000
    found = llama.generate(CHATS[:1], Sampling(n=draws, max_new_tokens=1, seed=11))[0]
    # A completion of one token has that token's own log-probability: enough to tell the tokens apart.
    values, counts = torch.tensor([one.logprob for one in found]).exp().unique(return_counts=True)
    for value, count in zip(values.tolist(), counts.tolist(), strict=True):
        spread = (draws * value * (1 - value)) ** 0.5
        assert abs(count - draws * value) < 4.5 * spread + 1, (value, count)
    common = expected[expected > 0.01]
    assert len(common) > 5
    assert all((values - p).abs().min() < 1e-4 for p in common)


def test_log_probability_is_that_of_the_model_without_penalty_or_temperature(llama: LocalLM) -> None:
    options = Sampling(n=4, temperature=0.7, repetition_penalty=1.3, max_new_tokens=12, seed=1)
    for one in llama.generate(CHATS[:1], options)[0]:
        if one.finish == "length" and one.text:
            scored = llama.logprobs(CHATS[:1], [one.text])[0]
            if len(scored) == one.tokens:  # the text's own tokenisation may differ from the sampled one
                assert sum(scored) == pytest.approx(one.logprob, abs=1e-3)


def test_running_out_of_memory_halves_the_budget_and_tries_again(tiny_llama: Path, llama: LocalLM) -> None:
    small = LocalLM(LocalModel(path=str(tiny_llama), device="cpu"))
    forward = small._forward.next_logits

    def limited(tokens: torch.Tensor, mask: torch.Tensor, cache: Any = None, *others: Any) -> Any:
        if tokens.numel() > 200:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return forward(tokens, mask, cache, *others)

    small._forward.next_logits = limited  # type: ignore[method-assign]
    done: list[int] = []
    assert texts(small.generate(CHATS, MIXED, done.append)) == texts(llama.generate(CHATS, MIXED))
    assert sum(done) == len(CHATS)

    def never(tokens: torch.Tensor, mask: torch.Tensor, cache: Any = None, *others: Any) -> Any:
        raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes")

    small._forward.next_logits = never  # type: ignore[method-assign]
    assert all(one.finish == "error" for row in small.generate(CHATS, MIXED) for one in row)


def test_logits_that_are_no_numbers_fail_their_item_only(tiny_llama: Path, llama: LocalLM) -> None:
    broken = LocalLM(LocalModel(path=str(tiny_llama), device="cpu"))
    forward = broken._forward.next_logits

    def poisoned(tokens: torch.Tensor, mask: torch.Tensor, cache: Any = None, *others: Any) -> Any:
        logits, kept = forward(tokens, mask, cache, *others)
        if cache is None and len(tokens) > 1:
            logits[mask.all(1)] = torch.nan  # the longest prompt, the only one without padding
        return logits, kept

    broken._forward.next_logits = poisoned  # type: ignore[method-assign]
    found = broken.generate(CHATS, MIXED)
    assert {one.finish for one in found[2]} == {"error"}
    expected = llama.generate(CHATS, MIXED)
    assert [texts(found)[i] for i in (0, 1, 3)] == [texts(expected)[i] for i in (0, 1, 3)]


def test_templates_make_no_difference_to_the_engine(model_folder: Callable[..., Path]) -> None:
    lm = LocalLM(LocalModel(path=str(model_folder("qwen3", TEMPLATE)), device="cpu"))
    assert lm.generate(CHATS, GREEDY)[2][0].tokens == len(reference(lm, 2))
