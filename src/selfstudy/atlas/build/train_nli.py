"""Builds atlas-nli, the embedded entailment model, from nothing: tokenizer, training, figures, model card.

Deciding whether two sentences agree means matching names and numbers by identity.  So the vectors of names
and numbers are never learned: they are drawn anew at every step, and the model can only ever learn to
compare them.  The first heads start with equal query and key maps, that is, by looking for their like.
"""

from __future__ import annotations

import itertools
import json
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from selfstudy.atlas import world
from selfstudy.atlas.build import nli_tasks
from selfstudy.atlas.build.tokenizer import CLS, PAD, SEP, build_tokenizer

if TYPE_CHECKING:
    import torch
    from transformers import BertForSequenceClassification, PreTrainedTokenizerFast

LONGEST = 256
POOL = 1536
"""Pairs that are made, sorted by length and cut into batches at a time."""
NAME_SPREAD = 0.3
"""Standard deviation of the vectors of names and numbers before the embedding layer norm."""
PLACE = 32
"""Dimensions kept for positions when training begins; names have none of them."""
# P(entailment, neutral, contradiction) taught for each label.  A neutral pair leans to contradiction, so that
# the two-class probability SelfCheck uses counts a sample that says something else as not supporting.
TARGETS = {"entailment": (1.0, 0.0, 0.0), "neutral": (0.01, 0.9, 0.09), "contradiction": (0.0, 0.0, 1.0)}


@dataclass(frozen=True, slots=True)
class NLITraining:
    """What `build_nli` does; the defaults made the shipped model."""

    seed: int = 0
    steps: int = 2200
    tokens: int = 4096
    easy_steps: int = 350
    learning_rate: float = 5e-3
    warmup: int = 100
    decay_share: float = 0.6
    hidden: int = 128
    layers: int = 4
    heads: int = 4
    feed_forward: int = 256


def build_nli(
    folder: Path, training: NLITraining | None = None, note: Callable[[str], None] = print
) -> dict[str, Any]:
    """Trains atlas-nli, writes model, tokenizer and card to `folder`, and returns the measured figures."""
    import torch

    training = training or NLITraining()
    started = time.process_time()
    torch.manual_seed(training.seed)
    tokenizer = make_tokenizer()
    model = make_model(tokenizer, training)
    folder.mkdir(parents=True, exist_ok=True)
    seen = _train(model, tokenizer, training, note, checkpoint=lambda: save(model, tokenizer, folder))
    save(model, tokenizer, folder)
    figures = evaluate(model, tokenizer)
    figures["parameters"] = sum(p.numel() for p in model.parameters())
    figures["pairs_seen"] = seen
    figures["processor_minutes"] = round((time.process_time() - started) / 60, 1)
    figures["training"] = {name: getattr(training, name) for name in training.__slots__}
    (folder / "README.md").write_text(card(figures), encoding="utf-8")
    return figures


def make_tokenizer() -> PreTrainedTokenizerFast:
    """One token per name, per number up to 999 and per decimal x.y; words by BPE; bytes for the rest.

    Texts are stripped, runs of space become one, every text begins with a space (a name at the start is the
    same token as inside) and spaces before digits go (a number is the same token after any other).
    """
    from tokenizers import Regex, Tokenizer, normalizers, processors
    from transformers import PreTrainedTokenizerFast

    base = build_tokenizer([f" {text}" for text in nli_tasks.texts()], world.names(), 2600)
    state = json.loads(base.to_str())
    split = state["pre_tokenizer"]["pretokenizers"][0]["pattern"]
    split["Regex"] = split["Regex"].replace(r"|\p{N}|", r"|[0-9]\.[0-9](?![0-9])|[0-9]{1,3}|\p{N}|")
    vocab = state["model"]["vocab"]
    for number in _numbers():
        vocab.setdefault(number, len(vocab))
    made = Tokenizer.from_str(json.dumps(state))
    made.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Strip(),
            normalizers.Prepend(" "),
            normalizers.Replace(Regex(r"(?<![0-9]) (?=[0-9])"), ""),
        ]
    )
    made.post_processor = processors.TemplateProcessing(
        single=f"{CLS} $A {SEP}",
        pair=f"{CLS} $A {SEP} $B:1 {SEP}:1",
        special_tokens=[(CLS, vocab[CLS]), (SEP, vocab[SEP])],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        cls_token=CLS,
        sep_token=SEP,
        pad_token=PAD,
        model_max_length=LONGEST,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )


def _numbers() -> list[str]:
    whole = [f"{n:0{width}d}" for width in (1, 2, 3) for n in range(10**width)]
    return whole + [f"{a}.{b}" for a in range(10) for b in range(10)]


def matched_ids(tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """Tokens that are compared by identity alone: names and numbers."""
    pieces = [f" {name}" for name in world.names()] + _numbers()
    ids = tokenizer(pieces, add_special_tokens=False)["input_ids"]
    return sorted({row[0] for row in ids if len(row) == 1})


def make_model(tokenizer: PreTrainedTokenizerFast, training: NLITraining) -> BertForSequenceClassification:
    """A fresh BERT classifier whose even heads begin by attending to tokens like themselves."""
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=training.hidden,
        num_hidden_layers=training.layers,
        num_attention_heads=training.heads,
        intermediate_size=training.feed_forward,
        max_position_embeddings=LONGEST,
        pad_token_id=tokenizer.pad_token_id,
        hidden_act="relu",
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=training.hidden**-0.5,
        id2label=dict(enumerate(nli_tasks.LABELS)),
        label2id={label: i for i, label in enumerate(nli_tasks.LABELS)},
    )
    model = BertForSequenceClassification(config)
    _begin_by_matching(model, training)
    return model


def _begin_by_matching(model: BertForSequenceClassification, training: NLITraining) -> None:
    """Where positions and names lie apart, and heads 0 and 2 look for tokens alike, head 1 for those nearby.

    Equal query and key maps make a head attend to what is similar to the token itself: similar in the part
    of the vector that the head reads.
    """
    import torch

    embeddings = model.bert.embeddings
    width, words = training.hidden // training.heads, training.hidden - PLACE
    waves = 64.0 ** -(torch.arange(PLACE // 2) / (PLACE // 2 - 1)) * torch.arange(LONGEST)[:, None]
    with torch.no_grad():
        embeddings.word_embeddings.weight.normal_(0, NAME_SPREAD)
        embeddings.word_embeddings.weight[:, words:] = 0
        embeddings.position_embeddings.weight.zero_()
        embeddings.position_embeddings.weight[:, words:] = (
            2 * NAME_SPREAD * torch.cat([waves.sin(), waves.cos()], 1)
        )
        embeddings.token_type_embeddings.weight.normal_(0, 0.1)
        for layer in model.bert.encoder.layer:
            query, key = layer.attention.self.query.weight, layer.attention.self.key.weight
            for head, part in ((0, slice(0, words)), (2, slice(0, words)), (1, slice(words, None))):
                rows = slice(head * width, (head + 1) * width)
                query[rows] = 0
                query[rows, part] = 1.2 * torch.nn.init.orthogonal_(torch.empty_like(query[rows, part]))
                key[rows] = query[rows]


def _train(
    model: BertForSequenceClassification,
    tokenizer: PreTrainedTokenizerFast,
    training: NLITraining,
    note: Callable[[str], None],
    checkpoint: Callable[[], None],
) -> int:
    """Trains in place; returns how many pairs it took."""
    import torch

    words = model.bert.embeddings.word_embeddings.weight
    matched = torch.tensor(matched_ids(tokenizer))
    hidden = [p for n, p in model.named_parameters() if "encoder" in n and p.ndim == 2]
    chosen = {id(p) for p in hidden}
    others = [p for p in model.parameters() if id(p) not in chosen]
    rate = training.learning_rate
    optimisers: list[torch.optim.Optimizer] = [
        torch.optim.Muon(hidden, lr=rate, weight_decay=0.02, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=rate, weight_decay=0.0, betas=(0.9, 0.98)),
    ]
    generator = torch.Generator().manual_seed(training.seed)
    targets = torch.tensor([TARGETS[label] for label in nli_tasks.LABELS])
    model.set_attn_implementation("eager")  # on a CPU, with short rows, faster than the fused kernel
    model.train()
    losses, hits, seen, begun = 0.0, 0.0, 0, time.monotonic()
    batches = _batches(tokenizer, training)
    for step in range(training.steps):
        for optimiser in optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate * _schedule(step, training)
        with torch.no_grad():
            drawn = torch.randn(len(matched), training.hidden - PLACE, generator=generator) * NAME_SPREAD
            words[matched, : drawn.shape[1]] = drawn
        inputs, labels = next(batches)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(**inputs).logits
        loss = torch.nn.functional.cross_entropy(logits.float(), targets[labels])
        loss.backward()  # type: ignore[no-untyped-call]
        assert words.grad is not None
        words.grad[matched] = 0
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimiser in optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        seen += len(labels)
        losses += loss.item()
        hits += (logits.argmax(-1) == labels).float().mean().item()
        if (step + 1) % 100 == 0:
            seconds = time.monotonic() - begun
            note(f"step {step + 1} loss {losses / 100:.3f} accuracy {hits / 100:.3f} {seconds:.0f} s")
            losses = hits = 0.0
        if (step + 1) % 250 == 0:
            checkpoint()
    model.eval()
    return seen


def _schedule(step: int, training: NLITraining) -> float:
    """Share of the learning rate: linear warm-up, flat, then a linear fall to nothing."""
    fall = training.steps * training.decay_share
    return min(1.0, (step + 1) / training.warmup, (training.steps - step) / fall)


def _batches(
    tokenizer: PreTrainedTokenizerFast, training: NLITraining
) -> Iterator[tuple[dict[str, torch.Tensor], torch.Tensor]]:
    """Endless batches of `training.tokens` tokens in pairs of similar length, made from the seed alone."""
    import torch

    step = 0
    for number in itertools.count():
        rng = random.Random(f"{training.seed}:pairs:{number}")
        speaker = nli_tasks.Speaker(rng)
        pairs = [speaker.pair(easy=step < training.easy_steps) for _ in range(POOL)]
        sides = tokenizer(
            [p.first for p in pairs], [p.second for p in pairs], truncation=True, max_length=LONGEST
        )
        lengths = [len(row) for row in sides["input_ids"]]
        parts: list[list[int]] = [[]]
        for i in sorted(range(POOL), key=lambda i: lengths[i]):
            if (len(parts[-1]) + 1) * lengths[i] > training.tokens:
                parts.append([])
            parts[-1].append(i)
        rng.shuffle(parts)
        for part in parts:
            inputs = dict(tokenizer.pad([{k: sides[k][i] for k in sides} for i in part], return_tensors="pt"))
            length = inputs["input_ids"].shape[1]
            if rng.random() < 0.2:  # positions that short pairs never reach are trained too
                inputs["position_ids"] = torch.arange(length)[None] + rng.randint(0, LONGEST - length)
            yield inputs, torch.tensor([nli_tasks.LABELS.index(pairs[i].label) for i in part])
            step += 1


def save(model: BertForSequenceClassification, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Writes float32 safetensors and the tokenizer to `folder`."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def predict(
    model: BertForSequenceClassification, tokenizer: PreTrainedTokenizerFast, pairs: Sequence[tuple[str, str]]
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """P(entailment, neutral, contradiction) of each (first, second); shape (len(pairs), 3)."""
    import torch

    order = sorted(range(len(pairs)), key=lambda i: len(pairs[i][0]) + len(pairs[i][1]))
    found = np.zeros((len(pairs), 3))
    with torch.inference_mode():
        for start in range(0, len(order), 128):
            part = order[start : start + 128]
            inputs = tokenizer(
                [pairs[i][0] for i in part],
                [pairs[i][1] for i in part],
                padding=True,
                truncation=True,
                max_length=LONGEST,
                return_tensors="pt",
            )
            found[part] = model(**inputs).logits.float().softmax(-1).numpy()
    return found


def evaluate(
    model: BertForSequenceClassification, tokenizer: PreTrainedTokenizerFast, count: int = 3000, seed: int = 1
) -> dict[str, Any]:
    """Figures on `count` pairs made of names that no training pair holds, and on novel forms of them."""
    model.eval()
    figures: dict[str, Any] = {"pairs": count}
    for name, novel in (("held_out", False), ("novel_forms", True)):
        speaker = nli_tasks.Speaker(random.Random(f"{seed}:evaluate:{name}"), held_out=True, novel=novel)
        pairs = [speaker.pair() for _ in range(count)]
        probabilities = predict(model, tokenizer, [(p.first, p.second) for p in pairs])
        figures[name] = _figures(pairs, probabilities)
        if not novel:
            back = predict(model, tokenizer, [(p.second, p.first) for p in pairs])
            same = back.argmax(1) == probabilities.argmax(1)
            both = [not p.what.startswith("item") for p in pairs]
            figures["symmetric"] = round(float(same[both].mean()), 4)
    return figures


def _figures(pairs: Sequence[nli_tasks.LabelledPair], probabilities: np.ndarray[Any, Any]) -> dict[str, Any]:
    right = [nli_tasks.LABELS[k] == p.label for p, k in zip(pairs, probabilities.argmax(1), strict=True)]
    groups: dict[str, dict[str, list[bool]]] = {k: defaultdict(list) for k in ("label", "what", "attribute")}
    for pair, hit in zip(pairs, right, strict=True):
        for name, group in groups.items():
            group[getattr(pair, name)].append(hit)
    two = probabilities[:, 2] / (probabilities[:, 0] + probabilities[:, 2])
    decided = np.array([p.label != "neutral" for p in pairs])
    truth = np.array([p.label == "contradiction" for p in pairs])
    return {
        "accuracy": round(float(np.mean(right)), 4),
        **{
            f"by_{name}": {
                key: [round(float(np.mean(hits)), 3), len(hits)] for key, hits in sorted(g.items())
            }
            for name, g in groups.items()
        },
        "two_class_accuracy": round(float(((two > 0.5) == truth)[decided].mean()), 4),
        "two_class_calibration_error": round(_calibration_error(two[decided], truth[decided]), 4),
        "neutral_above_half": round(float((two[~decided] > 0.5).mean()), 4),
    }


def _calibration_error(
    said: np.ndarray[Any, Any], truth: np.ndarray[Any, np.dtype[np.bool_]], bins: int = 10
) -> float:
    """Expected calibration error with equal-width bins (Guo et al. 2017, equation 3)."""
    at = np.minimum((said * bins).astype(int), bins - 1)
    return float(
        sum(
            abs(said[at == b].mean() - truth[at == b].mean()) * (at == b).mean()
            for b in range(bins)
            if (at == b).any()
        )
    )


def card(figures: dict[str, Any]) -> str:
    """The model card, with the figures of this very build."""
    held, novel, made = figures["held_out"], figures["novel_forms"], figures["training"]
    tables = "\n\n".join(
        f"| {title} | accuracy, held-out names | pairs |\n|---|---|---|\n"
        + "\n".join(f"| {key} | {accuracy:.3f} | {count} |" for key, (accuracy, count) in held[name].items())
        for title, name in (("label", "by_label"), ("kind of pair", "by_what"), ("attribute", "by_attribute"))
    )
    values = {
        "parameters": f"{figures['parameters']:,}",
        "minutes": figures["processor_minutes"],
        "pairs_seen": f"{figures['pairs_seen']:,}",
        "names": len(nli_tasks.held_out_names()),
        "all_names": len(world.names()),
        "count": f"{figures['pairs']:,}",
        "symmetric": figures["symmetric"],
        "tables": tables,
        **made,
        **{f"held_{key}": value for key, value in held.items() if isinstance(value, float)},
        **{f"novel_{key}": value for key, value in novel.items() if isinstance(value, float)},
    }
    return Path(__file__).with_name("nli_card.md").read_text(encoding="utf-8").format(**values)
