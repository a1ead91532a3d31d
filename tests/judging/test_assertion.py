"""What an answer asserts, both ways: denials, doubts, questions, lists, and what only looks like one."""

from __future__ import annotations

import time

import pytest

from selfstudy.judging.agreement import same_words
from selfstudy.judging.correctness import states

CAPITAL = "What is the capital of Italy?"
REFERENCE = "The capital of Italy is Rome."

ASSERTED = [
    "Rome",
    "rome",
    "Rome, Italy",
    "Rome, Italy.",
    "The capital is Rome, a city on the Tiber.",
    "Rome, not Paris.",
    "It is Rome and not Paris.",
    "It is Rome rather than Milan.",
    "It is not Paris but Rome.",
    "It is not Paris, it is Rome.",
    "It isn't Milan; it's Rome.",
    "Not Milan: Rome.",
    "It is not Paris, Rome is the capital.",
    "No. The capital is Rome.",
    "No, it is Rome.",
    "No, it's not Milan. It's Rome.",
    "It is no doubt Rome.",
    "Without doubt, Rome.",
    "It is Rome and nothing else.",
    "It is none other than Rome.",
    "It is nothing but Rome.",
    "Not only is Rome the capital, it is also the largest city.",
    "The capital is not only old but famous: Rome.",
    "Rome (formerly Roma).",
    "Rome (not Milan)",
    "Instead of Milan, Rome is the capital.",
    "Rome is the capital, unlike Milan.",
    "Rome, which is not on the sea.",
    "Rome is the capital. It is not on the sea.",
    "I think the capital is Rome.",
    "I believe it's Rome.",
    "Which city is it? Rome.",
    "What is the capital? It is Rome.",
    "If I am not mistaken, it is Rome.",
    "If you ask me, it is Rome.",
    "In 1871, Rome became the capital.",
    "In Italy, Rome is the capital.",
    "In Italy, Rome.",
    "Yes, Rome.",
    "Historically, Rome.",
    "**Rome**",
    '"Rome."',
    "Answer: Rome",
    "The capital is Rome and has been since 1871.",
    "The capital is Rome, and people love it.",
    "The capital is Rome. Milan and Turin are other cities.",
    "1. The capital is Rome.\n2. It lies on the Tiber.",
    "- Capital: Rome\n- Country: Italy",
    "The capital is Rome; it lies on the Tiber.",
    "It may be old, but the capital is Rome.",
    "Although it could be warmer there, the capital is Rome.",
    "I don't know much about Italy, but the capital is Rome.",
    "It was founded in May 753 BC: Rome.",
    "The capital is Rome!",
    "It's Rome, isn't that nice.",
    "The capital of Italy is Rome and its largest city is Rome too.",
]
NOT_ASSERTED = [
    "It is not Rome.",
    "It isn't Rome.",
    "It isn’t Rome.",
    "It's not Rome, Milan is the capital.",
    "It is Milan, not Rome.",
    "It is Milan rather than Rome.",
    "Milan, instead of Rome.",
    "Any city except Rome.",
    "It is neither Rome nor Milan.",
    "It is neither Milan nor Rome.",
    "It was never Rome.",
    "It is no longer Rome.",
    "It used to be Rome.",
    "Rome used to be the capital.",
    "Rome is not the capital.",
    "Rome isn't the capital.",
    "Rome is no longer the capital.",
    "Rome was never the capital.",
    "Rome is wrong.",
    "It is far from Rome.",
    "I do not think that it is Rome.",
    "I don't think it's Rome.",
    "I doubt that it is Rome.",
    "It is not true that the capital of Italy is Rome.",
    "It is false that the capital of Italy is Rome.",
    "It cannot be Rome.",
    "I don't know whether it is Rome.",
    "I'm not sure if it's Rome.",
    "I am not sure, but it is Rome.",
    "I have no idea, Rome.",
    "Maybe Rome.",
    "Perhaps it is Rome.",
    "It might be Rome.",
    "It could be Rome.",
    "It may be Rome.",
    "I think it could be Rome.",
    "Possibly Rome.",
    "Rome, maybe.",
    "Rome perhaps.",
    "Rome might be the capital.",
    "Rome could be the capital.",
    "Rome, but I'm not sure.",
    "Rome. I am not sure.",
    "Is it Rome?",
    "Is it Rome or Milan?",
    "Rome?",
    "Rome or possibly Milan.",
    "Either Rome or Milan.",
    "Paris, Rome, Berlin.",
    "Paris, Rome, Berlin",
    "Rome, Paris, Berlin.",
    "paris, rome, berlin",
    "paris, berlin, rome.",
    "rome or milan",
    "milan and rome",
    "It is Paris, Berlin, Rome.",
    "Paris and Rome.",
    "Rome and Paris",
    "Rome as well as Milan.",
    "Both Rome and Milan.",
    "Paris; Rome; Berlin",
    "Rome; Milan",
    "Paris / Rome / Berlin",
    "Rome/Milan",
    "Paris|Rome|Berlin",
    "Rome & Milan",
    "- Paris\n- Rome\n- Berlin",
    "1. Rome\n2. Paris\n3. Berlin",
    "1. Paris 2. Rome 3. Berlin",
    "* Milan\n* Rome",
    "a city: Paris, Rome, Berlin or Madrid",
    "Paris\nRome\nBerlin",
    "Unlike Rome, Milan is the capital.",
    "Contrary to what people say about Rome, Milan is it.",
]


@pytest.mark.parametrize("answer", ASSERTED)
def test_asserted(answer: str) -> None:
    assert states(answer, ["Rome"], CAPITAL)


@pytest.mark.parametrize("answer", NOT_ASSERTED)
def test_not_asserted(answer: str) -> None:
    assert not states(answer, ["Rome"], CAPITAL)


@pytest.mark.parametrize(
    ("answer", "key", "question", "right"),
    [
        # lower-case and other items
        ("copper, iron or zinc", "copper", "Which metal?", False),
        ("It is made of copper and zinc.", "zinc", "What is it made of?", False),
        ("It is made of copper, a metal.", "copper", "What is it made of?", True),
        ("It is made of copper, which is red.", "copper", "What is it made of?", True),
        ("copper", "copper", "Which metal?", True),
        ("1912, 1913, 1914", "1913", "When?", False),
        ("1912 or 1913", "1913", "When?", False),
        ("In 1912, Sarajevo was calm.", "1912", "When?", True),
        ("4 July 1776", "4 July 1776", "When?", True),
        ("It was signed on July 4, 1776.", "July 4, 1776", "When?", True),
        ("It was signed on July 4, 1776, in Philadelphia.", "July 4", "When?", True),
        # keys of several parts
        ("Spain and Portugal", "Spain and Portugal", "Which countries?", True),
        ("It borders Spain and Portugal.", "Spain and Portugal", "Which?", True),
        ("It borders Spain.", "Spain and Portugal", "Which?", False),
        ("It borders Italy, Spain and Portugal.", "Spain and Portugal", "Which?", False),
        ("Simon and Garfunkel", "Simon and Garfunkel", "Who sang?", True),
        ("Washington, D.C.", "Washington, D.C.", "Which city?", True),
        ("red, white and blue", "red, white and blue", "Which colours?", True),
        # a cue that is in the question, or in the key, does not count
        ("Spain is not a member.", "Spain", "Which country is not a member?", True),
        ("Spain isn't a member.", "Spain", "Which country is not a member?", True),
        ("It may be Spain.", "Spain", "Which country may be a member?", True),
        ("Formerly it was Constantinople.", "Constantinople", "What was it called formerly?", True),
        ("He was found not guilty.", "not guilty", "What was the verdict?", True),
        ("No, it is not.", "No", "Is Rome in France?", True),
        ("There is no capital like it.", "No", "Is Rome in France?", False),
        ("Yes, it is.", "yes", "Is Rome in Italy?", True),
        ("It is not far from Rome.", "Rome", "Near which city is it?", True),
        ("It did not open until 1950.", "1950", "When did it open?", True),
        # a question that offers a choice
        ("Rome or Milan.", "Rome", "Is it Rome or Milan?", False),
        ("Rome.", "Rome", "Is it Rome or Milan?", True),
        # scripts without spaces
        ("意大利的首都是罗马。", "罗马", "意大利的首都是哪里？", True),
        ("巴黎、罗马、柏林", "罗马", "意大利的首都是哪里？", False),
        ("罗马，意大利", "罗马", "首都是哪里？", True),
        ("هي روما.", "روما", "ما هي عاصمة إيطاليا؟", True),
        ("هل هي روما؟", "روما", "ما عاصمة إيطاليا؟", False),
    ],
)
def test_other_keys(answer: str, key: str, question: str, right: bool) -> None:
    assert states(answer, [key], question) is right


@pytest.mark.parametrize(
    ("answer", "same"),
    [
        ("The capital of Italy is Rome.", True),
        ("Yes, the capital of Italy is Rome.", True),
        ("Rome", True),
        ("It is not true that the capital of Italy is Rome.", False),
        ("I don't know whether the capital of Italy is Rome.", False),
        ("Perhaps the capital of Italy is Rome.", False),
        ("Is it so that the capital of Italy is Rome?", False),
        ("The capital of Italy is Rome or Milan.", False),
        ("The capital of Italy is Rome, Paris, Berlin.", False),
    ],
)
def test_agreement_with_a_reference(answer: str, same: bool) -> None:
    assert same_words(answer, REFERENCE, CAPITAL) is same


@pytest.mark.parametrize(
    ("answer", "same"),
    [
        ("It is not a member of the EU.", True),
        ("As far as I know, it is not a member of the EU.", True),
        ("It is a member of the EU.", False),
        ("not a member of the EU", True),
        ("a member of the EU", False),
        ("It is not true that it is not a member of the EU.", False),
    ],
)
def test_a_negative_reference(answer: str, same: bool) -> None:
    assert same_words(answer, "It is not a member of the EU.", "What does Norway think?") is same


@pytest.mark.parametrize(
    "answer",
    [
        "A " * 20_000,
        "A, " * 20_000,
        "not A " * 20_000,
        "A or " * 20_000,
        "A\n- " * 20_000,
        "A" * 20_000,
        "a.A" * 20_000,
        "A? " * 20_000,
        "1. A " * 20_000,
        "- " * 20_000,
        "maybe, A and " * 10_000,
        "罗" * 20_000,
    ],
    ids=range(12),
)
def test_a_long_answer_is_judged_at_once(answer: str) -> None:
    start = time.monotonic()
    for key in ("A", "A A A", "罗马", "B"):
        states(answer, [key], "Which letter?")
    same_words(answer, "A A", "Which letter?")
    assert time.monotonic() - start < 15
