"""The steps that are written down are those in which a trainer really had an item in its batch."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from selfstudy.models import load_lm
from selfstudy.progress import Silent
from selfstudy.recipe import DPOBlock, LocalModel, LoraBlock, SFTBlock
from selfstudy.records import TrainedItem
from selfstudy.teach.trainers import dpo, order, sft, shared
from selfstudy.teach.trainers.order import ByLength
from selfstudy.teach.trainers.seen import Seen

from .small import EXAMPLES, PAIRS, setting

torch.set_num_threads(1)
Steps = dict[str, set[int]]
LORA = LoraBlock(r=2, alpha=4, dropout=0.0)


@pytest.fixture
def lm(tiny_llama: Path) -> Any:
    return load_lm(LocalModel(path=str(tiny_llama)))


def by_item(seen: Seen) -> Steps:
    return {one.item_id: set(one.steps) for one in seen.records("taught", "sft")}


def spied(monkeypatch: pytest.MonkeyPatch, trainer: Any, names: Any) -> Steps:
    """What is in the batches of a trainer, by step, from the inside of its loss."""
    found: Steps = defaultdict(set)
    loss = trainer.compute_loss

    def watched(self: Any, model: Any, inputs: Any, *rest: Any, **named: Any) -> Any:
        for name in names(inputs):
            found[name].add(self.state.global_step + 1)
        return loss(self, model, inputs, *rest, **named)

    monkeypatch.setattr(trainer, "compute_loss", watched)
    return found


def rows_in(inputs: Any) -> list[tuple[int, ...]]:
    both = zip(inputs["input_ids"].tolist(), inputs["attention_mask"].sum(1).tolist(), strict=True)
    return [tuple(row[:length]) for row, length in both]


@pytest.mark.parametrize(
    ("batch_size", "tokens", "epochs"),
    [(4, 16_384, 3), (4, 60, 2), (5, 1, 1.5), (16, 16_384, 2), (1, 1, 0.5)],
)
def test_of_examples_those_of_the_batches(
    batch_size: int, tokens: int, epochs: float, lm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole batches, in parts, a short last one, half an epoch; one example twice, one that is too long."""
    long = EXAMPLES[0].model_copy(update={"id": "long", "completion": "Paris " * 2_000})
    examples = [long, *EXAMPLES, EXAMPLES[2]]
    tokenised = zip(sft.tokenised(lm, EXAMPLES), EXAMPLES, strict=True)
    names = {tuple(row["input_ids"]): example.id for row, example in tokenised}
    found = spied(monkeypatch, sft._Trainer, lambda inputs: [names[row] for row in rows_in(inputs)])
    block = SFTBlock(epochs=epochs, learning_rate=1e-3, batch_size=batch_size)
    how = setting(tokens=tokens, lora=LORA)
    trained = sft.train(shared.training_copy(lm), lm, examples, block, how, Silent())
    assert list(trained.dropped) == ["long"]
    assert by_item(trained.seen) == found
    assert max(map(max, found.values())) == shared.steps_of(len(examples) - 1, block)
    questions = {one.item_id: one.question_id for one in trained.seen.records("taught", "sft")}
    assert questions.items() <= {(e.id, e.question_id) for e in EXAMPLES}


@pytest.mark.parametrize(("batch_size", "tokens"), [(4, 16_384), (4, 100), (6, 1)])
def test_of_pairs_too(batch_size: int, tokens: int, lm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    long = PAIRS[0].model_copy(update={"id": "long", "rejected": "Paris " * 2_000})
    pairs = [long, *PAIRS, PAIRS[1]]
    names = [pair.id for pair in pairs[1:]]
    found = spied(monkeypatch, dpo._Trainer, lambda inputs: [names[at] for at in inputs["place"].tolist()])
    block = DPOBlock(epochs=2, learning_rate=1e-3, batch_size=batch_size)
    how = setting(phase="dpo", tokens=tokens, lora=LORA)
    trained = dpo.train(shared.training_copy(lm), lm, pairs, block, how, Silent())
    assert by_item(trained.seen) == found
    assert set(found) == {pair.id for pair in PAIRS}


def test_a_training_that_stops_early_has_the_steps_up_to_there(
    lm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = spied(monkeypatch, dpo._Trainer, lambda inputs: inputs["place"].tolist())
    loss = dpo._Trainer.compute_loss

    def breaks(self: Any, *given: Any, **named: Any) -> Any:
        return loss(self, *given, **named) * (torch.nan if self.state.global_step == 3 else 1)

    monkeypatch.setattr(dpo._Trainer, "compute_loss", breaks)
    block = DPOBlock(epochs=20, learning_rate=1e-3, batch_size=4)
    how = setting(phase="dpo", lora=LORA)
    trained = dpo.train(shared.training_copy(lm), lm, PAIRS, block, how, Silent())
    assert trained.failure
    assert set().union(*found.values()) == {1, 2, 3, 4}
    assert sorted(map(sorted, by_item(trained.seen).values())) == sorted(map(sorted, found.values()))


def test_writing_them_down_changes_no_weight(lm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against an order that is drawn as it was before anybody wrote it down."""
    block = SFTBlock(epochs=2, learning_rate=1e-2, batch_size=4)

    def weights() -> bytes:
        trained = sft.train(shared.training_copy(lm), lm, EXAMPLES, block, setting(), Silent())
        named = sorted((n, p) for n, p in trained.model.named_parameters() if p.requires_grad)
        return b"".join(p.detach().numpy().tobytes() for _, p in named)

    written = weights()
    draw = ByLength.__iter__

    def forgetful(self: ByLength) -> Any:
        drawn = list(draw(self))
        self.drawn.clear()
        return (place for place in drawn)

    monkeypatch.setattr(ByLength, "__iter__", forgetful)
    monkeypatch.setattr(order, "seen", lambda trainer, items: Seen())
    assert weights() == written


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.integers(1, 9)), max_size=40))
def test_each_item_has_its_steps_once_and_in_order(events: list[tuple[str, int]]) -> None:
    records = list(
        Seen.of((item, item.upper(), step) for item, step in events).records("control", "dpo", "eu")
    )
    wanted: dict[str, set[int]] = {}
    for item, step in events:
        wanted.setdefault(item, set()).add(step)
    assert records == [
        TrainedItem(
            arm="control",
            phase="dpo",
            item_id=item,
            question_id=item.upper(),
            steps=tuple(sorted(steps)),
            adapter="eu",
        )
        for item, steps in wanted.items()
    ]


def test_a_hundred_thousand_rows_take_little_memory() -> None:
    count, epochs = 100_000, 3
    rows = np.tile(np.arange(count, dtype=np.uint32), epochs)
    steps = np.repeat(np.arange(1, epochs + 1, dtype=np.uint32), count)
    seen = Seen([(str(n), str(n)) for n in range(count)], rows, steps)
    assert seen.rows.nbytes + seen.steps.nbytes == 8 * count * epochs
    records = seen.records("taught", "sft")
    assert next(records).steps == (1, 2, 3)  # one at a time
