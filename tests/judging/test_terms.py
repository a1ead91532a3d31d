"""Signs, symbols and single letters count, whatever character they are written with."""

from __future__ import annotations

import pytest

from selfstudy.judging.agreement import numbers_kept, particulars, same_words
from selfstudy.judging.correctness import states
from selfstudy.judging.terms import places, terms, words


@pytest.mark.parametrize(
    "same",
    [
        ("-41", "−41", "–41", "minus 41", "(-41)", "negative 41."),
        ("1914-1918", "1914–1918", "1914‑1918"),
        ("5%", "5 %", "5 percent", "5 per cent", "５％"),
        ("$5", "5$", "5 $"),
        ("€5", "5 €", "5€"),
        ("1,000", "1000", "1\u202f000"),
        ("41°C", "41 °C", "41 ℃"),
        ("U.S.", "US"),
        (".5", "0.5"),
        ("isn't", "isn’t"),
        ("±5", "+/-5"),
        ("Basse-Terre", "Basse‐Terre", "basse terre"),
        ("٣", "3"),
        ("The Who", "the Who"),
        ("1. Rome\n2. Milan", "- Rome\n- Milan", "1) Rome 2) Milan"),
    ],
)
def test_written_otherwise(same: tuple[str, ...]) -> None:
    assert len({tuple(words(text)) for text in same}) == 1


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ("-41", "41"),
        ("41", "-41"),
        ("+5", "-5"),
        ("5", "-5"),
        ("-5", "5"),
        ("±5", "5"),
        ("5%", "5"),
        ("$5", "5"),
        ("€5", "$5"),
        ("<5", "5"),
        ("C", "C++"),
        ("C++", "C"),
        ("C#", "C"),
        ("C", "C#"),
        ("NET", ".NET"),
        ("Na", "Na+"),
        ("Cl-", "Cl"),
        ("A+", "A"),
        ("H2O", "H2O+"),
        ("B", "A"),
        ("B-", "B"),
        ("1914-1918", "1914"),
        ("2024-05-01", "2024"),
        ("Guinea-Bissau", "Guinea"),
        ("4.1", "41"),
        ("a city", "A"),
        ("who knows", "The Who"),
        ("It belongs to us.", "US"),
        ("I like it.", "I"),
    ],
)
def test_another_word(said: str, key: str) -> None:
    assert not states(said, [key], "Which one?")
    assert not states(f"We say {said}", [key], "Which one?")


KEYS = """-5 +5 C++ C# .NET A B I ±5 5% $5 A+ Na+ The_Who The_The It US H2O+ 1914-1918 1914–1918 C
AB- Guinea-Bissau R 41°C 1,000 WHO 3/4 ½ x²"""


@pytest.mark.parametrize("key", KEYS.split())
@pytest.mark.parametrize("form", ["{}", "{}.", "It is {}.", "The answer is {}, as we know.", "({})", '"{}"'])
def test_found_in_its_own_letters(key: str, form: str) -> None:
    key = key.replace("_", " ")
    assert states(form.format(key), [key], "Which one?")


@pytest.mark.parametrize(
    ("answer", "key"),
    [
        ("Vitamin A is the one.", "A"),
        ("Option A", "A"),
        ("a", "A"),
        ("From 1914–1918.", "1914-1918"),
        ("It fell to −41 degrees.", "-41 degrees"),
        ("It fell to minus 41 degrees.", "-41 degrees"),
        ("It is written in C++17.", "C++"),
        ("The Who were a band.", "The Who"),
    ],
)
def test_found_in_a_sentence(answer: str, key: str) -> None:
    assert states(answer, [key], "Which one?")


def test_a_capital_where_a_sentence_begins_proves_nothing() -> None:
    for answer, key in (("A city on a river", "A"), ("It is a novel.", "It"), ("Who knows?", "Who")):
        assert not states(answer, [key], "Which one?")


def test_agreement_sees_signs() -> None:
    cold = "How cold was it?"
    assert not same_words("-41 degrees", "41 degrees", cold)
    assert not same_words("41 degrees", "It was -41 degrees.", cold)
    assert same_words("−41 degrees", "It was -41 degrees.", cold)
    assert not numbers_kept("It was 41 degrees.", "It was -41 degrees.", cold)
    assert not numbers_kept("It is in C.", "It is in C++.", "In what?")
    assert particulars("It is vitamin B, in Rome, at -5 %.") == {"b", "rome", "-5%"}
    assert particulars("首都是罗马") == set("首都是罗马")


def test_places_are_whole() -> None:
    assert places(terms("Guinea-Bissau is not Guinea"), terms("Guinea")) == [4]
    assert places(terms("x b x b x"), terms("b x")) == [1, 3]
    assert places(terms("Rome"), terms("...")) == []
