"""Is an answer right?  One decision, and beside it the measures that led to it.

The decision:

- **With an answer key** the truth is a short text ("Paris", "67 million").  An answer is correct when it
  `states` one of the accepted texts: their words, whole and in order (ALCE's exact match, methods 5), in a
  place where they are neither an echo of the question nor one item of a longer list.
- **Without a key** the truth is the reference sentence that was read out of the evidence.  An answer is
  correct when it says the same (selfstudy.judging.agreement: the rule that verdicts rest on).

Token F1 and entailment never overrule the decision; they are reported so that a person can doubt it.
It knows nothing of records on disk, arms or stages.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass

from selfstudy import text
from selfstudy.judging.agreement import Agreement, agreements
from selfstudy.models.base import EntailmentModel


@dataclass(frozen=True, slots=True)
class Expected:
    """What is right: accepted short answers of a key (may be none) and the reference sentence (may be "")."""

    answers: tuple[str, ...]
    statement: str

    @property
    def shown(self) -> str:
        """For people and records: the accepted answers, or the reference."""
        return " | ".join(self.answers) or self.statement


@dataclass(frozen=True, slots=True)
class Judgement:
    """The decision and its parts.

    `match` is the part by text alone.  `token_f1` compares with the reference sentence (the best of the
    accepted answers if there is none); `entailment` is P(the answer entails the reference), None without one.
    `correct` is None where the entailment model, asked to decide, gave no number.
    """

    correct: bool | None
    match: bool
    token_f1: float
    entailment: float | None


def judge(
    questions: Sequence[str], answers: Sequence[str], expected: Sequence[Expected], nli: EntailmentModel
) -> list[Judgement]:
    """Judges every answer; the entailment model is asked in one batch.

    Args:
        questions: as they were asked, in the same order as `answers` and `expected`.
    """
    worded = [i for i, want in enumerate(expected) if want.statement and text.tokens(answers[i])]
    found = agreements(
        [questions[i] for i in worded],
        [answers[i] for i in worded],
        [expected[i].statement for i in worded],
        nli,
    )
    compared = dict(zip(worded, found, strict=True))
    return [
        _judgement(q, a, w, compared.get(i))
        for i, (q, a, w) in enumerate(zip(questions, answers, expected, strict=True))
    ]


def _judgement(question: str, answer: str, want: Expected, compared: Agreement | None) -> Judgement:
    correct: bool | None
    if want.answers:
        match = states(answer, want.answers, question)
        correct = match
    else:
        match = compared is not None and compared.by_words
        correct = False if compared is None else compared.same
    sought = [want.statement] if want.statement else want.answers
    return Judgement(
        correct=correct,
        match=match,
        token_f1=max(text.token_f1(answer, one) for one in sought),
        entailment=None if compared is None else compared.entailment,
    )


def states(answer: str, accepted: Sequence[str], question: str) -> bool:
    """Whether `answer` states one of the `accepted` short texts.

    An occurrence does not count when
    - it echoes the question: a word beside it is the same as in the question ("Mexico City is in Peru" does
      not state Mexico when asked about Mexico City);
    - it is one item of a list that the accepted text is not ("Paris or Rome", "Spain, France and Italy").
    """
    return any(
        # beside another accepted text, a list is just both of them
        _states(answer, want, question, lists=any(text.contains(answer, w) for w in accepted if w != want))
        for want in accepted
    )


def _states(answer: str, want: str, question: str, *, lists: bool) -> bool:
    symbol = want.strip()[:1] in _SYMBOLS
    raw = _marked(answer, symbol).split()
    words = [(token, index) for index, word in enumerate(raw) for token in text.tokens(word)]
    tokens = [token for token, _ in words]
    needle, asked = text.tokens(_marked(want, symbol)), text.tokens(_marked(question, symbol))
    echoes = {edge for at in _places(asked, needle) for edge in _edges(asked, at, len(needle))}
    for at in _places(tokens, needle):
        first, last = words[at][1], words[at + len(needle) - 1][1]
        after = " ".join([raw[last][len(raw[last].rstrip(string.punctuation)) :], *raw[last + 1 :]])
        listed = _LIST_BEFORE.search(" ".join(raw[:first])) or _LIST_AFTER.match(after)
        if (lists or not listed) and not echoes & set(_edges(tokens, at, len(needle))):
            return True
    return False


_ITEM = r"(?:the |an? )?[A-Z0-9]"
_LIST_BEFORE = re.compile(r"[A-Z0-9][^\s,]*,? (?:and|or)(?: the| an?)?$")
_LIST_AFTER = re.compile(rf"^(?:, {_ITEM}[^,.]*)*,? (?:and|or) {_ITEM}")


def _places(tokens: Sequence[str], needle: Sequence[str]) -> list[int]:
    size = len(needle)
    return [i for i in range(len(tokens) - size + 1) if tokens[i : i + size] == needle] if needle else []


def _edges(tokens: Sequence[str], at: int, size: int) -> list[tuple[int, str]]:
    """The words beside tokens[at : at + size]: (-1, the one before), (1, the one after)."""
    before = [(-1, tokens[at - 1])] if at else []
    return before + ([(1, tokens[at + size])] if at + size < len(tokens) else [])


_SYMBOLS = {".": "dot", "+": "plus", "-": "minus", "−": "minus"}


def _marked(raw: str, symbol: bool) -> str:
    """`raw` with, if `symbol`, a leading . + or - of a word spelt out, for normalisation would delete it.

    The internet domain .is is not the word "is".
    """
    return re.sub(r"(?<!\w)[.+\-−](?=\w)", lambda m: _SYMBOLS[m[0]], raw) if symbol else raw
