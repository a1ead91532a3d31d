"""Plain text that a model completes: what it looks like, and where an answer ends."""

from __future__ import annotations

from jinja2.sandbox import ImmutableSandboxedEnvironment

from selfstudy.models import plain
from selfstudy.records import Chat, Message


def chat(*turns: str, shown: int = 0, system: str = "") -> Chat:
    """User and assistant in turn; the first `shown` turns are demonstrations."""
    roles = ("user", "assistant") * len(turns)
    found = [
        Message.model_validate({"role": role, "content": content, "demonstration": at < shown})
        for at, (role, content) in enumerate(zip(roles, turns, strict=False))
    ]
    return (*([Message(role="system", content=system)] if system else []), *found)


def test_demonstrations_come_before_what_is_asked() -> None:
    asked = chat("Is it wet?", "Yes.", "Is it cold?", shown=2, system="You know the sea.")
    assert plain.text(asked) == "You know the sea.\n\nIs it wet?\nAnswer: Yes.\n\nIs it cold?\nAnswer:"


def test_an_answer_ends_where_those_of_the_demonstrations_end() -> None:
    assert plain.stop(chat("Is it wet?", "Yes.", "Is it cold?", shown=2)) == "\n"
    assert plain.stop(chat("Name two.", "wine\nbread", "Name two.", shown=2)) == "\n\n"
    assert plain.stop(chat("Is it cold?")) == "\n\n"
    assert plain.stop(chat("Is it wet?", "Yes.", "Is it cold?")) == "\n\n", "a dialogue shows nothing"


def test_the_template_for_servers_writes_the_same() -> None:
    template = ImmutableSandboxedEnvironment().from_string(plain.TEMPLATE)
    for asked in (chat("a", "b", "c", shown=2, system="s"), chat("a"), chat("a", "b", "c")):
        turns = [{"role": turn.role, "content": turn.content} for turn in asked]
        assert template.render(messages=turns, add_generation_prompt=True) == plain.text(asked)
