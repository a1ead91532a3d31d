"""Mixed targets: one text under two prompts, and only texts that say what the reference says."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from selfstudy.models import load_lm
from selfstudy.models.base import GREEDY, chat
from selfstudy.models.local.two_prompts import mixed_answers
from selfstudy.prompts import Prompts
from selfstudy.recipe import DistillBlock, LocalModel
from selfstudy.records import Example
from selfstudy.teach.mixed import with_mixed_targets

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def atlas() -> Any:
    return load_lm(LocalModel(path="atlas", device="cpu"))


def example(prompts: Prompts, country: str, says: str, page: str) -> Example:
    asked = f"What is the capital of {country}?"
    return Example(
        prompt=prompts.chat("answer", question=asked),
        teacher=prompts.chat("read", document=page, question=asked),
        completion=says,
        question_id=country,
        kind="reference",
    )


def test_all_of_one_side_is_what_that_prompt_says(atlas: Any) -> None:
    prompts = Prompts(demonstrations=False)
    some = [
        example(prompts, "France", "x", "France is a country. The capital of France is Lima."),
        example(prompts, "Spain", "x", "Spain is a country. Spain is run from Quito. It lies in Asia."),
    ]
    naive, expert = [e.prompt for e in some], [e.teacher for e in some]
    said = [[row[0].text for row in atlas.generate(chats, GREEDY)] for chats in (naive, expert)]
    assert said[0] != said[1]
    for share, side in ((1.0, 0), (0.0, 1)):
        assert mixed_answers(atlas, naive, expert, share, 48, ["a", "b"]) == said[side]
    assert mixed_answers(atlas, naive, expert, 0.0, 1, ["a", "b"]) == ["", ""]  # no end in sight
    halves = [mixed_answers(atlas, naive, expert, 0.5, 48, [f"{i}a", f"{i}b"]) for i in range(3)]
    assert halves == [mixed_answers(atlas, naive, expert, 0.5, 48, [f"{i}a", f"{i}b"]) for i in range(3)]


def test_only_what_says_the_reference_is_kept(atlas: Any) -> None:
    prompts = Prompts(demonstrations=False)
    right = "The capital of France is Lima."
    good = example(prompts, "France", right, f"{right} France is a country. {right}")
    bad = example(prompts, "Spain", "The capital of Spain is Suva.", "Spain is a country. It lies in Asia.")
    replayed = Example(
        prompt=chat("Hello?"), completion="Hello.", question_id="h", kind="replay", teacher=chat("Hello?")
    )
    block = DistillBlock(targets="mixed", mix=0.3, tries=3)
    kept, dropped = with_mixed_targets([good, replayed, bad, good], atlas, block, 48, seed=0)
    assert [e.question_id for e in kept] == ["France", "h", "France"]
    assert all("Lima" in e.completion for e in kept if e.question_id == "France")
    assert [bool(e.teacher) for e in kept] == [False, True, False], "what is replayed stays as it was"
    assert list(dropped) == [bad.id]
    assert "3 tries" in dropped[bad.id]
