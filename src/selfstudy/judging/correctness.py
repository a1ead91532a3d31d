"""Is an answer right?  One decision, and beside it the measures that led to it.

The decision:

- **With an answer key** the truth is a short text ("Paris", "67 million").  An answer is correct when it
  `states` one of the accepted texts: their words, whole and in order, in a place where the answer asserts
  them and they are neither an echo of the question nor one item of a longer list.
- **Without a key** the truth is the reference sentence that was read out of the evidence.  An answer is
  correct when it says the same (selfstudy.judging.agreement: the rule that verdicts rest on).

Token F1 and entailment never overrule the decision; they are reported so that a person can doubt it.
It knows nothing of records on disk, arms or stages.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from selfstudy import text
from selfstudy.judging.agreement import Agreement, agreements
from selfstudy.judging.assertion import Reading
from selfstudy.judging.cues import COMMON
from selfstudy.judging.enumeration import Place, listed
from selfstudy.judging.terms import Term, places, ranges, symbols_named, terms
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
    `correct` is None where the entailment model, asked to decide, gave NaN or inf.
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
    worded = [i for i, want in enumerate(expected) if want.statement and terms(answers[i])]
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
    """Whether `answer` states one of the `accepted` short texts, sign for sign (`judging.terms`).

    An occurrence does not count when
    - the answer does not assert it: it denies it, leaves it open or asks (`judging.assertion`);
    - it is one item of a list that the accepted text is not (`judging.enumeration`);
    - it echoes the question: a word beside it is the same as in the question ("Mexico City is in Peru" does
      not state Mexico when asked about Mexico City);
    - the accepted text is made of common words and stands there in other letters: "who" is not WHO.
    """
    if bare := next((want for want in accepted if not terms(want)), None):
        key, question, answer = symbols_named([question, answer], bare)
        if key != bare:
            accepted = [key if want == bare else want for want in accepted]
    asked = terms(question)
    asked_words = {term.word for term in asked}
    reading = Reading(answer, asked_words)
    wanted = [form for want in accepted for form in ranges(terms(want))]
    right = {term.word for want in wanted for term in want}
    return any(_states(reading, want, asked, right, asked_words) for want in wanted)


def _states(
    reading: Reading,
    want: Sequence[Term],
    asked: Sequence[Term],
    right: Collection[str],
    asked_words: Collection[str],
) -> bool:
    said, size = reading.terms, len(want)
    echoes = {edge for at in places(asked, want) for edge in _edges(asked, at, size)}
    return any(
        reading.asserts(at, at + size)
        and not echoes & set(_edges(said, at, size))
        and (size == len(said) or _is_meant(said, at, want))
        and not listed(Place(said, at, at + size, right, asked_words))
        for at in places(said, want)
    )


def _edges(some: Sequence[Term], at: int, size: int) -> list[tuple[int, str]]:
    """The words beside terms[at : at + size]: (-1, the one before), (1, the one after)."""
    before = [(-1, some[at - 1].word)] if at else []
    return before + ([(1, some[at + size].word)] if at + size < len(some) else [])


def _is_meant(said: Sequence[Term], at: int, want: Sequence[Term]) -> bool:
    """Whether a place is the accepted text and not a common word that looks like it: A, It, I, US, WHO, no.

    Where a sentence begins the capital of a single word proves nothing, unless it stands alone there.
    """
    after = said[at + len(want)] if at + len(want) < len(said) else None
    alone = after is None or bool(after.gap.strip())
    if len(want) == 1 and want[0].word in ("yes", "no"):
        return at == 0 or said[at].opens or alone
    if any(term.word not in COMMON for term in want):
        return True
    found = said[at : at + len(want)]
    if any(a.raw.replace(".", "") != b.raw.replace(".", "") for a, b in zip(found, want, strict=True)):
        return False
    begins = (
        (at == 0 or found[0].opens) and found[0].raw.istitle() and not (found[0].article and want[0].article)
    )
    return len(want) > 1 or alone or not (begins or found[0].raw == "I")
