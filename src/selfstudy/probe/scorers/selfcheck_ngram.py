"""SelfCheck with an n-gram model of the samples: what they lack is improbable (Manakul et al. 2023, 5.3).

Needs no other model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from math import log

from selfstudy.probe.scorers.base import obstacle, scored, usable
from selfstudy.records import Answer, Question, Score, SentenceScore
from selfstudy.text import sentences, tokens

Gram = tuple[str, ...]


class SelfCheckNgram:
    """Surprise of the passage's words under n-gram counts of the samples and the passage itself.

    The paper's -log p of a word has no upper bound. Here it is put on a line between what it would be if
    every sample repeated the passage (0) and if no sample had the word where it stands, the counts of what
    comes before it unchanged (1); beyond that line it is cut off.

    Args:
        n: words of a gram; 1 (the default) ignores their order, and is the paper's best.
        average: a sentence's value is the mean over its words, not their maximum (the paper's better one).
    """

    name = "selfcheck-ngram"

    def __init__(self, n: int = 1, average: bool = False) -> None:
        if n < 1:
            raise ValueError(f"n is {n}, must be 1 or more")
        self._n = n
        self._average = average

    def score(self, questions: Sequence[Question], answers: Sequence[Answer]) -> list[Score]:
        """See `Scorer.score`.

        No sentence has values per sample: the model is made of all of them. `parts` names each sentence's
        least supported word.
        """
        return [self._score(answer) for answer in answers]

    def _score(self, answer: Answer) -> Score:
        parts = [] if obstacle(answer) else sentences(answer.passage.text)
        own, own_before = self._count([answer.passage.text])
        all_, all_before = self._count([answer.passage.text, *(sample.text for sample in usable(answer))])
        found: list[SentenceScore] = []
        worst: dict[str, float] = {}
        for sentence in parts:
            words = [
                (_surprise(own[gram], own_before[gram[:-1]], all_[gram], all_before[gram[:-1]]), gram[-1])
                for gram in self._grams(sentence)
            ]
            if not words:
                continue
            most, word = max(words)
            value = sum(surprise for surprise, _ in words) / len(words) if self._average else most
            found.append(SentenceScore(text=sentence, value=value, per_sample=()))
            worst[word] = max(most, worst.get(word, 0.0))
        error = obstacle(answer) or "the passage has no words"
        return scored(self.name, answer, found, error, worst)

    def _count(self, texts: Sequence[str]) -> tuple[Counter[Gram], Counter[Gram]]:
        """How often each gram occurs, and each gram's beginning (all but its last word)."""
        grams = Counter(gram for text in texts for part in sentences(text) for gram in self._grams(part))
        before: Counter[Gram] = Counter()
        for gram, count in grams.items():
            before[gram[:-1]] += count
        return grams, before

    def _grams(self, sentence: str) -> Iterator[Gram]:
        """One gram per word, in order; empty words stand before the first."""
        words = [""] * (self._n - 1) + tokens(sentence)
        return (tuple(words[i : i + self._n]) for i in range(len(words) - self._n + 1))


def _surprise(own: int, own_before: int, all_: int, all_before: int) -> float:
    """-log(all_ / all_before), where -log(own / own_before) is 0 and -log(own / all_before) is 1; in [0, 1].

    If only the passage has what comes before the word (all_before == own_before), no sample has the word
    there: 1.
    """
    if all_before <= own_before:
        return 1.0
    return min(1.0, max(0.0, 1 - log(all_ / own) / log(all_before / own_before)))
