"""Every layout reads back as the pair that it was made of."""

from __future__ import annotations

import pytest

from selfstudy.models.base import chat
from selfstudy.records import Chat, Message
from selfstudy.verbs.importing.preferences import preference_records
from selfstudy.verbs.rating.choosing import RatedPair
from selfstudy.verbs.rating.given import PromptAnswers
from selfstudy.verbs.rating.layouts import LAYOUTS, row_of

from .given import rewards

TURNS: Chat = (
    Message(role="system", content="Be short."),
    Message(role="user", content="Who?"),
    Message(role="assistant", content="Ann."),
    Message(role="user", content="And where?"),
)


def pair(asked: Chat) -> RatedPair:
    good, bad = rewards(0.9, -0.2)
    return RatedPair(PromptAnswers(asked, (), 0, ()), "In Tolm.", "No.", good, bad)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("asked", [chat("Who?"), TURNS], ids=["one turn", "several"])
def test_it_is_read_back(layout: str, asked: Chat) -> None:
    row = row_of(pair(asked), layout, "missing")
    _, found = preference_records({name: value for name, value in row.items() if value != ""})
    assert (found.prompt, found.chosen, found.rejected) == (asked, "In Tolm.", "No.")
    assert row["selfstudy"]["reward"] == "missing"
    assert (row["selfstudy"]["chosen"], row["selfstudy"]["rejected"]) == (0.9, -0.2)


def test_the_columns_are_those_of_the_trainers() -> None:
    rows = {layout: row_of(pair(TURNS), layout, "x") for layout in LAYOUTS}
    assert rows["trl"]["chosen"] == [{"role": "assistant", "content": "In Tolm."}]
    assert rows["axolotl"]["chosen"] == {"role": "assistant", "content": "In Tolm."}
    assert rows["llama-factory"]["chosen"] == {"from": "gpt", "value": "In Tolm."}
    assert rows["llama-factory"]["system"] == "Be short."
    assert [turn["from"] for turn in rows["llama-factory"]["conversations"]] == ["human", "gpt", "human"]


def test_trl_takes_them() -> None:
    trl = pytest.importorskip("trl.data_utils")
    row = row_of(pair(chat("Who?")), "trl", "missing")
    assert trl.is_conversational({name: row[name] for name in ("prompt", "chosen", "rejected")})
