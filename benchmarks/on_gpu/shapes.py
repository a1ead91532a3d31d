"""Language models of real shapes with random weights, made on the device in seconds; nothing is downloaded.

For measurements: such a model takes as long as a trained one of its shape, and what it says means nothing.
Its logits are spread so far that two samples often agree, and that a greedy choice is seldom near a tie.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

SHAPES: dict[str, dict[str, Any]] = {
    "tiny": {
        "vocab_size": 600,
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 128,
    },
    "1b": {  # Llama-3.2-1B
        "vocab_size": 128_256,
        "hidden_size": 2048,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "intermediate_size": 8192,
        "tie_word_embeddings": True,
    },
    "8b": {  # Llama-3.1-8B
        "vocab_size": 128_256,
        "hidden_size": 4096,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "intermediate_size": 14_336,
    },
}
SPREAD = 8.0
"""Standard deviation of the logits."""
TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def make_tokenizer(size: int) -> Any:
    """Reads bytes; each further token, up to `size` in all, is a word, so that texts tell tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = ["<|end|>", "<|pad|>", "<|system|>", "<|user|>", "<|assistant|>"]
    pieces = [*special, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    pieces += [f"Ġw{number}" for number in range(size - len(pieces))]
    bytes_ = Tokenizer(models.BPE(vocab={piece: i for i, piece in enumerate(pieces)}, merges=[]))
    bytes_.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_.decoder = decoders.ByteLevel()
    bytes_.add_special_tokens(special)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bytes_, eos_token="<|end|>", pad_token="<|pad|>")
    tokenizer.chat_template = TEMPLATE
    tokenizer.padding_side = "left"
    return tokenizer


def make_lm(shape: str, device: torch.device, dtype: torch.dtype) -> tuple[Any, Any]:
    """A random Llama of this shape on the device, and its tokenizer."""
    from transformers import AutoModelForCausalLM, LlamaConfig

    tokenizer = make_tokenizer(SHAPES[shape]["vocab_size"])
    config = LlamaConfig(
        **SHAPES[shape],
        max_position_embeddings=8192,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 500_000.0},
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(0)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=dtype).eval()
    with torch.no_grad():
        some = torch.randint(300, config.vocab_size, (4, 32), device=device)
        now = float(model(some).logits.float().std())
        model.model.norm.weight.mul_(SPREAD / now)  # not the head: it may be the embedding too
    return model, tokenizer


@dataclass
class Work:
    """What the forward passes of a model had to do at least.

    Attributes:
        steps: forward passes.
        rows: rows computed, over all of them.
        floors: per pass, the bytes of weights, keys and values that it had to read, and the floating-point
            operations of its matrix products.
    """

    steps: int = 0
    rows: int = 0
    floors: list[tuple[int, int]] = field(default_factory=list)

    def seconds(self, bandwidth: float, peak: float) -> float:
        """The least time, with so many bytes and operations per second: the larger term of each pass."""
        return sum(max(read / bandwidth, done / peak) for read, done in self.floors)


@contextmanager
def counted(model: Any) -> Iterator[Work]:
    """Counts the work of every forward pass meanwhile, whoever calls it."""
    config = model.config
    head = model.get_output_embeddings().weight
    table = model.get_input_embeddings().weight
    weights = sum(p.numel() for p in model.parameters())
    weights -= 0 if head.data_ptr() == table.data_ptr() else table.numel()  # of it a few rows are read
    size = model.dtype.itemsize
    width = config.hidden_size // config.num_attention_heads * config.num_key_value_heads
    per_position = 2 * config.num_hidden_layers * width * size
    work = Work()

    def note(module: Any, args: Any, given: dict[str, Any]) -> None:
        ids = given["input_ids"] if "input_ids" in given else args[0]
        mask = given.get("attention_mask")
        length = mask.shape[-1] if mask is not None else ids.shape[1]
        read = weights * size + ids.shape[0] * length * per_position
        done = 2 * (weights - head.numel()) * ids.numel() + 2 * head.numel() * ids.shape[0]
        work.steps += 1
        work.rows += ids.shape[0]
        work.floors.append((read, done))

    handle = model.register_forward_pre_hook(note, with_kwargs=True)
    try:
        yield work
    finally:
        handle.remove()
