"""Kinds of models that people have, each made of the packaged model's weights: a tiny folder, or a file.

Each therefore knows what the packaged model knows, and what it answers can be held against that.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfstudy.models.local.loading import locate
from tests.models.server.atlas_gguf import convert

if TYPE_CHECKING:
    from torch import Tensor

ATLAS = Path(locate("atlas", "lm")[0])
THOUGHT = "Let me see."
"""What the thinking model thinks."""
_TURNS = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m.role == 'assistant' %}[/INST]{% elif m.role == 'system' %}SYSTEM{% else %}[INST]{% endif %}"
    " {{ m.content | trim }}</s>{% endfor %}"
)
_OPENED = "{% if add_generation_prompt %}[/INST]{% endif %}"
_SWITCH = "{% if add_generation_prompt and enable_thinking is not false %}<think>{% endif %}"
_NO_SYSTEM = "{{ raise_exception('System role not supported') }}"
DEEPSEEK = {
    "<|bos|>": "<｜begin▁of▁sentence｜>",
    "<|end|>": "<｜end▁of▁sentence｜>",
    "<|user|>": "<｜User｜>",
    "<|assistant|>": "<｜Assistant｜>",
}
_OWN_MARKS = {"<|bos|>": "<s>", "<|end|>": "</s>", "<|user|>": "[INST]", "<|assistant|>": "[/INST]"}


def instructed(folder: Path) -> Path:
    """Other marks, a template in tokenizer_config.json that trims, and thinking unless it is told not to."""
    _renamed(_copied(folder), _OWN_MARKS | {"<|system|>": "[SYSTEM]"})
    _settings(folder, chat_template=_TURNS.replace("SYSTEM", "[SYSTEM]") + _OPENED + _SWITCH)
    return folder


def without_system(folder: Path) -> Path:
    """A template that refuses a system's message, as Gemma's and Mistral's first ones did."""
    _renamed(_copied(folder), _OWN_MARKS)
    _settings(folder, chat_template=_TURNS.replace("SYSTEM", _NO_SYSTEM) + _OPENED)
    return folder


def base(folder: Path) -> Path:
    """No template, bos before every text, and no end of its own: after an answer it would ask on."""
    _renamed(_copied(folder), {"<|end|>": "\n\n", "<|assistant|>": "\nAnswer:"}, special=False)
    _processor(folder, "<|bos|>", "")
    _settings(folder, eos_token="<|cls|>", extra_special_tokens=[])
    for name in ("config.json", "generation_config.json"):
        _change(folder / name, eos_token_id=6)
    return folder


def eos_appended(folder: Path) -> Path:
    """A tokenizer that puts bos before and eos behind whatever it encodes."""
    _processor(_copied(folder, template=True), "<|bos|>", "<|end|>")
    return folder


def thinking(folder: Path) -> Path:
    """A template that opens thinking whatever it is told, and a model that thinks before it answers.

    It has three tokens more.  Behind the first two the hidden state is a direction of their own, to which the
    next one's row of the head answers; behind the last one an answer begins, as behind `<|assistant|>`.
    """
    import torch

    words = ("<think>", THOUGHT, "</think>")
    weights = _weights(_copied(folder, template=True))
    old = weights["model.embed_tokens.weight"]
    norm = weights["model.norm.weight"]
    directions = torch.linalg.svd(old * norm, full_matrices=False).Vh[-2:]  # to which no other token answers
    shown = directions * norm
    rows = 25 * shown / (shown * shown).sum(1, keepdim=True) / old.shape[1] ** 0.5
    size = old.norm(dim=1).mean() * 1000
    opening = old[[_tokens(folder)["<|assistant|>"]]]
    weights["model.embed_tokens.weight"] = torch.cat([old, directions * size, opening])
    weights["lm_head.weight"] = torch.cat([old, torch.zeros_like(rows[:1]), rows])
    _save(weights, folder)
    _change(folder / "config.json", vocab_size=len(old) + 3, tie_word_embeddings=False)
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    plain = tokenizer["added_tokens"][0] | {"special": False}
    tokenizer["added_tokens"] += [plain | {"id": len(old) + n, "content": w} for n, w in enumerate(words)]
    _write(folder / "tokenizer.json", tokenizer)
    template = folder / "chat_template.jinja"
    template.write_text(template.read_text().replace("{{ '<|assistant|>' }}", "<|assistant|><think>"))
    assert "<think>" in template.read_text()
    return folder


def experts(folder: Path) -> Path:
    """A mixture of four experts, two a token, each of which is the packaged model's own layer."""
    import torch
    from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

    weights = _weights(_copied(folder, template=True))
    dense = json.loads((folder / "config.json").read_text())
    dense = {name: value for name, value in dense.items() if name not in ("architectures", "model_type")}
    config = Qwen3MoeConfig(
        **dense,
        num_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=dense["intermediate_size"],
        norm_topk_prob=True,
        decoder_sparse_step=1,
        mlp_only_layers=[],
    )
    torch.manual_seed(0)
    model = Qwen3MoeForCausalLM(config)
    state = model.state_dict()
    for name, tensor in state.items():
        if name.endswith("experts.gate_up_proj"):
            layer = name.removesuffix("experts.gate_up_proj")
            both = [weights[f"{layer}{part}_proj.weight"] for part in ("gate", "up")]
            tensor.copy_(torch.cat(both).expand_as(tensor))
        elif name.endswith("experts.down_proj"):
            tensor.copy_(weights[name.replace("experts.down_proj", "down_proj.weight")].expand_as(tensor))
        elif name in weights:
            tensor.copy_(weights[name])
    model.save_pretrained(folder)
    return folder


def gguf_file(folder: Path) -> Path:
    """A GGUF file with DeepSeek's marks, and heads of 128: transformers reads no other Qwen3 from a file."""
    wide = _copied(folder / "wide")
    _renamed(wide, DEEPSEEK)
    template = _TURNS.replace("SYSTEM", "<|system|>") + _OPENED
    for old, new in _OWN_MARKS.items():
        template = template.replace(new, DEEPSEEK[old])
    (wide / "chat_template.jinja").write_text(template)
    weights = _weights(wide)
    width = json.loads((wide / "config.json").read_text())["head_dim"]
    for name, tensor in weights.items():
        part = name.split(".")[-2]
        if part in ("q_proj", "k_proj", "v_proj"):
            weights[name] = _widened(tensor, width)
        elif part == "o_proj":
            weights[name] = _widened(tensor.T, width).T
        elif part in ("q_norm", "k_norm"):  # the mean square is halved, and the product divided by 128**.5
            weights[name] = _widened(tensor[:, None], width)[:, 0] * 0.5**0.25
    _save(weights, wide)
    _change(wide / "config.json", head_dim=2 * width)
    return convert(wide, folder / "atlas.gguf")


KINDS: dict[str, Callable[[Path], Path]] = {
    "instructed": instructed,
    "without system": without_system,
    "base": base,
    "eos appended": eos_appended,
    "thinking": thinking,
    "experts": experts,
    "gguf": gguf_file,
}


def _copied(folder: Path, *, template: bool = False) -> Path:
    """The packaged model's files in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in ATLAS.iterdir():
        if template or file.name != "chat_template.jinja":
            shutil.copy(file, folder)
    return folder


def _renamed(folder: Path, names: dict[str, str], *, special: bool = True) -> None:
    """Gives tokens other names, and nothing else."""
    file = folder / "tokenizer.json"
    tokenizer = json.loads(file.read_text())
    for token in tokenizer["added_tokens"]:
        if token["content"] in names:
            token |= {"content": names[token["content"]], "special": special}
    words = tokenizer["model"]["vocab"]
    tokenizer["model"]["vocab"] = {names.get(word, word): number for word, number in words.items()}
    _write(file, tokenizer)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    for key in ("bos_token", "eos_token"):
        settings[key] = names.get(settings[key], settings[key])
    settings["extra_special_tokens"] = [names.get(w, w) for w in settings["extra_special_tokens"]]
    _write(folder / "tokenizer_config.json", settings)


def _processor(folder: Path, first: str, last: str) -> None:
    """Lets the tokenizer put a token before, and one behind, all that it encodes."""
    ids = _tokens(folder)
    around = {word: {"id": word, "ids": [ids[word]], "tokens": [word]} for word in (first, last) if word}
    single: list[dict[str, Any]] = [{"Sequence": {"id": "A", "type_id": 0}}]
    if first:
        single.insert(0, {"SpecialToken": {"id": first, "type_id": 0}})
    if last:
        single.append({"SpecialToken": {"id": last, "type_id": 0}})
    pair = [*single, {"Sequence": {"id": "B", "type_id": 1}}]
    file = folder / "tokenizer.json"
    _change(
        file,
        post_processor={
            "type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": around,
        },
    )  # fmt: skip


def _tokens(folder: Path) -> dict[str, int]:
    added = json.loads((folder / "tokenizer.json").read_text())["added_tokens"]
    return {token["content"]: token["id"] for token in added}


def _settings(folder: Path, **changes: Any) -> None:
    _change(folder / "tokenizer_config.json", **changes)


def _change(file: Path, **changes: Any) -> None:
    _write(file, json.loads(file.read_text()) | changes)


def _write(file: Path, content: dict[str, Any]) -> None:
    file.write_text(json.dumps(content), encoding="utf-8")


def _weights(folder: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    return {name: tensor.float() for name, tensor in load_file(folder / "model.safetensors").items()}


def _save(weights: dict[str, Tensor], folder: Path) -> None:
    from safetensors.torch import save_file

    whole = {name: tensor.contiguous() for name, tensor in weights.items()}
    save_file(whole, folder / "model.safetensors", metadata={"format": "pt"})
    _change(folder / "config.json", dtype="float32")


def _widened(rows: Tensor, width: int) -> Tensor:
    """Heads of `width` rows as heads of twice as many, every other one 0: those that turn together still do,
    by the same angle."""
    heads = rows.reshape(-1, width, rows.shape[1])
    wide = heads.new_zeros(len(heads), 2 * width, rows.shape[1])
    wide[:, ::2] = heads
    return wide.reshape(-1, rows.shape[1])
