"""Preference pairs and question-answer rows of others (TRL, Hugging Face), as records that teach accepts.

    {prompt, chosen, rejected}        texts, or lists of {role, content}; the prompt may stand in both answers
    {question, answer | answers}      and, optionally, context or evidence: a text, or a list of them

Knows nothing of files or runs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from selfstudy.files.rows import MalformedError, shown, text_of
from selfstudy.prompts import Prompts
from selfstudy.recipe import Recipe
from selfstudy.records import (
    Chat,
    Document,
    Evidence,
    Example,
    Message,
    Pair,
    Question,
    Record,
    Reference,
    digest,
)
from selfstudy.text import folded

Role = Literal["system", "user", "assistant"]
Turns = list[Message]

_TURN = re.compile(r"(?:\A\s*|\n\n)(Human|Assistant): ?")
_ROLES: dict[str, Role] = {"Human": "user", "Assistant": "assistant"}


def is_preference(row: Mapping[str, Any]) -> bool:
    """Whether a row has the fields of a preference pair."""
    return "chosen" in row and "rejected" in row


def is_qa(row: Mapping[str, Any]) -> bool:
    """Whether a row has the fields of a question with its answer."""
    return "question" in row and ("answer" in row or "answers" in row)


def preference_records(row: Mapping[str, Any]) -> tuple[Question, Pair]:
    """A pair and the question that it is about: the last turn of the user.

    A prompt that is text becomes one turn of the user.  Without a prompt it is what both conversations begin
    with: all turns but the last, or, of plain texts, the turns "Human: ... Assistant:" or else the common
    beginning up to a word.

    Raises:
        MalformedError: a field is missing or of the wrong kind, the answers are empty or equal, or the
            conversations differ before their last turn.
    """
    for field in ("chosen", "rejected"):
        if row.get(field) is None:
            raise MalformedError(f"field {field!r} is missing")
    prompt = _prompt(row.get("prompt"))
    if isinstance(row["chosen"], str) and isinstance(row["rejected"], str):
        chosen, rejected = (text_of(row[field], field) for field in ("chosen", "rejected"))
        if prompt is None:
            prompt, chosen, rejected = _split(chosen, rejected)
    else:
        sides = [_last(row[field], prompt or [], field) for field in ("chosen", "rejected")]
        before = [turns for turns, _ in sides if turns is not None]
        if before[0] != before[-1]:
            raise MalformedError("the conversations of 'chosen' and 'rejected' differ before their last turn")
        prompt, (chosen, rejected) = before[0], (answer for _, answer in sides)
    chosen, rejected = chosen.strip(), rejected.strip()
    for field, answer in (("chosen", chosen), ("rejected", rejected)):
        if not answer:
            raise MalformedError(f"field {field!r} is empty")
    if chosen == rejected:
        raise MalformedError(f"'chosen' and 'rejected' are equal: {shown(chosen)}")
    asked = next((turn.content for turn in reversed(prompt) if turn.role == "user"), "")
    if not asked.strip():
        raise MalformedError("the prompt has no turn of the user")
    question = Question(text=asked)
    pair = Pair(
        prompt=tuple(prompt), chosen=chosen, rejected=rejected, question_id=question.id, origin="imported"
    )
    return question, pair


def qa_records(row: Mapping[str, Any], prompts: Prompts, recipe: Recipe, source: str) -> list[Record]:
    """A question, how to answer it (an Example), and, with a context, Evidence, Reference and reading.

    The first answer is the one to teach.  A share `teach.sft.reading` of the questions with a context gets a
    second Example with the context in the prompt (methods 2.6); a hash decides which.

    Args:
        source: where the row stands, for Evidence.

    Raises:
        MalformedError: a field is missing or of the wrong kind.
    """
    asked = Question(text=question(row), topic=_optional(row, "topic"))
    answer = answers(row)[0]

    def example(chat: Chat) -> Example:
        return Example(prompt=chat, completion=answer, question_id=asked.id, kind="imported")

    found: list[Record] = [asked, example(prompts.chat("answer", question=asked.text))]
    passages = _passages(row)
    evidence = [_evidence(asked, f"{source}, {n}", *passage, n) for n, passage in enumerate(passages)]
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
        if int(digest("reading", str(recipe.seed), asked.id), 16) < recipe.teach.sft.reading * 2**64:
            document = "\n\n".join(text for _, text in passages)
            found.append(example(prompts.chat("read", document=document, question=asked.text)))
    return found


def answers(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The accepted answers of a row, without repeats: a text, a list, or an object of SQuAD or TriviaQA.

    Raises:
        MalformedError: there is none, or one is no text.
    """
    field = "answer" if row.get("answer") is not None else "answers"
    value = row.get(field)
    if value is None:
        raise MalformedError("field 'answer' is missing")
    if isinstance(value, dict) and "text" in value:  # SQuAD
        value = value["text"]
    elif isinstance(value, dict) and "value" in value:  # TriviaQA
        value = [value["value"], *(value.get("aliases") or [])]
    texts = [text_of(v, field).strip() for v in (value if isinstance(value, list) else [value])]
    kept = tuple(dict.fromkeys(text for text in texts if text))
    if not kept:
        raise MalformedError(f"field {field!r} holds no answer")
    return kept


def question_key(row: Mapping[str, Any]) -> str:
    """What two rows about the same question share: its text, whatever the case and white space."""
    return folded(question(row))


def question(row: Mapping[str, Any]) -> str:
    """The question of a row.

    Raises:
        MalformedError: it is missing, empty or no text.
    """
    asked = text_of(row.get("question"), "question").strip()
    if not asked:
        raise MalformedError("field 'question' is empty")
    return asked


def _optional(row: Mapping[str, Any], field: str) -> str:
    return "" if row.get(field) is None else text_of(row[field], field)


def _passages(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(title, text) of each passage of evidence; empty ones are left out."""
    field = next((name for name in ("evidence", "context") if row.get(name)), None)
    if field is None:
        return []
    value = row[field]
    found = []
    for part in value if isinstance(value, list) else [value]:
        title = _optional(row, "title")
        if isinstance(part, dict):
            title, part = _optional(part, "title"), part.get("text")
        found.append((title, text_of(part, field)))
    return [(title, text) for title, text in found if text.strip()]


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


def _prompt(value: object) -> Turns | None:
    if value is None:
        return None
    if isinstance(value, list):
        return _conversation(value, "prompt")
    return [Message(role="user", content=text_of(value, "prompt").strip())]


def _conversation(value: object, field: str) -> Turns:
    """Messages from a list of {role, content}."""
    if not isinstance(value, list) or not value:
        raise MalformedError(f"field {field!r} must be text or a list of messages, found {shown(value)}")
    return [_message(item, f"{field}[{i}]") for i, item in enumerate(value)]


def _message(item: object, field: str) -> Message:
    if not isinstance(item, dict):
        raise MalformedError(f"{field} must be an object with role and content, found {shown(item)}")
    role, content = item.get("role"), item.get("content")
    if role not in ("system", "user", "assistant"):
        raise MalformedError(f"{field}.role must be system, user or assistant, found {shown(role)}")
    if isinstance(content, list):  # parts, as vision models have them
        if not all(isinstance(part, dict) and part.get("type") == "text" for part in content):
            raise MalformedError(f"{field}.content must be text, found {shown(content)}")
        content = "".join(text_of(part.get("text"), f"{field}.content") for part in content)
    return Message(role=role, content=text_of(content, f"{field}.content"))


def _last(value: object, prompt: Turns, field: str) -> tuple[Turns | None, str]:
    """What comes before the last turn of the assistant, and that turn; turns that open with one go on.

    A text is the last turn alone, whatever comes before it.
    """
    if isinstance(value, str):
        return None, text_of(value, field)
    *before, last = _conversation(value, field)
    if last.role != "assistant":
        raise MalformedError(f"the last turn of {field!r} must be the assistant's, not the {last.role}'s")
    if not before or before[0].role == "assistant":
        before = [*prompt, *before]
    return before, last.content


def _split(chosen: str, rejected: str) -> tuple[Turns, str, str]:
    """Prompt and answers of two texts that begin with the same prompt."""
    turns, others = _turns(chosen), _turns(rejected)
    if turns and others and turns[-1].role == others[-1].role == "assistant" and turns[:-1] == others[:-1]:
        return turns[:-1], turns[-1].content, others[-1].content
    same = next(
        (i for i, (a, b) in enumerate(zip(chosen, rejected, strict=False)) if a != b),
        min(len(chosen), len(rejected)),
    )
    while same and not chosen[same - 1].isspace():
        same -= 1
    if not chosen[:same].strip():
        raise MalformedError("there is no prompt, and 'chosen' and 'rejected' begin differently")
    return [Message(role="user", content=chosen[:same].strip())], chosen[same:], rejected[same:]


def _turns(dialogue: str) -> Turns:
    """The turns of a text "Human: ... Assistant: ..."; empty if it is none."""
    before, *parts = _TURN.split(dialogue)
    if before.strip():
        return []
    return [
        Message(role=_ROLES[name], content=words.strip())
        for name, words in zip(parts[::2], parts[1::2], strict=True)
    ]
