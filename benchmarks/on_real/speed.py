"""Tokens per second of the product, of transformers' `generate` on the same batch, and question by question.

16 questions of countries.jsonl, a greedy answer and 5 samples each, at most 32 tokens, the built-in prompt
with its demonstrations and the probe's defaults.  All ways end an answer where the prompt's demonstrations
end and count the tokens of the answers alone.  llama.cpp answers too where xllamacpp is installed
(llama_cpp.py).  They take turns, so that whatever else the machine does hits all of them alike; what counts
is the median of the ratios.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import torch

from on_real import llama_cpp
from on_real.model import COUNTRIES, in_float32, model
from selfstudy.models.base import Sampling
from selfstudy.models.local.lm import LocalLM
from selfstudy.prompts import Prompts
from selfstudy.records import Chat

QUESTIONS, SAMPLES, NEW = 16, 5, 32
ALONE = 4
"""Questions of a turn that are asked one by one: they are slow."""
TURNS = 3
ROWS = 32
"""Answers that llama.cpp is asked for at once."""
PRODUCTS = ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm", "aten::mkldnn", "mkl::_mkl_linear")
ATTENTION = ("aten::_scaled_dot_product",)


def run(seeds: Sequence[int]) -> dict[str, Any]:
    """The three ways in turn, then where the product's time goes."""
    lm = LocalLM(in_float32(device="cpu"))
    chats = _chats()
    plain = Plain(lm, chats[0])
    ways: dict[str, Callable[[int], tuple[int, float]]] = {
        "product": lambda turn: _timed(lambda: _product(lm, chats, seeds[0] + turn)),
        "transformers, one batch": lambda turn: _timed(lambda: plain.answer(chats)),
        "transformers, question by question": lambda turn: _timed(
            lambda: sum(plain.answer([chat]) for chat in _some(chats, turn))
        ),
    }
    if llama_cpp.is_here():
        ways["llama.cpp, 4 bits"] = llama(lm, chats, seeds[0])
    torch.manual_seed(seeds[0])
    lm.generate(chats[:2], Sampling(max_new_tokens=2))
    plain.answer(chats[:1])
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(TURNS):
        for name in list(ways) if turn % 2 else reversed(ways):
            tokens, seconds = ways[name](turn)
            rates[name].append(tokens / seconds)
            print(f"  turn {turn}: {name}: {tokens} tokens in {seconds:.1f} s", flush=True)
    print(f"\n{lm.name}: {QUESTIONS} questions x {SAMPLES + 1} answers, {torch.get_num_threads()} threads")
    print("| | tokens per second | times faster is the product |\n|---|---|---|")
    found: dict[str, Any] = {}
    for name, values in rates.items():
        times = median(ours / theirs for ours, theirs in zip(rates["product"], values, strict=True))
        found[name] = {"tokens/s": median(values), "times": times, "each": values}
        print(f"| {name} | {median(values):.1f} | {times:.2f} |")
    return found | {"shares": _shares(lambda: _product(lm, chats, seeds[0]))}


def llama(lm: LocalLM, chats: Sequence[Chat], seed: int) -> Callable[[int], tuple[int, float]]:
    """All answers by llama.cpp; ROWS of them at once, as many threads as the others have."""
    other = llama_cpp.LlamaCpp(str(model()), threads=torch.get_num_threads(), rows=ROWS)
    prompts = [lm.render(chat) for chat in chats for _ in range(SAMPLES + 1)]
    stop = lm._format.stop(chats[0])
    return lambda turn: _timed(lambda: other.answer(prompts, stop, tokens=NEW, seed=seed + turn))


def _chats() -> list[Chat]:
    rows = [json.loads(line) for line in COUNTRIES.read_text(encoding="utf-8").splitlines()]
    prompts = Prompts()
    return [prompts.chat("answer", question=row["question"]) for row in rows[:QUESTIONS]]


def _some(chats: Sequence[Chat], turn: int) -> list[Chat]:
    """Other questions in every turn."""
    return [chats[(turn * ALONE + i) % len(chats)] for i in range(ALONE)]


def _timed(answer: Callable[[], int]) -> tuple[int, float]:
    start = time.perf_counter()
    return answer(), time.perf_counter() - start


def _product(lm: LocalLM, chats: Sequence[Chat], seed: int) -> int:
    sampling = Sampling(n=SAMPLES, greedy_first=True, max_new_tokens=NEW, repetition_penalty=1.1, seed=seed)
    return sum(one.tokens for row in lm.generate(chats, sampling) for one in row)


class Plain:
    """transformers' own `generate`, told to end an answer at every token that ends its line."""

    def __init__(self, lm: LocalLM, chat: Chat) -> None:
        self._lm = lm
        stop = lm._format.stop(chat)
        words = lm.tokenizer.batch_decode([[token] for token in range(len(lm.tokenizer))])
        ending = {token for token, word in enumerate(words) if any(end in word for end in stop)}
        self._ends = sorted({*lm._format.ends, *ending})

    def answer(self, chats: Sequence[Chat]) -> int:
        """One batch, all answers sampled (a call of its own for the greedy ones would cost more)."""
        prompts = self._lm._format.encode([self._lm.render(chat) for chat in chats])
        length = max(map(len, prompts))
        pad = self._lm.tokenizer.pad_token_id or 0
        tokens = torch.tensor([[pad] * (length - len(prompt)) + prompt for prompt in prompts])
        mask = torch.tensor([[0] * (length - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        with torch.inference_mode():
            out = self._lm.model.generate(
                tokens,
                attention_mask=mask,
                do_sample=True,
                temperature=1.0,
                top_k=0,
                top_p=1.0,
                repetition_penalty=1.1,
                num_return_sequences=SAMPLES + 1,
                max_new_tokens=NEW,
                eos_token_id=self._ends,
                pad_token_id=pad,
            )
        new = out[:, length:]
        ended = torch.isin(new, torch.tensor(self._ends)).cumsum(1)
        before = torch.cat([ended.new_zeros(len(ended), 1), ended[:, :-1]], 1)
        return int((before == 0).sum())


def _shares(answer: Callable[[], int]) -> dict[str, float]:
    """Shares of the clock, and what took longest by itself."""
    start = time.perf_counter()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as recorded:
        answer()
        seconds = time.perf_counter() - start
    spent = {event.key: event.self_cpu_time_total / 1e6 for event in recorded.key_averages()}
    shares = {
        "matrix products": sum(value for key, value in spent.items() if key.startswith(PRODUCTS)),
        "attention": sum(value for key, value in spent.items() if key.startswith(ATTENTION)),
        "other operations": 0.0,
        "outside of operations": seconds - sum(spent.values()),
    }
    shares["other operations"] = seconds - sum(shares.values())
    shares = {name: value / seconds for name, value in shares.items()}
    print(f"\nwhere the product's time goes ({seconds:.1f} s with the profiler):")
    print(", ".join(f"{name} {share:.0%}" for name, share in shares.items()))
    for key in sorted(spent, key=lambda key: -spent[key])[:16]:
        print(f"  {key} {spent[key] / seconds:.1%}")
    return shares
