"""Questions and topics are taken out of whatever a model wraps them in."""

from __future__ import annotations

import json
import time

import pytest

from selfstudy.models.unwrapping import LONGEST, entries
from selfstudy.probe.questions import first_question
from selfstudy.probe.topics import parse_topics

ASKED = "Who painted the mural?"


@pytest.mark.parametrize(
    "reply",
    [
        '{"question": "Who painted the mural?"}',
        '{"Question": "Who painted the mural?", "answer": "Is it Ida Holm?"}',
        '{"topic": "the harbour", "question": "Who painted the mural?"}',
        '```json\n{"question": "Who painted the mural?"}\n```',
        '```\n{\n  "question": "Who painted the mural?"\n}\n```',
        "```text\nWho painted the mural?\n```",
        "~~~\nWho painted the mural?\n~~~",
        '```json {"question": "Who painted the mural?"} ```',
        'Sure, here is one:\n```json\n{"questions": [{"question": "Who painted the mural?"}]}\n```\nEnjoy!',
        '["Who painted the mural?"]',
        '[\n  "Who painted the mural?",\n  "When was it painted?"\n]',
        "['Who painted the mural?']",
        "{'question': 'Who painted the mural?'}",
        '{"question": "Who painted the mural?"',
        '{"question": "Who painted the mural?',
        '{"q1": "Who painted the mural?", "q2": "When?"}',
        '{"output": {"id": 3, "question": "Who painted the mural?"}}',
        'Question: {"question": "Who painted the mural?"}',
        "Question: Who painted the mural?",
        "**Question:** Who painted the mural?",
        "**Question 1:** *Who painted the mural?*",
        "### Question\n\nWho painted the mural?",
        "Q: Who painted the mural?\nA: Nobody knows.",
        "Pregunta: Who painted the mural?",
        "1. **Who painted the mural?**",
        "1) Who painted the mural?\n2) When was it painted?",
        "(1) Who painted the mural?",
        "a) Who painted the mural?",
        "- Who painted the mural?",
        "* **Question 2:** 1) Who painted the mural?",
        "> Who painted the mural?",
        "`Who painted the mural?`",
        "“Who painted the mural?”",
        "«Who painted the mural?»",
        "„Who painted the mural?“",
        "<question>Who painted the mural?</question>",
        "Here is a question: Who painted the mural?",
        "Sure! Here's a question you could ask:\n\nWho painted the mural?",
        "Certainly: Who painted the mural?",
    ],
)
def test_a_question_is_unwrapped(reply: str) -> None:
    assert first_question(reply) == ASKED


@pytest.mark.parametrize(
    ("reply", "question"),
    [
        ('{"question": "What does \\"fjord\\" mean?"}', 'What does "fjord" mean?'),
        ('{"question": "\\u8c01\\u5efa\\u4e86\\u6865\\uff1f"}', "谁建了桥？"),
        ('{"问题": "谁建了桥？", "答案": "林德"}', "谁建了桥？"),
        ("问题：谁建了桥？", "谁建了桥？"),
        ("Вопрос: Кто построил мост?", "Кто построил мост?"),
        ("1. ใครสร้างสะพานแห่งนี้", "ใครสร้างสะพานแห่งนี้"),
        ("What is 2**3 in Python?", "What is 2**3 in Python?"),
        ('What does {"a": 1} mean in JSON?', 'What does {"a": 1} mean in JSON?'),
        ("Which is colder, -5 or -15 degrees?", "Which is colder, -5 or -15 degrees?"),
        ("In which year did A. B. Lind die?", "In which year did A. B. Lind die?"),
        ('[1] Who said "hi"?', '[1] Who said "hi"?'),
    ],
)
def test_what_belongs_to_a_question_stays(reply: str, question: str) -> None:
    assert first_question(reply) == question


@pytest.mark.parametrize(
    "reply",
    [
        '["Lind bridge", "Torvik ferry", "salt trade"]',
        '```json\n["Lind bridge", "Torvik ferry", "salt trade"]\n```',
        '{"topics": ["Lind bridge", "Torvik ferry", "salt trade"]}',
        '{"topic1": "Lind bridge", "topic2": "Torvik ferry", "topic3": "salt trade"}',
        '{"1": "Lind bridge", "2": "Torvik ferry", "3": "salt trade"}',
        '[{"topic": "Lind bridge", "why": "old"}, {"topic": "Torvik ferry"}, {"topic": "salt trade"}]',
        '[{"area": "Lind bridge", "why": "x"}, {"area": "Torvik ferry"}, {"area": "salt trade", "why": "y"}]',
        "['Lind bridge', 'Torvik ferry', 'salt trade']",
        '{"topics": ["Lind bridge", "Torvik ferry", "salt trade',
        "Topics: Lind bridge, Torvik ferry, salt trade",
        "Sure! Here are three:\n1. **Lind bridge**\n2. **Torvik ferry**\n3. **salt trade**\n\nTell me more!",
        "Topic 1: Lind bridge\nTopic 2: Torvik ferry\nTopic 3: salt trade",
        "**Topics**:\n- Lind bridge\n- Torvik ferry\n- salt trade",
        "Here are three topics: Lind bridge; Torvik ferry; salt trade",
    ],
)
def test_topics_are_unwrapped(reply: str) -> None:
    assert parse_topics(reply) == ("Lind bridge", "Torvik ferry", "salt trade")


@pytest.mark.parametrize(
    ("reply", "topics"),
    [
        ("主题：丝绸之路、长城、茶", ("丝绸之路", "长城", "茶")),
        ("1. 3. Liga\n2. C#\n3. 1984", ("3. Liga", "C#", "1984")),
        ("[]", ()),
        ("{}", ()),
        ("```json\n```", ()),
    ],
)
def test_other_topics(reply: str, topics: tuple[str, ...]) -> None:
    assert entries(reply, "topic") == list(topics) or parse_topics(reply) == topics


@pytest.mark.parametrize(
    "hostile",
    ["[" * 10**6, '{"' * 10**6, "1. " * 10**6, '["' + " " * 10**6, '[",' * 10**6, "`" * 10**6, "**a" * 10**6,
     '{"question": "' + "\\" * 10**6, "[ " * 10**6 + '"', "Q: " * 10**6, json.dumps(["a?"] * 10**5)],
)  # fmt: skip
def test_any_reply_is_read_in_no_time(hostile: str) -> None:
    start = time.process_time()
    entries(hostile, "question")
    entries(hostile, "topic")
    assert time.process_time() - start < 1
    assert len(hostile) > LONGEST


@pytest.mark.parametrize(
    "reply",
    [
        '"question": "Who painted the mill?"',
        '<json>{"question": "Who painted the mill?"}</json>',
        "{“question”: “Who painted the mill?”}",
        '{"question": "Who painted\\nthe mill?"}',
        '{"question": "", "text": "Who painted the mill?"}',
        '```python\nquestion = "Who painted the mill?"\n```',
        'print("Who painted the mill?")',
        "\\boxed{Who painted the mill?}",
        "$\\text{Who painted the mill?}$",
        "<|start|>Who painted the mill?<|end|>",
        "<p>Who painted the mill?</p>",
    ],
)
def test_other_wrappings(reply: str) -> None:
    assert entries(reply, "question") == ["Who painted the mill?"]


def test_quotes_within_and_empty_json() -> None:
    assert entries('{"question": "“Who” painted it?"}', "question") == ["“Who” painted it?"]
    assert entries('{"question": null}', "question") == []
    assert entries("1. **Mills**: they grind\n2. **Dams** - they hold", "topic") == ["Mills", "Dams"]


def test_facts_are_the_strings_of_a_list_or_its_items() -> None:
    assert entries('["A is B.", "C is 1."]', "fact") == ["A is B.", "C is 1."]
    assert entries('[{"id": "3", "fact": "A is B.", "sentence_id": "x"}]', "fact") == ["A is B."]
    assert entries("Here they are:\n- A is B.\n- C is 1.\nDone.", "fact") == ["A is B.", "C is 1."]
    assert entries("[]", "fact") == []
