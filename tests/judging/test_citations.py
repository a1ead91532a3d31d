"""Statements, their marks, and what of them is supported: on ALCE's demonstrations and on small cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfstudy.judging import citations
from selfstudy.judging.citations import CitedAnswer


class Entails:
    """Decides by a function of premise and hypothesis, and keeps what it was asked."""

    name = "scripted"

    def __init__(self, entails: Callable[[str, str], bool]) -> None:
        self._entails = entails
        self.asked: list[list[tuple[str, str]]] = []

    def probabilities(self, pairs: Any, progress: Any = None) -> Any:
        raise AssertionError("only classes are asked for")

    def classes(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        self.asked.append(list(pairs))
        return ["entailment" if self._entails(*pair) else "neutral" for pair in pairs]


def judged(answer: str, documents: Sequence[str], entails: Callable[[str, str], bool]) -> CitedAnswer:
    (found,) = citations.judge([(citations.sentences(answer), documents)], Entails(entails))
    return found


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Rome is big [1]. It is old [2][3].", [("Rome is big.", [1]), ("It is old.", [2, 3])]),
        ("Rome is big. [1] It is old. [2]", [("Rome is big.", [1]), ("It is old.", [2])]),
        ("Rome is big.[1] It is old.[2]", [("Rome is big.", [1]), ("It is old.", [2])]),
        (
            "He died in 632 A.D. [1][2]. So they say [3].",
            [("He died in 632 A.D..", [1, 2]), ("So they say.", [3])],
        ),
        ("In the U.S. [1] it is so.", [("In the U.S. it is so.", [1])]),
        ("Rome is big. [1] | It is old. [2]", [("Rome is big.", [1]), ("It is old.", [2])]),
        ("1. Rome is big [1]. ^[2]", [("Rome is big.", [1, 2])]),
        (". [2] Rome is big.[1]]", [("Rome is big.", [2, 1])]),
        ("[2] Rome is big.", [("Rome is big.", [2])]),
        ("Rome is big.", [("Rome is big.", [])]),
        ("Rome is big [1, 2].", [("Rome is big, 2.", [1])]),  # as the published evaluator reads it
        ("Rome is big [12", [("Rome is big", [12])]),
        ("[1][2]", []),
        ("", []),
    ],
)
def test_a_mark_belongs_to_what_stands_before_it(answer: str, expected: list[tuple[str, list[int]]]) -> None:
    found = citations.sentences(answer)
    assert [(one.text, [mark.number for mark in one.citations]) for one in found] == expected


def test_the_place_of_a_statement_and_of_its_marks() -> None:
    answer = "Rome is big. [1] It is old [23]."
    first, second = citations.sentences(answer)
    assert answer[first.start : first.end] == "Rome is big. [1]"
    assert answer[second.start : second.end] == "It is old [23]."
    assert [answer[one.start : one.end] for one in (*first.citations, *second.citations)] == ["[1]", "[23]"]


@given(
    st.lists(
        st.sampled_from(
            ["Rome is big", " [1]", "[2]", ".", " ", "\n", "It", "[", "]", "ö", "日本。", "😀", "[0]"]
        )
    )
)
def test_every_mark_is_of_one_statement_and_places_are_in_order(parts: list[str]) -> None:
    answer = "".join(parts)
    found = citations.sentences(answer)
    marks = [mark for one in found for mark in one.citations]
    assert all(answer[mark.start] == "[" for mark in marks)
    if found:
        assert len(marks) == len(citations._MARK.findall(answer))
    assert [mark.start for mark in marks] == sorted(mark.start for mark in marks)
    ends = [0, *(one.end for one in found)]
    for before, one in zip(ends, found, strict=False):
        assert before <= one.start < one.end <= len(answer)


def test_the_items_of_a_list_are_read_behind_the_question() -> None:
    answer = "Marazan [1], Stephen Morris [2],, On the Beach [3]. "
    found = citations.items(answer, "Which books?")
    assert [(one.text, [mark.number for mark in one.citations]) for one in found] == [
        ("Which books? Marazan", [1]),
        ("Which books? Stephen Morris", [2]),
        ("Which books?", []),
        ("Which books? On the Beach", [3]),
    ]
    assert [answer[one.start : one.end] for one in found] == [
        "Marazan [1]",
        "Stephen Morris [2]",
        "",
        "On the Beach [3]",
    ]
    assert [answer[mark.start : mark.end] for one in found for mark in one.citations] == ["[1]", "[2]", "[3]"]


DOCUMENTS = ("Title: a\nx", "Title: b\ny", "Title: c\nz")


@pytest.mark.parametrize(
    ("marks", "supporting", "supported", "right"),
    [
        ("", "x", False, []),
        (" [1]", "x", True, [True]),
        (" [1]", "y", False, [False]),
        (" [4]", "x", False, []),  # none of the three
        (" [0]", "z", False, []),
        (" [1][9]", "x", False, []),
        (" [99999999999999999999]", "x", False, []),
        (" [1][2]", "x", True, [True, False]),  # the second is not needed
        (" [1][2]", "xy", True, [True, True]),  # only both together
        (" [1][2]", "x|y", True, [True, True]),  # each alone
        (" [1][2][3]", "xy", True, [True, True, False]),
        (" [3][2][1][2]", "z", True, [True, False, False]),  # the fourth is not judged
        (" [2][3][2][1]", "x", False, [False] * 3),
        (" [1][1]", "x", True, [True, True]),
    ],
)
def test_what_is_supported_and_which_citations_are_right(
    marks: str, supporting: str, supported: bool, right: list[bool]
) -> None:
    def entails(premise: str, hypothesis: str) -> bool:
        assert hypothesis == "So it is."
        texts = premise.split("\n")[1::2]
        return any(set(one) <= set(texts) for one in supporting.split("|"))

    (one,) = judged(f"So it is{marks}.", DOCUMENTS, entails).statements
    assert one.supported == supported
    assert [mark.right for mark in one.citations] == right
    assert one.why


def test_shares_of_an_answer() -> None:
    found = judged(
        "It is [1]. So it was [2][1]. It is not. It has been [7].",
        DOCUMENTS,
        lambda premise, text: "x" in premise,
    )
    assert found.recall == 2 / 4
    assert found.precision == 2 / 3  # of [1], [2] and [1]: [2] is not needed, [7] is in no mean
    nothing = judged("", DOCUMENTS, lambda premise, text: True)
    assert (nothing.recall, nothing.precision) == (0, 0)


def test_all_answers_are_asked_together_and_each_pair_once_a_statement() -> None:
    model = Entails(lambda premise, text: "x" in premise)
    answers = [(citations.sentences(f"It is {n} [1][2][3]. So it is [1]."), DOCUMENTS) for n in range(5)]
    found = citations.judge(answers, model)
    assert len(found) == 5
    assert [len(asked) for asked in model.asked] == [10, 15, 10]


def test_few_pairs_are_in_memory_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(citations, "_LARGEST", 100)
    model = Entails(lambda premise, text: premise == "a")
    assert list(citations.labels((("ab"[n % 2], "x" * 30) for n in range(9)), model)) == [
        "entailment" if n % 2 == 0 else "neutral" for n in range(9)
    ]
    assert [len(asked) for asked in model.asked] == [4, 4, 1]


def test_a_document_cited_twice_is_asked_once() -> None:
    model = Entails(lambda premise, text: True)
    citations.judge([(citations.sentences("It is [1][1]."), DOCUMENTS)], model)
    assert [len(asked) for asked in model.asked] == [1, 1]


def test_no_number_is_an_error_and_no_score() -> None:
    class Broken(Entails):
        def classes(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
            return ["" if "bad" in text else "entailment" for _, text in pairs]

    answers = [(citations.sentences(text), DOCUMENTS) for text in ("Good [1].", "Good [1]. So bad [1].")]
    good, bad = citations.judge(answers, Broken(lambda premise, text: True))
    assert good.recall == 1
    assert bad.error is not None
    assert "So bad" in bad.error
    assert not bad.statements


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("A [1].<|im_end|>", "A [1]."),
        (" A [1]. <|im_end|> B [2].\nC", "A [1]."),
        ("<|im_end|>A [1].", ""),
        ("\n A [1]. \r\nB<|im_end|>", "A [1]."),
        (" ", ""),
    ],
)
def test_an_output_ends_at_its_tag_and_places_are_those_of_what_is_judged(output: str, line: str) -> None:
    start, end = citations.first_line(output)
    assert output[start:end] == citations.said(output) == line


def test_what_is_judged_of_an_output_is_its_first_line() -> None:
    assert citations.said("  A [1].\nQuestion: b ") == "A [1]."
    assert citations.without_marks("A [1][2] | b [3].") == "A b."
