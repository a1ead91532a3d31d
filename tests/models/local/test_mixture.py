"""Each row of a pass is changed by its own adapter alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from selfstudy.errors import ModelError
from selfstudy.models.local.mixture import Mixture


class Two(nn.Module):
    """Two layers; the second is given all tokens as one list."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 3, bias=False), nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x).flatten(0, 1)).view(*x.shape[:2], 2)


@pytest.fixture
def model() -> Two:
    torch.manual_seed(0)
    return Two().eval()


def change(rows: int, columns: int, rank: int) -> tuple[Tensor, Tensor]:
    return torch.randn(rank, columns), torch.randn(rows, rank)


def mixed(model: Two, changes: list[dict[str, tuple[Tensor, Tensor]]]) -> Mixture:
    mixture = Mixture(model)
    for one in changes:
        mixture.add(one)
    return mixture


def by_hand(model: Two, changes: dict[str, tuple[Tensor, Tensor]], x: Tensor) -> Tensor:
    weights = {name: getattr(model, name).weight for name in ("first", "second")}
    weights = {
        name: weight + (changes[name][1] @ changes[name][0] if name in changes else 0)
        for name, weight in weights.items()
    }
    return x @ weights["first"].T @ weights["second"].T + model.second.bias


@torch.no_grad()
def test_rows_by_hand(model: Two) -> None:
    changes: list[dict[str, Any]] = [
        {"first": change(3, 3, 1), "second": change(2, 3, 2)},
        {"second": change(2, 3, 4)},
    ]
    mixture = mixed(model, changes)
    x = torch.randn(4, 5, 3)
    with mixture.of_rows(torch.tensor([2, 0, 1, 2]), 5):
        found = model(x)
    for row, number in enumerate((2, 0, 1, 2)):
        wanted = by_hand(model, ({}, *changes)[number], x[row])
        assert torch.allclose(found[row], wanted, atol=1e-5)


@torch.no_grad()
def test_nothing_stays_behind(model: Two) -> None:
    mixture = mixed(model, [{"first": change(3, 3, 1)}])
    x = torch.randn(2, 5, 3)
    plain = model(x)
    with mixture.of_rows(torch.tensor([1, 0]), 5):
        found = model(x)
    assert not torch.equal(found[0], plain[0])
    assert torch.equal(found[1], plain[1])
    with pytest.raises(RuntimeError), mixture.of_rows(torch.tensor([1, 0]), 5):
        model(torch.ones(1))
    assert torch.equal(model(x), plain)
    with mixture.of_rows(None, 5):
        assert torch.equal(model(x), plain)
    assert not any(module._forward_hooks for module in model.modules())


@torch.no_grad()
def test_what_overflows_in_one_adapter_stays_in_its_rows(model: Two) -> None:
    """Inf times 0 is NaN: another adapter's ranks are filled with 0, not multiplied by it."""
    wild = (torch.full((1, 3), 3e38), torch.ones(3, 1))
    mixture = mixed(model, [{"first": wild}, {"first": change(3, 3, 1)}])
    x = torch.ones(3, 1, 3)
    with mixture.of_rows(torch.tensor([1, 2, 0]), 1):
        found = model(x)
    assert not found[0].isfinite().all()
    assert found[1:].isfinite().all()


@torch.no_grad()
def test_a_layer_that_gets_other_rows_is_refused(model: Two) -> None:
    mixture = mixed(model, [{"first": change(3, 3, 1)}])
    with pytest.raises(ModelError, match="not given its rows"), mixture.of_rows(torch.tensor([1, 0]), 5):
        model(torch.randn(3, 5, 3))
