"""The packaged model, and tiny ones, as a GGUF file, for tests (needs the package `gguf`).

The tokenizer's whole names become user-defined tokens, which llama.cpp finds before it splits words; its own
splitting is chosen by name and has none that knows the names.  A word that only begins with a name is cut
otherwise than here; the shipped texts have few.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Change = Callable[[str, Any], Any]


def convert(
    folder: Path, target: Path, architecture: str = "qwen3", change: Change = lambda name, array: array
) -> Path:
    """Writes `folder` (Qwen3 or Llama, byte-level BPE) to `target` in float32.

    Args:
        change: makes of a tensor, by its name in the file, what is written.
    """
    import gguf
    import numpy as np
    from safetensors.torch import load_file

    config = json.loads((folder / "config.json").read_text())
    layers = config["num_hidden_layers"]
    writer = gguf.GGUFWriter(str(target), architecture)
    writer.add_block_count(layers)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    _add_tokenizer(writer, folder, config)
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_vocab_size(config["vocab_size"])
    kind = next(kind for kind, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
    names = gguf.get_tensor_name_map(kind, layers)
    for name, tensor in load_file(folder / "model.safetensors").items():
        called = names.get_name(name, (".weight",))
        writer.add_tensor(called, change(called, tensor.float().numpy().astype(np.float32)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


def _add_tokenizer(writer: Any, folder: Path, config: dict[str, Any]) -> None:
    import gguf

    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    merges = [m if isinstance(m, list) else m.split(" ") for m in tokenizer["model"]["merges"]]
    made = {a + b for a, b in merges}
    special = {token["id"]: token["content"] for token in tokenizer["added_tokens"]}
    words = {number: word for word, number in tokenizer["model"]["vocab"].items()}
    to_byte = {char: byte for byte, char in _alphabet().items()}
    tokens, types = [], []
    for number in range(config["vocab_size"]):
        word = special.get(number, words.get(number))
        kind = gguf.TokenType.NORMAL
        if word is None:
            word, kind = f"[unused {number}]", gguf.TokenType.UNUSED
        elif number in special:
            kind = gguf.TokenType.CONTROL
        elif len(word) > 1 and word not in made:
            word, kind = bytes(to_byte[c] for c in word).decode(), gguf.TokenType.USER_DEFINED
        tokens.append(word)
        types.append(kind)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges([" ".join(pair) for pair in merges])
    if config.get("bos_token_id") is not None:
        writer.add_bos_token_id(config["bos_token_id"])
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_add_bos_token(False)
    if not (folder / "chat_template.jinja").exists():
        return
    template = (folder / "chat_template.jinja").read_text()
    for mark in ("{% generation %}", "{% endgeneration %}"):  # an extension that llama.cpp does not know
        template = template.replace(mark, "")
    writer.add_chat_template(template)


def _alphabet() -> dict[int, str]:
    """Byte -> the printable character that stands for it in byte-level BPE (Radford et al. 2019)."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {byte: chr(byte) for byte in shown} | {byte: chr(256 + i) for i, byte in enumerate(hidden)}
