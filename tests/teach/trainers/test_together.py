"""What several processes need to train as one; that they do is shown in ../test_followers.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from selfstudy.models import load_lm
from selfstudy.progress import Silent
from selfstudy.recipe import DPOBlock, LocalModel, SFTBlock
from selfstudy.teach.trainers import dpo, order, sft, shared, together
from selfstudy.teach.trainers.order import ByLength

from .small import EXAMPLES, PAIRS, setting


class Wrapped(torch.nn.Module):
    """As DDP: prepares a pass when it is called."""

    def __init__(self, core: torch.nn.Module) -> None:
        super().__init__()
        self.module = core
        self.prepared = 0

    def forward(self, *given: Any, **named: Any) -> Any:
        self.prepared += 1
        return self.module(*given, **named)


def test_an_order_is_filled_up_and_otherwise_stays() -> None:
    order = ByLength([[0] * n for n in (3, 5, 2, 8, 1)], 4, 0)
    again = ByLength([[0] * n for n in (3, 5, 2, 8, 1)], 4, 0)
    filled = together.Filled(order, 5, 4)
    assert len(filled) == 8
    assert list(filled) == [*again, 5, 5, 5]
    assert len(together.Filled(ByLength([[0]] * 8, 4, 0), 8, 4)) == 8


def test_a_loss_is_found_inside_of_what_is_wrapped_around_the_model() -> None:
    core = torch.nn.Linear(2, 1)
    core.forward = lambda x: torch.nn.functional.linear(x, core.weight * 2)  # type: ignore[method-assign]
    own, x = core.forward, torch.ones(1, 2)
    wrapped = Wrapped(core)

    def loss() -> torch.Tensor:
        assert core.forward is own  # what a trainer has put there is there again
        return core(x).sum() + core(2 * x).sum()

    assert torch.equal(together.inside(wrapped, core, loss), 6 * core.weight.sum())
    assert wrapped.prepared == 1
    assert core.forward is own
    assert torch.equal(together.inside(core, core, loss), 6 * core.weight.sum())
    assert wrapped.prepared == 1


def test_a_shell_gets_the_weights_back_tied_ones_once(tiny_llama: Path) -> None:
    lm: Any = load_lm(LocalModel(path=str(tiny_llama)))
    model = shared.training_copy(lm, whole=True)
    model.lm_head.weight = model.get_input_embeddings().weight
    empty = together.shell(model)
    assert all(one.is_meta for one in empty.parameters())
    assert not any(one.is_meta for one in empty.buffers())
    whole = together.gathered(model, empty)
    assert whole is empty
    assert whole.lm_head.weight is whole.get_input_embeddings().weight
    tokens = torch.tensor([[1, 2, 3]])
    model.eval()
    with torch.no_grad():
        assert torch.equal(whole.eval()(tokens).logits, model(tokens).logits)
    assert not {p.data_ptr() for p in whole.parameters()} & {p.data_ptr() for p in model.parameters()}


@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_the_row_that_fills_up_is_none_of_those_that_make_an_epoch(
    kind: str, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of as many rows as a batch has, one more would make two steps an epoch, and half as many epochs."""

    class SeenError(Exception):
        pass

    rows: list[int] = []

    def arguments(_: Any, __: Any, ___: Any, given: list[Any], ____: int) -> Any:
        rows.append(len(given))
        raise SeenError

    monkeypatch.setattr(shared, "arguments", arguments)
    monkeypatch.setattr(order, "with_filler", lambda table, model, **changes: [*table, table[0]])
    lm: Any = load_lm(LocalModel(path=str(tiny_llama)))
    model = shared.training_copy(lm)
    train: Any = sft.train if kind == "sft" else dpo.train
    given: Any = EXAMPLES if kind == "sft" else PAIRS
    with pytest.raises(SeenError):
        train(model, lm, given, SFTBlock() if kind == "sft" else DPOBlock(), setting(), Silent())
    assert rows == [len(given)]
