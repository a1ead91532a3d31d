"""A model by its small files: nothing of it is loaded, and nothing in it runs."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from selfstudy.errors import ModelError
from selfstudy.verbs.starting.model_look import ModelLook, look
from tests.models.server.atlas_gguf import convert
from tests.verbs.starting.models import folder_of


def test_what_files_say(tmp_path: Path) -> None:
    base = folder_of(tmp_path / "base", 10**9)
    assert look(str(base)) == ModelLook(True, 10**9, False, 64)
    chat = folder_of(tmp_path / "chat", 1000, template=True, head_dim=16)
    assert look(str(chat)) == ModelLook(True, 1000, True, 128)
    (base / "chat_template.jinja").write_text("{{ messages }}")
    assert look(str(base)).chat is True


def test_the_embedded_model_is_known() -> None:
    found = look("atlas")
    assert found.here
    assert found.chat
    assert 4_000_000 < (found.numbers or 0) < 6_000_000
    assert found.cached > 0


def test_a_gguf_file_is_known_by_its_header(tmp_path: Path) -> None:
    pytest.importorskip("gguf")
    folder = Path(str(resources.files("selfstudy.atlas"))) / "lm"
    file = convert(folder, tmp_path / "m.gguf")
    found = look(str(file))
    assert found.here
    assert 4_000_000 < (found.numbers or 0) < 6_000_000
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ModelError):
        look(str(file))


def test_a_model_that_is_not_here_is_not_asked_for() -> None:
    assert look("no-such-owner/no-such-model") == ModelLook()


def test_settings_are_not_believed(tmp_path: Path) -> None:
    odd = folder_of(tmp_path / "odd", 10, num_hidden_layers="many", num_attention_heads=True)
    assert look(str(odd)).cached == 0
    inner = folder_of(tmp_path / "inner", 10, text_config={"num_hidden_layers": 1})
    assert look(str(inner)).cached == 32


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("config.json", '{"auto_map": {"AutoConfig": "evil.py"}}', "code of the model's own"),
        ("config.json", "[" * 100_000, "nested deeper"),
        ("config.json", "[]", "no settings"),
        ("model.safetensors", "no header", "cannot be loaded"),
    ],
    ids=("code", "deep", "list", "weights"),
)
def test_what_is_damaged_or_meant_to_harm_is_refused(tmp_path: Path, file: str, text: str, said: str) -> None:
    folder = folder_of(tmp_path / "model", 10)
    (folder / file).write_text(text)
    with pytest.raises(ModelError, match=said):
        look(str(folder))
