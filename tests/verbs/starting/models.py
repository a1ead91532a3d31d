"""Model folders of a few bytes: settings, and weights of which there is only the header."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ATTENTION = {
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "hidden_size": 32,
    "vocab_size": 10,
}
"""Of which each token keeps 2 * 2 * 2 * 8 = 64 numbers."""


def folder_of(place: Path, numbers: int, *, template: bool = False, **config: Any) -> Path:
    """A model with so many weights, in a file that takes no room on the disk."""
    place.mkdir(parents=True)
    settings = {"model_type": "llama", **ATTENTION, **config}
    (place / "config.json").write_text(json.dumps(settings))
    tokenizer = {"chat_template": "{{ messages }}"} if template else {}
    (place / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    held = {"w": {"dtype": "F16", "shape": [numbers], "data_offsets": [0, 2 * numbers]}}
    header = json.dumps(held).encode()
    header += b" " * (-len(header) % 8)
    with (place / "model.safetensors").open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + 2 * numbers)
    return place
