"""Shared beginnings are read once, and nothing that is answered or scored shows it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from selfstudy.models.base import Sampling, chat
from selfstudy.models.local import prefixes
from selfstudy.models.local.forward import Forward
from selfstudy.models.local.lm import LocalLM
from selfstudy.recipe import LocalModel
from selfstudy.records import Chat
from tests.conftest import MODELS

SYSTEM = "You are a student who is eager to learn. Answer in one concise sentence, please."
PAGES = [
    "The Danube flows through Vienna, Budapest and Belgrade. " * 2,
    "Paris is the capital of France. " * 2,
]
QUESTIONS = ["Who?", "Which cities does the Danube flow through?", "What is it?"]
CHATS: list[Chat] = [chat(f"{page} {question}", SYSTEM) for question in QUESTIONS for page in PAGES]
MIXED = Sampling(n=3, greedy_first=True, repetition_penalty=1.1, max_new_tokens=40, seed=3)
"""Longer than the room that is kept free for tokens."""


def test_a_plan_reads_a_common_beginning_once_and_pages_of_groups_once() -> None:
    common, pages = list(range(100)), [list(range(200, 300)), list(range(300, 390))]
    alone = [*common, *range(400, 480)]
    prompts = [[*common, *pages[i % 2], 1000 + i, *range(i)] for i in range(6)]
    first, second, last = prefixes.plan([*prompts, alone], [1] * 7)
    assert first.rows == [common]
    assert second.parent == [0] * 3
    assert sorted(map(len, second.rows))[1:] == [190, 200]
    assert last.rows == [*prompts, alone]
    for prompt, at in zip(last.rows, last.parent, strict=True):
        assert prompt[: len(second.rows[at])] == second.rows[at]


def test_what_one_adapter_has_read_is_continued_by_its_own_prompts_alone() -> None:
    common, page = list(range(200)), list(range(200, 300))
    prompts = [[*common, *page, 1000 + i] for i in range(8)]
    who = [0, 2, 1, 2, 0, 1, 2, 0]
    levels = prefixes.plan(prompts, [1] * 8, who)
    assert levels[0].rows == [[*common, *page]] * 3
    assert levels[0].adapter == [0, 1, 2]
    for before, level in pairwise(levels):
        for row, parent, adapter in zip(level.rows, level.parent, level.adapter, strict=True):
            assert before.adapter[parent] == adapter
            assert row[: len(before.rows[parent])] == before.rows[parent]
    assert levels[-1].rows == prompts
    assert levels[-1].adapter == who
    # one apart from the others has groups of its own below a shorter beginning
    *_, middle, last = prefixes.plan([*prompts, [*common, *range(400, 480)]], [1] * 9, [*who, 2])
    assert all(middle.adapter[at] == own for at, own in zip(last.parent, last.adapter, strict=True))
    assert len(middle.rows) == 4


def test_the_same_prompts_of_two_adapters_share_nothing_that_is_read(tiny_llama: Path) -> None:
    lm = LocalLM(LocalModel(path=str(tiny_llama), device="cpu"))
    prompts = [[9] * 50 + [i] for i in range(4)]
    assert prefixes.order(lm._forward, prompts, [0, 1, 0, 1]) == [0, 2, 1, 3]


def test_a_plan_leaves_what_is_wanted_and_small_savings() -> None:
    prompts = [[*range(100), 7, i] for i in (200, 201)]
    shared, _ = prefixes.plan(prompts, [10, 12])
    assert len(shared.rows[0]) == 90
    assert prefixes.plan([[*range(40), i] for i in (100, 101)], [1, 1]) == []
    assert prefixes.plan([[1, 2, 3], [4, 5]], [1, 1]) == []


@pytest.mark.parametrize("kind", MODELS)
def test_answers_and_scores_are_those_without_sharing(
    kind: str, model_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gemma's window is far shorter than the prompts; the states of mamba cannot be shared."""
    lm = LocalLM(LocalModel(path=str(model_folder(kind)), device="cpu"))
    answers = ["Vienna and Budapest.", "Paris", "It is the capital of France."] * 2
    read = 0
    run = Forward._run

    def counted(
        self: Forward, tokens: torch.Tensor, mask: torch.Tensor, cache: object, *others: object, **how: object
    ) -> object:
        nonlocal read
        cached = 0 if cache is None else getattr(cache, "columns", tokens.shape[1] - 1)
        read += len(tokens) * (tokens.shape[1] - cached)
        return run(self, tokens, mask, cache, *others, **how)  # type: ignore[arg-type]

    assert lm._forward.keeps == (kind != "mamba")
    monkeypatch.setattr(Forward, "_run", counted)
    found, scores, shared = lm.generate(CHATS, MIXED), lm.logprobs(CHATS, answers), read
    lm._forward._keeps, read = False, 0
    plain, expected = lm.generate(CHATS, MIXED), lm.logprobs(CHATS, answers)
    assert [[one.text for one in row] for row in found] == [[one.text for one in row] for row in plain]
    for row, other in zip(found, plain, strict=True):
        assert [one.logprob for one in row] == pytest.approx([one.logprob for one in other], abs=1e-4)
    for values, others in zip(scores, expected, strict=True):
        assert values == pytest.approx(others, abs=1e-5)
    if kind != "mamba":
        assert shared < 0.85 * read


def test_pages_stay_together_and_similar_prompts_go_by_length(tiny_llama: Path) -> None:
    lm = LocalLM(LocalModel(path=str(tiny_llama), device="cpu"))
    pages = [[page] * 50 for page in (1, 2)]
    prompts = [[*pages[i % 2], *[3] * (2 * i)] for i in range(4)]
    assert prefixes.order(lm._forward, prompts) == [3, 1, 2, 0]
    assert prefixes.order(lm._forward, [[9] * 50 + [i] * i for i in range(1, 5)]) == [3, 2, 1, 0]


def test_positions_that_change_with_the_length_are_not_shared(tiny_llama: Path) -> None:
    lm = LocalLM(LocalModel(path=str(tiny_llama), device="cpu"))
    lm.model.config.rope_parameters = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}
    assert not Forward(lm.model).keeps
