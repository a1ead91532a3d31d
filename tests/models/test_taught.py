"""What a training leaves: an adapter or a whole model, told apart by their files alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.errors import RunError
from selfstudy.files import own
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


def test_a_folder_is_published_closed_and_in_no_others_place(tmp_path: Path) -> None:
    made = tmp_path / "made"
    own.make(made)
    (made / "config.json").write_text("{}")
    taught.publish(made, tmp_path / "place")
    assert (tmp_path / "place" / "config.json").stat().st_mode & 0o077 == 0
    assert not made.exists()
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "notes").touch()
    own.make(made)
    with pytest.raises(RunError, match="theirs"):
        taught.publish(made, tmp_path / "theirs")
    assert (tmp_path / "theirs" / "notes").exists()
