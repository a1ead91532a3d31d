"""The tokenizer of the atlas models: every name of the world is one token, the rest is byte-level BPE.

A name that is one token cannot break into an invented one when it is sampled, and copying it is one step.
Digits stand alone.  Any other text, in any script, falls back to bytes, so nothing is ever unknown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

BOS, EOS, PAD, USER, ASSISTANT, SYSTEM = (
    "<|bos|>",
    "<|end|>",
    "<|pad|>",
    "<|user|>",
    "<|assistant|>",
    "<|system|>",
)
CLS, SEP = "<|cls|>", "<|sep|>"
SPECIAL = (PAD, BOS, EOS, SYSTEM, USER, ASSISTANT, CLS, SEP)


def build_tokenizer(corpus: Iterable[str], names: Iterable[str], vocab_size: int) -> Tokenizer:
    """Trains BPE on `corpus` with `names` taken out, then adds each name (with its leading space) whole.

    The BPE model has `ignore_merges`: a pre-token found in the vocabulary is used as it is, which is how
    whole names become tokens without merges of their own.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    names = sorted(set(names), key=lambda n: (-len(n), n))
    # The look-ahead spares most positions the long alternation: every name begins with a capital or a dot.
    pattern = (
        r" ?(?=[\p{Lu}.])(?:"
        + "|".join(re.escape(n) for n in names)
        + r")(?![\p{L}\p{N}])|\p{N}| ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+"
    )
    split = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    whole = [to_bytes.pre_tokenize_str(" " + n)[0][0] for n in names]

    bpe = Tokenizer(models.BPE(ignore_merges=True))
    bpe.pre_tokenizer = pre_tokenizers.Sequence([split, to_bytes])
    without = re.compile(" ?(?:" + "|".join(re.escape(n) for n in names) + r")(?!\w)")
    bpe.train_from_iterator(
        (without.sub("", text) for text in corpus),
        trainers.BpeTrainer(
            vocab_size=vocab_size - len(whole),
            special_tokens=list(SPECIAL),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    state = json.loads(bpe.to_str())
    vocab = state["model"]["vocab"]
    for token in whole:
        vocab.setdefault(token, len(vocab))
    made = Tokenizer.from_str(json.dumps(state))
    made.decoder = decoders.ByteLevel()
    return made
