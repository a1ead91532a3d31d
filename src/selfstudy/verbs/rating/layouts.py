"""Rows of preference pairs in the layouts that trainers read; `selfstudy import` reads all of them too.

    trl             {prompt, chosen, rejected}: messages of role and content (conversational)
    llama-factory   {system, conversations, chosen, rejected}: ShareGPT's from and value (ranking: true)
    axolotl         {messages, chosen, rejected}: type chat_template.default

Each row says under `selfstudy` what the two answers earned and why; trainers leave that alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from selfstudy.records import Chat
from selfstudy.verbs.rating.choosing import RatedPair

MARK = "selfstudy"
"""The column by which a file of ours is told."""
_SHAREGPT = {"user": "human", "assistant": "gpt"}


def row_of(pair: RatedPair, layout: str, reward: str) -> dict[str, Any]:
    """One pair in a layout; `reward` names what rated it."""
    good, bad = pair.chosen_reward, pair.rejected_reward
    earned = {"reward": reward, "chosen": good.value, "rejected": bad.value}
    why = {"why_chosen": good.why, "why_rejected": bad.why}
    return {**LAYOUTS[layout](pair.chat, pair.chosen, pair.rejected), MARK: {**earned, **why}}


def trl(chat: Chat, chosen: str, rejected: str) -> dict[str, Any]:
    """A pair as TRL's trainers read it: conversational."""
    return {"prompt": messages(chat), "chosen": [_said(chosen)], "rejected": [_said(rejected)]}


def _axolotl(chat: Chat, chosen: str, rejected: str) -> dict[str, Any]:
    return {"messages": messages(chat), "chosen": _said(chosen), "rejected": _said(rejected)}


def _llama_factory(chat: Chat, chosen: str, rejected: str) -> dict[str, Any]:
    turns = [turn for turn in chat if turn.role != "system"]
    return {
        "system": "\n".join(turn.content for turn in chat if turn.role == "system"),
        "conversations": [{"from": _SHAREGPT[turn.role], "value": turn.content} for turn in turns],
        "chosen": {"from": "gpt", "value": chosen},
        "rejected": {"from": "gpt", "value": rejected},
    }


def messages(chat: Chat) -> list[dict[str, str]]:
    """A chat as role and content."""
    return [{"role": turn.role, "content": turn.content} for turn in chat]


def _said(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


LAYOUTS: dict[str, Callable[[Chat, str, str], dict[str, Any]]] = {
    "trl": trl,
    "llama-factory": _llama_factory,
    "axolotl": _axolotl,
}
