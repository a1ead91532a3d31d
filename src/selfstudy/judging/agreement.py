"""Do two answers to a question say the same?  The decision that verdicts rest on, as pure functions.

It knows nothing of records on disk, stages or thresholds of a recipe.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from selfstudy.judging.assertion import Reading
from selfstudy.judging.enumeration import Place, listed
from selfstudy.judging.terms import Term, is_exact, places, ranges, terms, words
from selfstudy.models.base import EntailmentModel
from selfstudy.text import spaced


@dataclass(frozen=True, slots=True)
class Agreement:
    """Whether an answer states what the reference states, and what that rests on.

    Attributes:
        same: the decision; None where the entailment model gave NaN or inf and the words did not decide.
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

    They are the same if the words decide it (`same_words`), unless the answer says more than the reference
    and the model calls it a contradiction of it (P(contradiction) >= 0.5, and the most probable class).  Or
    else if the answer has every number that the reference adds to the question and asserts its names
    (entailment models overlook numbers and denials), and each entails the other (two-class P(entailment)
    >= 0.5 both ways; Farquhar et al. 2024), while the model does not call (answer, reference) neutral: an
    answer about something else contradicts nothing, and must not count as agreement.
    """
    forward = list(zip(answers, references, strict=True))
    count = len(forward)
    if not count:
        return []
    judged = nli.probabilities([*forward, *((reference, answer) for answer, reference in forward)])
    entails, contradiction = judged[:, 0], judged[count:, 1]
    by_words = [same_words(a, r, q) for q, (a, r) in zip(questions, forward, strict=True)]
    doubtful = [
        i for i in range(count) if by_words[i] and contradiction[i] >= 0.5 and _says_more(*forward[i])
    ]
    labels = nli.classes([(references[i], answers[i]) for i in doubtful]) if doubtful else []
    vetoed = {i for i, label in zip(doubtful, labels, strict=True) if label == "contradiction"}
    by_words = [found and i not in vetoed for i, found in enumerate(by_words)]
    open_cases = [
        i
        for i, question in enumerate(questions)
        if not by_words[i]
        and i not in vetoed
        and min(entails[i], entails[count + i]) >= 0.5
        and numbers_kept(*forward[i], question)
        and not denied(*forward[i], question)
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


def _says_more(answer: str, reference: str) -> bool:
    """Whether the words of the answer are the reference's and more: a part of them contradicts nothing."""
    return len(terms(answer)) > len(terms(reference))


def same_words(answer: str, reference: str, question: str) -> bool:
    """Whether `answer` contains the reference and asserts it, or is the part of it that answers the question.

    Such a part holds a word, and every name and number of the reference, that the question does not hold, and
    the reference asserts it.  Words count sign for sign (`judging.terms`); equal words are always the same.
    """
    asked = set(words(question))
    said, known = terms(answer), terms(reference)
    if found := places(said, known):
        return len(said) == len(known) or _asserted(answer, found, len(known), asked, known)
    forms = ranges(said)
    found, said = next(((at, form) for form in forms if (at := places(known, form))), ([], said))
    new = {term.word for term in said} - asked
    return (
        bool(found and new)
        and particulars(reference) - asked <= new
        and _asserted(reference, found, len(said), asked, said)
    )


def _asserted(whole: str, found: Sequence[int], size: int, asked: set[str], part: Sequence[Term]) -> bool:
    """Whether `whole` asserts one of the places of `part` in it, and not as one item of a list."""
    right = {term.word for term in part}
    reading = Reading(whole, asked)
    return any(
        reading.asserts(at, at + size) and not listed(Place(reading.terms, at, at + size, right, asked))
        for at in found
    )


def numbers_kept(answer: str, reference: str, question: str) -> bool:
    """Whether `answer` has every number, sign and single letter that `reference` adds to the question."""
    known = {*words(question), *words(answer)}
    return all(word in known for word in words(reference) if is_exact(word))


def denied(answer: str, reference: str, question: str) -> bool:
    """Whether `answer` names something that the reference adds to the question, but asserts it nowhere.

    Asked only where the words did not decide: entailment models overlook "not" and "maybe".
    """
    asked, known = set(words(question)), set(words(reference))
    reading = Reading(answer, asked | known)
    where: dict[str, list[int]] = {}
    for i, term in enumerate(reading.terms):
        where.setdefault(term.word, []).append(i)
    for name in particulars(reference) - asked:
        if spaced(name) != name:
            continue  # a letter is no name
        at = where.get(name)
        if at and not any(
            reading.asserts(i, i + 1) and not listed(Place(reading.terms, i, i + 1, known, asked)) for i in at
        ):
            return True
    return False


def particulars(statement: str) -> set[str]:
    """Names (capitalised words; the first one unless it is a common starter), numbers, signs, single letters.

    Where a script has no spaces, all its letters: names cannot be told there.
    """
    found = terms(statement)
    if found and found[0].word in _STARTERS:
        found = found[1:]
    return {
        term.word
        for term in found
        if term.raw[:1].isupper() or is_exact(term.word) or spaced(term.raw) != term.raw
    }


_STARTERS = frozenset(
    ["it", "its", "he", "she", "they", "this", "that", "these", "there", "in", "on", "at", "about", "people"]
)
