"""Is an answer right?  One decision, and beside it the measures that led to it.

The decision:

- **With an answer key** the truth is a short text ("Paris", "67 million").  An answer is correct when it
  `states` one of the accepted texts: their words, whole and in order (ALCE's exact match, METHODS 5), in a
  place where they are neither an echo of the question nor one item of a longer list.
- **Without a key** the truth is the reference sentence that was read out of the evidence.  An answer is
  correct when it contains the reference; or is contained in it and holds every name and number that the
  reference adds to the question; or holds the same new numbers and each entails the other
  (P(entailment) >= 0.5 both ways) while the entailment model does not call the pair neutral.

Token F1 and entailment never overrule the decision; they are reported so that a person can doubt it.
It knows nothing of records on disk, arms or stages.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass

from selfstudy import text
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
    """

    correct: bool
    match: bool
    token_f1: float
    entailment: float | None


def judge(
    questions: Sequence[str], answers: Sequence[str], expected: Sequence[Expected], nli: EntailmentModel
) -> list[Judgement]:
    """Judges every answer; the entailment model is asked in one batch per direction.

    Args:
        questions: as they were asked, in the same order as `answers` and `expected`.
    """
    forward = _pairs(answers, expected)
    entails = _entailment(forward, nli)
    matches = [
        states(answer, want.answers, question) if want.answers else within(answer, want.statement, question)
        for question, answer, want in zip(questions, answers, expected, strict=True)
    ]
    open_cases = [
        i
        for i, pair in forward.items()
        if not expected[i].answers
        and not matches[i]
        and entails[i] >= 0.5
        and _numbers_kept(*pair, questions[i])
    ]
    equal = _equivalent([forward[i] for i in open_cases], nli)
    by_meaning = {i for i, same in zip(open_cases, equal, strict=True) if same}
    return [
        Judgement(
            correct=matches[i] or i in by_meaning,
            match=matches[i],
            token_f1=max(
                text.token_f1(answers[i], w) for w in ([want.statement] if want.statement else want.answers)
            ),
            entailment=entails.get(i),
        )
        for i, want in enumerate(expected)
    ]


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


def within(answer: str, statement: str, question: str) -> bool:
    """Whether `answer` contains the reference sentence, or the part of it that answers the question.

    The part has to hold at least one word, and every name and number, that the question does not have.
    """
    said, want = _marked(answer), _marked(statement)
    if text.contains(said, want):
        return True
    if not text.contains(want, said):
        return False
    asked, words = set(text.tokens(_marked(question))), set(text.tokens(said))
    return bool(words - asked) and _particulars(statement) - asked <= words


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


def _marked(raw: str, symbol: bool = False) -> str:
    """`raw` with the punctuation that carries meaning spelt out, for normalisation would delete it.

    Decimal points always (1.2 million is not 12 million); with `symbol` also a leading . + or - of a word
    (the internet domain .is is not the word "is").
    """
    raw = re.sub(r"(?<=\d)\.(?=\d)", "point", raw)
    return re.sub(r"(?<!\w)[.+\-−](?=\w)", lambda m: _SYMBOLS[m[0]], raw) if symbol else raw


_STARTERS = frozenset(
    [
        "the",
        "a",
        "an",
        "it",
        "its",
        "he",
        "she",
        "they",
        "this",
        "that",
        "there",
        "in",
        "on",
        "at",
        "about",
        "people",
    ]
)


def _particulars(statement: str) -> set[str]:
    """Normalised names (capitalised, but for a common first word) and numbers of a sentence."""
    words = _marked(statement).split()
    if words and words[0].lower() in _STARTERS:
        words = words[1:]
    found = [w for w in words if w[:1].isupper() or any(c.isdigit() for c in w)]
    return {token for word in found for token in text.tokens(word)}


def _numbers_kept(answer: str, statement: str, question: str) -> bool:
    """Whether the answer has every number that the reference adds to the question: NLI overlooks them."""
    asked, said = set(text.tokens(_marked(question))), set(text.tokens(_marked(answer)))
    return all(
        t in said for t in text.tokens(_marked(statement)) if t not in asked and any(c.isdigit() for c in t)
    )


def _pairs(answers: Sequence[str], expected: Sequence[Expected]) -> dict[int, tuple[str, str]]:
    """(answer, reference) by index, where both have words."""
    return {
        i: (answer, want.statement)
        for i, (answer, want) in enumerate(zip(answers, expected, strict=True))
        if text.tokens(answer) and want.statement
    }


def _entailment(pairs: dict[int, tuple[str, str]], nli: EntailmentModel) -> dict[int, float]:
    if not pairs:
        return {}
    return dict(zip(pairs, nli.probabilities(list(pairs.values()))[:, 0].tolist(), strict=True))


def _equivalent(pairs: list[tuple[str, str]], nli: EntailmentModel) -> list[bool]:
    """Whether the second text also entails the first, and the model does not call the pair neutral."""
    if not pairs:
        return []
    back = nli.probabilities([(reference, answer) for answer, reference in pairs])[:, 0]
    return [p >= 0.5 and c != "neutral" for p, c in zip(back.tolist(), nli.classes(pairs), strict=True)]
