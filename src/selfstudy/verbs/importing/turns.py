"""Conversations as others write them, as turns: messages of either naming, histories, transcripts.

Raises MalformedError where something is no conversation; knows nothing of columns, pairs or files.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

from selfstudy.files.rows import MalformedError, shown, text_of
from selfstudy.models.thinking import NoAnswerError, without_thinking
from selfstudy.records import Message
from selfstudy.text import occurrences

Role = Literal["system", "user", "assistant"]
Turns = list[Message]

ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
}
"""Roles of OpenAI's messages, ShareGPT, OpenAssistant and Gemma."""
_TURN = re.compile(r"(?:\A\s*|\n\n)(Human|Assistant):(?: |(?=\n|\Z))?")
_CALLS = ("tool_calls", "function_call")


def conversation(value: object, field: str) -> Turns:
    """The turns of a list of messages, or of one message."""
    if isinstance(value, dict):
        return [message(value, field)]
    if not isinstance(value, list) or not value:
        raise MalformedError(f"field {field!r} must be text or a list of messages, found {shown(value)}")
    return [message(item, f"{field}[{i}]") for i, item in enumerate(value)]


def message(item: object, field: str) -> Message:
    """One message: {role, content} or {from, value}; content may be parts, as vision models have them."""
    if not isinstance(item, dict):
        raise MalformedError(f"{field} must be an object with role and content, found {shown(item)}")
    who = "role" if "role" in item or "from" not in item else "from"
    what = next((name for name in ("content", "value", "text") if name in item), "content")
    name, content = item.get(who), item.get(what)
    role = ROLES.get(name.lower()) if isinstance(name, str) else None
    if role is None:
        raise MalformedError(f"{field}.{who} must be system, user or assistant, found {shown(name)}")
    if any(item.get(call) for call in _CALLS):
        raise MalformedError(f"{field} calls a tool, which cannot be taught")
    if isinstance(content, list):
        if not all(isinstance(part, dict) and part.get("type") == "text" for part in content):
            raise MalformedError(f"{field}.{what} must be text, found {shown(content)}")
        content = "".join(text_of(part.get("text"), f"{field}.{what}") for part in content)
    words = text_of(content, f"{field}.{what}")
    return Message(role=role, content=answer_of(words, field) if role == "assistant" else words)


def answer_of(words: str, field: str) -> str:
    """What an assistant said, without its thinking.

    Raises:
        MalformedError: all of it is thinking.
    """
    try:
        return without_thinking(words)
    except NoAnswerError as error:
        raise MalformedError(f"field {field!r} holds no answer: {error}") from None


def history(value: object, field: str) -> Turns:
    """Earlier turns as [[question, answer], ...] (LLaMA-Factory), or as messages."""
    if isinstance(value, list) and value and all(isinstance(item, list) for item in value):
        turns: Turns = []
        for i, item in enumerate(value):
            if len(item) != 2:
                raise MalformedError(f"{field}[{i}] must be a question and its answer, found {shown(item)}")
            roles: Sequence[Role] = ("user", "assistant")
            turns += [
                Message(role=role, content=text_of(words, f"{field}[{i}]"))
                for role, words in zip(roles, item, strict=True)
            ]
        return turns
    return conversation(value, field)


def transcript(words: str) -> Turns:
    """The turns of a text "Human: ... Assistant: ..." (HH-RLHF); empty if it is none."""
    before, *parts = _TURN.split(words)
    if before.strip() or not parts or parts[0] != "Human":
        return []
    return [
        Message(role="user", content=said.strip())
        if name == "Human"
        else Message(role="assistant", content=answer_of(said.strip(), "a turn of the assistant"))
        for name, said in zip(parts[::2], parts[1::2], strict=True)
    ]


def joined(prompt: Turns, turns: Turns, field: str) -> Turns:
    """The prompt of a pair whose answers are whole conversations: `turns` go on with `prompt`, or repeat it.

    Raises:
        MalformedError: `turns` begin otherwise than `prompt`, so one of them would be dropped.
    """
    if not turns or not prompt:
        return prompt or turns
    if turns[0].role == "assistant":
        return [*prompt, *turns]
    system, asked = _parted(prompt)
    own, said = _parted(turns)
    if system and own and not _same(system, own):
        raise MalformedError(f"the prompt and {field!r} have different system turns: keep one of them")
    if not _inside(asked, said):
        raise MalformedError(
            f"the conversation in {field!r} does not hold the prompt {shown(asked[-1].content)}, which would "
            "be dropped: keep one of them"
        )
    return [*(own or system), *said]


def _parted(turns: Turns) -> tuple[Turns, Turns]:
    """What the system says at the beginning, and the rest."""
    count = next((i for i, turn in enumerate(turns) if turn.role != "system"), len(turns))
    return turns[:count], turns[count:]


def _same(some: Turns, others: Turns) -> bool:
    return _bare(some) == _bare(others)


def _bare(turns: Turns) -> list[tuple[str, str]]:
    return [(turn.role, turn.content.strip()) for turn in turns]


def _inside(some: Turns, others: Turns) -> bool:
    return not some or next(occurrences(_bare(some), _bare(others)), None) is not None


def without_answer(turns: Turns) -> Turns:
    """`turns` without a last turn of the assistant that is empty: where an answer is to be written."""
    return turns[:-1] if turns and turns[-1].role == "assistant" and not turns[-1].content else turns


def text_turns(value: Any, field: str) -> Turns:
    """A prompt that is text: one turn of the user, or a transcript that waits for an answer."""
    words = text_of(value, field)
    turns = transcript(words)
    open_ended = without_answer(turns)
    return open_ended if turns != open_ended else [Message(role="user", content=words.strip())]
