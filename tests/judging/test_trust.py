"""The Trust-Score against numbers worked by hand, refusals by their sentence, and forgiven citations."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfstudy.judging.citations import Citation, CitedAnswer, JudgedCitation, JudgedStatement, Statement
from selfstudy.judging.trust import (
    REFUSAL,
    REFUSAL_BEGINNING,
    TrustItem,
    TrustScore,
    answerable,
    citation_precision,
    held,
    refuses,
    right_citations,
    trust_score,
)

RIGHT = TrustItem(answerable=True, refused=False, correctness=1, plain_correctness=1, recall=1, precision=1)
"""Answerable, answered, all right and cited."""
REFUSED = TrustItem(answerable=False, refused=True, correctness=0, plain_correctness=0, recall=0, precision=0)
"""Unanswerable and refused."""


def parts(score: TrustScore) -> list[float]:
    """All that lies in [0, 1]."""
    pairs = (score.refusal, score.answering, score.correctness, score.citations)
    shares = [value for pair in pairs for value in (pair.recall, pair.precision, pair.f1)]
    return [*shares, score.grounded_refusal, score.trust_score, score.answered_ratio]


def test_numbers_worked_by_hand() -> None:
    score = trust_score(
        [
            replace(RIGHT, correctness=0.5, plain_correctness=0.25, recall=1, precision=0.5),
            replace(RIGHT, correctness=1, plain_correctness=1, recall=0.5, precision=0.5),
            replace(RIGHT, refused=True),  # too careful
            replace(REFUSED, refused=False, correctness=1, plain_correctness=1, recall=0, precision=0.2),
            REFUSED,
            REFUSED,
        ]
    )
    # unanswerable 3, of these refused 2; refused 3, of these unanswerable 2
    assert (score.refusal.recall, score.refusal.precision) == (2 / 3, 2 / 3)
    # answerable 3, of these answered 2; answered 3, of these answerable 2
    assert (score.answering.recall, score.answering.precision) == (2 / 3, 2 / 3)
    assert score.grounded_refusal == pytest.approx(2 / 3)
    # .5 + 1 + 0 over the three answerable, .5 + 1 + 0 over the three answered
    assert (score.correctness.recall, score.correctness.precision) == (0.5, 0.5)
    assert score.correctness.f1 == 0.5
    assert score.citations.recall == 0.5
    assert score.citations.precision == pytest.approx(0.4)
    assert score.citations.f1 == pytest.approx(4 / 9)  # 2 * .5 * .4 / .9
    assert score.trust_score == pytest.approx((2 / 3 + 1 / 2 + 4 / 9) / 3)
    assert score.answered_ratio == 0.5
    assert score.parametric_knowledge == pytest.approx((0.25 + 1 + 1 + 1 - 1.5) / 6)


def test_alpha_is_over_what_is_answered_and_beta_over_what_is_answerable() -> None:
    score = trust_score([RIGHT, replace(RIGHT, refused=True), *[replace(REFUSED, refused=False)] * 3])
    assert score.correctness.precision == 1 / 4
    assert score.correctness.recall == 1 / 2
    assert score.correctness.f1 == pytest.approx(1 / 3)


def test_f1_of_citations_is_of_the_means() -> None:
    score = trust_score([replace(RIGHT, recall=1, precision=0), replace(RIGHT, recall=0, precision=1)])
    assert score.citations.f1 == 0.5  # the mean of the two F1 would be 0


def test_all_refused() -> None:
    score = trust_score([replace(RIGHT, refused=True), REFUSED, REFUSED, REFUSED])
    assert (score.correctness.f1, score.citations.f1, score.answering.f1) == (0, 0, 0)
    assert score.refusal.f1 == pytest.approx(6 / 7)  # recall 1, precision 3 / 4
    assert score.grounded_refusal == score.refusal.f1 / 2
    assert score.answered_ratio == 0


def test_always_answering_has_one_half_only() -> None:
    score = trust_score([RIGHT, RIGHT, RIGHT, replace(REFUSED, refused=False)])
    assert score.refusal.f1 == 0
    assert score.answering.f1 == pytest.approx(6 / 7)


def test_all_right_cited_and_refused_exactly_when_unanswerable() -> None:
    score = trust_score([RIGHT, RIGHT, REFUSED])
    *shares, answered = parts(score)
    assert set(shares) == {1}
    assert answered == 2 / 3
    assert score.parametric_knowledge == 0


def test_without_questions_all_is_0() -> None:
    score = trust_score([])
    assert set(parts(score)) == {0}
    assert score.parametric_knowledge == 0


SHARES = st.floats(0, 1)


@given(st.lists(st.builds(TrustItem, st.booleans(), st.booleans(), SHARES, SHARES, SHARES, SHARES)))
def test_all_lies_between_0_and_1(items: list[TrustItem]) -> None:
    score = trust_score(items)
    assert all(0 <= value <= 1 for value in parts(score))
    assert -1 <= score.parametric_knowledge <= 1


def test_what_the_documents_hold_together() -> None:
    assert held([[0, 1, 0], [0, 1, 1], [0, 0, 0]]) == {1, 2}
    assert answerable([[0, 0], [0, 1]])
    assert not answerable([[0, 0], [0, 0]])
    assert not answerable([])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (REFUSAL, True),
        (REFUSAL.upper(), True),
        (REFUSAL.replace("'", "’"), True),
        (f"Well. {REFUSAL}\nQuestion: who built it?", True),
        ("I apologize, but I could not find any answer in these documents.", True),  # 91.7
        ("I couldn't find an answer", True),
        ("I'm sorry, I couldn't find an answer.", False),  # 84.6: another wording is an answer
        ("I don't know.", False),
        ("I apologize, but the documents do not say.", False),
        ("Rome was founded in 753 BC [1].", False),
        ("in", False),  # letters of the sentence: 100 in the published matcher
        ("An answer", False),
        ("", False),
        ("日本の首都は東京です。", False),
    ],
)
def test_a_refusal_is_recognised_by_its_sentence(text: str, expected: bool) -> None:
    assert refuses(text) == expected


def test_another_sentence_and_none() -> None:
    assert refuses("Keine Antwort gefunden!", "Keine Antwort gefunden.")
    assert not refuses(REFUSAL, "Keine Antwort gefunden.")
    assert not refuses("", "")
    assert not refuses("Rome", "")


def test_only_the_beginning_of_a_long_output_is_looked_at() -> None:
    assert refuses(f"{'so ' * 1_000}{REFUSAL_BEGINNING}")
    assert not refuses(f"{'so ' * 70_000}{REFUSAL_BEGINNING}")


def statement(*marks: tuple[int, bool], supported: bool = True) -> JudgedStatement:
    """One with these (number, right)."""
    cited = tuple(JudgedCitation(Citation(number, 0, 0), right, "") for number, right in marks)
    return JudgedStatement(
        Statement("So it is.", 0, 0, tuple(one.citation for one in cited)), supported, "", cited
    )


@pytest.mark.parametrize(
    ("marks", "holds", "expected"),
    [
        ([(1, True), (2, False)], [{0}, {0}], [True, True]),  # both hold the first gold answer
        ([(1, True), (2, False)], [{0}, {1}], [True, False]),
        ([(1, True), (2, False)], [{0}, set()], [True, False]),
        ([(1, True), (2, False)], [set(), set()], [True, False]),
        ([(1, True), (2, False), (3, False)], [{0}, {1}, {1, 2}], [True, True, True]),
        ([(3, True), (1, False)], [{0}, {1}, {0, 1}], [True, True]),  # by number, not by place
        ([(1, False), (1, False), (2, True)], [{0}, {1}], [False, False, True]),  # not by itself
        ([], [{0}], []),
    ],
)
def test_a_citation_is_forgiven_for_a_gold_answer_shared(
    marks: list[tuple[int, bool]], holds: list[set[int]], expected: list[bool]
) -> None:
    assert right_citations(statement(*marks), holds) == expected


def test_nothing_of_an_unsupported_statement_is_forgiven() -> None:
    assert right_citations(statement((1, False), (2, False), supported=False), [{0}, {0}]) == [False, False]


def test_the_precision_of_an_answer_is_over_all_its_citations() -> None:
    answer = CitedAnswer(
        (
            statement((1, True), (2, False)),
            statement((1, True), (3, False)),
            statement((3, False), supported=False),
        )
    )
    assert answer.precision == 2 / 5
    assert citation_precision(answer, [{0}, {0}, {1}]) == 3 / 5
    assert citation_precision(CitedAnswer(), [{0}]) == 0
