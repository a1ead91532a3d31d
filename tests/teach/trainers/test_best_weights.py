"""The best weights so far: kept, restored, written and read."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from selfstudy.teach.trainers.best_weights import BestWeights


def model() -> nn.Module:
    torch.manual_seed(0)
    found = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    found[0].weight.requires_grad_(False)
    found[1].weight = nn.Parameter(torch.randn(2, 2).t())  # which is not in one piece
    return found


def add(to: nn.Module, value: float) -> None:
    with torch.no_grad():
        for one in to.parameters():
            one.add_(value)


def test_what_is_trained_is_kept_and_the_rest_left_alone(tmp_path: Path) -> None:
    live = model()
    frozen = live[0].weight
    best = BestWeights()
    best.keep(live)
    first = live[1].weight.clone()
    add(live, 1)
    moved = frozen.clone()
    best.restore(live)
    assert torch.equal(live[1].weight, first)
    assert torch.equal(frozen, moved)
    add(live, 2)
    best.keep(live)
    best.save(tmp_path / "new", 4)
    add(live, 3)
    other = BestWeights()
    assert other.load(tmp_path / "new", 4, live)
    other.restore(live)
    assert torch.allclose(live[1].weight, first + 2)


def test_files_of_other_steps_other_models_and_torn_ones(tmp_path: Path) -> None:
    live = model()
    best = BestWeights()
    best.keep(live)
    for step in (0, 4, 12):
        best.save(tmp_path, step)
    BestWeights.tidy(tmp_path, 4)
    assert [path.name for path in tmp_path.iterdir()] == ["best-4.safetensors"]
    assert not best.load(tmp_path, 0, live)
    assert not BestWeights().load(tmp_path, 4, nn.Linear(2, 2))
    other = model()
    other[1] = nn.Linear(2, 3)
    assert not BestWeights().load(tmp_path, 4, other)
    file = tmp_path / "best-4.safetensors"
    file.write_bytes(file.read_bytes()[:50])
    assert not best.load(tmp_path, 4, live)
