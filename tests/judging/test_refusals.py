"""Replies without an answer, in the forms that models give them, and answers that look like one."""

from __future__ import annotations

import pytest

from selfstudy.judging.refusals import is_refusal, knows_nothing


@pytest.mark.parametrize(
    "reply",
    [
        "I don't know.",
        "I do not know",
        "I don’t know the answer to that question.",
        "I really don't know.",
        "I'm sorry, but I don't know.",
        "I am sorry, I cannot answer that.",
        "Sorry, I can't say.",
        "I'm not sure.",
        "I am not certain about that.",
        "I have no idea.",
        "I do not have enough information to answer.",
        "I'm unable to determine that from the text.",
        "The document does not say.",
        "The document doesn't say.",
        "the document does not say",
        "The document does not mention the capital.",
        "Unfortunately, the provided text does not contain this information.",
        "The passage provided does not specify when.",
        "This document gives no answer.",
        "There is no information about it in the document.",
        "There is no mention of it.",
        "No answer.",
        "No information provided.",
        "Not mentioned in the document.",
        "It is not stated.",
        "The answer is not in the document.",
        "It cannot be determined from the document.",
        "Unknown",
        "unknown.",
        "N/A",
        "The answer is unknown.",
        "Not applicable.",
        "The document does not say. Rome is the capital of Italy.",
    ],
)
def test_refusals(reply: str) -> None:
    assert is_refusal(reply)


@pytest.mark.parametrize(
    "reply",
    [
        "Rome.",
        "The capital is Rome.",
        "No, it is Rome.",
        "None of them lives there.",
        "It is not known who built it.",
        "It is unknown to most people that Rome is older.",
        "The treaty does not mention slavery.",
        "I don't know much about Italy, but the capital is Rome.",
        "No other city is as old.",
        "The unknown soldier.",
        "Not far from Rome.",
        "Not only Rome.",
        "The Unknown Pleasures album.",
        "Rome. The document does not say more.",
        "He said that he did not know.",
        "",
        "42",
    ],
)
def test_answers(reply: str) -> None:
    assert not is_refusal(reply)


def test_who_has_no_answer_of_its_own() -> None:
    assert knows_nothing("It is Rome.", inconsistent=True)
    assert knows_nothing("I don't know.", inconsistent=False)
    assert not knows_nothing("It is Rome.", inconsistent=False)
    assert not knows_nothing("", inconsistent=False)
