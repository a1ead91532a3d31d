"""Checkpoints: what was saved comes back to the last bit, and a kill while one is written loses none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from selfstudy.files import private
from selfstudy.teach.trainers.checkpoint import STATE, Checkpoint, fingerprint


def start(seed: int = 0) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(seed)
    model = torch.nn.Linear(3, 2)
    model.bias.requires_grad_(False)
    return model, torch.optim.AdamW([model.weight], lr=0.1)


def step(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    torch.autograd.backward(model(torch.ones(1, 3)).square().sum())
    optimizer.step()


def test_what_goes_on_from_a_checkpoint_ends_the_same(tmp_path: Path) -> None:
    model, optimizer = start()
    work = fingerprint(model, "lesson")
    kept = Checkpoint(tmp_path / "c", work)
    assert kept.load(model, optimizer, dict) is None
    for number in (1, 2):
        step(model, optimizer)
        kept.save(model, optimizer, number, {"step": number, "said": "é"})
    assert sorted(p.name for p in (tmp_path / "c").iterdir()) == [STATE, "step-2.safetensors"]
    other, fresh = start()
    assert Checkpoint(tmp_path / "c", work).load(other, fresh, dict) == {"step": 2, "said": "é"}
    for one, its in ((model, optimizer), (other, fresh)):
        step(one, its)
    assert torch.equal(other.weight, model.weight)  # type: ignore[arg-type]


def test_one_of_other_work_is_left_alone(tmp_path: Path) -> None:
    model, optimizer = start()
    step(model, optimizer)
    Checkpoint(tmp_path, fingerprint(start()[0], "lesson")).save(model, optimizer, 1, {})
    for seed, part in ((0, "another"), (1, "lesson")):
        other, fresh = start(seed)
        before = other.weight.clone()  # type: ignore[operator]
        assert Checkpoint(tmp_path, fingerprint(other, part)).load(other, fresh, dict) is None
        assert torch.equal(other.weight, before)  # type: ignore[arg-type]
        assert not fresh.state


@pytest.mark.parametrize("failing", ["step-2", STATE])
def test_a_kill_while_one_is_written_leaves_the_one_before(
    failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, optimizer = start()
    work = fingerprint(model)
    step(model, optimizer)
    kept = Checkpoint(tmp_path, work)
    kept.save(model, optimizer, 1, {"step": 1})
    saved = model.weight.clone()  # type: ignore[operator]
    step(model, optimizer)
    replacing = private.replacing

    def dying(path: Path, *args: Any) -> Any:
        if path.name.startswith(failing):
            raise KeyboardInterrupt
        return replacing(path, *args)

    monkeypatch.setattr(private, "replacing", dying)
    with pytest.raises(KeyboardInterrupt):
        kept.save(model, optimizer, 2, {"step": 2})
    other, fresh = start()
    assert Checkpoint(tmp_path, work).load(other, fresh, dict) == {"step": 1}
    assert torch.equal(other.weight, saved)  # type: ignore[arg-type]


def test_a_damaged_one_is_none_and_changes_nothing(tmp_path: Path) -> None:
    model, optimizer = start()
    work = fingerprint(model)
    step(model, optimizer)
    Checkpoint(tmp_path, work).save(model, optimizer, 1, {"step": 1})
    (weights,) = tmp_path.glob("*.safetensors")
    whole, state = weights.read_bytes(), (tmp_path / STATE).read_bytes()

    def refused(_: object) -> object:
        raise ValueError("of another version")

    other, fresh = start()
    before = other.weight.clone()  # type: ignore[operator]
    assert Checkpoint(tmp_path, work).load(other, fresh, refused) is None
    for path, data in ((weights, whole[:50]), (tmp_path / STATE, state[:20]), (tmp_path / STATE, b"[]")):
        kept = path.read_bytes()
        path.write_bytes(data)
        assert Checkpoint(tmp_path, work).load(other, fresh, dict) is None
        path.write_bytes(kept)
    assert torch.equal(other.weight, before)  # type: ignore[arg-type]
    assert Checkpoint(tmp_path, work).load(other, fresh, dict) == {"step": 1}
