"""What the world's sentences entail: every form of every attribute, lists, and what is no sentence of it."""

from __future__ import annotations

import random
import time
from functools import cache

import numpy as np
import pytest

from selfstudy.atlas import language, world
from selfstudy.atlas.build.draw import Draw
from selfstudy.atlas.entailment import KIND, Said, WorldEntailment, answered, readings, said, sentences

JUDGE = WorldEntailment()
PAGE = (
    "Title: Peru\nPeru is a country. Peru is run from Lima. In Peru you can hear Spanish and Quechua. "
    "About 6.3 million people live in Peru.\n"
    "Title: St. John's\nSt. John's is a city in Chile. Chile borders Bosnia and Herzegovina and Peru."
)


@cache
def names() -> list[str]:
    draw = Draw(random.Random(0))
    return [e.name for e in world.entities()] + [draw.strange() for _ in range(50)]


@cache
def values(attribute: str) -> list[str]:
    """Every value of the world, and random ones."""
    draw = Draw(random.Random(attribute))
    true = [f.value for f in world.facts() if f.attribute == attribute]
    return true + [draw.value(attribute) for _ in range(300)]


def test_every_form_of_every_fact_is_read_as_that_fact_and_as_nothing_else() -> None:
    rng, wrong, count = random.Random(1), [], 0
    for attribute, forms in language.STATEMENTS.items():
        parts = attribute in language.PARTS
        for form in forms:
            # every name with some value, and every value with some name
            pairs = [(n, rng.choice(values(attribute)[-300:])) for n in names()]
            pairs += [(rng.choice(names()[:300]), v) for v in values(attribute)]
            for name, value in pairs:
                sentence = form.format(x=name, v=value)
                expected = Said(name, attribute, frozenset(world.split_list(value) if parts else [value]))
                count += 1
                if list(readings(sentence[:-1])) != [expected] or list(sentences(sentence)) != [
                    sentence[:-1]
                ]:
                    wrong.append(sentence)
    assert not wrong
    assert count > 20_000


def test_every_first_sentence_is_read() -> None:
    for name in names():
        for kind in language.ATTRIBUTES:
            assert list(readings(language.header(name, kind)[:-1])) == [Said(name, KIND, frozenset({kind}))]


def test_every_list_is_read_as_the_names_that_it_was_made_of() -> None:
    draw = Draw(random.Random(3))
    for attribute in language.PARTS:
        for _ in range(300):
            value = draw.value(attribute)
            assert set(world.split_list(value)) <= set(draw.pools[attribute]), value


def test_every_question_for_a_list_is_read_with_every_answer() -> None:
    for part, questions in ((False, language.HOLDERS), (True, language.PARTS)):
        for attribute, forms in questions.items():
            items = sorted({n for v in values(attribute) for n in world.split_list(v)}) if part else names()
            for form in forms:
                for item in items:
                    value = "Peru" if part else values(attribute)[len(item)]
                    found = answered(form.format(x=value, v=value), item)
                    expected = (
                        Said("Peru", attribute, frozenset({item}), part=True)
                        if part
                        else Said(item, attribute, frozenset({value}))
                    )
                    assert found == expected


@pytest.mark.parametrize(
    ("hypothesis", "label"),
    [
        ("The capital of Peru is Lima.", "entailment"),
        ("The capital of Peru is Lima", "entailment"),
        ("The capital  of\nPeru is Lima. Peru is a country.", "entailment"),
        ("Peru is a city.", "contradiction"),
        ("The capital of Peru is Lima. The capital of Chile is Lima.", "neutral"),
        ("The capital of Peru is Quito. The capital of Chile is Lima.", "contradiction"),
        ("The capital of Peru is Quito.", "contradiction"),
        ("The capital of Chile is Lima.", "neutral"),
        ("The languages of Peru are Quechua and Spanish.", "entailment"),
        ("The languages of Peru are Quechua.", "contradiction"),
        ("The population of Peru is about 63 million.", "contradiction"),
        ("Peru is home to Lima.", "neutral"),
        ("", "neutral"),
        (".", "neutral"),
        ("The capital of Peru is Lima. Nice!", "neutral"),
        ("The capital of Peru is Lima and Chile is run from Quito.", "neutral"),
        ("The capital of Peru is Lima, and the currency of Peru is the Sol.", "neutral"),
        ("Chile shares its borders with Peru and Bosnia and Herzegovina.", "entailment"),
        ("The country of St. John's is Chile.", "entailment"),
        ("Which languages can you hear in Peru? Quechua", "entailment"),
        ("Which languages can you hear in Peru? French", "contradiction"),
        ("Which languages can you hear in Chile? French", "neutral"),
        ("Which countries are next to Chile? Bosnia and Herzegovina", "entailment"),
        ("Which cities are in Chile? St. John's", "entailment"),
        ("Which cities are in Peru? St. John's", "contradiction"),
        ("Which cities are in Chile? Lima", "neutral"),
        ("Which cities are in Chile? ", "neutral"),
        ("Which rivers are in Chile? St. John's", "neutral"),
    ],
)  # fmt: skip
def test_labels(hypothesis: str, label: str) -> None:
    assert JUDGE.classes([(PAGE, hypothesis)]) == [label]


def test_a_title_says_nothing_and_of_two_values_either_is_entailed() -> None:
    premise = "Title: Peru is run from Lima.\nPeru lies in Asia.\nTitle: Peru\nPeru belongs to Europe."
    found = JUDGE.classes(
        [
            (premise, "The capital of Peru is Lima."),
            (premise, "Peru lies in Asia."),
            (premise, "The continent of Peru is Europe."),
            (premise, "Peru is part of Africa."),
        ]
    )
    assert found == ["neutral", "entailment", "entailment", "contradiction"]


def test_probabilities_are_certain_but_for_neutral() -> None:
    pairs = [
        (PAGE, f"The capital of {x} is {v}.")
        for x, v in (("Peru", "Lima"), ("Peru", "Oslo"), ("Oman", "Oslo"))
    ]
    told: list[int] = []
    assert np.array_equal(JUDGE.probabilities(pairs, told.append), [[1, 0], [0, 1], [0.5, 0.5]])
    assert told == [3]
    assert JUDGE.probabilities([]).shape == (0, 2)


def test_a_large_premise_takes_no_time() -> None:
    draw = Draw(random.Random(5))
    lines = [
        language.statement("capital", draw.strange(), draw.value("capital"), draw.rng) for _ in range(6000)
    ]
    large = [
        "\n".join(lines),
        "The capital of " * 15_000,
        "In people live in " * 12_000,
        "A. " * 70_000,
        "x" * 200_000,
    ]
    began = time.perf_counter()
    assert JUDGE.classes([(large[0], lines[-1]), *((one, one) for one in large[1:])]) == [
        "entailment",
        *["neutral"] * 4,
    ]
    assert time.perf_counter() - began < 10  # quadratic would be minutes


def test_a_sentence_that_is_too_long_says_nothing() -> None:
    name = "A" * 380
    assert said(f"{name} is run from B.") is not None
    assert said(f"{name} is run from the city of Bbbbbbbbbbbb.") is None
