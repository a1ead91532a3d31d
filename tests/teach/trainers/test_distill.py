"""Distillation: the loss by hand and by finite differences, and a student that learns what a page says."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from selfstudy.models import load_lm
from selfstudy.models import lora as adapters
from selfstudy.models.base import GREEDY, chat
from selfstudy.models.local.lm import LocalLM
from selfstudy.progress import Silent
from selfstudy.recipe import DistillBlock, LocalModel, SFTBlock
from selfstudy.records import Example
from selfstudy.teach.trainers import distill, sft, shared

from .small import EXAMPLES, FACTS, setting, taught

torch.set_num_threads(1)


def shown(*rows: list[float]) -> distill.Shown:
    """Tokens 0, 1, ... with these probabilities."""
    p = torch.tensor(rows)
    return distill.Shown(torch.arange(p.shape[1]).expand(p.shape), p.log())


def test_the_divergence_by_hand() -> None:
    student = torch.tensor([[0.5, 0.25, 0.25], [0.2, 0.3, 0.5]]).log() + 7.0
    found = distill.divergence(student, shown([0.5, 0.5], [1.0, 0.0]))
    assert found.tolist() == pytest.approx([0.5 * math.log(0.5 / 0.25), -math.log(0.2)])
    whole = distill.divergence(student[:1], shown([0.5, 0.3]), rest=True)
    by_hand = 0.3 * math.log(0.3 / 0.25) + 0.2 * math.log(0.2 / 0.25)
    assert whole.tolist() == pytest.approx([by_hand], abs=1e-6)
    same = distill.divergence(torch.tensor([[0.5, 0.3, 0.2]]).log(), shown([0.5, 0.3]), rest=True)
    assert same.tolist() == pytest.approx([0.0], abs=1e-6)
    given = distill.divergence(student, distill.one_hot(torch.tensor([2, 0]), 2), rest=True)
    assert given.tolist() == pytest.approx([-math.log(0.25), -math.log(0.2)])


@pytest.mark.parametrize("rest", [False, True])
def test_its_gradient_is_that_of_finite_differences(rest: bool) -> None:
    torch.manual_seed(0)
    logits = torch.randn(3, 7, dtype=torch.float64).float().requires_grad_()
    teacher = shown([0.6, 0.3], [0.1, 0.7], [1.0, 0.0])
    distill.divergence(logits, teacher, rest=rest).sum().backward()
    assert logits.grad is not None
    for i, j in ((0, 0), (1, 1), (2, 0), (0, 6), (2, 3)):
        step = torch.zeros_like(logits)
        step[i, j] = 1e-2
        with torch.no_grad():
            up, down = (
                distill.divergence(logits + s, teacher, rest=rest).double().sum() for s in (step, -step)
            )
        assert (up - down).item() / 2e-2 == pytest.approx(logits.grad[i, j].item(), abs=2e-3)


@pytest.mark.parametrize("rest", [False, True])
def test_its_gradient_is_that_of_the_formula(rest: bool) -> None:
    """More positions than are worked on at once, some of them one-hot, weighted unequally."""
    torch.manual_seed(1)
    count = distill.POSITIONS * 2 + 3
    logits = torch.randn(count, 50).requires_grad_()
    logs, tokens = torch.randn(count, 50).log_softmax(1).topk(6, dim=1)
    logs = logs if rest else logs - logs.logsumexp(1, keepdim=True)
    one = distill.one_hot(torch.arange(5), 6)
    tokens[:5], logs[:5] = one.tokens, one.logs
    weights = torch.rand(count)

    def by_autograd() -> torch.Tensor:
        q, p = logits.log_softmax(1).gather(1, tokens), logs.exp()
        found = torch.where(p > 0, p * (logs - q), 0.0).sum(1)
        left, others = 1 - p[5:].sum(1), 1 - q[5:].exp().sum(1)
        more = left * (left.log() - others.log()) if rest else torch.zeros(count - 5)
        return found + torch.cat([torch.zeros(5), more])

    found = distill.divergence(logits, distill.Shown(tokens, logs), rest=rest)
    assert found.tolist() == pytest.approx(by_autograd().tolist(), abs=1e-5)
    (ours,) = torch.autograd.grad((found * weights).sum(), logits)
    (theirs,) = torch.autograd.grad((by_autograd() * weights).sum(), logits)
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_a_student_without_a_rest_keeps_a_finite_gradient() -> None:
    """Where it gives all to what is kept, its rest rounds to nothing."""
    logits = torch.tensor([[60.0, 59.0, -60.0, -60.0]]).requires_grad_()
    found = distill.divergence(logits, shown([0.5, 0.3]), rest=True).sum()
    found.backward()
    assert found.isfinite()
    assert logits.grad is not None
    assert float(logits.grad.abs().max()) <= 1


PAGE = "Document: {answer}\nQuestion: What is the capital of {country}?"


def reading() -> list[Example]:
    """The six facts as distillation has them: the frozen model reads them in a page."""
    return [
        e.model_copy(update={"teacher": chat(PAGE.format(answer=e.completion, country=e.question_id))})
        for e in EXAMPLES
    ]


def test_what_is_shown_is_what_the_model_says(tiny_llama: Path) -> None:
    """The kept probabilities are those of `logprobs`, at the same tokens, and renormalised unless rest."""
    lm: Any = load_lm(LocalModel(path=str(tiny_llama)))
    rows = distill.rows_of(lm, reading())
    vocabulary = lm.model.get_output_embeddings().weight.shape[0]
    whole = distill.shown(lm.model, rows, vocabulary, 512, rest=True)
    some = distill.shown(lm.model, rows, 3, 60, rest=False)
    said = lm.logprobs([e.teacher for e in reading()], [e.completion for e in reading()])
    for e, logs in zip(reading(), said, strict=True):
        tokens, count = rows[e.id]
        there = whole[e.id]
        found = [there.logs[i][there.tokens[i] == token].item() for i, token in enumerate(tokens[-count:])]
        assert found[: len(logs)] == pytest.approx(logs, abs=1e-4)  # the end of the turn comes last
        assert torch.equal(some[e.id].tokens, there.tokens[:, :3])
        assert some[e.id].logs.exp().sum(1).tolist() == pytest.approx([1.0] * count, abs=1e-5)


def test_the_student_learns_what_the_teacher_reads(tiny_llama: Path, tmp_path: Path) -> None:
    """The tiny model is first taught to read a page; then it teaches itself, and answers without the page."""
    lm: Any = load_lm(LocalModel(path=str(tiny_llama)))
    able = [e.model_copy(update={"prompt": e.teacher, "teacher": (), "id": f"r{e.id}"}) for e in reading()]
    block = SFTBlock(epochs=40, learning_rate=2e-2, batch_size=6)
    reader = sft.train(shared.training_copy(lm), lm, able, block, setting(), Silent())
    adapters.save(reader.model, tmp_path / "reader")
    lm = load_lm(LocalModel(path=str(tiny_llama), adapter=tmp_path / "reader"))
    asked = [e.prompt for e in EXAMPLES]
    before = [row[0].text for row in lm.generate(asked, GREEDY)]
    assert before != [e.completion for e in EXAMPLES]
    how = DistillBlock(epochs=40, learning_rate=2e-2, batch_size=6, top_k=4)
    # nothing to learn: the student is the teacher, and its divergence begins at 0
    still = [
        Example(
            prompt=e.prompt,
            completion=f"{e.question_id} is here.",
            question_id="",
            kind="neutral",
            teacher=e.prompt,
        )
        for e in EXAMPLES
    ]
    quiet = sft.train(
        shared.training_copy(lm),
        lm,
        still,
        DistillBlock(epochs=1, learning_rate=1e-9, batch_size=6, rest=True),
        setting(),
        Silent(),
    )
    assert quiet.steps[0].loss == pytest.approx(0.0, abs=1e-4)
    trained = sft.train(shared.training_copy(lm), lm, reading(), how, setting(phase="distill"), Silent())
    assert trained.failure is None
    assert trained.steps[-1].loss < trained.steps[0].loss / 4
    adapters.save(trained.model, tmp_path / "student")
    adapters.combine([tmp_path / "reader", tmp_path / "student"], tmp_path / "both")
    after: Any = load_lm(LocalModel(path=str(tiny_llama), adapter=tmp_path / "both"))
    assert [row[0].text for row in after.generate(asked, GREEDY)] == [e.completion for e in EXAMPLES]


def test_a_text_with_a_one_hot_teacher_is_the_text(tiny_llama: Path, tmp_path: Path) -> None:
    """Texts trained beside distributions get the loss and the gradient that they get alone."""
    lm: Any = load_lm(LocalModel(path=str(tiny_llama)))
    alone = taught(lm, tmp_path / "alone", epochs=2)
    other = Example(
        prompt=EXAMPLES[0].prompt, completion="x", question_id="", kind="neutral", teacher=EXAMPLES[0].prompt
    )
    rows = sft.tokenised(lm, [*EXAMPLES, other])
    assert len(rows) == len(FACTS) + 1
    block = SFTBlock(epochs=2, learning_rate=2e-2, batch_size=7)
    mixed = sft.train(shared.training_copy(lm), lm, [*EXAMPLES, other], block, setting(), Silent())
    learned = [sum(label != sft.IGNORED for label in row["labels"]) for row in rows]
    # the seventh adds nothing at first, for it is what it should be
    assert mixed.steps[0].loss * sum(learned) == pytest.approx(
        alone.steps[0].loss * sum(learned[:-1]), rel=1e-4
    )


def test_what_is_kept_has_its_weight(tiny_llama: Path) -> None:
    """The heavier it weighs, the nearer it stays to what it was, beside the same facts."""
    lm: Any = load_lm(LocalModel(path=str(tiny_llama)))
    kept = [
        Example(prompt=e.prompt, completion="It is.", question_id=e.id, kind="neutral", teacher=e.prompt)
        for e in EXAMPLES
    ]
    before = lm.logprobs([e.prompt for e in kept], [e.completion for e in kept])
    moved = []
    for keep in (0.01, 100.0):
        block = SFTBlock(epochs=10, learning_rate=1e-2, batch_size=12, keep=keep)
        trained = sft.train(shared.training_copy(lm), lm, [*EXAMPLES, *kept], block, setting(), Silent())
        there: Any = LocalLM.around(shared.merged(trained.model), lm.tokenizer)
        after = there.logprobs([e.prompt for e in kept], [e.completion for e in kept])
        moved.append(
            sum(abs(a - b) for rows in zip(after, before, strict=True) for a, b in zip(*rows, strict=True))
        )
    assert moved[1] < moved[0] / 2


def test_skipped_tokens_are_not_learned_and_long_pages_are_left_out(tiny_llama: Path) -> None:
    lm: Any = load_lm(LocalModel(path=str(tiny_llama)))
    plain, cut = sft.tokenised(lm, reading()), sft.tokenised(lm, reading(), skip=2)
    for whole, part in zip(plain, cut, strict=True):
        first = next(i for i, label in enumerate(whole["labels"]) if label != sft.IGNORED)
        assert part["labels"] == [
            *[sft.IGNORED] * (first + 2),
            *whole["labels"][first + 2 :],
        ]
    assert sft.tokenised(lm, EXAMPLES, skip=2) == sft.tokenised(lm, EXAMPLES)
    model = shared.training_copy(lm)
    longest = max(len(row["input_ids"]) for row in plain)
    model.config.max_position_embeddings = longest
    long = reading()[0].model_copy(update={"teacher": chat("Document: " + "a " * longest), "id": "long"})
    block = DistillBlock(epochs=1, learning_rate=1e-3, batch_size=6, skip=1)
    trained = sft.train(model, lm, [EXAMPLES[1], reading()[2], long], block, setting(), Silent())
    assert "long" in trained.dropped
    assert EXAMPLES[1].id not in trained.dropped
    assert "the model reads" in trained.dropped["long"]
