"""Is a proposed question one that its page answers?  The model reads the page to it, twice, in two wordings.

Small models ask "What month does Madagascar have?", "Who is Turkey?" and "From which country does Budapest
belong?", and have an answer ready too.  Such a question asks in words that its page does not have, or says
nothing of what it asks for, or the model itself would sooner put it otherwise; its answer does not stand
there, or in another sentence than what was asked, or is another one when it is put in other words.
Checks go from the cheap to the dear; each batch is read at once.  Whether an answer is true it does not know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from selfstudy import text
from selfstudy.judging.cues import COMMON
from selfstudy.judging.forms import has_name, has_word, plain_words
from selfstudy.judging.grounding import adds, claims, gist, names, strangers, ungrounded
from selfstudy.judging.refusals import is_refusal
from selfstudy.models.base import LanguageModel, NoLogprobsError, Sampling
from selfstudy.prompts import Prompts

TOO_LONG = "it is too long"
STRANGE = "it asks in words that its page does not have"
OFF_TOPIC = "it does not name what its page is about"
NAMELESS = "it points to something that it does not name"
UNSAID = "it does not say what it asks for"
NO_VERB = "it has no verb"
OF_A_SORT = "it asks which of a sort a name is"
NO_ANSWER = "its page does not answer it"
ELSEWHERE = "no sentence of its page has both what it asks for and the answer"
TWO_ANSWERS = "put in other words it gets another answer"
OTHER_WORD = "it is said better with other words at its ends"
NOT_READ = "its page could not be read"
"""Why a question is refused."""

ASKING = frozenset(
    """do does did have has had many much one you year date number name kind type person place people
    called""".split()  # noqa: SIM905
)
"""Words that ask for something, and need not stand in what answers."""
SORTS = frozenset("what which who whom whose".split())  # noqa: SIM905
"""Words that ask for nothing by themselves, as where, when and how many do."""
REASONS = frozenset("because since due cause caused reason so therefore thus to for".split())  # noqa: SIM905
"""One of them is in the sentence that says why."""
_PREPOSITIONS = "from|to|in|on|at|by|of|for|with|into"
_OPENING = re.compile(rf"((?:{_PREPOSITIONS}) )?(what|which|who|whom|whose|where|when|why|how)\b", re.I)
_OPENINGS = ("what", "who", "where", "when", "why", "how")
_BEFORE = ("", "to ", "in ", "from ", "of ", "on ")
_LAST = re.compile(rf" (?:{_PREPOSITIONS})(?=\?$)", re.I)
_NAME = r"(?:the )?[^\W\d_a-z][\w/'’-]*(?: (?:(?:of|and|the|de) )*[^\W\d_a-z][\w/'’-]*)*"
_SORT = re.compile(
    rf"W(?:hat|hich) (?P<sort>[a-z ]+) (?:is|was|are|were) (?:an? )?(?P<name>{_NAME})(?P<last> [a-z]+)?\?$"
)
_POINTS = re.compile(
    r"(?:What|Which|Whose|Where|When|How|Who)\b[^,;:]*\b(?:is|are|was|were) "
    r"(?:this|that|these|those|it|he|she|they)\?$"
)
_NO_VERB = re.compile(rf"\b(?:do|does|did) {_NAME}\?$")
LONGEST = 1000
"""Characters of a question."""
WORSE = 3.0
"""Nats by which a question may be less probable than one that begins otherwise.  Of 68 questions of a real
model (docs/decisions/0014) it refuses 15 of 45 that were judged unusable, and none of 23 usable ones."""
ANY = "The town lies by a river."
"""A page that no question is about, so that the beginning alone is weighed."""


@dataclass(frozen=True)
class Page:
    """What is to answer a question, and what it is about ("" if nobody knows)."""

    text: str
    title: str = ""


@dataclass
class PageCheck:
    """Reads pages to questions.

    Attributes:
        reader: answers out of a page.
        prompts: `read`, `reword` and `question_document` are used.
        tokens: longest answer.
        scores: whether the reader says how probable a text is; found out at the first question.
    """

    reader: LanguageModel
    prompts: Prompts
    tokens: int
    scores: bool = True

    def problems(self, questions: Sequence[str], pages: Sequence[Page]) -> list[str | None]:
        """Why questions[i] is no question that pages[i] answers; None: it is one."""
        found = [_in_words(question, page) for question, page in zip(questions, pages, strict=True)]
        self._begun_well(questions, found)
        first = self._read(questions, pages, found)
        for i in _left(found):
            found[i] = None if _in_one_sentence(questions[i], first[i], pages[i]) else ELSEWHERE
        reworded = self._reworded(questions, found)
        second = self._read(reworded, pages, found)
        for i in _left(found):
            if not _same(questions[i], first[i], second[i]):
                found[i] = TWO_ANSWERS
        return found

    def _begun_well(self, questions: Sequence[str], found: list[str | None]) -> None:
        """Of a question and the same with another beginning the first must not be much less probable."""
        left = _left(found) if self.scores else []
        todo = [(i, words) for i in left for words in [questions[i], *_otherwise(questions[i])]]
        chat = self.prompts.chat("question_document", document=ANY)
        try:
            scored = self.reader.logprobs([chat] * len(todo), [words for _, words in todo]) if todo else []
        except NoLogprobsError:
            self.scores = False  # a server that cannot say
            return
        best: dict[int, float] = {}
        own: dict[int, float] = {}
        for (i, words), tokens in zip(todo, scored, strict=True):
            if words == questions[i]:
                own[i] = sum(tokens)
            elif tokens:
                best[i] = max(best.get(i, sum(tokens)), sum(tokens))
        for i, value in best.items():
            if value - own[i] > WORSE:
                found[i] = OTHER_WORD

    def _read(self, questions: Sequence[str], pages: Sequence[Page], found: list[str | None]) -> list[str]:
        """The answers to questions that are still in; what is wrong with one goes into `found`."""
        todo = _left(found)
        chats = [self.prompts.chat("read", question=questions[i], document=pages[i].text) for i in todo]
        sampling = Sampling(temperature=0.0, max_new_tokens=self.tokens)
        answers = [""] * len(questions)
        for i, (reply,) in zip(todo, self.reader.generate(chats, sampling) if chats else [], strict=True):
            answers[i] = reply.text
            if reply.error is not None:
                found[i] = f"{NOT_READ}: {reply.error}"
            elif not _answers(questions[i], reply.text, pages[i].text):
                found[i] = NO_ANSWER
        return answers

    def _reworded(self, questions: Sequence[str], found: Sequence[str | None]) -> list[str]:
        """Each question that is still in, in other words."""
        todo = _left(found)
        chats = [self.prompts.chat("reword", question=questions[i]) for i in todo]
        sampling = Sampling(temperature=0.0, max_new_tokens=self.tokens)
        result = list(questions)
        for i, (reply,) in zip(todo, self.reader.generate(chats, sampling) if chats else [], strict=True):
            result[i] = reply.text.strip() or questions[i]
        return result


def _left(found: Sequence[str | None]) -> list[int]:
    """The questions that nothing is known against."""
    return [i for i, problem in enumerate(found) if problem is None]


def _in_words(question: str, page: Page) -> str | None:
    """What is wrong with a question by its words alone."""
    if len(question) > LONGEST:
        return TOO_LONG
    if set(strangers(question, page.text)) - ASKING:
        return STRANGE
    if not _on_topic(question, page):
        return OFF_TOPIC
    if _POINTS.match(question) and not names(question):
        return NAMELESS
    if _NO_VERB.search(question):
        return NO_VERB
    opening = _OPENING.match(question)
    if opening and opening[2].lower() in SORTS and not _asked(question, page):
        return UNSAID
    # "Which city is Paris?" (and "What colour is Mars?": coarse), and "Which city is Paris in?" if it is one
    sort = _SORT.match(question)
    if sort and (not sort["last"] or f"{sort['name']} is a {sort['sort']}" in page.text):
        return OF_A_SORT
    return None


def _on_topic(question: str, page: Page) -> bool:
    """Whether a question has a word of the page's title, if the page itself has them all."""
    title = plain_words(page.title) - COMMON
    body = plain_words(page.text.removeprefix(f"{page.title}\n"))
    if not all(has_name(word, body) for word in title):
        return True  # the name of a file, say
    among = plain_words(question)
    return not title or any(has_name(word, among) for word in title)


def _asked(question: str, page: Page) -> list[str]:
    """The words that say what is asked for: neither the page's topic nor words that only ask.

    Where the topic is not known, no names.
    """
    topic = plain_words(page.title or " ".join(names(question)))
    return [word for word in strangers(question, "") if word not in ASKING and not has_word(word, topic)]


def _in_one_sentence(question: str, answer: str, page: Page) -> bool:
    """Whether a sentence of the page has both what is asked for and the answer."""
    wanted = [*_asked(question, page), *claims(question, answer)]
    why = question.lower().startswith("why ")
    return any(
        all(has_word(word, words) for word in wanted) and not (why and words.isdisjoint(REASONS))
        for words in map(plain_words, text.sentences(page.text))
    )


def _otherwise(question: str) -> Iterator[str]:
    """The question with another question word, with another word before it, or without the last one.

    What and which ask for the same; what asks for something else than where and when, and is no better for
    being likelier.
    """
    opening = _OPENING.match(question)
    if opening is None:
        return
    before, word, rest = (opening[1] or "").lower(), opening[2].lower(), question[opening.end() :]
    same = {word, "what"} if word in ("which", "where", "when") else {word}
    begun = [f"{one}{word}" for one in _BEFORE if one != before]
    for one in begun if before else [one for one in _OPENINGS if one not in same]:
        yield one[0].upper() + one[1:] + rest
    if _LAST.search(question):
        yield _LAST.sub("", question)


def _answers(question: str, answer: str, page: str) -> bool:
    """Whether an answer says something that stands in the page and not in the question; "Yes" does not."""
    return not is_refusal(answer) and bool(adds(question, answer)) and not ungrounded(question, answer, page)


def _same(question: str, one: str, other: str) -> bool:
    """Whether two answers add the same to a question, or one of them adds more of it."""
    first, second = gist(question, one), gist(question, other)
    return bool(first.added and second.added) and first.agrees(second)
