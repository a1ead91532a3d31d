"""What the model asks: proposals of questions, by any method, seeded and resumable (methods 1 and 2).

A proposal is one thing the model said when it was asked for a question.  All of them are kept, repeats
included, because the metrics of methods 1 count proposals; a `Question` exists once per distinct text.
Knows nothing of answers or scores.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from selfstudy import text
from selfstudy.models.base import Embedder, EntailmentModel, LanguageModel, Sampling, token_counter
from selfstudy.models.unwrapping import entries, unquoted
from selfstudy.probe import chunks
from selfstudy.probe.external import external_lines
from selfstudy.probe.feeds import ReadFeed, feed_lines
from selfstudy.probe.logs import log_questions
from selfstudy.probe.slots import WORDS, DocumentSlots, QuestionSlots, Slot, Slots, TopicSlots
from selfstudy.probe.topics import (
    ListTopics,
    ModelTopics,
    OracleTopics,
    TopicSource,
    seed_for,
    topic_of,
)
from selfstudy.probe.usable import Page, PageCheck
from selfstudy.progress import Reporter, Silent
from selfstudy.prompts import Prompts
from selfstudy.recipe import Ask
from selfstudy.records import Chat, Completion, Document, Failure, Proposal, Question
from selfstudy.run import Round, resume
from selfstudy.run.first_records import FirstRecords

_NO_QUESTION_MARK = re.compile("[\u0e00-\u109f\u1780-\u17ff]")
_ABOUT_THE_TEXT = re.compile(
    r"\b(?:(?i:the|this|that|given|above)\s+(?:document|text|article|page|excerpt)|passage)\b"
)
_NO_NAMES = frozenset(
    re.findall(
        r"\w+",
        "what who why where when how which whose whom is are was were do does did can has have the this that "
        "these those it its he she they there in on an at of for to from by with and or but if as",
    )
)
"""Words that are capitalised only because a sentence begins with them."""


@dataclass(frozen=True)
class Material:
    """What questions are made of beside the recipe.

    Attributes:
        documents: the library, for the method `documents`.
        topics: called once for what the method `external` takes from outside (its source is then "-").
        feed: gives the titles of the feed at a URL, for a method `external` whose source it is.
        nli: says whether the answers of a log agree; None: their words do.
        find: the page of the library that fits a question best, for questions made without one; None: there
            is no library.
        report: is told of long work.
    """

    documents: Sequence[Document] = ()
    topics: Callable[[], Iterable[str]] | None = None
    find: Callable[[Sequence[str]], list[str]] | None = None
    feed: ReadFeed | None = None
    report: Reporter = field(default_factory=Silent)
    nli: EntailmentModel | None = None


@dataclass
class Result:
    """What has come of a slot so far.

    Attributes:
        text, error: the question, or what was refused last, and why.
        tried: how many completions were drawn for it.
        dropped: how many of them were refused, by reason.
    """

    text: str
    error: str | None
    tried: int = 0
    dropped: dict[str, int] = field(default_factory=dict)

    def saw(self, words: str, error: str | None) -> None:
        """A proposal of the slot was looked at."""
        self.text, self.error = words, error
        if error is not None:
            reason = error.split(": ")[0].split(" about ")[0]
            self.dropped[reason] = self.dropped.get(reason, 0) + 1


def first_question(completion: str) -> str | None:
    """The first sentence of a completion that asks, without what it is wrapped in; None if there is none.

    It ends in a question mark, or is of a script that needs none (Thai, Lao, Tibetan, Burmese, Khmer).
    """
    for entry in entries(completion, "question"):
        end = text.question_end(entry)
        if end < 0 and 2 * len(_NO_QUESTION_MARK.findall(entry)) > len(entry):
            end = len(entry)
        if end >= 0:
            sentence = text.sentences(entry[:end])[-1:] or [""]
            question = unquoted(sentence[0])
            return question if text.normalise(question) else None
    return None


def about_document(question: str, chunk: chunks.Chunk) -> str | None:
    """Why a question cannot stand for a chunk (methods 2, step 1); None if it can.

    It must not point to the text and must name its topic: the title, or a capitalised word of title or chunk.
    Where the script of question or chunk has no capitals, names cannot be told and are not asked for.
    """
    if found := _ABOUT_THE_TEXT.search(question):
        return f"the question mentions {found[0]!r}"
    if chunk.title and text.contains(question, chunk.title):
        return None
    if not (text.has_case(question) and text.has_case(chunk.text)):
        return None
    names = _capitalised(f"{chunk.title}\n{chunk.text}")
    if names and not names & _capitalised(question):
        return "the question names neither the topic nor a name of its chunk"
    return None


def _page(chunk: chunks.Chunk | None) -> Page:
    return Page(text.under_title(chunk.title, chunk.text), chunk.title) if chunk else Page("")


def _likelihood(completion: Completion) -> float:
    """Of a token, on average; NaN of a server that gives none is the least."""
    value = completion.logprob / max(1, completion.tokens)
    return -math.inf if math.isnan(value) else value


def _capitalised(passage: str) -> set[str]:
    words = re.findall(r"\w+", passage)
    return {w.lower() for w in words if w[0].isupper() and len(w) > 1 and w.lower() not in _NO_NAMES}


def some_each(
    model: LanguageModel, chats: Sequence[Chat], sampling: Sampling, each: int = 1
) -> list[list[Completion]]:
    """`each` completions per chat; equal chats get different ones: sampling depends on chat and number."""
    where: dict[Chat, list[int]] = {}
    for i, chat in enumerate(chats):
        where.setdefault(chat, []).append(i)
    found: dict[int, list[Completion]] = {}
    for times in sorted({len(places) for places in where.values()}):
        group = [chat for chat, places in where.items() if len(places) == times]
        drawn = model.generate(group, replace(sampling, n=times * each))
        for chat, completions in zip(group, drawn, strict=True):
            parts = [completions[at : at + each] for at in range(0, times * each, each)]
            found.update(zip(where[chat], parts, strict=True))
    return [found[i] for i in range(len(chats))]


class Asker:
    """Proposes the questions of one `Ask` block of the recipe and writes them to the round.

    Attributes:
        tried: how many proposals it took so far.
        refused: how many of them were looked at and refused, by reason.
    """

    def __init__(
        self,
        number: int,
        ask: Ask,
        round_: Round,
        model: LanguageModel,
        embedder: Embedder,
        prompts: Prompts,
        material: Material,
    ) -> None:
        """Raises DataError: the method's source is missing or unusable."""
        self._number = number
        self._ask = ask
        self._round = round_
        self._model = model
        # another round or another block of the recipe draws other questions
        self._seed = seed_for(round_.run.recipe.seed, round_.number, number, ask.method)
        self._conflicts: list[Failure] = []
        self._topics: dict[str, str] = {}
        self._slots = self._source(embedder, prompts, material)
        self._unique = ask.method == "documents"
        self.tried = 0
        self.refused: Counter[str] = Counter()
        self._find = material.find
        tokens = round_.run.recipe.answering.reading_tokens
        self._check = PageCheck(model, prompts, tokens) if ask.check == "page" else None

    def run(self, advance: Callable[[int], None], out: FirstRecords) -> int:
        """Propose what is not yet proposed, block by block; returns how many questions there are.

        `documents` goes on until it has `count` questions or no more chunks; the other methods propose
        `count` times, as in the paper.  A block is made whole or again, its proposals are written last.
        """
        self._round.append(self._conflicts)
        recorded, seen = self._earlier()
        start = reached = 0
        accepted = 0
        while reached < self._ask.count:
            take = min(self._block_size, self._ask.count - reached)
            slots = [(self._number, i) for i in range(start, start + take)]
            block = [recorded[slot] for slot in slots if slot in recorded]
            if len(block) < take:
                block = self._propose(start, take, seen, out)
            if not block:
                break
            self.tried += sum(proposal.tried for proposal in block)
            for proposal in block:
                self.refused.update(proposal.dropped)
            good = [p for p in block if p.question_id is not None]
            seen.update((text.normalise(p.text), self._topics.get(p.question_id or "", "")) for p in good)
            accepted += len(good)
            progress = len(good) if self._unique else len(block)
            reached += progress
            start += len(block)
            advance(progress)
            if len(block) < take:
                break
        return accepted

    @property
    def _block_size(self) -> int:
        size = self._round.run.recipe.answering.block_size
        # whole topic sets, so that the topics of a set are drawn in one block only
        return max(size - size % len(WORDS), len(WORDS)) if self._ask.method == "induced" else size

    def _earlier(self) -> tuple[dict[Hashable, Proposal], dict[str, str]]:
        """This block's proposals so far; questions of blocks before it, normalised, with topics."""
        recorded: dict[Hashable, Proposal] = {}
        seen: dict[str, str] = {}
        self._topics = {question.id: question.topic for question in self._round.iter(Question)}
        for proposal in self._round.iter(Proposal):
            if proposal.ask == self._number:
                recorded[resume.PROPOSED.item(proposal)] = proposal
            elif proposal.ask < self._number and proposal.question_id is not None:
                seen[text.normalise(proposal.text)] = self._topics.get(proposal.question_id, "")
        return recorded, seen

    def _propose(self, start: int, take: int, seen: dict[str, str], out: FirstRecords) -> list[Proposal]:
        """Propose slots start .. start + take and write them; a slot that fails is tried again."""
        slots = self._slots.take(start, take)
        results = [Result(slot.question, None if slot.question else slot.error) for slot in slots]
        taken = dict(seen)
        tries = self._ask.tries if self._ask.question_temperature > 0 else 1
        broken = bool(slots) and not any(slot.chats or slot.question for slot in slots)
        for attempt in range(tries):
            todo = [i for i, slot in enumerate(slots) if slot.chats and results[i].error is not None]
            sampling = Sampling(
                temperature=self._ask.question_temperature,
                max_new_tokens=self._ask.max_new_tokens,
                seed=seed_for(self._seed, "questions", start, attempt),
            )
            found = self._drawn([slots[i].chats for i in todo], attempt, sampling)
            failed = bool(found) and all(one.error is not None for some in found for one in some)
            broken = broken or (attempt == 0 and failed)
            waiting = {i: self._candidates(some, results[i]) for i, some in zip(todo, found, strict=True)}
            while waiting := {i: some for i, some in waiting.items() if some}:
                self._take_best(waiting, slots, results, taken)
        return self._write(start, slots, results, out, broken)

    def _drawn(
        self, chats: Sequence[Sequence[Chat]], attempt: int, sampling: Sampling
    ) -> list[list[Completion]]:
        """The proposals of this attempt for each slot: of a slot's chats the next ones in turn."""
        each = self._ask.proposals
        asked = [some[(attempt * each + i) % len(some)] for some in chats for i in range(each)]
        drawn = [one for (one,) in some_each(self._model, asked, sampling)]
        return [drawn[at : at + each] for at in range(0, len(drawn), each)]

    def _candidates(self, some: Sequence[Completion], result: Result) -> list[Completion]:
        """What a slot was proposed, the most probable last; the same text once."""
        result.tried += len(some)
        distinct = {one.text: one for one in reversed(some)}
        return sorted(distinct.values(), key=_likelihood)

    def _take_best(
        self,
        waiting: dict[int, list[Completion]],
        slots: Sequence[Slot],
        results: Sequence[Result],
        taken: dict[str, str],
    ) -> None:
        """Look at the most probable proposal of every slot that waits; with a good one it waits no more."""
        judged = {i: self._judge(some.pop(), slots[i], taken) for i, some in waiting.items()}
        checked = [i for i, (_, error) in judged.items() if error is None]
        problems = self._problems([judged[i][0] for i in checked], [slots[i] for i in checked])
        for i, problem in zip(checked, problems, strict=True):
            judged[i] = (judged[i][0], problem)
        for i, (words, error) in judged.items():
            if error is None and slots[i].chunk is not None:
                error = self._repeated(words, slots[i], taken)  # by another slot of this batch
            results[i].saw(words, error)
            if error is None:
                question = self._question(words, slots[i])
                taken[text.normalise(question.text)] = question.topic
                waiting[i].clear()

    def _problems(self, questions: Sequence[str], slots: Sequence[Slot]) -> list[str | None]:
        """Why questions cannot stand, by their pages; None: nothing is known against one."""
        if self._check is None or not questions:
            return [None] * len(questions)
        own = [_page(slot.chunk) for slot in slots]
        if self._find is not None and (missing := [i for i, page in enumerate(own) if not page.text]):
            for i, found in zip(missing, self._find([questions[i] for i in missing]), strict=True):
                own[i] = Page(found)
        if not any(page.text for page in own):
            return [None] * len(questions)
        return self._check.problems(questions, own)

    def _judge(self, completion: Completion, slot: Slot, taken: dict[str, str]) -> tuple[str, str | None]:
        """The question of a completion, and why it is refused (None: it is not)."""
        if completion.error is not None:
            return "", completion.error
        question = first_question(completion.text)
        if slot.chunk is None and (self._check is None or question is not None):
            # methods 1 refuses nothing: what is no question counts as proposed and costs brevity
            question = question or " ".join(entries(completion.text, "question"))
            return question, None if question else "the model proposed nothing"
        if question is None:
            said = " ".join(entries(completion.text, "question"))
            return said, "no question mark" if completion.text.strip() else "the model proposed nothing"
        assert slot.chunk is not None
        return question, self._repeated(question, slot, taken) or about_document(question, slot.chunk)

    def _repeated(self, question: str, slot: Slot, taken: dict[str, str]) -> str | None:
        """That a question was asked already; None if it was not, or may be."""
        if not self._unique or slot.chunk is None or text.normalise(question) not in taken:
            return None
        about, now = taken[text.normalise(question)], slot.chunk.topic
        # the text is all that the model sees: about two documents it cannot be asked both
        return "already proposed" + (f" about {about!r}, now about {now!r}" if about != now else "")

    def _write(
        self,
        start: int,
        slots: list[Slot],
        results: Sequence[Result],
        out: FirstRecords,
        broken: bool,
    ) -> list[Proposal]:
        questions, failures, proposals = [], [], []
        for index, (slot, result) in enumerate(zip(slots, results, strict=True), start):
            words, error = result.text, result.error
            proposal = Proposal(
                ask=self._number,
                index=index,
                method=self._ask.method,
                text=words,
                error=error,
                tried=max(1, result.tried),
                dropped=result.dropped,
            )
            if error is None:
                question = self._question(words, slot)
                questions.append(question)
                self._topics[question.id] = question.topic
                proposal = proposal.model_copy(update={"question_id": question.id})
            else:
                message = f"no question ({self._ask.method}): {error}"
                failures.append(Failure(stage="probe", item_id=proposal.id, message=message))
            proposals.append(proposal)
        # a model that answers, but asks no questions, may do so by another method
        out.write(
            [[*questions, *failures], proposals], [proposal.error for proposal in proposals], stop=broken
        )
        return proposals

    def _question(self, words: str, slot: Slot) -> Question:
        method = self._ask.method
        if slot.chunk is None:
            return Question(text=words, topic=topic_of(words, slot.topics), method=method)
        return Question(text=words, topic=slot.chunk.topic, method=method, document_id=slot.chunk.document_id)

    def _source(self, embedder: Embedder, prompts: Prompts, material: Material) -> Slots:
        """Where the questions of the method come from."""
        ask = self._ask
        source: TopicSource
        if ask.method == "documents":
            count = token_counter(self._model)
            stream = chunks.over_documents(
                material.documents, ask.chunk_tokens, ask.per_chunk, count, self._seed
            )
            return DocumentSlots(stream, prompts, self._seed, by_sentence=ask.check == "page")
        if ask.method == "logs":
            lines = log_questions(ask, self._number, self._round, material.nli, material.report)
            return QuestionSlots(lines)
        if ask.method == "external":
            if ask.feed is not None:
                lines = feed_lines(ask.feed, ask.count, self._number, self._round, material.feed)
                return TopicSlots(ListTopics(lines), prompts, ask.method)
            found = external_lines(ask, self._number, self._round.run, material.topics)
            self._conflicts = found.conflicts
            if ask.questions:
                return QuestionSlots(found.lines)
            source = ListTopics(found.lines)
        elif ask.method == "oracle":
            if embedder.name == "lexical":
                material.report.note(
                    "oracle: with the embedder `lexical` a few nouns are near most random places; "
                    "`embedder: {path: minilm}` or another encoder draws from all of them"
                )
            source = OracleTopics(ask.source_file, embedder, self._seed, material.report)
        else:
            source = ModelTopics(self._model, prompts, ask, self._seed)
        return TopicSlots(source, prompts, ask.method)
