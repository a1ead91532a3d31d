"""The single facts that a longer answer states (methods-more E; FActScore, VeriScore and SAFE as read there).

A judge takes each sentence apart (prompts/facts.txt), all sentences of all answers in one batch.  Its list is
repaired by rules, because it decides what is checked: a fact that is cut short, has a number or words that
its sentence lacks, or is no claim at all goes; an empty list for a sentence full of names and numbers does
not count, or an answer could tell the judge that nothing is in it.  Where the list cannot be read, and
without a judge, the sentence itself is the fact.  It knows nothing of documents and of what is true.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from selfstudy.judging.cues import COMMON
from selfstudy.judging.forms import plain, read
from selfstudy.judging.grounding import names, strangers
from selfstudy.judging.judge import Judge, JudgeQuestion
from selfstudy.judging.missing import Unscored
from selfstudy.judging.refusals import is_refusal
from selfstudy.judging.rewards import JUDGE_FAILED
from selfstudy.models.base import EntailmentModel, Progress
from selfstudy.models.unwrapping import entries
from selfstudy.text import clean, ends_as_question, normalise, occurrences, one_line, sentence_spans

PROMPT = "facts"
LONGEST = 20_000
"""Characters of an answer that are looked at."""
MOST_SENTENCES = 100
MOST_OF_A_SENTENCE = 10
_LONGEST_SENTENCE = 1_000
_LONGEST_FACT = 400
_LIMIT = 384
"""Tokens of the judge's list."""
_BEFORE = 3
"""Sentences before one that the judge sees, to know who "it" is (VeriScore's)."""
_ALIKE = 0.5
"""Share of words (of both together) that two facts share before anybody asks whether they say the same."""
_MOST_ALIKE = 5
"""Earlier facts that one is compared with."""
_STRANGE = 0.5
"""Share of a fact's words that may be missing around its sentence."""

_NO_CLAIM = {
    "remark": re.compile(
        r"(?:sure|certainly|of course|absolutely|great question|here (?:is|are)|below (?:is|are)|let me|"
        r"let us|i (?:hope|can|will|would|am|have|was)|i'(?:m|ll|d|ve)|as an? (?:ai|language|large)|"
        r"thank|sorry|(?:this|the (?:above|following)) (?:answer|list|summary|text|information)|feel free|"
        r"if you (?:have|want|need|would)|it is (?:worth|important|interesting|fascinating))\b"
    ),
    "advice": re.compile(
        r"(?:please|remember|make sure|be sure|try|consider|visit|check|see|don't|do not|you (?:should|must|"
        r"can|could|may|need|might)|we (?:should|must|recommend|hope))\b"
    ),
    "opinion": re.compile(
        r"(?:in my (?:opinion|view)|personally|arguably|hopefully|i (?:love|like|prefer|feel))\b"
    ),
}
_HEDGE = re.compile(
    r"(?:i (?:think|believe|guess)|as far as i know|i am (?:sure|certain)|to my knowledge|note)\b,?\s*"
    r"(?:that\b\s*)?",
    re.IGNORECASE,
)
_PRONOUN = re.compile(r"(It|He|She|They)(?= [a-z])|(Its|His|Her|Their)(?= [a-z])")
_LIST = re.compile(r"[\[{]|^[ \t]*(?:[-*+•]|\d{1,2}[.)])[ \t]", re.MULTILINE)
_EMPTY = re.compile(r"\[\s*\]")


@dataclass(frozen=True, slots=True)
class LongAnswer:
    """An answer whose facts are wanted.

    Attributes:
        topic: what it is about; facts that begin with a pronoun are given it.  "": not known.
        source: the document that they are checked against, by its source; "": any.
    """

    question: str
    text: str
    topic: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class AtomicFact:
    """A fact, and the sentence that states it: answer[start:end]."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class FactList:
    """The facts of an answer.

    Attributes:
        left_out: how many were, by reason (remark, advice, opinion, question, refusal, no words, cut short,
            number not said, not said, repeated).
        as_they_stand: sentences that are facts themselves, because nobody could take them apart.
        unread: characters at the end that were not looked at.
        error: why there are none: the judge did not answer.
    """

    facts: tuple[AtomicFact, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    as_they_stand: int = 0
    unread: int = 0
    error: str | None = None


def split(
    answers: Sequence[LongAnswer],
    judge: Judge | None,
    nli: EntailmentModel | None = None,
    progress: Progress | None = None,
) -> list[FactList]:
    """The facts of each answer, in order; the judge is asked once for all, and so is the entailment model.

    Args:
        judge: takes sentences apart; None: they are facts as they stand.
        nli: finds facts that say the same in other words; None: only those of the same words are repeats.
    """
    texts = [clean(answer.text[:LONGEST]) for answer in answers]
    spans = [_spans(text) for text in texts]
    asked = [
        _asked(answer, text, own, i)
        for answer, text, own in zip(answers, texts, spans, strict=True)
        for i in range(len(own))
    ]
    said: Iterator[list[str] | Unscored | None]
    if judge is None:
        said = iter([None] * len(asked))
    else:
        said = iter(judge.judgements(asked, [listed] * len(asked), progress))
    found = [
        _facts(answer, text, own, [next(said) for _ in own])
        for answer, text, own in zip(answers, texts, spans, strict=True)
    ]
    return found if nli is None else _without_repeats(found, nli)


def _spans(text: str) -> list[tuple[int, int]]:
    return sentence_spans(text)[:MOST_SENTENCES]


def _asked(answer: LongAnswer, text: str, spans: Sequence[tuple[int, int]], i: int) -> JudgeQuestion:
    before = " ".join(text[start:end] for start, end in spans[max(0, i - _BEFORE) : i])
    texts = {
        "question": one_line(answer.question, _LONGEST_SENTENCE),
        "before": one_line(before, _LONGEST_SENTENCE),
        "sentence": one_line(text[slice(*spans[i])], _LONGEST_SENTENCE),
    }
    return JudgeQuestion(PROMPT, texts, _LIMIT)


def listed(reply: str) -> list[str] | Unscored:
    """The facts of a judge's reply: a JSON list, fenced, cut short or badly quoted, or lines with marks."""
    if not _LIST.search(reply):
        return Unscored("no list of facts")
    found = [one_line(entry, _LONGEST_FACT) for entry in entries(reply, "fact")]
    if not found and not _EMPTY.search(reply):
        return Unscored("a list without texts")
    return found[:MOST_OF_A_SENTENCE]


def _facts(
    answer: LongAnswer,
    text: str,
    spans: Sequence[tuple[int, int]],
    said: Sequence[list[str] | Unscored | None],
) -> FactList:
    """The facts of one answer, repeats in other words included."""
    facts: list[AtomicFact] = []
    seen: set[str] = set()
    left_out: Counter[str] = Counter()
    as_they_stand = 0
    for i, ((start, end), reply) in enumerate(zip(spans, said, strict=True)):
        if isinstance(reply, Unscored) and reply.reason.startswith(JUDGE_FAILED):
            return FactList(error=reply.reason)
        sentence = one_line(text[start:end], _LONGEST_SENTENCE)
        around = " ".join(
            [answer.question, answer.topic, *(text[slice(*one)] for one in spans[max(0, i - _BEFORE) : i])]
        )
        own = (
            []
            if reply is None or isinstance(reply, Unscored)
            else repaired(reply, sentence, around, left_out)
        )
        stands = not own and (not isinstance(reply, list) or bool(reply) or _states_much(sentence))
        for fact in [sentence] if stands else own:
            alone = _alone(_HEDGE.sub("", fact, count=1) if _HEDGE.match(fact) else fact, answer.topic)
            why = no_claim(alone) or ("repeated" if normalise(alone) in seen else None)
            if why:
                left_out[why] += 1
                continue
            seen.add(normalise(alone))
            facts.append(AtomicFact(alone, start, end))
            as_they_stand += stands
    unread = len(answer.text) - (spans[-1][1] if len(spans) == MOST_SENTENCES else min(len(text), LONGEST))
    return FactList(tuple(facts), dict(left_out), as_they_stand, max(0, unread))


def no_claim(sentence: str) -> str | None:
    """Why a sentence claims nothing that documents could say (by its form, in English); None if it does."""
    if not normalise(sentence):
        return "no words"
    if ends_as_question(sentence):
        return "question"
    if is_refusal(sentence):
        return "refusal"
    start = sentence[:60].replace("’", "'").casefold().lstrip("\"'*-– ")
    return next((kind for kind, form in _NO_CLAIM.items() if form.match(start)), None)


def _states_much(sentence: str) -> bool:
    """Whether an empty list cannot be right: there is a number, or there are two names."""
    return no_claim(sentence) is None and (bool(_numbers(sentence)) or len(names(sentence)) > 1)


def _alone(fact: str, topic: str) -> str:
    """The fact with its topic for the pronoun that it begins with, if that is known."""
    start = _PRONOUN.match(fact)
    if not topic or start is None:
        return fact
    owner = topic if start[1] else f"{topic}'s"
    return owner + fact[start.end() :]


def repaired(facts: Sequence[str], sentence: str, around: str, left_out: Counter[str]) -> list[str]:
    """A judge's facts without those that a rule tells to be wrong, which are counted in `left_out`.

    - Of two facts, one of whose words are all in the other, side by side, the shorter is cut short.
    - A number that the sentence lacks: completed where it begins one of the sentence's; else the fact goes,
      unless the sentence would lose a number with it.
    - One most of whose words stand neither in the sentence nor around it was not said.

    Args:
        around: the question and the sentences before; numbers and words may come from there.
    """
    near = f"{sentence} {around}"
    known, own = _numbers(near), _numbers(sentence)
    whole = [_completed(fact, sentence, known) for fact in facts]
    words = [normalise(fact).split() for fact in whole]
    said: list[str] = []
    for i, fact in enumerate(whole):
        if any(len(other) > len(words[i]) and _within(words[i], other) for other in words):
            left_out["cut short"] += 1
        elif _is_strange(fact, near):
            left_out["not said"] += 1
        else:
            said.append(fact)
    right = [fact for fact in said if _numbers(fact) <= known]
    held = set().union(*map(_numbers, right)) if right else set()
    kept = [fact for fact in said if fact in right or _numbers(fact) & own - held]
    left_out["number not said"] += len(said) - len(kept)
    if not left_out["number not said"]:
        del left_out["number not said"]
    return kept


def _within(part: Sequence[str], whole: Sequence[str]) -> bool:
    return bool(part) and next(occurrences(part, whole), None) is not None


def _is_strange(fact: str, near: str) -> bool:
    words = {word for term in read(fact) if (word := plain(term)) not in COMMON}
    return len(strangers(fact, near)) > _STRANGE * len(words)


def _numbers(text: str) -> set[str]:
    return {word for term in read(text) if any(map(str.isdigit, word := plain(term)))}


def _completed(fact: str, sentence: str, known: set[str]) -> str:
    """The fact with each number that was cut short written out as the sentence has it."""
    for number in _numbers(fact) - known:
        whole = [one for one in _numbers(sentence) if one.startswith(number)]
        if len(whole) == 1 and number.isascii():
            fact = re.sub(rf"(?<![\w.,]){re.escape(number)}(?![\w,]|\.\d)", whole[0], fact)
    return fact


def _without_repeats(lists: Sequence[FactList], nli: EntailmentModel) -> list[FactList]:
    """Without facts that an earlier one entails and is entailed by."""
    pairs = [(number, *pair) for number, one in enumerate(lists) for pair in _alike(one.facts)]
    texts = [(lists[number].facts[i].text, lists[number].facts[j].text) for number, i, j in pairs]
    labels = nli.classes([*texts, *((b, a) for a, b in texts)]) if texts else []
    repeats: dict[int, set[int]] = {}
    for at, (number, i, j) in enumerate(pairs):
        dropped = repeats.setdefault(number, set())
        both = labels[at] == labels[at + len(pairs)] == "entailment"
        if both and i not in dropped:
            dropped.add(j)
    return [
        replace(
            one,
            facts=tuple(fact for i, fact in enumerate(one.facts) if i not in gone),
            left_out={**one.left_out, "repeated": one.left_out.get("repeated", 0) + len(gone)},
        )
        if (gone := repeats.get(number))
        else one
        for number, one in enumerate(lists)
    ]


def _alike(facts: Sequence[AtomicFact]) -> Iterator[tuple[int, int]]:
    """Pairs of facts, the earlier first, that share so many words that they may say the same."""
    words = [frozenset(normalise(fact.text).split()) for fact in facts]
    for j, own in enumerate(words):
        shares = ((len(own & words[i]) / max(1, len(own | words[i])), -i) for i in range(j))
        for _, i in sorted((one for one in shares if one[0] >= _ALIKE), reverse=True)[:_MOST_ALIKE]:
            yield -i, j


def left_out_in_words(left_out: Mapping[str, int]) -> str:
    """For people: "2 repeated, 1 remark"."""
    return ", ".join(f"{count} {why}" for why, count in sorted(left_out.items()) if count)
