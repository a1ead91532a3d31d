"""Is a proposed question one that its page answers?  The model reads the page to it, twice, in two wordings.

Small models ask "What month does Madagascar have?", and have an answer ready too.  Such a question asks in
words that its page does not have, or its answer does not stand there, or is another one when the question is
put in other words.  Checks go from the cheap to the dear; each batch is read at once.  Whether an answer is
true it does not know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from selfstudy.judging.grounding import adds, gist, strangers, ungrounded
from selfstudy.judging.refusals import is_refusal
from selfstudy.models.base import LanguageModel, Sampling
from selfstudy.prompts import Prompts

STRANGE = "it asks in words that its page does not have"
NO_ANSWER = "its page does not answer it"
TWO_ANSWERS = "put in other words it gets another answer"
NOT_READ = "its page could not be read"
"""Why a question is refused."""

ASKING = frozenset(
    """do does did have has had many much long old far big large high tall often one you year date number name
    kind type person place people called""".split()  # noqa: SIM905
)
"""Words that ask for something, and need not stand in what answers."""


@dataclass(frozen=True)
class PageCheck:
    """Reads pages to questions.

    Attributes:
        reader: answers out of a page.
        prompts: `read` and `reword` are used.
        tokens: longest answer.
    """

    reader: LanguageModel
    prompts: Prompts
    tokens: int

    def problems(self, questions: Sequence[str], pages: Sequence[str]) -> list[str | None]:
        """Why questions[i] is no question that pages[i] answers; None: it is one."""
        found: list[str | None] = [
            STRANGE if set(strangers(question, page)) - ASKING else None
            for question, page in zip(questions, pages, strict=True)
        ]
        first = self._read(questions, pages, found)
        reworded = self._reworded(questions, found)
        second = self._read(reworded, pages, found)
        for i, (one, other) in enumerate(zip(first, second, strict=True)):
            if found[i] is None and not _same(questions[i], one, other):
                found[i] = TWO_ANSWERS
        return found

    def _read(self, questions: Sequence[str], pages: Sequence[str], found: list[str | None]) -> list[str]:
        """The answers to questions that are still in; what is wrong with one goes into `found`."""
        todo = [i for i, problem in enumerate(found) if problem is None]
        chats = [self.prompts.chat("read", question=questions[i], document=pages[i]) for i in todo]
        sampling = Sampling(temperature=0.0, max_new_tokens=self.tokens)
        answers = [""] * len(questions)
        for i, (reply,) in zip(todo, self.reader.generate(chats, sampling) if chats else [], strict=True):
            answers[i] = reply.text
            if reply.error is not None:
                found[i] = f"{NOT_READ}: {reply.error}"
            elif not _answers(questions[i], reply.text, pages[i]):
                found[i] = NO_ANSWER
        return answers

    def _reworded(self, questions: Sequence[str], found: Sequence[str | None]) -> list[str]:
        """Each question that is still in, in other words."""
        todo = [i for i, problem in enumerate(found) if problem is None]
        chats = [self.prompts.chat("reword", question=questions[i]) for i in todo]
        sampling = Sampling(temperature=0.0, max_new_tokens=self.tokens)
        result = list(questions)
        for i, (reply,) in zip(todo, self.reader.generate(chats, sampling) if chats else [], strict=True):
            result[i] = reply.text.strip() or questions[i]
        return result


def _answers(question: str, answer: str, page: str) -> bool:
    """Whether an answer says something that stands in the page and not in the question; "Yes" does not."""
    return not is_refusal(answer) and bool(adds(question, answer)) and not ungrounded(question, answer, page)


def _same(question: str, one: str, other: str) -> bool:
    """Whether two answers add the same to a question, or one of them adds more of it."""
    first, second = gist(question, one), gist(question, other)
    return bool(first.added and second.added) and first.agrees(second)
