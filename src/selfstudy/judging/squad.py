"""Short answers against gold ones, as SQuAD scores them (Rajpurkar et al. 2016, arXiv 1606.05250; 2.0: 2018,
arXiv 1806.03822): exact match, and F1 over bags of words, each with the best of the gold answers.

A question without gold answers has none, and is answered right by a reply that refuses, alone.  The published
scorer takes an empty text for that; here it is also what `refusals` knows.  Knows nothing of pages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from selfstudy.judging.gold_answers import normal
from selfstudy.judging.refusals import is_refusal


def exact_match(reply: str, gold: Sequence[str]) -> bool:
    """Whether the reply is one of the gold answers but for case, punctuation, articles and white space."""
    if not gold:
        return refuses(reply)
    return normal(reply) in {normal(one) for one in gold}


def best_f1(reply: str, gold: Sequence[str]) -> float:
    """Most F1 of the reply and any gold answer, in [0, 1]; where nothing is gold, 1 for a refusal, else 0.

    A refusal that is no gold answer itself is an empty text, as the published scorer is given one.
    """
    if not gold or (refuses(reply) and not exact_match(reply, gold)):
        return float(not gold and refuses(reply))
    return max(_f1(normal(reply).split(), normal(one).split()) for one in gold)


def refuses(reply: str) -> bool:
    """Whether a reply gives no answer."""
    return not reply.strip() or is_refusal(reply)


def _f1(said: Sequence[str], wanted: Sequence[str]) -> float:
    if not said or not wanted:
        return float(list(said) == list(wanted))
    shared = (Counter(said) & Counter(wanted)).total()
    return 2 * shared / (len(said) + len(wanted))
