"""What is converted once: kept, told, closed to others, bounded; and a real GGUF file that is loaded so."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from selfstudy.errors import ModelError
from selfstudy.files import own
from selfstudy.models.base import GREEDY
from selfstudy.models.local import converted
from selfstudy.models.local.lm import LocalLM
from selfstudy.prompts import Prompts
from selfstudy.recipe import LocalModel
from tests.conftest import TEMPLATE
from tests.models.server.atlas_gguf import convert


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SELFSTUDY_HOME", str(tmp_path / "home"))
    path = tmp_path / "model.gguf"
    path.write_bytes(b"weights")
    return path


def made_of(file: Path, said: list[str], version: str = "1") -> Path:
    def make(folder: Path) -> None:
        (folder / "copy").write_bytes(file.read_bytes())

    return converted.conversion(file, version, 100, make, said.append)


def test_each_state_of_a_file_is_converted_once(file: Path) -> None:
    said: list[str] = []
    first = made_of(file, said)
    assert made_of(file, said) == first
    assert ["converting" in line for line in said] == [True, False]
    assert own.is_marked(first)
    assert stat.S_IMODE(first.stat().st_mode) == 0o700
    assert stat.S_IMODE((first / "copy").stat().st_mode) == 0o600
    file.write_bytes(b"other weights")
    assert made_of(file, said) != first
    assert made_of(file, said, version="2") != first
    assert len(said) == 6


def test_a_conversion_that_fails_or_was_killed_leaves_nothing(file: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_bytes(b"x")
        raise ModelError("it cannot be read", "copy it again")

    def unreadable(folder: Path) -> None:
        raise OSError("its tokenizer cannot be made")

    room = made_of(file, []).parent
    file.write_bytes(b"other weights")
    with pytest.raises(ModelError, match="cannot be read"):
        converted.conversion(file, "1", 100, fail, [].append)
    with pytest.raises(OSError, match="its tokenizer"):  # the folder is not to blame
        converted.conversion(file, "1", 100, unreadable, [].append)
    killed = room / f"abc-{2**22 + 1}.tmp"  # no process has this number
    own.make(killed)
    made_of(file, [])
    assert {one.suffix for one in room.iterdir()} == {""}


def test_what_was_not_used_for_longest_goes(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(converted, "LIMIT", 250)  # the mark takes 86 bytes
    folders = []
    for number in range(3):
        file.write_bytes(b"w" * (10 + number))
        folders.append(made_of(file, []))
        os.utime(folders[-1] / own.MARK, (number, number))
    assert [one.exists() for one in folders] == [False, True, True]
    for number in range(2):
        file.write_bytes(b"x" * (100 + number))
        folders.append(made_of(file, []))
    assert [one.exists() for one in folders] == [False, False, False, True, True], "used today"


def test_a_disk_without_room_is_told_before(file: Path) -> None:
    with pytest.raises(ModelError, match="has no room for it"):
        converted.conversion(file, "1", 10**18, lambda folder: None, [].append)


@pytest.mark.parametrize("template", [TEMPLATE, None])
def test_a_gguf_file_answers_as_the_model_that_it_was_made_from(
    template: str | None, model_folder: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("gguf", reason="needs the extra gguf")
    monkeypatch.setenv("SELFSTUDY_HOME", str(tmp_path / "home"))
    (tmp_path / "model").mkdir()
    folder = model_folder("qwen3-gguf", template)
    file = convert(folder, tmp_path / "model" / "m.gguf")
    said: list[str] = []
    lm, whole = LocalLM(LocalModel(path=str(file)), said.append), LocalLM(LocalModel(path=str(folder)))
    assert len(said) == 2
    chats = [Prompts().chat("answer", question="What is the capital of Fiji?")]
    assert lm.wants_demonstrations == (template is None)
    assert lm.render(chats[0]) == whole.render(chats[0])
    ids = torch.tensor([whole.tokenizer(whole.render(chats[0]))["input_ids"]])
    assert lm.tokenizer(lm.render(chats[0]))["input_ids"] == ids[0].tolist()
    with torch.inference_mode():
        assert torch.allclose(lm.model(ids).logits, whole.model(ids).logits, atol=1e-4)
    again = LocalLM(LocalModel(path=str(file.parent)), said.append)  # a folder that holds one file
    assert len(said) == 2, "it was converted once"
    assert lm.generate(chats, GREEDY) == again.generate(chats, GREEDY)
    assert again.model.config.name_or_path == str(file)
