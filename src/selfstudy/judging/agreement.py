"""Do two answers to a question say the same?  The decision that verdicts rest on, as pure functions.

It knows nothing of records on disk, stages or thresholds of a recipe.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from selfstudy import text
from selfstudy.models.base import EntailmentModel


@dataclass(frozen=True, slots=True)
class Agreement:
    """Whether an answer states what the reference states, and what that rests on.

    Attributes:
        same: the decision; None where the entailment model gave no number and the words did not decide.
        by_words: whether the words alone decided that they are the same.
        entailment: P(the answer entails the reference), in [0, 1]; None without a number.
        contradiction: P(contradiction | reference, answer), in [0, 1]; None without a number.
    """

    same: bool | None
    by_words: bool
    entailment: float | None
    contradiction: float | None


def agreements(
    questions: Sequence[str], answers: Sequence[str], references: Sequence[str], nli: EntailmentModel
) -> list[Agreement]:
    """Compares answers[i] with references[i] as answers to questions[i].

    They are the same if the words decide it (`same_words`), or else if the answer has every number that the
    reference adds to the question (entailment models overlook numbers) and each entails the other (two-class
    P(entailment) >= 0.5 both ways; Farquhar et al. 2024), while the model does not call (answer, reference)
    neutral: an answer about something else contradicts nothing, and must not count as agreement.
    """
    forward = list(zip(answers, references, strict=True))
    count = len(forward)
    if not count:
        return []
    judged = nli.probabilities([*forward, *((reference, answer) for answer, reference in forward)])
    entails, contradiction = judged[:, 0], judged[count:, 1]
    by_words = [same_words(a, r, q) for q, (a, r) in zip(questions, forward, strict=True)]
    open_cases = [
        i
        for i, question in enumerate(questions)
        if not by_words[i]
        and min(entails[i], entails[count + i]) >= 0.5
        and numbers_kept(*forward[i], question)
    ]
    classes = nli.classes([forward[i] for i in open_cases]) if open_cases else []
    by_meaning = {i for i, label in zip(open_cases, classes, strict=True) if label != "neutral"}
    results = []
    for i in range(count):
        unjudged = math.isnan(entails[i]) or math.isnan(entails[count + i])
        same = True if by_words[i] else None if unjudged else i in by_meaning
        numbers = (None, None) if unjudged else (float(entails[i]), float(contradiction[i]))
        results.append(Agreement(same, by_words[i], *numbers))
    return results


def same_words(answer: str, reference: str, question: str) -> bool:
    """Whether `answer` contains the reference, or is the part of it that answers the question.

    Such a part holds a word, and every name and number of the reference, that the question does not hold.
    """
    if text.contains(answer, reference):
        return True
    if not text.contains(reference, answer):
        return False
    asked, said = set(text.tokens(question)), set(text.tokens(answer))
    return bool(said - asked) and particulars(reference) - asked <= said


def numbers_kept(answer: str, reference: str, question: str) -> bool:
    """Whether `answer` has every word with a digit that `reference` adds to the question."""
    known = {*text.tokens(question), *text.tokens(answer)}
    return all(word in known for word in text.tokens(reference) if any(c.isdigit() for c in word))


def particulars(statement: str) -> set[str]:
    """Normalised names (capitalised words; the first one unless it is a common starter) and numbers."""
    words = statement.split()
    if words and words[0].lower() in _STARTERS:
        words = words[1:]
    found = (word for word in words if word[:1].isupper() or any(c.isdigit() for c in word))
    return {token for word in found for token in text.tokens(word)}


_STARTERS = frozenset(
    ["it", "its", "he", "she", "they", "this", "that", "these", "there", "in", "on", "at", "about", "people"]
)
