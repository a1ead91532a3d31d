"""Answers judged against what their questions hold: the documents that they cite, and claims that are gold.

What training rewards, what verify measures and what an evaluation tells begin here, so that all three judge
alike.  Knows items and their answers; nothing of what follows from a judgement.
"""

from __future__ import annotations

from collections.abc import Sequence

from selfstudy.judging import citations
from selfstudy.judging.citations import CitedAnswer
from selfstudy.judging.cited_items import CitedItem
from selfstudy.models.base import EntailmentModel


def judged_items(
    items: Sequence[CitedItem], lines: Sequence[str], entailment: EntailmentModel
) -> list[tuple[CitedAnswer, list[str]]]:
    """The answer to each item judged, and for each of its claims the label of (answer, claim).

    Args:
        lines: the answers, as `citations.said` has them.
        entailment: is asked for all of them together, three times at most for citations and once for claims.

    Returns:
        As many; an error in the answer where the model gave no number for one of its pairs, or for a claim.
    """
    both = list(zip(items, lines, strict=True))
    answers = citations.judge(
        [(citations.statements(item.kind, line, item.question), item.documents) for item, line in both],
        entailment,
    )
    pairs = ((citations.without_marks(line), claim) for item, line in both for claim in item.claims)
    labels = citations.labels(pairs, entailment)
    found = []
    for item, answer in zip(items, answers, strict=True):
        own = [next(labels) for _ in item.claims]
        if answer.error is None and "" in own:
            answer = CitedAnswer(error="the entailment model gave no number for a claim")
        found.append((answer, own))
    return found
