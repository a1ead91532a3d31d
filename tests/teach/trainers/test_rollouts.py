"""What a model has just said, as rows of tokens: rewards where they were earned, numbers as of one alone."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from selfstudy.models.base import Sampling, chat
from selfstudy.records import Completion
from selfstudy.teach.trainers import packed, rollouts, shared

from .policies import EXERCISES, FACTS, exercise, practice, rewards

torch.set_num_threads(1)


def collected(
    lm: Any, said: Sequence[Sequence[str]], level: Any = "fine", **changes: Any
) -> rollouts.Rollouts:
    """Of answers as the tokenizer cuts them, which ended by themselves."""
    tokens = shared.Tokens(lm)
    exercises = [exercise(country, **changes) for country in FACTS][: len(said)]
    rows = [
        [(Completion(text=text), tokens.answers([one.prompt], [text])[0]) for text in texts]
        for one, texts in zip(exercises, said, strict=True)
    ]
    return rollouts.collected(exercises, rows, rewards(level), tokens, lm.model, 0)


def pieces(lm: Any, one: rollouts.Rollout) -> list[tuple[str, float]]:
    """What tokens that earn something say, and what they earn."""
    ids = one.row["answer_ids"]
    return [(lm.tokenizer.decode([i]), round(r, 6)) for i, r in zip(ids, one.rewards, strict=True) if r]


def test_rewards_stand_where_they_were_earned(citing_lm: Any) -> None:
    """The mark at its bracket, the statement at its end, what is found and that it answers at the end."""
    found = collected(citing_lm, [["Paris [1].", "Paris [2]. Paris it is [1]."], ["I am [1]."]])
    assert not found.problems
    assert [one.group for one in found.answers] == [0, 0, 1]
    first, second, third = found.answers
    assert [value for _, value in pieces(citing_lm, first)] == [0.2, 0.2, 0.4]
    assert [text for text, _ in pieces(citing_lm, first)] == ["]", ".", "<|end|>"]
    assert first.total == pytest.approx(0.8)
    assert [value for _, value in pieces(citing_lm, second)] == [-0.2, -0.2, 0.2, 0.2, 0.4]
    assert third.total == pytest.approx(-0.4)  # neither supported nor right, and it answers
    together = collected(citing_lm, [["Paris [1]."]], "holistic").answers[0]
    assert pieces(citing_lm, together) == [("<|end|>", 0.8)]


def test_segments_are_sentences_or_items(citing_lm: Any) -> None:
    said = "Paris [1]. It is big [2]. Yes."
    (one,) = collected(citing_lm, [[said]]).answers
    ids = one.row["answer_ids"]
    texts = ["", "", ""]
    for token, segment in zip(ids, one.segments, strict=True):
        texts[segment] += citing_lm.tokenizer.decode([token])
    assert texts == [" Paris [1].", " It is big [2].", " Yes.<|end|>"]
    (listed,) = collected(citing_lm, [["Paris [1], Lima [2]."]], kind="qampari").answers
    assert sorted(set(listed.segments)) == [0, 1]


@pytest.mark.parametrize(
    ("text", "finish"), [("", "stop"), ("Paris [1", "length"), ("Paris", "length"), ("   ", "stop")]
)
def test_empty_answers_and_those_that_were_cut_off(citing_lm: Any, text: str, finish: Any) -> None:
    """One that says nothing has an end that gets its rewards; of one that was cut off it is no part."""
    tokens = shared.Tokens(citing_lm)
    ids = tokens.begun([EXERCISES[0].prompt], [text])[0]
    ids = [*ids, citing_lm.tokenizer.eos_token_id] if finish == "stop" else ids
    row = [[(Completion(text=text.strip(), finish=finish), ids)]]
    found = rollouts.collected(EXERCISES[:1], row, rewards(), tokens, citing_lm.model, 0)
    (one,) = found.answers
    assert (one.row["answer_ids"][-1] == citing_lm.tokenizer.eos_token_id) == (finish == "stop")
    assert len(one.rewards) == len(one.segments) == len(one.row["answer_ids"])
    assert one.total == pytest.approx({"": 0.0, "Paris [1": 0.8, "Paris": 0.2}[text.strip()])


def test_an_answer_cut_off_before_it_began_is_lost(citing_lm: Any) -> None:
    row = [
        [(Completion(text="", finish="length"), []), (Completion(text="", finish="error", error="no"), [])]
    ]
    found = rollouts.collected(EXERCISES[:1], row, rewards(), shared.Tokens(citing_lm), citing_lm.model, 0)
    assert not found.answers
    assert sorted(found.problems) == ["an empty answer", "no"]


def test_the_tokens_are_those_that_were_drawn(citing_lm: Any) -> None:
    """However the tokenizer would cut the text: learning from others would be off policy."""
    tokens = shared.Tokens(citing_lm)
    (whole,) = tokens.answers([EXERCISES[0].prompt], ["Paris [1]."])
    letters = [citing_lm.tokenizer.convert_tokens_to_ids(one) for one in "Paris"]
    assert None not in letters
    drawn = [*letters, *whole[whole.index(citing_lm.tokenizer.convert_tokens_to_ids("[")) - 1 :]]
    if citing_lm.tokenizer.decode(drawn) != "Paris [1].<|end|>":
        drawn = [*letters, *tokens.answers([EXERCISES[0].prompt], ["x [1]."])[0][1:]]
    assert citing_lm.tokenizer.decode(drawn) == "Paris [1].<|end|>"
    assert drawn != whole
    row = [[(Completion(text="Paris [1]."), drawn)]]
    found = rollouts.collected(EXERCISES[:1], row, rewards(), tokens, citing_lm.model, 0)
    (one,) = found.answers
    assert one.row["answer_ids"] == drawn
    assert pieces(citing_lm, one) == [("]", 0.2), (".", 0.2), ("<|end|>", 0.4)]


def test_an_answer_that_the_model_cannot_read_again_is_a_problem(citing_lm: Any) -> None:
    found = collected(citing_lm, [["Paris [1].", "Paris " * 300]])
    assert len(found.answers) == 1
    assert "the model reads 256" in found.problems[0]


def test_each_token_of_what_is_sampled_gets_its_probability(citing_lm: Any) -> None:
    """Several answers to several prompts, packed: as one at a time, and as generation has them."""
    tokens = shared.Tokens(citing_lm)
    sampling = Sampling(n=4, temperature=1.0, max_new_tokens=10, seed=3)
    asked = [replace(one, prompt=chat(f"{one.item.question} " * 6)) for one in EXERCISES[:2]]
    rows = citing_lm.sampled([one.prompt for one in asked], sampling)
    plain = citing_lm.generate([one.prompt for one in asked], sampling)
    assert [[one for one, _ in row] for row in rows] == plain
    found = rollouts.collected(asked, rows, rewards(), tokens, citing_lm.model, 0)
    answers = rollouts.placed(found.answers, 0)
    packing = packed.Packing()
    batch = rollouts.collated([one.row for one in answers], "cpu")
    with torch.no_grad():
        whole = rollouts.unpadded(rollouts.logprobs(citing_lm.model, batch, packing), batch)
        alone = [
            rollouts.logprobs(citing_lm.model, rollouts.collated([one.row], "cpu"), packed.Packing())[0]
            for one in answers
        ]
    assert packing.works
    assert len(answers) == 8
    for one, other in zip(whole, alone, strict=True):
        assert one == pytest.approx(other.tolist(), abs=1e-4)
    generated = [one.logprob for row in rows for one, _ in row]
    assert [sum(one) for one in whole] == pytest.approx(generated, abs=1e-3)


@given(st.lists(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=5), min_size=1, max_size=4))
def test_matrices_hold_what_they_are_given(numbers: list[list[float]]) -> None:
    answers = [
        rollouts.Rollout(group, {"prompt_ids": [1], "answer_ids": [2] * len(row)}, row, [0] * len(row), "")
        for group, row in enumerate(numbers)
    ]
    made = rollouts.matrices(answers, "cpu")
    told = rollouts.columns([{"own": row} for row in numbers], "cpu")["own"]
    batch = rollouts.collated([one.row for one in answers], "cpu")
    assert torch.equal(made.rewards, told)
    assert rollouts.unpadded(told, batch) == numbers
    assert made.mask.sum(1).tolist() == [len(row) for row in numbers]
    assert not made.rewards[~made.mask].any()
    assert made.groups.tolist() == list(range(len(numbers)))


def test_answers_to_a_question_stand_together() -> None:
    answers = [rollouts.Rollout(group, {}, [], [], str(at)) for at, group in enumerate([1, 0, 1, 0])]
    placed = rollouts.placed(answers, 10)
    assert [(one.group, one.text) for one in placed] == [(10, "1"), (10, "3"), (11, "0"), (11, "2")]
    assert [one.group for one in answers] == [1, 0, 1, 0]


def behind_prompts(lm: Any, answers: Sequence[int], prompt: int = 80) -> list[rollouts.Rollout]:
    """So many answers of 8 tokens or so to each of some questions, all tokens at random."""
    size = lm.model.get_input_embeddings().weight.shape[0]
    chance = random.Random(0)
    found = []
    for group, count in enumerate(answers):
        before = chance.choices(range(size), k=prompt)
        for at in range(count):
            row = {"prompt_ids": before, "answer_ids": chance.choices(range(size), k=6 + at)}
            found.append(rollouts.Rollout(group, row, [], [], ""))
    return found


def test_on_the_cpu_a_pass_has_the_answers_to_one_question_if_they_share_and_fit(citing_lm: Any) -> None:
    def cut(answers: Sequence[int], tokens: int = 16_384, packing: Any = None) -> list[int]:
        given = behind_prompts(citing_lm, answers)
        found = list(rollouts.parts(citing_lm.model, given, tokens, packing or packed.Packing()))
        assert [row for part in found for row in part] == [one.row for one in given]
        return [len(part) for part in found]

    unable = packed.Packing()
    unable.works = False
    assert cut([4, 4, 4]) == [4, 4, 4]
    assert cut([4, 1, 1, 4, 1]) == [4, 2, 4, 1]  # who shares nothing goes with others
    assert cut([4, 4], packing=unable) == [8]
    assert cut([4, 3], tokens=80 + 6 + 7 + 8) == [1, 1, 1, 1, 3]
    assert cut([4, 3], tokens=80 + 6 + 7 + 8 - 1) == [1] * 7


def test_how_answers_are_cut_changes_no_gradient(citing_lm: Any) -> None:
    model = shared.training_copy(citing_lm, whole=True)
    given = behind_prompts(citing_lm, [4, 4, 1])
    weights = torch.linspace(-1, 1, len(given))

    def learned(parts: Sequence[list[shared.TokenRow]], packing: packed.Packing) -> tuple[float, Any]:
        model.zero_grad()
        loss, first = 0.0, 0
        for part in parts:
            said = rollouts.logprobs(model, rollouts.collated(part, "cpu"), packing)
            own = (said.sum(1) * weights[first : first + len(part)]).sum()
            own.backward()
            loss, first = loss + float(own.detach()), first + len(part)
        return loss, torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])

    packing, apart = packed.Packing(), packed.Packing()
    apart.works = False
    loss, gradient = learned(list(rollouts.parts(model, given, 16_384, packing)), packing)
    assert packing.works
    expected, exact = learned([[one.row] for one in given], apart)
    assert loss == pytest.approx(expected, rel=1e-4)
    assert (gradient - exact).norm() < 1e-4 * exact.norm()


def test_what_the_most_probable_answers_earn(citing_lm: Any) -> None:
    given = practice(dev=2)
    long = replace(given.dev[0], prompt=chat("word " * 300))
    totals = rollouts.rewards_of(citing_lm, given, [*given.dev, long], 16)
    assert len(totals) == 2  # of the one that leaves no room there is none
    assert all(-1 < one <= 0.8 for one in totals)
