"""Questions with short answers, perhaps about a page, in SQuAD's layout or as rows: exact match and F1.

A question without answers cannot be answered, and is right if the reply refuses (SQuAD 2.0).  A model that
says whole sentences has no exact match whatever it knows: `stated` says whether the answer is in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from selfstudy.files.rows import MalformedError, shown
from selfstudy.judging.correctness import states
from selfstudy.judging.squad import best_f1, exact_match, refuses
from selfstudy.models.base import LanguageModel, Progress, Sampling
from selfstudy.prompts import Prompts
from selfstudy.recipe.suites import QABlock
from selfstudy.records import Chat, SuiteItem, digest
from selfstudy.text import folded
from selfstudy.verify.suites import given
from selfstudy.verify.suites.base import Measure, SuiteTools, failure

HINT = (
    "give SQuAD's .json (data, paragraphs, qas), or rows like {question, answers: [...]}, which may have a "
    "`context` with the page; an empty list of answers says that there is none"
)
BLOCK = 256
_ANSWERS = Sampling(temperature=0.0, max_new_tokens=48)
_LISTS = ("answers", "answer", "gold_answers")


@dataclass(frozen=True, slots=True)
class ShortQuestion:
    """A question, its accepted answers (none: it has no answer) and the page that it is about, if any."""

    question: str
    answers: tuple[str, ...]
    page: str = ""

    @property
    def item(self) -> str:
        """Tells it from all others."""
        return digest(folded(self.question), self.page)


class QASuite:
    """Questions with short answers; fulfils `Suite`."""

    name = "qa"

    def __init__(self, questions: Sequence[ShortQuestion], notes: Sequence[str]) -> None:
        self._questions = list(questions)
        self.notes: tuple[str, ...] = tuple(notes)

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The same apart for questions with and without an answer, if there are both."""
        kinds = {bool(one.answers) for one in self._questions}
        apart = (
            Measure(
                "answered_f1", "answered_f1", better="neither", explanation="F1 of questions with an answer"
            ),
            Measure(
                "refused",
                "refused",
                better="neither",
                explanation="questions without an answer that are refused",
            ),
            Measure(
                "refused_wrongly",
                "refused_wrongly",
                better="neither",
                explanation="questions with an answer that are refused",
            ),
        )
        return (
            Measure("f1", "f1", main=True, explanation="words in common with the nearest accepted answer"),
            Measure("exact_match", "exact_match", explanation="an accepted answer, word for word"),
            Measure("stated", "stated", explanation="an accepted answer, alone or in a sentence"),
            *(apart if len(kinds) == 2 else ()),
        )

    def __len__(self) -> int:
        return len(self._questions)

    def run(
        self,
        lm: LanguageModel,
        tools: SuiteTools,
        arm: Literal["base", "taught"],
        before: Sequence[SuiteItem] = (),
        done: frozenset[str] = frozenset(),
        progress: Progress | None = None,
    ) -> Iterator[list[SuiteItem]]:
        """See `Suite.run`; a block is one batch, questions about one page read it once."""
        for block in given.open_blocks(self._questions, BLOCK, lambda one: one.item, done):
            said = lm.generate([_chat(one, tools.prompts) for one in block], _ANSWERS)
            items = []
            for one, (completion,) in zip(block, said, strict=True):
                error = failure(completion)
                items.append(
                    SuiteItem(
                        suite=self.name,
                        arm=arm,
                        item=one.item,
                        asked=one.question,
                        answer=completion.text,
                        parts={} if error else parts(one, completion.text),
                        reasons={"accepted": " | ".join(one.answers) or "none: it cannot be answered"},
                        about=digest(one.page) if one.page else "",
                        error=error,
                    )
                )
            yield items
            if progress is not None:
                progress(len(block))


def qa(block: QABlock, seed: int) -> QASuite:
    """The suite of a recipe's block, with its data read.

    Raises:
        DataError: they cannot be used; the message names the row.
    """
    asked, notes = given.drawn("qa", block.data, parse, HINT, lambda one: one.item, block.questions, seed)
    if none := sum(not one.answers for one in asked):
        notes.append(f"{none} of them have no answer: a refusal is right")
    return QASuite(asked, notes)


def parts(question: ShortQuestion, reply: str) -> dict[str, float]:
    """What is measured of a reply."""
    accepted = question.answers
    f1 = best_f1(reply, accepted)
    found = {
        "f1": f1,
        "exact_match": float(exact_match(reply, accepted)),
        "stated": float(states(reply, accepted, question.question) if accepted else refuses(reply)),
    }
    if not accepted:
        return found | {"refused": float(refuses(reply))}
    wrongly = refuses(reply) and not exact_match(reply, accepted)
    return found | {"answered_f1": f1, "refused_wrongly": float(wrongly)}


def parse(row: dict[str, Any]) -> Iterator[ShortQuestion]:
    """The questions of one row, or of one article of SQuAD.

    Raises:
        MalformedError: they cannot be read.
    """
    if "paragraphs" not in row:
        yield _question(row, given.field(row, "context", "document", "page", needed=False), "")
        return
    for number, paragraph in enumerate(_objects(row, "paragraphs", ""), start=1):
        where = f"paragraph {number}: "
        page = _field(paragraph, "context", where)
        for at, one in enumerate(_objects(paragraph, "qas", where), start=1):
            yield _question(one, page, f"{where}question {at}: ")


def _question(row: dict[str, Any], page: str, where: str) -> ShortQuestion:
    question = _field(row, "question", where)
    name = next((name for name in _LISTS if row.get(name) is not None), None)
    if name is None:
        raise MalformedError(f"{where}field 'answers' is missing: [] says that there is none")
    value = row[name]
    if isinstance(value, dict):  # the Hub's layout of SQuAD: {"text": [...], "answer_start": [...]}
        value = value.get("text")
    elif isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        value = [one.get("text") for one in value]
    try:
        answers = given.texts({name: value}, name)
    except MalformedError as error:
        raise MalformedError(f"{where}{error}") from None
    impossible = row.get("is_impossible")
    if impossible is True:
        answers = ()
    elif not answers and (impossible is False or value not in ([], "", None)):
        raise MalformedError(f"{where}no answer has any text, and it is not called impossible")
    return ShortQuestion(question, answers, page)


def _objects(row: dict[str, Any], name: str, where: str) -> list[dict[str, Any]]:
    value = row.get(name)
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise MalformedError(f"{where}field {name!r} must be a list of objects, found {shown(value)}")
    return value


def _field(row: dict[str, Any], name: str, where: str) -> str:
    try:
        return given.field(row, name)
    except MalformedError as error:
        raise MalformedError(f"{where}{error}") from None


def _chat(one: ShortQuestion, prompts: Prompts) -> Chat:
    if one.page:
        return prompts.chat("qa_read", document=one.page, question=one.question)
    return prompts.chat("qa_answer", question=one.question)
