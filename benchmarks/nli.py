"""Batched entailment against one pair per forward pass, on the answers of three real experiments, in one run.

    python benchmarks/nli.py [--data FOLDER] [--shapes small,large] [--device cpu]

The published way (Manakul et al. 2023), written plainly with transformers: every (sentence, sample) is
tokenised alone, goes through the model of transformers alone in float32, and is read back alone.  Against it
`EntailmentClassifier` (batches of like length, and for DeBERTa-v2 an attention of its own), in float32 and in
bfloat16.  Models have random weights: `small` is a DeBERTa-v2 of 6
layers and 384 units, `large` has the shape of DeBERTa-v3-large (24 layers, 1024 units); the classifier's
weights are scaled so that scores differ between pairs as those of a trained model do.  The tokenizer is
trained on the answers themselves.  The ways take turns, because machines are noisy; each turn of the plain
way has a few pairs, of the batched ways many more; the time per pair is compared turn by turn.

The data: result files of the "Into the Unknown" experiment (shared/data beside the checkout).
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from selfstudy.models.nli import EntailmentClassifier
from selfstudy.recipe import NLIBlock
from selfstudy.verbs.importing.experiment import read_experiment
from selfstudy.verbs.importing.pickles import read_pickle

Pairs = list[tuple[str, str]]
SHAPES: dict[str, dict[str, int]] = {
    "tiny": {
        "num_hidden_layers": 2,
        "hidden_size": 32,
        "num_attention_heads": 2,
        "intermediate_size": 64,
    },
    "small": {
        "num_hidden_layers": 6,
        "hidden_size": 384,
        "num_attention_heads": 6,
        "intermediate_size": 1536,
    },
    "large": {
        "num_hidden_layers": 24,
        "hidden_size": 1024,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
    },
}
PLAN = {"tiny": (2, 4, 12), "small": (4, 30, 300), "large": (3, 4, 48)}
"""Turns, and pairs of a turn: one by one, and batched."""
GPU_PLAN = {"tiny": (2, 4, 12), "small": (3, 60, 4000), "large": (3, 30, 2000)}
DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "into-the-unknown"


def real_pairs(folder: Path) -> Pairs:
    """Every (sentence, sample) of the three experiments with real models, in a random order."""
    pairs: Pairs = []
    for path in sorted(folder.glob("*.pickle")):
        if "baseline" not in path.name:
            entries = [entry for entry in read_experiment(read_pickle(path)).entries if entry is not None]
            pairs += [(s, a) for e in entries for s in e.sentences for a in e.samples]
    if not pairs:
        raise SystemExit(
            f"no result files in {folder}: get res_*_ExtPrompt.pickle from "
            "github.com/teddy-f-47/self-learning-llm-public and give --data FOLDER"
        )
    random.Random(0).shuffle(pairs)
    return pairs


def make_model(shape: str, pairs: Pairs, folder: Path) -> None:
    """A random DeBERTa-v2 with the two labels of the published one, and a tokenizer of 16,000 pieces."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import DebertaV2Config, DebertaV2ForSequenceClassification, PreTrainedTokenizerFast

    pieces = Tokenizer(models.BPE())
    pieces.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pieces.decoder = decoders.ByteLevel()
    special = ["[PAD]", "[CLS]", "[SEP]"]
    texts = (text for pair in pairs[:20_000] for text in pair)
    pieces.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=16_000, special_tokens=special))
    pieces.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 1), ("[SEP]", 2)],
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=pieces, pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", model_max_length=512
    )
    torch.manual_seed(0)
    model = DebertaV2ForSequenceClassification(
        DebertaV2Config(
            vocab_size=len(tokenizer),
            max_position_embeddings=512,
            type_vocab_size=0,
            relative_attention=True,
            position_buckets=256,
            pos_att_type=["p2c", "c2p"],
            share_att_key=True,
            norm_rel_ebd="layer_norm",
            position_biased_input=False,
            pad_token_id=0,
            initializer_range=0.05,
            pooler_hidden_size=SHAPES[shape]["hidden_size"],
            id2label={0: "entailment", 1: "contradiction"},
            label2id={"entailment": 0, "contradiction": 1},
            **SHAPES[shape],
        )
    ).eval()
    some = tokenizer(*map(list, zip(*pairs[:12], strict=True)), padding=True, return_tensors="pt")
    with torch.no_grad():  # a random model says nearly the same of everything: spread it out
        logits = model(input_ids=some["input_ids"], attention_mask=some["attention_mask"]).logits
        spread = 2.0 / (logits[:, 1] - logits[:, 0]).std()
        model.classifier.weight.mul_(spread)
        model.classifier.bias.sub_(spread * logits.mean(0))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


class Published:
    """P(contradiction) of each pair, the published way, with the model as transformers has it."""

    def __init__(self, folder: str, judge: EntailmentClassifier) -> None:
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.device = judge.model.device
        model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32)
        self.model: Any = model.to(self.device).eval()

    def __call__(self, pairs: Pairs) -> list[float]:
        found = []
        for sentence, sample in pairs:
            inputs = self.tokenizer(
                sentence,
                sample,
                truncation=True,
                max_length=512,
                return_tensors="pt",
                return_token_type_ids=False,
            ).to(self.device)
            with torch.no_grad():
                logits = self.model(**inputs).logits
            found.append(torch.softmax(logits[0], -1)[1].item())
        return found


def measure(shape: str, pairs: Pairs, options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Prints the table of a shape, and gives it: way -> its figures."""
    clock = time.process_time if options.cpu_time else time.perf_counter
    with tempfile.TemporaryDirectory() as folder:
        make_model(shape, pairs, Path(folder))
        judges = {
            dtype: EntailmentClassifier(
                NLIBlock(path=folder, dtype=dtype, device=options.device, token_budget=options.token_budget)
            )
            for dtype in ("float32", "bfloat16")
        }
        published = Published(folder, judges["float32"])
    plain, half = judges["float32"], judges["bfloat16"]
    turns, few, many = (PLAN if plain.model.device.type == "cpu" else GPU_PLAN)[shape]
    many = min(many, len(pairs))
    ways: dict[str, tuple[Callable[[Pairs], Any], int]] = {
        "one by one, float32": (published, few),
        "batched, float32": (lambda some: plain.probabilities(some)[:, 1], many),
        "batched, bfloat16": (lambda some: half.probabilities(some)[:, 1], many),
    }
    for judged, _ in ways.values():
        judged(pairs[:2])  # warm
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    differences: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(turns):
        # few result files: the pairs of a turn are distinct, those of the next begin again
        some = [pairs[at % len(pairs)] for at in range(turn * many, (turn + 1) * many)]
        values = {}
        for way, (judged, count) in ways.items():
            start = clock()
            values[way] = judged(some[:count])
            seconds[way].append((clock() - start) / count)
        for way in ways:
            first = np.asarray(values[way][:few]) - np.asarray(values["one by one, float32"])
            differences[way] += np.abs(first).tolist()
    size = sum(p.numel() for p in plain.model.parameters()) / 1e6
    lengths = [len(plain.tokenizer(*pair)["input_ids"]) for pair in pairs[:400]]
    print(f"{shape}: {size:.0f} M parameters, {np.mean(lengths):.0f} tokens a pair, {turns} turns", end="")
    print(f"; scores {np.mean(values['batched, float32']):.2f} ± {np.std(values['batched, float32']):.2f}")
    print(f"{'':24}{'ms a pair':>10}{'times faster':>14}{'largest and mean score difference':>38}")
    base = seconds["one by one, float32"]
    figures = {}
    for way in ways:
        faster = median(a / b for a, b in zip(base, seconds[way], strict=True))
        told = f"{max(differences[way]):.1e}  {np.mean(differences[way]):.1e}"
        print(f"{way:24}{median(seconds[way]) * 1e3:>10.2f}{faster:>14.2f}{told:>38}", flush=True)
        figures[way] = {
            "ms a pair": median(seconds[way]) * 1e3,
            "times faster": faster,
            "largest difference": max(differences[way]),
        }
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--shapes", nargs="+", choices=sorted(PLAN), default=["small", "large"])
    parser.add_argument("--device", default="auto")
    parser.add_argument(
        "--cpu-time", action="store_true", help="of this process instead of the wall's, beside other load"
    )
    parser.add_argument("--token-budget", type=int, help="of a batch [default: by device]")
    options = parser.parse_args()
    pairs = real_pairs(options.data)
    print(
        f"{len(pairs):,} pairs, {len(set(pairs)):,} distinct; {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}"
    )
    for shape in options.shapes:
        measure(shape, pairs, options)


if __name__ == "__main__":
    main()
