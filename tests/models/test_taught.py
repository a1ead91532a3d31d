"""What a training leaves: an adapter or a whole model, told apart by their files alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.models import lora, taught

ADAPTER = (lora.CONFIG, lora.WEIGHTS)


@pytest.mark.parametrize(
    ("names", "complete", "whole"),
    [
        ((), False, False),
        (ADAPTER, True, False),
        ((lora.CONFIG,), False, False),
        (("config.json", "model.safetensors"), True, True),
        (("config.json", "model.safetensors.index.json", "model-00001-of-00002.safetensors"), True, True),
        (("config.json",), False, False),
        (("model.safetensors",), False, False),
        (("config.json", lora.WEIGHTS), False, False),
    ],
)
def test_the_kinds_are_told_apart(
    names: tuple[str, ...], complete: bool, whole: bool, tmp_path: Path
) -> None:
    for name in names:
        (tmp_path / name).touch()
    assert (taught.is_complete(tmp_path), taught.is_whole(tmp_path)) == (complete, whole)
    assert not taught.is_complete(tmp_path / "nowhere")


def test_a_link_beside_a_router_is_no_adapter(tmp_path: Path) -> None:
    folder = tmp_path / "taught"
    for place in (folder / "mine-1", tmp_path / "elsewhere"):
        place.mkdir(parents=True)
        for name in ADAPTER:
            (place / name).touch()
    (folder / "theirs-1").symlink_to(tmp_path / "elsewhere")
    assert list(taught.adapters_of(folder)) == ["mine-1"]
