"""A packed batch gives the logits and gradients of its rows apart, or is not packed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from selfstudy.models import load_lm
from selfstudy.recipe import LocalModel
from selfstudy.teach.trainers.packed import Packing, forward, pack

torch.set_num_threads(1)


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of two groups with long beginnings, and one of its own."""
    rng = torch.Generator().manual_seed(0)

    def some(count: int) -> list[int]:
        return torch.randint(3, 60, (count,), generator=rng).tolist()

    first, second = some(40), some(30)
    rows = [first + some(n) for n in (4, 7, 1, 5)] + [second + some(n) for n in (6, 2, 9)] + [some(20)]
    longest = max(map(len, rows))
    tokens = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    return tokens, mask


def test_what_some_rows_share_is_run_once_at_any_depth() -> None:
    """As demonstrations do that come in other orders: a b, a c, and one that ends within another."""
    a, b, c = (list(range(start, start + 20)) for start in (100, 200, 300))
    rows = [a + b + [1, 2], a + b + [1, 3], a + c, a + c[:5], a + c, b]
    longest = max(map(len, rows))
    tokens = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    config: Any = type("Config", (), {})
    packed = pack(tokens, mask, config, torch.float32)
    assert packed is not None
    assert packed.tokens.shape == (1, 20 + 20 + 3 + 20 + 20)
    for i, row in enumerate(rows):
        way = packed.places[i, : len(row)]
        assert packed.tokens[0, way].tolist() == row
        assert packed.positions[0, way].tolist() == list(range(len(row)))
        for at, node in enumerate(way.tolist()):
            seen = (packed.mask[0, 0, node] == 0).nonzero().flatten().tolist()
            assert sorted(seen) == sorted(way[: at + 1].tolist())


@pytest.mark.parametrize("kind", ["llama", "qwen3", "gpt2", "mixture"])
def test_logits_and_gradients_are_those_of_the_rows(
    kind: str, model_folder: Callable[..., Path], mixture: Path
) -> None:
    model: Any = load_lm(LocalModel(path=str(mixture if kind == "mixture" else model_folder(kind)))).model
    tokens, mask = batch()
    packed = Packing().pack(model, model, tokens, mask)
    assert packed is not None
    assert packed.tokens.shape[1] < 0.6 * tokens.numel()
    learned = mask.bool()
    learned[:, :20] = False
    apart = model(input_ids=tokens, attention_mask=mask).logits[learned]
    together = forward(model, packed, packed.places[learned])
    assert torch.allclose(together, apart, atol=1e-4)
    weight = model.get_input_embeddings().weight
    model.requires_grad_(True)
    for logits in (apart, together):
        assert logits.shape == (int(learned.sum()), logits.shape[1])
    grads = []
    for make in (
        lambda: model(input_ids=tokens, attention_mask=mask).logits[learned],
        lambda: forward(model, packed, packed.places[learned]),
    ):
        model.zero_grad()
        make().square().sum().backward()
        grads.append(weight.grad.clone())
    assert torch.allclose(*grads, rtol=1e-3, atol=1e-3 * grads[0].abs().max().item())


def test_what_does_not_pay_or_would_reach_too_far_is_left(tiny_llama: Path) -> None:
    model: Any = load_lm(LocalModel(path=str(tiny_llama))).model
    tokens, mask = batch()
    config = model.config
    assert pack(tokens[2:3, :41], mask[2:3, :41], config, torch.float32) is None
    apart = torch.arange(8 * 30).reshape(8, 30)
    assert pack(apart, torch.ones_like(apart), config, torch.float32) is None
    for window in ("sliding_window", "window_size"):
        setattr(config, window, 40)
        assert pack(tokens, mask, config, torch.float32) is None
        setattr(config, window, 4096)
        assert pack(tokens, mask, config, torch.float32) is not None


def test_a_model_that_ignores_mask_or_positions_is_found_out(
    tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model: Any = load_lm(LocalModel(path=str(tiny_llama))).model
    tokens, mask = batch()
    real = type(model).forward

    def deaf(
        self: Any, input_ids: Any, attention_mask: Any = None, position_ids: Any = None, **rest: Any
    ) -> Any:
        return real(self, input_ids=input_ids, attention_mask=attention_mask, **rest)

    def blind(self: Any, input_ids: Any, attention_mask: Any = None, **rest: Any) -> Any:
        return real(self, input_ids=input_ids, attention_mask=None, **rest)

    for dtype in (torch.float32, torch.bfloat16):
        model.to(dtype)
        for broken in (deaf, blind):
            monkeypatch.setattr(type(model), "forward", broken)
            packing = Packing()
            assert packing.pack(model, model, tokens, mask) is None
            monkeypatch.undo()
            assert packing.pack(model, model, tokens, mask) is None  # it is not tried again


@pytest.mark.parametrize("kind", ["llama", "mixture"])
def test_rounding_of_short_numbers_is_no_other_result(
    kind: str, model_folder: Callable[..., Path], mixture: Path
) -> None:
    model: Any = load_lm(LocalModel(path=str(mixture if kind == "mixture" else model_folder(kind)))).model
    assert Packing().pack(model.to(torch.bfloat16), model, *batch()) is not None


def test_one_token_more_is_not_seen_by_others() -> None:
    """The mask by hand: a row sees its group's beginning and itself, up to the token."""
    tokens = torch.tensor([[*range(5, 45), 1, 2], [*range(5, 45), 3, 0]])
    mask = torch.tensor([[1] * 42, [1] * 41 + [0]])
    packed = pack(tokens, mask, object(), torch.float32)
    assert packed is not None
    assert packed.tokens[0].tolist() == [*range(5, 45), 1, 2, 3]
    assert packed.positions[0].tolist() == [*range(40), 40, 41, 40]
    seen = packed.mask[0, 0] == 0
    assert seen[42].tolist() == [True] * 40 + [False, False, True]
    assert seen[41].tolist() == [True] * 42 + [False]
    assert packed.places[1].tolist() == [*range(40), 42, 0]
