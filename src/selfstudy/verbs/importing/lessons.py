"""Questions with their answers, and conversations, of others, as records that teach accepts.

    {question, answer | answers}      and, optionally, context or evidence: a text, or a list of them
    {question, options, answer}       multiple choice: the text of the right option is taught (choices.py)
    {instruction, input, output}      Alpaca
    {conversations | messages}        every answer in them is taught, after what was said before it

`columns.py` names the columns.  Knows nothing of files or runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from selfstudy.files.rows import MalformedError, text_of
from selfstudy.prompts import Prompts
from selfstudy.recipe import Recipe
from selfstudy.records import Chat, Document, Evidence, Example, Message, Question, Record, Reference, digest
from selfstudy.text import folded
from selfstudy.verbs.importing import columns
from selfstudy.verbs.importing.choices import has_options, right_option
from selfstudy.verbs.importing.option_layouts import spelled_out
from selfstudy.verbs.importing.preferences import asked_turns, is_preference
from selfstudy.verbs.importing.turns import Turns, answer_of

MOST_TURNS = 1_000
MOST_TAUGHT = 100_000_000
"""Turns of a conversation, and its answers times its characters: its examples grow with the square."""


@dataclass(frozen=True)
class ImportedLesson:
    """One row.

    Attributes:
        prompt: turns, the last one is the question.
        answers: the accepted ones; the first is taught.
        passages: (title, text) of each piece of evidence.
        dialogue: a whole conversation, whose every answer is taught; empty for a question with its answer.
    """

    prompt: tuple[Message, ...]
    answers: tuple[str, ...]
    passages: tuple[tuple[str, str], ...] = ()
    topic: str = ""
    dialogue: tuple[Message, ...] = ()

    @property
    def question(self) -> str:
        return self.prompt[-1].content

    @property
    def stands_alone(self) -> bool:
        """Whether the question can be asked without what was said before it."""
        return not self.dialogue and all(turn.role == "system" for turn in self.prompt[:-1])

    @property
    def key(self) -> str:
        """What two rows about the same question share: its text, whatever the case and white space."""
        return "\n".join(folded(turn.content) for turn in self.prompt) if not self.dialogue else self.identity

    @property
    def identity(self) -> str:
        """Equal for two rows that say the same."""
        before = [f"{turn.role} {folded(turn.content)}" for turn in (*self.prompt, *self.dialogue)]
        return digest("\0".join(before), "\0".join(self.answers), repr(self.passages))


def is_lesson(row: Mapping[str, Any]) -> bool:
    """Whether a row has the fields of a question with its answer, or is a conversation."""
    asked = any(name in row for name in (*columns.ASKED, columns.INPUT))
    answered = any(name in row for name in columns.ANSWER) or has_options(row)
    return (asked and answered) or any(isinstance(row.get(name), list) for name in columns.CONVERSATION)


def read_lesson(row: Mapping[str, Any], counts_from: int | None = None) -> ImportedLesson:
    """What a row teaches.

    Args:
        counts_from: of numbers that name an option (`choices.right_option`).

    Raises:
        MalformedError: a field is missing or of the wrong kind, or a part of the prompt would be dropped.
    """
    beside = ("prompt",) if is_preference(row) and columns.filled(row, ["question"]) else ()
    turns = asked_turns(row, beside, columns.EVIDENCE)
    answered = any(name in row for name in columns.ANSWER) or has_options(row)
    if not answered and columns.filled(row, columns.CONVERSATION):
        return _dialogue(row, turns)
    if not turns or turns[-1].role != "user" or not turns[-1].content:
        name = next((name for name in (*columns.ASKED, columns.INPUT) if row.get(name) is not None), None)
        raise MalformedError(f"field {name!r} is empty" if name else "field 'question' is missing")
    if has_options(row):
        right: tuple[str, ...] = (right_option(row, counts_from),)
    else:
        right = tuple(dict.fromkeys(spelled_out(answers(row), turns[-1].content)))
    return ImportedLesson(tuple(turns), right, tuple(_passages(row)), _optional(row, "topic"))


def _dialogue(row: Mapping[str, Any], turns: Turns) -> ImportedLesson:
    if turns[-1].role != "assistant":
        raise MalformedError(f"the last turn must be the assistant's, not the {turns[-1].role}'s")
    taught = sum(turn.role == "assistant" for turn in turns) * sum(len(turn.content) for turn in turns)
    if len(turns) > MOST_TURNS or taught > MOST_TAUGHT:
        raise MalformedError(
            f"a conversation of {len(turns):,} turns is too long: each answer is taught with all that was "
            f"said before it, up to {MOST_TURNS:,} turns and {MOST_TAUGHT:,} characters in all"
        )
    asked = [i for i, turn in enumerate(turns) if turn.role == "user"]
    if not asked or turns[asked[-1]].content.strip() == "":
        raise MalformedError("the conversation has no turn of the user")
    if not all(turn.content.strip() for turn in turns if turn.role == "assistant"):
        raise MalformedError("a turn of the assistant is empty")
    last = asked[-1]
    if columns.filled(row, columns.EVIDENCE):
        columns.refuse_dropped(row, [name for name in row if name not in columns.EVIDENCE])
    return ImportedLesson(
        tuple(turns[: last + 1]), (turns[-1].content,), (), _optional(row, "topic"), tuple(turns)
    )


def lesson_records(
    lesson: ImportedLesson, prompts: Prompts, recipe: Recipe, source: str, *, page_only: bool = False
) -> list[Record]:
    """A question, how to answer it (an Example), and, with evidence, Evidence, Reference and reading.

    A share `teach.sft.reading` of the questions with evidence gets a second Example with the evidence in the
    prompt (methods 2.6); a hash decides which.

    Args:
        source: where the row stands, for Evidence.
        page_only: the question has several answers, each on its own page: teach it with its page alone.
    """
    asked = Question(text=lesson.question, topic=lesson.topic)
    if lesson.dialogue:
        return [asked, *_dialogue_examples(lesson, asked.id)]
    answer = lesson.answers[0]

    def example(chat: Chat) -> Example:
        return Example(prompt=chat, completion=answer, question_id=asked.id, kind="imported")

    found: list[Record] = [asked]
    if not page_only:
        plain = prompts.chat("answer", question=asked.text) if lesson.stands_alone else lesson.prompt
        found.append(example(_after(lesson.prompt, plain)))
    evidence = [_evidence(asked, f"{source}, {n}", *passage, n) for n, passage in enumerate(lesson.passages)]
    if evidence:
        found += evidence
        found.append(
            Reference(
                question_id=asked.id,
                evidence_id=evidence[0].id,
                text=answer,
                inconsistency=None,
                accepted=True,
            )
        )
        drawn = int(digest("reading", str(recipe.seed), asked.id), 16) < recipe.teach.reading * 2**64
        if page_only or drawn:
            document = "\n\n".join(text for _, text in lesson.passages)
            read = prompts.chat("read", document=document, question=asked.text)
            found.append(example(_after(lesson.prompt, read)))
    return found


def _after(given: tuple[Message, ...], chat: Chat) -> Chat:
    """`chat` with what the row says before its question; a system turn of the row replaces the template's."""
    before = given[:-1]
    system = () if any(turn.role == "system" for turn in before) else chat[:-1]
    return (*(turn for turn in system if turn.role == "system"), *before, chat[-1])


def _dialogue_examples(lesson: ImportedLesson, question_id: str) -> list[Example]:
    """One for each answer of a conversation, after what was said before it; a greeting is no answer."""
    first = next(i for i, turn in enumerate(lesson.dialogue) if turn.role == "user")
    return [
        Example(
            prompt=lesson.dialogue[:i],
            completion=turn.content.strip(),
            question_id=question_id,
            kind="imported",
        )
        for i, turn in enumerate(lesson.dialogue)
        if turn.role == "assistant" and i > first
    ]


def answers(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The accepted answers of a row, without repeats: a text, a list, or an object of SQuAD or TriviaQA.

    Raises:
        MalformedError: there is none, or one is no text.
    """
    field = next((name for name in columns.ANSWER if row.get(name) is not None), None)
    if field is None:
        raise MalformedError("field 'answer' is missing")
    value = row[field]
    if isinstance(value, dict) and "text" in value:  # SQuAD
        value = value["text"]
    elif isinstance(value, dict) and "value" in value:  # TriviaQA
        value = [value["value"], *(value.get("aliases") or [])]
    texts = [
        answer_of(text_of(v, field), field).strip() for v in (value if isinstance(value, list) else [value])
    ]
    kept = tuple(dict.fromkeys(text for text in texts if text))
    if not kept:
        raise MalformedError(f"field {field!r} holds no answer")
    return kept


def _optional(row: Mapping[str, Any], field: str) -> str:
    return "" if row.get(field) is None else text_of(row[field], field)


def _passages(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(title, text) of each passage of evidence; empty ones are left out."""
    found = []
    for field in columns.filled(row, columns.EVIDENCE):
        value = row[field]
        for part in value if isinstance(value, list) else [value]:
            title = _optional(row, "title")
            if isinstance(part, dict):
                title, part = _optional(part, "title"), part.get("text")
            found.append((title, text_of(part, field)))
    return list(dict.fromkeys((title, text) for title, text in found if text.strip()))


def _evidence(question: Question, source: str, title: str, text: str, rank: int) -> Evidence:
    return Evidence(
        question_id=question.id,
        document_id=Document(source=source, title=title, text=text).id,
        source=source,
        title=title,
        text=text,
        start=0,
        end=len(text),
        rank=rank,
        relevance=0.0,
    )
