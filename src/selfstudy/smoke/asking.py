"""What a model is asked to see whether it can be worked with, and what it says.

- Trivial questions: the demonstrations of the prompt `answer`, each with the *other* demonstrations shown;
  greedy and sampled as the probe does.
- Pages of one line about places that do not exist, so that nobody knows the answer; two of them differ in
  the answer alone.  One of them again with the page as the system's words.

Answers may be as long as the recipe lets them be, but first they are given few tokens: only those that are
cut off by that are asked for again.  Knows nothing of what is right or wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from selfstudy.judging.agreement import particulars
from selfstudy.judging.terms import terms
from selfstudy.models.answering import from_document, from_memory
from selfstudy.models.base import LanguageModel, Sampling
from selfstudy.models.base import chat as chat_of
from selfstudy.prompts import Prompts
from selfstudy.recipe import AnsweringBlock
from selfstudy.records import Chat, Completion, Message

TOKENS = 48
"""Of an answer, at first."""
SAMPLES = 3
"""Of each trivial question, besides the greedy answer."""
_AGAIN = 2
"""Answers cut off at first that are asked for again."""

Kind = Literal["question", "page", "system"]

_PAGES = (
    ("The calling code of Torvania is +417.", "What is the calling code of Torvania?", ("+417", "417")),
    ("The calling code of Torvania is +952.", "What is the calling code of Torvania?", ("+952", "952")),
    ("The capital of Belmora is Oslo.", "What is the capital of Belmora?", ("Oslo",)),
    ("The population of Narland is about 417 thousand.", "What is the population of Narland?", ("417",)),
)


@dataclass(frozen=True)
class Trial:
    """One thing asked.

    Attributes:
        kind: a trivial question, one about a page, or one about a page in the system's words.
        asked: the user's words.
        question: the question in them.
        expected: short texts of which an answer states one.
    """

    kind: Kind
    chat: Chat
    question: str
    expected: tuple[str, ...]

    @property
    def asked(self) -> str:
        return self.chat[-1].content


@dataclass(frozen=True)
class Told:
    """What came of a trial: the greedy answer, and samples where there are any."""

    trial: Trial
    greedy: Completion
    samples: tuple[Completion, ...] = ()


def ask(lm: LanguageModel, prompts: Prompts, answering: AnsweringBlock, seed: int) -> list[Told]:
    """Two batches, and a third one of two answers if some are cut off."""
    memory = _short(from_memory(answering, SAMPLES, seed))
    document = _short(replace(from_document(answering, 1, seed), temperature=0.0, greedy_first=False))
    told = []
    for trials, sampling in ((trivial(prompts), memory), (pages(prompts), document)):
        rows = lm.generate([trial.chat for trial in trials], sampling) if trials else []
        told += [Told(trial, row[0], tuple(row[1:])) for trial, row in zip(trials, rows, strict=True)]
    return _longer(lm, told, answering)


def vary(lm: LanguageModel, prompts: Prompts, answering: AnsweringBlock, seed: int) -> list[Completion]:
    """Samples of a task that has no one answer, for a model that answers the trivial questions one way."""
    sampling = replace(from_memory(answering, SAMPLES + 1, seed), greedy_first=False)
    return lm.generate([prompts.chat("topics")], _short(sampling))[0]


def trivial(prompts: Prompts) -> list[Trial]:
    """The demonstrations of the prompt `answer` as questions; none if it has none."""
    shown = prompts.demonstrations("answer")
    system = tuple(turn for turn in prompts.chat("answer", question="") if turn.role == "system")
    found = []
    for at in range(0, len(shown), 2):
        asked, answer = shown[at].content, shown[at + 1].content
        chat = (*system, *shown[:at], *shown[at + 2 :], Message(role="user", content=asked))
        question = asked[: asked.find("?") + 1] or asked
        found.append(Trial("question", chat, question, _key(asked, answer)))
    return found


def pages(prompts: Prompts) -> list[Trial]:
    """Questions about pages that nobody has read."""
    found = [
        Trial("page", prompts.chat("read", document=page, question=question), question, key)
        for page, question, key in _PAGES
    ]
    page, question, key = _PAGES[0]
    asked = prompts.chat("answer", question=question)[-1].content
    return [*found, Trial("system", chat_of(asked, system=page), question, key)]


def was_cut(completion: Completion) -> bool:
    """Whether it ran into its limit, in the answer or in the thinking before it."""
    return completion.finish == "length" or is_thinking(completion)


def is_thinking(completion: Completion) -> bool:
    """Whether there is no answer because all of it was thinking."""
    return completion.finish == "error" and "thinking" in (completion.error or "")


def _key(asked: str, answer: str) -> tuple[str, ...]:
    """What an answer has to say: the last name or number that the question has not, else its last word."""
    known = {term.word for term in terms(asked)}
    new = [term for term in terms(answer) if term.word not in known]
    names = particulars(answer)
    last = [term for term in new if term.word in names] or new
    return (last[-1].raw,) if last else ()


def _short(sampling: Sampling) -> Sampling:
    return replace(sampling, max_new_tokens=min(TOKENS, sampling.max_new_tokens))


def _longer(lm: LanguageModel, told: list[Told], answering: AnsweringBlock) -> list[Told]:
    """Some of the answers that were cut off as long as the recipe has them; if these end, the rest would."""
    most = answering.max_new_tokens
    cut = [one for one in told if was_cut(one.greedy)]
    if not cut or most <= TOKENS:
        return told
    again = cut[:_AGAIN]
    sampling = Sampling(
        n=1, temperature=0.0, max_new_tokens=most, repetition_penalty=answering.repetition_penalty
    )
    rows = lm.generate([one.trial.chat for one in again], sampling)
    whole = [replace(one, greedy=row[0]) for one, row in zip(again, rows, strict=True)]
    rest = [] if not any(was_cut(one.greedy) for one in whole) else cut[_AGAIN:]
    kept: Sequence[Told] = [*whole, *rest]
    return [one for one in told if one not in cut] + list(kept)
