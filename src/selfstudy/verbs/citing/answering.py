"""Questions answered from documents, with citations: `selfstudy cite answer`.

    found    the passages of the library that fit the question best, or the documents that a row brings
    shown    as many as the model reads beside its answer
    asked    a question without any document is refused and not asked
    checked  if wanted: does what a statement cites support it?  An answer of which nothing is supported
             becomes the refusal, and what the model said is kept

Knows nothing of files; verbs/kept.py has what survives a kill.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ConfigDict

from selfstudy.judging import citations
from selfstudy.judging.cited_items import PROMPTS, CitedItem, asked, read_item
from selfstudy.judging.trust import REFUSAL, refuses
from selfstudy.library.retriever import Retriever, unanswered
from selfstudy.models.base import (
    EntailmentModel,
    HasContext,
    LanguageModel,
    Progress,
    Sampling,
    Streams,
    prompt_tokens,
)
from selfstudy.progress import Reporter
from selfstudy.prompts import Prompts
from selfstudy.records import Completion, digest
from selfstudy.verbs.citing.evaluating import statement_rows
from selfstudy.verbs.citing.questions import CitedQuestion
from selfstudy.verbs.kept import KeptFolder, Made

NOTHING_FOUND = "no document was found for it"
NOTHING_SUPPORTED = "what the model said is not supported by what it cites"


class CitedStatement(BaseModel):
    """A statement of an answer as it was checked; see `evaluating.statement_rows`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    text: str
    start: int
    end: int
    cites: tuple[int, ...]
    supported: bool
    why: str
    citations: tuple[dict[str, Any], ...]


class AnsweredQuestion(Made):
    """An answer and the documents that it was given from; `error` says why there is none.

    Attributes:
        docs: {title, text, source, score}, or as the row brought them; [1] is the first.
        unshown: documents that the model had no room for.
        refused: why it is the refusal, where the model did not say so itself.
        said: the model's own text, where another stands in its place.
        cut: whether it came to the limit of tokens.
        statements: of the model's own text, if it was checked.
        unchecked: why it could not be checked.
    """

    docs: tuple[dict[str, Any], ...] = ()
    unshown: int = 0
    output: str = ""
    refused: str = ""
    said: str = ""
    cut: bool = False
    statements: tuple[CitedStatement, ...] = ()
    unchecked: str = ""
    error: str | None = None

    @property
    def absent(self) -> list[int]:
        """Numbers that it cites and no document has."""
        return [one for one in cited_numbers(self.output) if not 1 <= one <= len(self.docs)]

    @property
    def supported(self) -> int:
        """Statements that what they cite supports."""
        return sum(one.supported for one in self.statements)


def cited_numbers(answer: str) -> list[int]:
    """The numbers that an answer cites, each once, in order."""
    marks = (mark.number for one in citations.sentences(answer) for mark in one.citations)
    return sorted(set(marks))


@dataclass(frozen=True, slots=True)
class Answering:
    """Who answers, from what, and how.

    Attributes:
        library: where documents are found; None: rows bring their own.
        documents: shown for a question at most.
        entailment: checks the answers; None: they are not checked.
        sampling: asks for one completion.
    """

    lm: LanguageModel
    prompts: Prompts
    library: Retriever | None
    documents: int
    sampling: Sampling
    entailment: EntailmentModel | None = None

    def answer(
        self, questions: Sequence[CitedQuestion], advance: Progress = lambda count: None
    ) -> list[AnsweredQuestion]:
        """An answer to each question, in order; questions have an item."""
        shown = self._shown(questions)
        asking = [one for one in shown if one.item.documents]
        advance(len(shown) - len(asking))
        chats = [asked(one.item, self.prompts) for one in asking]
        said = iter(self.lm.generate(chats, self.sampling, advance) if chats else [])
        return self._checked(shown, [next(said)[0] if one.item.documents else None for one in shown])

    def stream(self, question: CitedQuestion, heard: Callable[[str], object]) -> AnsweredQuestion:
        """The same for one question; `heard` is called with the answer so far, if the model can stream."""
        (one,) = shown = self._shown([question])
        if not one.item.documents or not isinstance(self.lm, Streams):
            return self.answer([question])[0]
        chat = asked(one.item, self.prompts)
        return self._checked(shown, [self.lm.stream(chat, self.sampling, heard)])[0]

    def _shown(self, questions: Sequence[CitedQuestion]) -> list[_Shown]:
        """What each is shown: of its documents the first, as many as there is room for."""
        found = iter(self._found([one for one in questions if not one.documents]))
        return [
            self._fitting(question, *((question.documents, None) if question.documents else next(found)))
            for question in questions
        ]

    def _found(self, questions: Sequence[CitedQuestion]) -> list[tuple[list[dict[str, Any]], str | None]]:
        """Documents for each, or why it could not be looked up."""
        if self.library is None or not questions:
            return [([], None) for _ in questions]
        texts = [one.item.question for one in questions if one.item is not None]
        found = self.library.find(texts, self.documents)
        return [
            (
                [
                    {"title": hit.title, "text": hit.text, "source": hit.source, "score": hit.relevance}
                    for hit in hits
                ],
                why,
            )
            for hits, why in zip(found, unanswered(self.library, texts), strict=True)
        ]

    def _fitting(self, question: CitedQuestion, docs: list[dict[str, Any]], why_not: str | None) -> _Shown:
        if question.item is None:
            raise ValueError(f"{question.place} cannot be asked: {question.error}")
        docs = docs[: self.documents]
        texts = question.item.documents or read_item({"question": "?", "docs": docs}).documents
        item = replace(question.item, documents=texts[: self.documents])
        while len(item.documents) > 1 and not self._fits(item):
            item = replace(item, documents=item.documents[:-1])
        shown = tuple(docs[: len(item.documents)])
        return _Shown(question, item, shown, len(docs) - len(shown), why_not)

    def _fits(self, item: CitedItem) -> bool:
        context = self.lm.context if isinstance(self.lm, HasContext) else None
        if context is None:
            return True
        used = prompt_tokens(self.lm, [asked(item, self.prompts)])
        return used + self.sampling.max_new_tokens <= context

    def _checked(self, shown: Sequence[_Shown], said: Sequence[Completion | None]) -> list[AnsweredQuestion]:
        """Answers of what was said; None: it was not asked."""
        answers = [_answered(one, completion) for one, completion in zip(shown, said, strict=True)]
        if self.entailment is None:
            return answers
        places = [at for at, one in enumerate(answers) if one.error is None and not refuses(one.output)]
        judged = citations.judge(
            [
                (citations.statements(item.kind, answers[at].output, item.question), item.documents)
                for at, item in ((at, shown[at].item) for at in places)
            ],
            self.entailment,
        )
        for at, cited in zip(places, judged, strict=True):
            answers[at] = _with_check(answers[at], cited)
        return answers


@dataclass(frozen=True, slots=True)
class _Shown:
    """A question with the documents that it is shown, as a judge reads them and as they came."""

    question: CitedQuestion
    item: CitedItem
    docs: tuple[dict[str, Any], ...]
    unshown: int
    why_not: str | None
    """Why nothing could be looked up."""


def _answered(shown: _Shown, said: Completion | None) -> AnsweredQuestion:
    made = AnsweredQuestion(id=shown.question.id, docs=shown.docs, unshown=shown.unshown)
    if said is None and shown.why_not is not None:
        # whoever was to be asked is a server too: the same command tries again
        return made.model_copy(update={"error": f"not looked up: {shown.why_not}", "model_failed": True})
    if said is None:
        return made.model_copy(update={"output": REFUSAL, "refused": NOTHING_FOUND})
    if said.error is not None:
        return made.model_copy(update={"error": said.error, "model_failed": True})
    return made.model_copy(update={"output": said.text, "cut": said.finish == "length"})


def _with_check(answer: AnsweredQuestion, cited: citations.CitedAnswer) -> AnsweredQuestion:
    if cited.error is not None:
        return answer.model_copy(update={"unchecked": cited.error})
    statements = tuple(CitedStatement.model_validate(row) for row in statement_rows(cited))
    checked = answer.model_copy(update={"statements": statements})
    if checked.supported:
        return checked
    return checked.model_copy(update={"output": REFUSAL, "refused": NOTHING_SUPPORTED, "said": answer.output})


def answer_all(
    questions: Sequence[CitedQuestion],
    way: Answering,
    told: dict[str, object],
    folder: KeptFolder,
    report: Reporter,
) -> list[AnsweredQuestion]:
    """An answer to each question, in order, made or read; those that cannot be asked have their error.

    Args:
        told: what tells model, documents and judge from others.

    Raises:
        RunError: what is kept was made with other settings, is damaged, or cannot be written.
    """
    usable = [one for one in questions if one.item is not None]
    with report.task("answers", len(usable)) as advance:
        made = folder.keep(
            "answers",
            AnsweredQuestion,
            usable,
            lambda block: way.answer(block, advance),
            {**told, "questions": digest(*(one.id for one in usable)), **_settings(way)},
            advance,
        )
    rest = iter(made)
    return [
        next(rest) if one.item is not None else AnsweredQuestion(id=one.id, error=one.error)
        for one in questions
    ]


def _settings(way: Answering) -> dict[str, object]:
    sampling = way.sampling
    return {
        "prompts": digest(*(way.prompts.text(name) for name in PROMPTS)),
        "documents": way.documents,
        "max_new_tokens": sampling.max_new_tokens,
        "temperature": sampling.temperature,
        "seed": sampling.seed,
        "checked": way.entailment.name if way.entailment is not None else None,
    }
