"""Natural language inference with any sequence-classification model of transformers.

Labels are read from the model's `id2label`, never assumed.  Distinct pairs are judged once, in batches of
like length; padding changes nothing beyond rounding.  With a cache, a pair that was judged before is not
judged again.  Knows nothing of sentences, samples or scores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from selfstudy.errors import ModelError
from selfstudy.files.cache import Cache
from selfstudy.models import content, deberta, windows
from selfstudy.models.base import Progress
from selfstudy.models.local import loading, pretrained
from selfstudy.models.local.panics import panics_as_errors
from selfstudy.recipe import NLIBlock
from selfstudy.records import digest

_ROLES = {"entail": "entailment", "contradict": "contradiction", "neutral": "neutral"}
_CPU_TOKENS, _GPU_TOKENS = 512, 16_384
"""Most tokens of a batch: with more, values leave a CPU's caches between operations."""
_UNLIMITED = 10**6
"""Tokenizers without a limit say a number far above this one."""

TextPair = tuple[str, str]
Logits = npt.NDArray[np.float64]


class EntailmentClassifier:
    """An NLI model run in this process; fulfils `base.EntailmentModel`.

    Pairs longer than the model reads are read in windows of whole sentences (`windows`): a premise entails or
    contradicts what the window of it does that is surest; a hypothesis is contradicted where any window is.

    Attributes:
        model: the transformers model, in evaluation mode.
        tokenizer: its tokenizer.
        path: the folder or Hub id it was loaded from.
        windowed: how many distinct pairs were longer than it reads.
    """

    def __init__(self, block: NLIBlock, cache: Cache | None = None) -> None:
        """Loads the model.

        Args:
            block: which model, and how to run it.
            cache: keeps the logits of every pair judged, and gives those of pairs that this very model (the
                same commit or files, in the same number type) has judged before.

        Raises:
            ModelError: it cannot be loaded, or its labels do not tell entailment and contradiction.
        """
        self.path, is_folder = loading.locate(block.path, "nli")
        self.name = block.path + (f"@{block.revision}" if block.revision else "")
        self._device = loading.pick_device(block.device)
        with loading.explained(block.path, is_folder):
            self.model, self.tokenizer = _load(block, self.path, is_folder, self._device)
        self._content = content.of_tokenizer(self.tokenizer)
        self._labels = label_roles(self.model.config.id2label, block.path)
        self._budget = block.token_budget or (_CPU_TOKENS if self._device.type == "cpu" else _GPU_TOKENS)
        self._limit = _limit(self.model, self.tokenizer)
        self._special = len(self._encode([("", "")])[0]["input_ids"])
        self.windowed = 0
        self._cache = cache
        files = loading.fingerprint(self.path, is_folder, block.revision)
        self._fingerprint = digest(files, str(self.model.dtype), "windows")

    def probabilities(
        self, pairs: Sequence[TextPair], progress: Progress | None = None
    ) -> npt.NDArray[np.float64]:
        """For (premise, hypothesis) pairs: shape (len(pairs), 2), columns P(entailment), P(contradiction).

        Softmax over these two classes alone (Manakul et al. 2023, section 5.4). `progress` counts pairs.
        """
        columns = [self._labels.index("entailment"), self._labels.index("contradiction")]
        logits = self._logits(pairs, progress)[:, columns]
        powers = np.exp(logits - logits.max(1, keepdims=True, initial=-np.inf))
        return np.asarray(powers / powers.sum(1, keepdims=True))

    def classes(self, pairs: Sequence[TextPair]) -> list[str]:
        """Each pair's most probable label over all classes: entailment, neutral, contradiction or another.

        It is empty where the model gives NaN or inf.
        """
        if not pairs:
            return []
        logits = self._logits(pairs, None)
        return [self._labels[row.argmax()] if np.isfinite(row).all() else "" for row in logits]

    def cut(self, texts: Sequence[str]) -> tuple[int, int]:
        """Tokens of all texts together, and how many of these are unknown ones."""
        clean = [text.encode("utf-8", "replace").decode() for text in texts]
        with panics_as_errors(f"the tokenizer of {self.name}"):
            rows = (
                self.tokenizer(clean, add_special_tokens=False, verbose=False)["input_ids"] if clean else []
            )
        unknown = self.tokenizer.unk_token_id
        return sum(map(len, rows)), sum(token == unknown for row in rows for token in row)

    def _logits(self, pairs: Sequence[TextPair], progress: Progress | None) -> Logits:
        """Shape (len(pairs), classes); each distinct pair is judged once.

        The pairs of a call that are not in the cache are judged together and kept in one step: a call that
        was killed and is made again judges the same batches, so its floats are the same.
        """
        wanted: dict[TextPair, list[int]] = {}
        said = {text: self._content(text) for text in {text for pair in pairs for text in pair}}
        for index, (premise, hypothesis) in enumerate(pairs):
            wanted.setdefault((said[premise], said[hypothesis]), []).append(index)
        result = np.empty((len(pairs), len(self._labels)))

        def settle(pair: TextPair, row: Logits) -> None:
            result[wanted[pair]] = row
            if progress is not None:
                progress(len(wanted[pair]))

        keys = self._keys(list(wanted))
        known = self._known(keys)
        for pair, row in known.items():
            settle(pair, row)
        fresh = [pair for pair in wanted if pair not in known]
        self._judge_all(fresh, settle)
        if self._cache is not None and fresh:
            rows = {pair: result[wanted[pair][0]] for pair in fresh}
            self._cache.put(
                {keys[pair]: row.tobytes() for pair, row in rows.items() if np.isfinite(row).all()}
            )
        return result

    def _keys(self, pairs: Sequence[TextPair]) -> dict[TextPair, str]:
        if self._cache is None:
            return {}
        return {pair: digest(self._fingerprint, *pair) for pair in pairs}

    def _known(self, keys: dict[TextPair, str]) -> dict[TextPair, Logits]:
        """The logits of those pairs that are in the cache, whole."""
        found = self._cache.get(list(keys.values())) if self._cache is not None else {}
        size = len(self._labels) * np.dtype(np.float64).itemsize
        return {
            pair: np.frombuffer(found[key], dtype=np.float64)
            for pair, key in keys.items()
            if len(found.get(key, b"")) == size
        }

    def _judge_all(self, pairs: Sequence[TextPair], settle: Callable[[TextPair, Logits], None]) -> None:
        """Judges distinct pairs in batches, and settles each; a long one when all its windows are judged."""
        if not pairs:
            return
        encoded = self._encode(pairs)
        long = [i for i, one in enumerate(encoded) if len(one["input_ids"]) > self._limit]
        if not long:
            return self._judge_short(pairs, encoded, settle)
        self.windowed += len(long)
        split = {pairs[i]: self._windows(*pairs[i]) for i in long}
        parts = dict.fromkeys(part for sides in split.values() for part in windows.product(*sides))
        short = dict.fromkeys(pair for pair in pairs if pair not in split)
        every = list(short | parts)
        rows: dict[TextPair, Logits] = {}

        def keep(pair: TextPair, row: Logits) -> None:
            if pair in parts:
                rows[pair] = row
            if pair in short:
                settle(pair, row)

        self._judge_short(every, self._encode(every), keep)
        for pair, sides in split.items():
            settle(pair, self._joined(rows, *sides))

    def _windows(self, premise: str, hypothesis: str) -> tuple[list[str], list[str]]:
        """A pair that is too long, in windows that are not, of either text."""
        room = max(2, self._limit - self._special)
        size = windows.sizes(self._count(premise), self._count(hypothesis), room)
        first, second = (
            windows.windows(text, most, self._count)
            for text, most in zip((premise, hypothesis), size, strict=True)
        )
        return first, second

    def _count(self, text: str) -> int:
        text = text.encode("utf-8", "replace").decode()
        with panics_as_errors(f"the tokenizer of {self.name}"):
            return len(self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def _joined(self, rows: dict[TextPair, Logits], premises: list[str], hypotheses: list[str]) -> Logits:
        """The logits of a long pair out of those of its windows."""
        columns = self._labels.index("entailment"), self._labels.index("contradiction")
        each = [
            windows.over_premises(np.stack([rows[premise, hypothesis] for premise in premises]), *columns)
            for hypothesis in hypotheses
        ]
        return windows.over_hypotheses(np.stack(each), *columns)

    def _judge_short(
        self,
        pairs: Sequence[TextPair],
        encoded: list[dict[str, list[int]]],
        settle: Callable[[TextPair, Logits], None],
    ) -> None:
        """Judges encoded pairs in batches; one that is still too long is cut off."""
        encoded = [{name: ids[: self._limit] for name, ids in one.items()} for one in encoded]
        lengths = [len(one["input_ids"]) for one in encoded]
        # Like lengths together; the longest first, so that memory runs out at once or not at all.
        order = sorted(range(len(pairs)), key=lambda i: -lengths[i])
        start = 0
        while start < len(order):
            longest = lengths[order[start]]
            end = min(len(order), start + max(1, self._budget // longest))
            while self.tokenizer.pad_token_id is None and lengths[order[end - 1]] != longest:
                end -= 1  # only pairs of one length can go together
            batch = order[start:end]
            try:
                judged = self._judge([encoded[i] for i in batch])
            except RuntimeError as error:
                if not loading.is_out_of_memory(error) or len(batch) == 1:
                    raise
                judged = None
            if judged is None:
                self._budget //= 2
                loading.free_memory(self._device)
                continue
            for i, row in zip(batch, judged, strict=True):
                settle(pairs[i], row)
            start = end

    def _encode(self, pairs: Sequence[TextPair]) -> list[dict[str, list[int]]]:
        """Each pair's model inputs, not padded. What is no Unicode text (a lone surrogate) becomes "?"."""
        premises, hypotheses = (
            [text.encode("utf-8", "replace").decode() for text in side] for side in zip(*pairs, strict=True)
        )
        with panics_as_errors(f"the tokenizer of {self.name}"):
            table = self.tokenizer(premises, hypotheses, return_attention_mask=False, verbose=False)
        return [
            dict(zip(table.keys(), columns, strict=True)) for columns in zip(*table.values(), strict=True)
        ]

    @torch.inference_mode()
    def _judge(self, batch: Sequence[dict[str, list[int]]]) -> npt.NDArray[np.float64]:
        length = len(batch[0]["input_ids"])
        inputs = {}
        for name in batch[0]:
            fill = (loading.pad_id(self.tokenizer, self.model) or 0) if name == "input_ids" else 0
            rows = [one[name] + [fill] * (length - len(one[name])) for one in batch]
            inputs[name] = torch.tensor(rows, device=self._device)
        lengths = torch.tensor([len(one["input_ids"]) for one in batch], device=self._device)
        mask = (torch.arange(length, device=self._device) < lengths[:, None]).long()
        with loading.computing(self.name):
            logits = self.model(**inputs, attention_mask=mask).logits
            return np.asarray(logits.double().cpu().numpy())


def label_roles(id2label: dict[int, str], path: str) -> list[str]:
    """The role of every class, by index: entailment, contradiction, neutral, or the label itself.

    Raises:
        ModelError: the labels do not name exactly one entailment and one contradiction.
    """
    labels = [str(id2label[i]) for i in sorted(id2label)]
    roles = [
        next((role for start, role in _ROLES.items() if label.strip().lower().startswith(start)), label)
        for label in labels
    ]
    if roles.count("entailment") != 1 or roles.count("contradiction") != 1:
        raise ModelError(
            f"NLI model {path!r}: its labels {labels} do not name one entailment and one contradiction",
            "use a model trained on MNLI or the like, or name its labels in id2label of config.json",
        )
    return roles


def _load(block: NLIBlock, path: str, is_folder: bool, device: torch.device) -> tuple[Any, Any]:
    from transformers import AutoModelForSequenceClassification

    source = pretrained.source(block.path, path, is_folder, block.revision)
    tokenizer = pretrained.read_tokenizer(source)
    dtype = loading.pick_dtype(block.dtype, device)
    model = pretrained.read_weights(AutoModelForSequenceClassification, source, dtype)
    model = model.to(device).eval()
    deberta.quicken(model)
    return model, tokenizer


def _limit(model: Any, tokenizer: Any) -> int:
    """Most tokens of a pair: what the tokenizer says, and what the position table holds."""
    limits = [tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", None)]
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, torch.nn.Embedding):
            # RoBERTa's table begins behind its padding index.
            limits.append(
                module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1)
            )
    return min(int(limit) for limit in [*limits, 512] if limit and 0 < limit < _UNLIMITED)
