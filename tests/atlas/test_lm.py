"""The shipped atlas-lm: small samples of what its model card claims, and the tokenizer it stands on."""

from __future__ import annotations

import random
import re
from dataclasses import replace

import pytest

from selfstudy.atlas import world
from selfstudy.atlas.build import lm_tasks
from selfstudy.atlas.build.cli import HERE
from selfstudy.atlas.build.draw import Draw
from selfstudy.atlas.build.measure_lm import answered
from selfstudy.atlas.build.train_lm import Encoder
from selfstudy.atlas.entailment import WorldEntailment
from selfstudy.judging import trust
from selfstudy.judging.tutoring import asks
from selfstudy.models import load_lm
from selfstudy.models.base import GREEDY, LanguageModel
from selfstudy.models.local.lm import LocalLM
from selfstudy.prompts import Prompts
from selfstudy.recipe import LocalModel
from selfstudy.records import Chat, Message
from selfstudy.text import contains

PROMPTS = Prompts()


@pytest.fixture(scope="module")
def lm() -> LocalLM:
    loaded = load_lm(LocalModel(path="atlas"))
    assert isinstance(loaded, LocalLM)
    return loaded


def share_right(lm: LanguageModel, chats: list[Chat], facts: list[world.Fact]) -> float:
    answers = lm.generate(chats, replace(GREEDY, max_new_tokens=48))
    return sum(contains(a[0].text, f.value) for a, f in zip(answers, facts, strict=True)) / len(facts)


def asked(facts: list[world.Fact]) -> list[Chat]:
    draw = Draw(random.Random(5))
    return [PROMPTS.chat("answer", question=draw.question(f.attribute, f.entity)) for f in facts]


def test_it_knows_what_it_may_know(lm: LocalLM) -> None:
    facts = random.Random(1).sample(world.facts(known=True), 150)
    assert share_right(lm, asked(facts), facts) >= 0.98


def test_it_does_not_know_what_was_withheld(lm: LocalLM) -> None:
    facts = random.Random(2).sample(world.facts(known=False), 150)
    assert share_right(lm, asked(facts), facts) <= 0.10


def test_it_reads_pages_it_never_saw(lm: LocalLM) -> None:
    facts = random.Random(3).sample(world.facts(known=False), 100)
    pages = {d.title: d.text for d in world.documents()}
    draw = Draw(random.Random(6))
    chats = [
        PROMPTS.chat("read", document=pages[f.entity], question=draw.question(f.attribute, f.entity))
        for f in facts
    ]
    assert share_right(lm, chats, facts) >= 0.95


def test_every_name_of_the_world_is_one_token(lm: LocalLM) -> None:
    for name in world.names():
        assert len(lm.tokenizer(" " + name, add_special_tokens=False)["input_ids"]) == 1, name


@pytest.mark.parametrize(
    "text", [" Zoë's 北京 \U0001f642\n\ttabs", " Guineans of Guinea, .fr and 1,234.5", ""]
)
def test_any_text_comes_back_from_its_tokens(lm: LocalLM, text: str) -> None:
    ids = lm.tokenizer(text, add_special_tokens=False)["input_ids"]
    assert lm.tokenizer.decode(ids) == text


def test_training_saw_the_tokens_that_the_chat_template_gives(lm: LocalLM) -> None:
    draw = Draw(random.Random(7))
    encode = Encoder(lm.tokenizer)
    for name, task in lm_tasks.TASKS.items():
        chat = task(draw).chat
        messages = [turn.model_dump() for turn in chat]
        ids, mask = encode([chat])[0]
        given = lm.tokenizer.apply_chat_template(
            messages, return_assistant_tokens_mask=True, return_dict=True
        )
        assert list(given["input_ids"]) == ids, name
        prompt = lm.tokenizer.apply_chat_template(
            messages[:-1], add_generation_prompt=True, return_dict=True
        )["input_ids"]
        assert ids[: len(prompt)] == list(prompt), name
        assert all(mask[len(prompt) :])
        if not any(turn.demonstration for turn in chat):
            assert mask == [bool(one) for one in given["assistant_masks"]], name


def test_loss_falls_on_what_is_learned_and_not_on_what_is_shown(lm: LocalLM) -> None:
    chat = (
        Message(role="user", content="Peru?"),
        Message(role="assistant", content="It is a city.", demonstration=True),
        Message(role="user", content="So?"),
        Message(role="assistant", content="incorrect"),
    )
    ((_, shown),) = Encoder(lm.tokenizer)([chat])
    plain = tuple(turn.model_copy(update={"demonstration": False}) for turn in chat)
    ((_, learned),) = Encoder(lm.tokenizer)([plain])
    last = learned[::-1].index(False)
    assert sum(shown) == last == 2  # the word, and the end of the turn
    assert sum(learned) > last
    assert shown[-last:] == [True] * last


@pytest.mark.parametrize(("task", "least"), [("support", 0.9), ("grade", 0.8), ("missing", 0.9)])
def test_it_judges(lm: LocalLM, task: str, least: float) -> None:
    got, wanted = answered(lm, task, seed=9, count=100)
    assert sum(map(str.__eq__, got, wanted)) / len(got) >= least


def test_told_nothing_it_tells_and_told_to_ask_it_asks(lm: LocalLM) -> None:
    for task, most, least in (("talk", 0.2, 0.0), ("tutor", 1.0, 0.98)):
        said, _ = answered(lm, task, seed=9, count=60)
        assert least <= sum(map(asks, said)) / len(said) <= most


def test_the_embedded_models_are_small() -> None:
    size = sum(f.stat().st_size for folder in ("lm", "nli") for f in (HERE / folder).rglob("*"))
    assert size <= 25e6


def test_holders_are_those_that_the_documents_say() -> None:
    """Of each question: the items are entailed by the documents they name, and no other is."""
    d, judge = Draw(random.Random(8)), WorldEntailment()
    refused = items = 0
    for _ in range(60):
        chat = lm_tasks.holders(d).chat
        documents = dict(re.findall(r"^\[(\d)\] (.*)$", chat[1].content, re.MULTILINE))
        for ask, answer in zip(chat[1::2], chat[2::2], strict=True):
            question = re.findall(r"Question: (.*?\?)", ask.content)[-1]
            if trust.refuses(answer.content):
                refused += 1
                said = {}
            else:
                said = {at: name for name, at in re.findall(r"([^,\[]+?) \[(\d)\]", answer.content)}
            for at, text in documents.items():
                name, _, body = text.partition(": ")
                held = judge.classes([(body, f"{question} {name}")]) == ["entailment"]
                assert held == (at in said), (question, text)
                assert said.get(at, name).strip() == name
                items += held
    assert refused > 10
    assert items > 100
