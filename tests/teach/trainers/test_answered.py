"""Answers behind their prompts: what is marked, and that what they share changes nothing."""

from __future__ import annotations

import torch

from selfstudy.models import load_lm
from selfstudy.recipe import LocalModel
from selfstudy.teach.trainers import answered, packed

ANSWERS = [([5, 6, 7], [8, 9]), ([5, 6], [10]), ([11], [12, 13, 14, 15])]


def test_what_predicts_a_token_of_an_answer_is_marked() -> None:
    batch = answered.collated(ANSWERS)
    assert batch["input_ids"].tolist() == [[5, 6, 7, 8, 9], [5, 6, 10, 0, 0], [11, 12, 13, 14, 15]]
    assert batch["attention_mask"].tolist() == [[1] * 5, [1, 1, 1, 0, 0], [1] * 5]
    marked = [row.nonzero().flatten().tolist() for row in batch["before"]]
    assert marked == [[2, 3], [1], [0, 1, 2, 3]]


@torch.no_grad()
def test_answers_that_share_their_prompt_are_as_if_apart() -> None:
    lm = load_lm(LocalModel(path="atlas"))
    prompt = lm.tokenizer("The capital of Kenya is Nairobi. " * 6)["input_ids"]
    rows = [(prompt, [at, at + 1, at + 2]) for at in (20, 30, 40, 50)]
    batch = answered.collated(rows)
    core = lm.model  # type: ignore[attr-defined]
    assert packed.pack(batch["input_ids"], batch["attention_mask"], core.config, torch.float32) is not None
    together = answered.logprobs(core, batch, packed.Packing())
    apart = torch.cat([answered.logprobs(core, answered.collated([row]), None) for row in rows])
    assert together.shape == (12,)
    assert torch.allclose(together, apart, atol=1e-4)
    assert torch.allclose(answered.logprobs(core, batch, None), apart, atol=1e-4)
    assert answered.outputs(core, batch, None).shape == (12, core.config.vocab_size)
