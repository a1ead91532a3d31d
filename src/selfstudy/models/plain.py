"""Chats as plain text that a model completes, for models that were taught no turns (base models).

    {system}

    {user, of a demonstration}
    Answer: {assistant}

    {user}
    Answer:

An answer ends where those of the demonstrations end: at the end of its line, or at an empty line if one of
theirs has several lines, or if there are none.  Knows nothing of tokens.
"""

from __future__ import annotations

from selfstudy.records import Chat, Message

BETWEEN = "\n\n"
"""What stands between an answer and what follows it."""
LABEL = "Answer:"
TEMPLATE = (
    "{% for turn in messages %}{% if turn.role == 'assistant' %} {{ turn.content }}\n\n"
    "{% elif turn.role == 'system' %}{{ turn.content }}\n\n{% else %}{{ turn.content }}\nAnswer:{% endif %}"
    "{% endfor %}"
)
"""The same in Jinja, for servers that want a template."""


def text(chat: Chat) -> str:
    """A chat, up to where the next answer begins if it ends in the user's turn."""
    return "".join(map(_turn, chat))


def stop(chat: Chat) -> str:
    """What ends an answer to a chat."""
    shown = [turn.content for turn in chat if turn.demonstration and turn.role == "assistant"]
    return "\n" if shown and not any("\n" in content for content in shown) else BETWEEN


def _turn(turn: Message) -> str:
    if turn.role == "user":
        return f"{turn.content}\n{LABEL}"
    return (" " if turn.role == "assistant" else "") + turn.content + BETWEEN
