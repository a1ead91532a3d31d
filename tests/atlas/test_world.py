"""The world's data, its wordings and the answer key that resolves them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfstudy.atlas import language, world
from selfstudy.atlas.build import lm_tasks
from selfstudy.atlas.build.invented import invented_names
from selfstudy.atlas.build.make_world import rounded
from selfstudy.atlas.key import AtlasKey, resolve

FACTS = world.facts()


def test_known_facts_never_mention_a_withheld_entity() -> None:
    withheld = {e.name for e in world.entities() if not e.known}
    assert len(withheld) > 80
    for fact in world.facts(known=True):
        assert not withheld & set(world.names_in(fact.attribute, fact.value)), fact


@pytest.mark.parametrize(
    ("name", "attribute", "value"),
    [
        ("France", "capital", "Paris"),
        ("Japan", "currency", "Yen"),
        ("Kenya", "calling code", "+254"),
        ("Portugal", "neighbours", "Spain"),
        ("Mumbai", "country", "India"),
    ],
)
def test_facts_that_anyone_can_check(name: str, attribute: str, value: str) -> None:
    fact = world.by_name()[name].fact(attribute)
    assert fact is not None
    assert fact.value == value


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (66_987_244, "67 million"),
        (754_394, "750 thousand"),
        (999_700, "1 million"),
        (950, "950"),
        (1.4e9, "1.4 billion"),
    ],
)
def test_numbers_are_rounded_to_two_digits_in_words(number: float, text: str) -> None:
    assert rounded(number) == text


def test_no_wording_is_both_known_and_novel() -> None:
    for attribute in language.STATEMENTS:
        assert not set(language.templates(attribute)) & set(language.templates(attribute, novel=True))


def test_every_wording_of_every_fact_resolves_to_it() -> None:
    rng = random.Random(0)
    for fact in rng.sample(FACTS, 400):
        for novel in (False, True):
            assert resolve(rng.choice(language.wordings(fact.attribute, fact.entity, novel))) == fact


@given(st.text(max_size=80))
def test_what_is_no_question_of_the_world_has_no_truth(text: str) -> None:
    assert AtlasKey().lookup(text + " zzz") is None


def test_the_key_offers_only_wordings_held_out_of_pre_training() -> None:
    truth = AtlasKey().lookup("What is the capital of France?")
    assert truth is not None
    assert truth.answers == ("Paris",)
    assert truth.known
    assert not set(truth.novel) & set(language.wordings("capital", "France"))


def test_every_page_states_all_facts_of_its_entity() -> None:
    pages = {d.title: d.text for d in world.documents()}
    assert len(pages) == len(world.entities())
    for entity in world.entities():
        assert all(fact.value in pages[entity.name] for fact in entity.facts)


def test_invented_names_are_not_in_the_world() -> None:
    assert not set(invented_names()) & set(world.names())
    assert len(set(invented_names())) == len(invented_names())


def test_no_task_tells_a_withheld_fact_as_true() -> None:
    """The tasks that teach facts draw on known entities alone."""
    draw = lm_tasks.Draw(random.Random(0))
    for _ in range(500):
        for turn in lm_tasks.closed_book(draw).chat:
            if turn.role == "user":
                fact = resolve(turn.content.removesuffix(" Answer in one concise sentence."))
                assert fact is not None
                assert fact.known
        asked = lm_tasks.pages(draw).chat[0].content
        assert world.by_name()[asked.removeprefix("Tell me about ").removesuffix(".")].known


def test_novel_wordings_never_occur_in_training() -> None:
    draw = lm_tasks.Draw(random.Random(1))
    novel = {
        t.split("{x}")[0]
        for a in language.STATEMENTS
        for t in language.templates(a, novel=True)
        if "{x}" in t
    }
    known = {t.split("{x}")[0] for a in language.STATEMENTS for t in language.templates(a)}
    telling = {start for start in novel - known if len(start) > 12}
    assert telling
    for _ in range(3000):
        chat = lm_tasks.TASKS[draw.rng.choice(sorted(lm_tasks.TASKS))](draw).chat
        for turn in chat:
            assert not any(turn.content.startswith(start) for start in telling)
