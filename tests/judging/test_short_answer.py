"""Short answers, each told by hand."""

from __future__ import annotations

import pytest

from selfstudy.judging.short_answer import short_answer


@pytest.mark.parametrize(
    ("question", "answer", "short"),
    [
        ("How many people live in Perth?", "The population of Perth is about 2.4 million.", "2.4 million"),
        ("What is the population of Perth?", "About 2.4 million people live in Perth.", "2.4 million"),
        (
            "How far from the equator is Niamey?",
            "The latitude of Niamey is about 14 degrees north.",
            "14 degrees north",
        ),
        ("What is the time zone of Douala?", "The time zone of Douala is Africa/Douala.", "Africa/Douala"),
        ("What is the code of Grenada?", "The calling code of Grenada is +1-473.", "+1-473"),
        ("What is the domain of Niue?", "The internet domain of Niue is .nu.", ".nu"),
        ("What do people pay with in Peru?", "The currency of Peru is the Sol.", "Sol"),
        ("What is the capital of Panama?", "The capital of Panama is Panama City.", "Panama City"),
        (
            "Which countries are next to Chile?",
            "Chile borders Peru, Bolivia and Cuba.",
            "Peru, Bolivia and Cuba",
        ),
        ("Who wrote Hamlet?", "William Shakespeare wrote Hamlet.", "William Shakespeare"),
        (
            "What does most of the ocean floor consist of?",
            "Most of the ocean floor consists of basalt.",
            "basalt",
        ),
        ("When did Curie receive the Nobel Prize?", "Curie received the Nobel Prize in 1911.", "1911"),
        ("Where did he study?", "He studied at the University of Oxford.", "University of Oxford"),
        (
            "How far north or south does La Paz lie?",
            "La Paz lies about 16 degrees south.",
            "16 degrees south",
        ),
        ("Is it in Lima or Quito?", "It is in Quito.", "Quito"),
        ("What is the capital of Haiti?", "The capital of Haiti is Port-au-Prince.", "Port-au-Prince"),
        ("Why is the sky blue?", "Because air scatters light.", "air scatters light"),
        ("Who is the president?", "The president is John F. Kennedy.", "John F. Kennedy"),
        ("Who wrote The Hobbit?", "J. R. R. Tolkien wrote The Hobbit.", "J. R. R. Tolkien"),
        ("Who wrote The Hobbit?", "J.R.R. Tolkien wrote The Hobbit.", "J.R.R. Tolkien"),
        ("Where is Smith from?", "Smith is from St. Louis.", "St. Louis"),
        ("When was he born?", "He was born on July 4, 1776.", "July 4, 1776"),
        ("Whom is July named after?", "July is named after Julius Caesar.", "Julius Caesar"),
        ("Who was not at the war?", "Caesar was not at the war.", "Caesar"),
        ("Until when was it open?", "It was open until 1932.", "1932"),
        ("How many people lived in Perth in 2010?", "In 2010, 5,000 people lived in Perth.", "5,000"),
        ("When was he born?", "He was born on May 4, 1776.", "May 4, 1776"),
        ("When was he born?", "He was born on 4 May 1776.", "4 May 1776"),
    ],
)
def test_what_a_sentence_adds(question: str, answer: str, short: str) -> None:
    assert short_answer(question, answer) == short


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Is Lima in Peru?", "Yes."),
        ("Is Lima in Peru?", "Lima is in Peru."),
        ("Who wrote Hamlet?", ""),
        ("Who wrote Hamlet?", "Shakespeare wrote Hamlet. He was born in Stratford."),
        ("Who wrote Hamlet?", "Hamlet, a play by Shakespeare, was first printed in 1603."),
        ("Is Perth in Queensland?", "No, Perth is not in Queensland."),
        ("Is Perth in Queensland?", "Perth is not in Queensland."),
        ("Is Perth larger than Lima?", "No, Perth is smaller than Lima."),
        ("Does it often rain in Lima?", "No, it hardly rains in Lima."),
        ("Is it in Peru?", "No, it is in Chile."),
        ("Which is larger, Lima or Quito?", "Lima is larger than Quito."),
        ("Which is larger, Lima or Quito?", "Quito is smaller than Lima."),
        ("Who founded Perth?", "Perth was not founded by Caesar."),
        ("Who founded Perth?", "Perth was perhaps founded by Caesar."),
        ("When did it open?", "It did not open until 1932."),
        ("When did it open?", "It opened after May 1932."),
        ("When did he die?", "He died before 1800."),
        ("How many people live in Perth?", "Fewer than 2.4 million people live in Perth."),
        ("How many people live in Perth?", "More than about 2.4 million people live in Perth."),
        ("How many people live in Perth?", "At least 2.4 million people live in Perth."),
        ("How many people live in Perth?", "Up to five people live in Perth."),
        ("What is it made of?", "It is made of iron, nickel and 5% carbon."),
        ("What is it made of?", "It is made of iron, 5% carbon and more."),
        ("What is it made of?", "It is made of iron and Kevlar."),
    ],
)
def test_where_it_cannot_be_told(question: str, answer: str) -> None:
    assert short_answer(question, answer) == ""
