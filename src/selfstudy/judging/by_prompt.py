"""Entailment without an entailment model: a language model is asked whether a statement is true by a text.

Where it gives log-probabilities of given texts, the three words that it may say are weighed against each
other; else it answers, and what its answer begins with counts.  A reply that begins with none of them is an
error of that pair (NaN, the label ""), never a score.  Distinct pairs are asked once.  It knows nothing of
sentences, samples or scores.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from selfstudy.files.cache import Cache
from selfstudy.judging.choices import chosen
from selfstudy.models.base import HasFingerprint, LanguageModel, NoLogprobsError, Progress, Sampling
from selfstudy.prompts import Prompts
from selfstudy.records import digest

PROMPT = "entail"
LABELS = {"true": "entailment", "unclear": "neutral", "false": "contradiction"}
"""What the prompt asks to say, and what it means."""
_NAMES = tuple(LABELS.values())
_MAX_NEW_TOKENS = 8

Rows = npt.NDArray[np.float64]


class PromptedEntailment:
    """A language model as judge of entailment; fulfils `models.base.EntailmentModel`."""

    def __init__(self, lm: LanguageModel, prompts: Prompts, cache: Cache | None = None) -> None:
        """`cache` keeps the probabilities of every pair judged; without one they are held in memory."""
        self.name = f"{lm.name}, by prompt"
        self._lm = lm
        self._prompts = prompts
        self._cache = cache
        self._held: dict[str, bytes] = {}
        self._replies = False
        """Whether the model answers, for it gives no log-probabilities."""
        weights = lm.fingerprint if isinstance(lm, HasFingerprint) else lm.name
        self._fingerprint = digest(PROMPT, weights, prompts.text(PROMPT))

    def probabilities(self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None) -> Rows:
        """See `EntailmentModel.probabilities`; a pair whose reply cannot be read is NaN."""
        entails, neutral, contradicts = self._rows(pairs, progress).T
        # of "unclear" alone neither class has a share: nothing speaks for one of them
        share = np.where(neutral == 1.0, 0.5, entails / np.maximum(entails + contradicts, 1e-300))
        return np.stack([share, 1 - share], axis=1)

    def classes(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        """See `EntailmentModel.classes`."""
        rows = self._rows(pairs, None)
        return [_NAMES[row.argmax()] if np.isfinite(row).all() else "" for row in rows]

    def _rows(self, pairs: Sequence[tuple[str, str]], progress: Progress | None) -> Rows:
        """Shape (len(pairs), 3), the probability of each label; what is not in the cache is one batch."""
        wanted = dict.fromkeys(pairs)
        keys = {pair: digest(self._fingerprint, *pair) for pair in wanted}
        found = self._held if self._cache is None else self._cache.get(list(keys.values()))
        rows = {
            pair: np.frombuffer(found[key], dtype=np.float64)
            for pair, key in keys.items()
            if len(found.get(key, b"")) == len(LABELS) * 8
        }
        fresh = [pair for pair in wanted if pair not in rows]
        rows.update(zip(fresh, self._ask(fresh), strict=True))
        made = {keys[p]: rows[p].tobytes() for p in fresh if np.isfinite(rows[p]).all()}
        if self._cache is None:
            self._held |= made
        elif made:
            self._cache.put(made)
        if progress is not None:
            progress(len(pairs))
        return np.array([rows[pair] for pair in pairs]).reshape(len(pairs), len(LABELS))

    def _ask(self, pairs: Sequence[tuple[str, str]]) -> Rows:
        chats = [self._prompts.chat(PROMPT, premise=a, hypothesis=b) for a, b in pairs]
        if not chats:
            return np.empty((0, len(LABELS)))
        if not self._replies:
            try:
                asked = [chat for chat in chats for _ in LABELS]
                sums = [
                    sum(row) if row else np.nan for row in self._lm.logprobs(asked, [*LABELS] * len(pairs))
                ]
                return _shares(np.array(sums).reshape(len(pairs), len(LABELS)))
            except NoLogprobsError:
                self._replies = True
        replies = self._lm.generate(chats, Sampling(temperature=0.0, max_new_tokens=_MAX_NEW_TOKENS))
        return np.array([_said("" if one.error is not None else one.text) for (one,) in replies])


def _shares(sums: Rows) -> Rows:
    """Softmax by row; a row that is not all numbers is NaN."""
    known = np.isfinite(sums).all(1, keepdims=True)
    powers = np.exp(np.where(known, sums - sums.max(1, keepdims=True), np.nan))
    return np.asarray(powers / powers.sum(1, keepdims=True))


def _said(reply: str) -> Rows:
    """All of the probability on the label that a reply names; NaN if it names none."""
    word = chosen(reply, LABELS)
    return np.array([np.nan if word is None else float(one == word) for one in LABELS])
