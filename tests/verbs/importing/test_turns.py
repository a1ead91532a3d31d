"""Conversations of others as turns."""

from __future__ import annotations

import pytest

from selfstudy.files.rows import MalformedError
from selfstudy.records import Message
from selfstudy.verbs.importing.turns import conversation, history, joined, text_turns, transcript


def user(words: str) -> Message:
    return Message(role="user", content=words)


def test_roles_of_others() -> None:
    names = ("system", "human", "gpt", "Prompter", "bot", "developer")
    turns = conversation([{"from": name, "value": "x"} for name in names], "c")
    assert [t.role for t in turns] == ["system", "user", "assistant", "user", "assistant", "system"]
    with pytest.raises(MalformedError, match=r"c\[0\].from must be system, user or assistant, found 'tool'"):
        conversation([{"from": "tool", "value": "x"}], "c")
    with pytest.raises(MalformedError, match="calls a tool"):
        conversation([{"role": "assistant", "content": "", "tool_calls": [{"name": "f"}]}], "c")


def test_transcripts_and_texts() -> None:
    assert [t.role for t in transcript("\n\nHuman: a\n\nAssistant: b\n\nHuman: c")] == [
        "user",
        "assistant",
        "user",
    ]
    assert transcript("Anything else: Human: a") == []
    assert text_turns("Human: a\n\nAssistant:", "prompt") == [user("a")]
    assert text_turns("Human: a", "prompt") == [user("Human: a")]  # nothing waits for an answer


def test_a_history_is_pairs_or_messages() -> None:
    assert [t.content for t in history([["a", "b"], ["c", "d"]], "history")] == ["a", "b", "c", "d"]
    assert history([{"role": "user", "content": "a"}], "history") == [user("a")]
    with pytest.raises(MalformedError, match=r"history\[0\] must be a question and its answer"):
        history([["a"]], "history")


def test_joined_keeps_both_or_refuses() -> None:
    told = Message(role="system", content="s")
    assert joined([told, user("a")], [user("a")], "x") == [told, user("a")]
    assert joined([user("a")], [told, user("a")], "x") == [told, user("a")]
    with pytest.raises(MalformedError, match="does not hold the prompt 'b'"):
        joined([user("b")], [user("a")], "x")
