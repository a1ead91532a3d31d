"""Pairs of texts judged by a model of transformers, whatever its architecture: what entailment models share.

Distinct pairs are judged once, in batches of like length; padding changes nothing beyond rounding.  With a
cache, a pair that was judged before is not judged again.  Knows nothing of sentences, samples or scores, nor
of how a model says what it holds of a pair.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from selfstudy.files.cache import Cache
from selfstudy.models import batching, content, windows
from selfstudy.models.base import Progress
from selfstudy.models.local import loading, pretrained
from selfstudy.models.local.panics import panics_as_errors
from selfstudy.recipe.entailment import EntailmentWeights
from selfstudy.records import digest

UNLIMITED = 10**6
"""Tokenizers without a limit say a number far above this one."""

TextPair = tuple[str, str]
Logits = npt.NDArray[np.float64]
Encoded = dict[str, list[int]]


class Judges(Protocol):
    """Copies of a model elsewhere, which judge batches of encoded pairs."""

    @property
    def budget(self) -> int:
        """Most tokens of a batch."""

    @property
    def fingerprint(self) -> str:
        """What the logits depend on, as the copies say."""

    def judged(self, batches: Sequence[Sequence[Encoded]]) -> Iterator[tuple[int, Sequence[Logits | None]]]:
        """Each batch, in any order: its place, and the logits of its pairs; None: it could not be judged."""


class PairModel(ABC):
    """A model that judges pairs; fulfils `base.EntailmentModel`.

    Pairs longer than the model reads are read in windows of whole sentences (`windows`): a premise entails or
    contradicts what the window of it does that is surest; a hypothesis is contradicted where any window is.

    Attributes:
        model: the transformers model, in evaluation mode.
        tokenizer: its tokenizer.
        path: the folder or Hub id it was loaded from.
        windowed: how many distinct pairs were longer than it reads.
        budget: most tokens of a batch; halved where memory runs out.
        fingerprint: what the logits depend on besides the pair.
    """

    _own_words: tuple[str, ...] = ()
    """What stands around the texts that it reads, and in no text."""

    def __init__(
        self, block: EntailmentWeights, cache: Cache | None = None, judges: Judges | None = None
    ) -> None:
        """Loads the model.

        Args:
            block: which model, and how to run it.
            cache: keeps the logits of every pair judged, and gives those of pairs that this very model (the
                same commit or files, in the same number type) has judged before.
            judges: compute in its stead: its tokenizer and settings are read, its weights are not.

        Raises:
            ModelError: it cannot be loaded, or is no model of this kind.
        """
        self.path, is_folder = loading.locate(block.path, "nli")
        self.name = block.path + (f"@{block.revision}" if block.revision else "")
        self._judges = judges
        self._device = loading.pick_device(block.device if judges is None else "meta")
        with loading.explained(block.path, is_folder):
            source = pretrained.source(block.path, self.path, is_folder, block.revision)
            self._require_kind(pretrained.read_config(source))
            self.tokenizer: Any = pretrained.read_tokenizer(source)
            dtype = loading.pick_dtype(block.dtype, self._device)
            if judges is None:
                self.model: Any = pretrained.read_weights(self._auto(), source, dtype).to(self._device).eval()
            else:
                self.model = pretrained.without_weights(self._auto(), source, dtype)
        self._content = content.of_tokenizer(self.tokenizer, words=self._own_words)
        self._labels = self._read_labels()
        gpu = self._device.type not in ("cpu", "meta")
        self.budget = block.token_budget or (batching.GPU_TOKENS if gpu else batching.CPU_TOKENS)
        self._limit = self._most()
        self._special = len(self._encode([("", "")])[0]["input_ids"])
        self.windowed = 0
        self._cache = cache
        if judges is None:
            files = loading.fingerprint(self.path, is_folder, block.revision)
            self.fingerprint = digest(files, str(self.model.dtype), *self._judged_by())
        else:
            self.budget, self.fingerprint = judges.budget, judges.fingerprint

    @abstractmethod
    def _require_kind(self, config: Any) -> None:
        """Refuses a model of another kind by its configuration, before its weights are read."""

    @abstractmethod
    def _auto(self) -> Any:
        """The class of transformers that reads it."""

    @abstractmethod
    def _read_labels(self) -> list[str]:
        """The role of every class, by index: entailment, contradiction, neutral, or another."""

    @abstractmethod
    def _most(self) -> int:
        """Most tokens of a pair."""

    @abstractmethod
    def _encode(self, pairs: Sequence[TextPair]) -> list[Encoded]:
        """Each pair's model inputs, not padded. What is no Unicode text (a lone surrogate) becomes "?"."""

    @abstractmethod
    def _judge(self, batch: Sequence[Encoded]) -> Logits:
        """Logits (batch, classes) of one batch, whose longest is the first."""

    def _judged_by(self) -> tuple[str, ...]:
        """What, besides the weights, the logits depend on."""
        return ("windows",)

    @property
    def _columns(self) -> tuple[int, int]:
        """Of entailment and contradiction; of what is not entailed, where contradiction is not known."""
        other = "contradiction" if "contradiction" in self._labels else "neutral"
        return self._labels.index("entailment"), self._labels.index(other)

    def probabilities(
        self, pairs: Sequence[TextPair], progress: Progress | None = None
    ) -> npt.NDArray[np.float64]:
        """For (premise, hypothesis) pairs: shape (len(pairs), 2), columns P(entailment), P(contradiction).

        Softmax over these two classes alone (Manakul et al. 2023, section 5.4); of a model that knows no
        contradiction, whatever is not entailed stands in its place. `progress` counts pairs.
        """
        logits = self._logits(pairs, progress)[:, list(self._columns)]
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
        clean = [plain_text(text) for text in texts]
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
        return {pair: digest(self.fingerprint, *pair) for pair in pairs}

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
        text = plain_text(text)
        with panics_as_errors(f"the tokenizer of {self.name}"):
            return len(self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def _joined(self, rows: dict[TextPair, Logits], premises: list[str], hypotheses: list[str]) -> Logits:
        """The logits of a long pair out of those of its windows."""
        columns = self._columns
        each = [
            windows.over_premises(np.stack([rows[premise, hypothesis] for premise in premises]), *columns)
            for hypothesis in hypotheses
        ]
        return windows.over_hypotheses(np.stack(each), *columns)

    def _judge_short(
        self, pairs: Sequence[TextPair], encoded: list[Encoded], settle: Callable[[TextPair, Logits], None]
    ) -> None:
        """Judges encoded pairs in batches; one that is still too long is cut off."""
        encoded = [self._cut_off(one) for one in encoded]
        if self._judges is None:
            return self._judge_here(encoded, lambda at, row: settle(pairs[at], row))
        lengths = [len(one["input_ids"]) for one in encoded]
        batches = batching.planned(lengths, self.budget, pads=self._pads)
        for number, rows in self._judges.judged([[encoded[at] for at in batch] for batch in batches]):
            for at, row in zip(batches[number], rows, strict=True):
                settle(pairs[at], np.full(len(self._labels), np.nan) if row is None else row)

    def judged(self, batch: Sequence[Encoded]) -> list[Logits]:
        """Logits (classes,) of each of a batch, which is as `batching.planned` makes it."""
        found: list[Logits] = [np.empty(0)] * len(batch)
        self._judge_here(batch, found.__setitem__)
        return found

    def _judge_here(self, encoded: Sequence[Encoded], settle: Callable[[int, Logits], None]) -> None:
        self.budget = batching.in_batches(
            [len(one["input_ids"]) for one in encoded],
            self.budget,
            lambda places: self._judge([encoded[at] for at in places]),
            settle,
            self._device,
            pads=self._pads,
        )

    @property
    def _pads(self) -> bool:
        return self.tokenizer.pad_token_id is not None

    def _cut_off(self, one: Encoded) -> Encoded:
        return {name: ids[: self._limit] for name, ids in one.items()}

    def _padded(self, batch: Sequence[Encoded]) -> dict[str, Any]:
        return batching.padded(batch, loading.pad_id(self.tokenizer, self.model) or 0, self._device)


def plain_text(text: str) -> str:
    """`text` as a tokenizer reads it: a lone surrogate becomes "?"."""
    return text.encode("utf-8", "replace").decode()


def most_tokens(model: Any, tokenizer: Any) -> int:
    """Most tokens of a pair: what the tokenizer says, and what the position table holds."""
    limits = [tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", None)]
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, torch.nn.Embedding):
            # RoBERTa's table begins behind its padding index.
            limits.append(
                module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1)
            )
    return min(int(limit) for limit in [*limits, 512] if limit and 0 < limit < UNLIMITED)
