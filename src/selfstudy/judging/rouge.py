"""How much of a reference stands in a text, in its order: ROUGE-L over sentences (Lin 2004, ROUGE: A Package
for Automatic Evaluation of Summaries, section 3.2), as ALCE reports it (rougeLsum; arXiv 2305.14627).

As there: F1; lower case; words are runs of a-z and 0-9, stemmed where longer than three letters; sentences
are set apart; a word counts at most as often as it stands in either text; of several references the best
counts.  Sentences are ours (`text.sentences`), there NLTK's.  A text in another script has no words.

Why not rouge-score: it has no wheel, so that its files could not be pinned (docs/decisions/0008), and brings
NLTK for the stems alone.  Knows nothing of citations.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from selfstudy.judging.gold_answers import harmonic
from selfstudy.judging.stemming import stem
from selfstudy.text import sentences

_WORD = re.compile(r"[a-z0-9]+")
_SHORT = 3
"""Letters of a word that is left as it is."""
MOST = 5_000
"""Words of a text that are compared; the time grows with the product of both texts."""
MOST_SENTENCES = 200
"""Sentences of it, each of which is held against each of the other text."""

Words = Sequence[str]


def rouge_l(text: str, references: Sequence[str]) -> float:
    """ROUGE-Lsum of a text, in [0, 1]: F1 against the reference that it is nearest to.

    Args:
        references: at least one.

    Raises:
        ValueError: there is none.
    """
    if not references:
        raise ValueError("no reference")
    said = _split(text)
    return max(summary_level(said, _split(one)) for one in references)


def words(sentence: str) -> list[str]:
    """The words that are compared."""
    return [stem(word) if len(word) > _SHORT else word for word in _WORD.findall(sentence.lower())]


def summary_level(text: Sequence[Words], reference: Sequence[Words]) -> float:
    """F1 over sentences of words, in [0, 1]; 0 where either has no word.

    A word of a reference's sentence is found where it is in the longest common subsequence of that sentence
    and any of the text's.
    """
    left_text = Counter(word for sentence in text for word in sentence)
    left_reference = Counter(word for sentence in reference for word in sentence)
    total_text, total_reference = left_text.total(), left_reference.total()
    if not total_text or not total_reference:
        return 0.0
    found = 0
    others = [(one, frozenset(one)) for one in dict.fromkeys(map(tuple, text))]
    for sentence in reference:
        own = frozenset(sentence)
        alike = (one for one, held in others if not own.isdisjoint(held))
        places = sorted({place for one in alike for place in common(sentence, one)})
        for word in (sentence[place] for place in places):
            if left_text[word] and left_reference[word]:
                found += 1
                left_text[word] -= 1
                left_reference[word] -= 1
    return harmonic(found / total_text, found / total_reference)


def common(sentence: Words, other: Words) -> list[int]:
    """Places in `sentence` of a longest common subsequence, in falling order; of several the one that the
    published scorer takes: from the end, a word of `sentence` is given up before one of `other`.
    """
    known = {word: at for at, word in enumerate(dict.fromkeys(sentence))}
    rows = np.array([known[word] for word in sentence], dtype=np.int64)
    columns = np.array([known.get(word, -1) for word in other], dtype=np.int64)
    lengths = np.zeros((len(rows) + 1, len(columns) + 1), dtype=np.int32)
    for at, row in enumerate(rows):
        above = lengths[at]
        best = np.where(columns == row, above[:-1] + 1, above[1:])
        np.maximum.accumulate(best, out=lengths[at + 1, 1:])
    found = []
    at, behind = len(rows), len(columns)
    while at and behind:
        if rows[at - 1] == columns[behind - 1]:
            at, behind = at - 1, behind - 1
            found.append(at)
        elif lengths[at, behind - 1] > lengths[at - 1, behind]:
            behind -= 1
        else:
            at -= 1
    return found


def _split(text: str) -> list[list[str]]:
    found: list[list[str]] = []
    left = MOST
    for sentence in sentences(text):
        if said := words(sentence)[:left]:
            found.append(said)
            left -= len(said)
        if left <= 0 or len(found) == MOST_SENTENCES:
            break
    return found
