"""What is set so that a model fits a machine: by numbers, and said with them."""

from __future__ import annotations

import pytest

from selfstudy.verbs.doctor.numbers import GB, MachineNumbers
from selfstudy.verbs.starting.fitting import fit
from selfstudy.verbs.starting.model_look import ModelLook

CPU = MachineNumbers(16 * GB, 2)
GPU = MachineNumbers(64 * GB, 16, "cuda", "Some GPU", 24 * GB)


def of(numbers: int, cached: int = 1000, *, chat: bool = True) -> ModelLook:
    return ModelLook(True, numbers, chat, cached)


def test_a_small_model_is_left_alone() -> None:
    found = fit(of(5_000_000), CPU)
    assert found.model == {"device": "auto", "prompt": "chat"}
    assert not found.answering
    assert not found.warnings
    assert "the CPU: 2 threads, 16.0 GB" in found.why["model.device"]


def test_a_base_model_completes() -> None:
    found = fit(of(5_000_000, chat=False), GPU)
    assert found.model["prompt"] == "completion"
    assert "Some GPU, 24 GB" in found.why["model.device"]


@pytest.mark.parametrize(
    ("billions", "machine", "four_bits", "dtype", "held", "warned"),
    [
        (3, CPU, False, None, False, False),
        (5, CPU, False, "bfloat16", False, False),
        (9, CPU, False, None, False, True),
        (9, CPU, True, None, True, False),
        (9, GPU, False, None, False, False),
        (14, GPU, True, None, True, False),
        (14, GPU, False, None, False, True),
        (70, GPU, True, None, False, True),
    ],
    ids=("as it is", "half", "too large", "4 bits", "gpu", "gpu 4 bits", "gpu too large", "gpu hopeless"),
)
def test_what_does_not_fit_is_lowered_or_said(
    billions: int, machine: MachineNumbers, four_bits: bool, dtype: str | None, held: bool, warned: bool
) -> None:
    found = fit(of(billions * 10**9), machine, four_bits=four_bits)
    assert found.model.get("dtype") == dtype
    assert found.model.get("load_in_4bit", False) is held
    assert bool(found.warnings) is warned
    assert all(f"model.{key}" in found.why for key in found.model)
    assert ("CAUTION" in found.why["model.device"]) is warned


def test_fewer_tokens_at_once_where_their_cache_is_large() -> None:
    """28 layers, 8 groups of 128: 57,344 numbers of 4 bytes, reckoned twice, in half of what is left."""
    found = fit(of(600_000_000, 57_344), MachineNumbers(8 * GB, 2))
    room = (8 * GB - 4 * 600_000_000) / 2
    assert found.model["token_budget"] == 4096
    assert 4096 <= room / (2 * 4 * 57_344) < 8192
    assert "57 thousand numbers" in found.why["model.token_budget"]
    assert found.answering == {"block_size": 32}
    assert "token_budget" not in fit(of(600_000_000, 57_344), MachineNumbers(24 * GB, 2)).model


def test_of_a_model_that_is_not_here_nothing_is_claimed() -> None:
    found = fit(ModelLook(), CPU)
    assert found.model == {"device": "auto"}
    assert "shows when it is here" in found.why["model.device"]
