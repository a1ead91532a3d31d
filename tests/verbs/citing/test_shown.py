"""What a person sees of a cited answer."""

from __future__ import annotations

import pytest

from selfstudy.judging import citations
from selfstudy.judging.trust import REFUSAL
from selfstudy.verbs.citing import shown
from selfstudy.verbs.citing.answering import NOTHING_FOUND, AnsweredQuestion, CitedStatement
from selfstudy.verbs.citing.evaluating import statement_rows
from tests.judging.test_citations import Entails

DOCS = ({"title": "Rome", "text": "Rome is old.", "source": "rome.txt"}, {"title": "", "text": "It is big."})


def checked(text: str) -> AnsweredQuestion:
    judge = Entails(lambda premise, statement: statement in premise)
    (cited,) = citations.judge([(citations.sentences(text), [str(one["text"]) for one in DOCS])], judge)
    rows = [CitedStatement.model_validate(row) for row in statement_rows(cited)]
    return AnsweredQuestion(id="1", docs=DOCS, output=text, statements=tuple(rows))


def test_sources_stand_under_the_answer() -> None:
    answer = AnsweredQuestion(id="1", docs=DOCS, output="Rome is old [2][1][7]. It is big [2].", cut=True)
    assert list(shown.below(answer)) == [
        "[1] Rome (rome.txt)",
        "[2] It is big.",
        "[7]: no such document; 2 were shown",
        "it was cut at the limit of tokens: --max-new-tokens takes a longer one",
    ]


@pytest.mark.parametrize(
    ("document", "line"),
    [
        ({"title": "A\nB", "url": "http://x"}, "[3] A B (http://x)"),
        ({"title": "A", "source": "", "id": 9}, "[3] A (9)"),
        ({"source": "a.txt"}, "[3] a.txt"),
        ({"title": "A"}, "[3] A"),
    ],
)
def test_a_source_is_a_line(document: dict[str, object], line: str) -> None:
    assert shown.source(3, document) == line


def test_what_is_not_supported_is_marked_where_it_stands() -> None:
    text = "Rome is old. [1] It is small [2]. So they say."
    assert shown.text(checked(text)) == (
        "Rome is old. [1] It is small [2]. (not supported by what it cites) So they say. (cites nothing)"
    )


def test_what_is_no_answer_is_said() -> None:
    assert shown.text(AnsweredQuestion(id="1", error="down")) == "[no answer: down]"
    assert shown.text(AnsweredQuestion(id="1")) == "[an empty answer]"
    plain = AnsweredQuestion(id="1", docs=DOCS, output="Rome is old.")
    assert list(shown.below(plain)) == ["it cites nothing"]
    refused = AnsweredQuestion(id="1", output=REFUSAL, refused=NOTHING_FOUND)
    assert list(shown.below(refused)) == [f"refused: {NOTHING_FOUND}"]
    assert list(shown.below(AnsweredQuestion(id="1", docs=DOCS, output=REFUSAL))) == []


def test_many_answers_are_summed_up() -> None:
    some = [
        AnsweredQuestion(id="1", docs=DOCS, output="Rome is old [9].", unshown=2),
        AnsweredQuestion(id="2", output=REFUSAL, refused=NOTHING_FOUND),
        AnsweredQuestion(id="3", docs=DOCS, output=REFUSAL),
        AnsweredQuestion(id="4", error="down"),
        checked("Rome is old. [1] It is small [2]."),
    ]
    assert list(shown.summary(some)) == [
        "4 of 5 questions have an answer",
        f"2 of them the refusal: 1 {NOTHING_FOUND}; 1 by the model",
        "1 of 2 statements are supported by what they cite",
        "1 cite a document that was not shown",
        "1 were shown fewer documents, for the model reads no more",
    ]
