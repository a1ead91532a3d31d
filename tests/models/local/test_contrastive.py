"""Contrastive search: scores by hand, equal to a plain loop without a cache, whatever shares the batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from selfstudy.errors import ModelError
from selfstudy.models.base import Sampling, chat
from selfstudy.models.local.contrastive import candidates, scores
from selfstudy.models.local.lm import LocalLM
from selfstudy.recipe import LocalModel
from selfstudy.records import Completion
from tests.conftest import MODELS

CHATS = [
    chat("What is the capital of France?", "You are a student."),
    chat("Who?"),
    chat("The Danube flows through which countries and cities, please, and who lives there?"),
    chat("Where is it?"),
    chat("Who?"),
]
SEARCH = Sampling(temperature=0.0, max_new_tokens=16, penalty_alpha=0.6, top_k=4)


def load(folder: Path, **options: object) -> LocalLM:
    return LocalLM(LocalModel.model_validate({"path": str(folder), "device": "cpu", **options}))


@pytest.fixture(scope="module", params=[*MODELS, "rwkv"])
def lm(request: pytest.FixtureRequest, model_folder: Callable[..., Path]) -> LocalLM:
    return load(model_folder(request.param))


@pytest.fixture(scope="module")
def llama(tiny_llama: Path) -> LocalLM:
    return load(tiny_llama)


def texts(found: list[list[Completion]]) -> list[list[str]]:
    return [[one.text for one in row] for row in found]


def reference(lm: LocalLM, index: int, how: Sampling) -> tuple[list[int], float]:
    """The tokens and their log-probability, by reading everything anew for every candidate of every step."""
    tokens = lm._format.encode([lm.render(CHATS[index])])[0]
    said: list[int] = []
    total = 0.0

    def read(row: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        found = lm.model(torch.tensor([row]), output_hidden_states=True, use_cache=False)
        return found.logits[0, -1].float(), found.hidden_states[-1][0].float()

    with torch.inference_mode():
        while len(said) < how.max_new_tokens:
            logits, states = read(tokens + said)
            judged = logits.clone()
            for token in set(tokens + said):
                judged[token] *= how.repetition_penalty if judged[token] < 0 else 1 / how.repetition_penalty
            p = judged.softmax(0)
            best = (-9.0, 0)
            for token in sorted(range(len(p)), key=lambda token: (-float(p[token]), token))[: how.top_k]:
                own = read([*tokens, *said, token])[1][-1]
                alike = max(float(torch.cosine_similarity(own, state, dim=0)) for state in states)
                score = (1 - how.penalty_alpha) * float(p[token]) - how.penalty_alpha * alike
                best = max(best, (score, token), key=lambda one: one[0])
            said.append(best[1])
            total += float(logits.log_softmax(0)[best[1]])
            if best[1] in lm._format.ends:
                break
    return said, total


def test_scores_are_those_worked_by_hand() -> None:
    """Two rows, the second padded; equation 5 with alpha .6."""
    probability = torch.tensor([[0.7, 0.2], [0.5, 0.4]])
    states = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[0.6, 0.8], [-1.0, 0.0]]])
    said = torch.tensor([[[1.0, 0.0], [0.8, 0.6]], [[0.6, 0.8], [0.0, 1.0]]])
    mask = torch.tensor([[1, 1], [0, 1]])
    expected = [
        [0.4 * 0.7 - 0.6 * 1.0, 0.4 * 0.2 - 0.6 * 0.6],
        [0.4 * 0.5 - 0.6 * 0.8, 0.4 * 0.4 - 0.6 * 0.0],
    ]
    assert torch.allclose(scores(probability, states, said, mask, 0.6), torch.tensor(expected))
    assert torch.equal(scores(probability, states, said, mask, 0.0), probability)


def test_candidates_come_by_probability_and_equal_ones_by_number() -> None:
    logits = torch.zeros(2, 1500)
    logits[0, [3, 700, 1499]] = torch.tensor([1.0, 3.0, 1.0])
    assert candidates(logits, 4).tolist() == [[700, 3, 1499, 0], [0, 1, 2, 3]]
    assert candidates(logits[:, :2], 4).tolist() == [[0, 1], [0, 1]]


@pytest.mark.parametrize("penalty", [1.0, 1.2])
def test_a_batch_is_what_a_loop_without_a_cache_finds_alone(lm: LocalLM, penalty: float) -> None:
    how = replace(SEARCH, repetition_penalty=penalty, max_new_tokens=6)
    together = lm.generate(CHATS, how)
    for index, (row, asked) in enumerate(zip(together, CHATS, strict=True)):
        (alone,) = lm.generate([asked], how)[0]
        assert row[0].text == alone.text
        assert row[0].logprob == pytest.approx(alone.logprob, abs=1e-3)
        if index == (1 if penalty == 1 else 2):
            tokens, logprob = reference(lm, index, how)
            shown = [token for token in tokens if token not in lm._format.ends]
            assert row[0].text == lm.tokenizer.decode(shown, skip_special_tokens=True).strip()
            assert row[0].tokens == len(tokens)
            assert row[0].logprob == pytest.approx(logprob, abs=1e-3)
            assert row[0].finish == ("stop" if len(shown) < len(tokens) else "length")


@pytest.mark.parametrize(
    "how", [replace(SEARCH, penalty_alpha=1e-9), replace(SEARCH, top_k=1), replace(SEARCH, top_k=1, n=0)]
)
def test_without_a_penalty_or_a_choice_it_is_greedy(llama: LocalLM, how: Sampling) -> None:
    how = replace(how, repetition_penalty=1.1, greedy_first=how.n == 0)
    plain = replace(how, penalty_alpha=0.0, top_k=0)
    found, expected = llama.generate(CHATS, how), llama.generate(CHATS, plain)
    assert texts(found) == texts(expected)
    for one, other in zip(found, expected, strict=True):
        assert one[0].logprob == pytest.approx(other[0].logprob, abs=1e-3)


def test_it_repeats_less_than_greedy(llama: LocalLM) -> None:
    """The random model goes round in circles by itself."""

    def distinct(how: Sampling) -> float:
        found = [llama._format.encode([row[0].text])[0] for row in llama.generate(CHATS, how)]
        return sum(len(set(one)) for one in found) / sum(map(len, found))

    how = replace(SEARCH, max_new_tokens=60)
    assert distinct(how) > distinct(replace(how, penalty_alpha=0.0)) + 0.1


def test_samples_stay_samples_beside_it(llama: LocalLM) -> None:
    how = Sampling(n=3, greedy_first=True, temperature=0.9, max_new_tokens=12, top_k=4, seed=5)
    both = texts(llama.generate(CHATS, replace(how, penalty_alpha=0.6)))
    assert [row[1:] for row in both] == [row[1:] for row in texts(llama.generate(CHATS, how))]
    assert [row[:1] for row in both] == texts(llama.generate(CHATS, replace(SEARCH, max_new_tokens=12)))
    assert (
        texts(llama.generate(CHATS[1:2], replace(SEARCH, n=3)))[0][0]
        in texts(llama.generate(CHATS[1:2], SEARCH))[0]
    )


def watched(lm: LocalLM, seen: Callable[[torch.Tensor, Any], None]) -> None:
    forward = lm._forward.next_logits

    def next_logits(tokens: torch.Tensor, mask: torch.Tensor, cache: Any = None, *others: Any) -> Any:
        seen(tokens, cache)
        return forward(tokens, mask, cache, *others)

    lm._forward.next_logits = next_logits  # type: ignore[method-assign]


@pytest.mark.parametrize("budget", [1, 300, 700])
def test_a_small_token_budget_changes_nothing_but_the_batches(
    tiny_llama: Path, llama: LocalLM, budget: int
) -> None:
    small = load(tiny_llama, token_budget=budget)
    assert small._forward.pads
    passes: list[int] = []
    watched(small, lambda tokens, cache: passes.append(len(tokens) > SEARCH.top_k and tokens.numel()))
    assert texts(small.generate(CHATS, SEARCH)) == texts(llama.generate(CHATS, SEARCH))
    assert max(passes) <= budget


def test_running_out_of_memory_halves_the_budget_and_tries_again(tiny_llama: Path, llama: LocalLM) -> None:
    small = load(tiny_llama)

    def limited(tokens: torch.Tensor, cache: Any) -> None:
        if tokens.numel() > 600:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    watched(small, limited)
    assert texts(small.generate(CHATS, SEARCH)) == texts(llama.generate(CHATS, SEARCH))


def test_what_is_no_number_fails_its_item_only(tiny_llama: Path, llama: LocalLM) -> None:
    broken = load(tiny_llama)
    assert broken._forward.pads
    forward = broken._forward.next_states

    def poisoned(tokens: torch.Tensor, mask: torch.Tensor, cache: Any = None, *others: Any) -> Any:
        logits, states, kept = forward(tokens, mask, cache, *others)
        first, second = (mask.sum(1) == length for length in sorted(set(mask.sum(1).tolist()))[:2])
        if cache is None:  # what was asked, by the length of its prompt
            logits[first] = torch.nan
            states[second] = torch.inf
        return logits, states, kept

    broken._forward.next_states = poisoned  # type: ignore[method-assign]
    found, expected = broken.generate(CHATS, SEARCH), llama.generate(CHATS, SEARCH)
    assert [row[0].finish == "error" for row in found] == [False, True, False, True, True]
    assert "not numbers" in (found[1][0].error or "")
    assert [texts(found)[at] for at in (0, 2)] == [texts(expected)[at] for at in (0, 2)]


def test_stop_strings_limits_and_ends(llama: LocalLM) -> None:
    ((whole,),) = llama.generate(CHATS[:1], replace(SEARCH, max_new_tokens=40))
    stop = whole.text[3:5]
    ((cut,),) = llama.generate(CHATS[:1], replace(SEARCH, max_new_tokens=40, stop=(stop,)))
    assert cut.finish == "stop"
    assert cut.text == whole.text[: whole.text.index(stop)].strip()
    assert cut.tokens < whole.tokens
    text = "x" * 200
    room = 256 - len(llama.tokenizer(llama.render(chat(text)))["input_ids"])
    ((last,),) = llama.generate([chat(text)], replace(SEARCH, max_new_tokens=500))
    assert last.tokens == room or last.finish == "stop"


def test_a_model_that_hides_its_states_is_refused_by_name(tiny_llama: Path) -> None:
    lm = load(tiny_llama)
    lm.model.base_model_prefix = "elsewhere"
    with pytest.raises(ModelError, match="does not show the hidden states") as caught:
        lm.generate(CHATS[:1], SEARCH)
    assert str(tiny_llama) in caught.value.what
    assert "penalty_alpha" in caught.value.hint
