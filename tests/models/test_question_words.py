"""Which stored question a text asks for, by its words."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfstudy.models.question_words import QuestionWords, Worded, names, words

NIGER = ("What is the capital of Niger?", "Niger has which capital city?")
OTHERS = ("What is the capital of Togo?", "What is the currency of Togo?", "What is the size of Mali?")


def stored() -> QuestionWords:
    return QuestionWords([Worded.of(NIGER), *(Worded.of([one]) for one in OTHERS)])


def test_words_are_told_apart_whole_and_whatever_their_case() -> None:
    assert words("What is NIGER's capital?") == words("what is niger capital")
    assert "niger" not in words("Nigeria, Guinea-Bissau")
    assert words("«?!»") == frozenset()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Nigeria lies where?", set()),  # any sentence begins so
        ("Where is Nigeria? Tell me.", {"nigeria"}),
        ("where is nigeria in 1998?", {"1998"}),
        ("WHERE IS NIGERIA?", set()),
        ("Where am I in (Papua New Guinea)?", {"papua", "new", "guinea"}),
        ("尼日尔的首都是什么?", set()),
        ("", set()),
    ],
)
def test_names_are_capitals_within_a_sentence_and_numbers(text: str, expected: set[str]) -> None:
    assert names(text) == expected


def test_what_all_wordings_have_tells_a_question() -> None:
    assert Worded.of(NIGER).always == {"capital", "niger"}
    assert Worded.of(NIGER).sometimes == {"what", "is", "of", "has", "which", "city"}
    assert Worded.of(["Fiji?", "Suva!"]).always == {"fiji"}, "no word in both: those of the first"


def test_a_text_covers_the_rare_words_or_it_does_not() -> None:
    niger, nigeria = stored().covers([words("In niger, which capital?"), words("The capital of Nigeria?")])
    assert niger[0] == pytest.approx(1)
    assert nigeria[0] < 0.5, "the rare word is missing, and the common one weighs little"
    assert stored().cover(words("capital of Niger"), Worded.of(NIGER)) == pytest.approx(1)


def test_who_names_something_else_is_foreign() -> None:
    texts = [names("Is the capital of Niger like Lagos?"), names("The capital of Niger?"), frozenset({"of"})]
    found = stored().foreign(texts)
    assert found[0].all()
    assert found[1].tolist() == [False, True, True, True]
    assert not found[2].any(), "a common word is no name, however it is written"


def test_the_rarest_word_tells_what_a_question_is_about() -> None:
    assert stored().rarest(0) == "niger"
    assert stored().having("togo").tolist() == [1, 2]
    assert stored().having("nowhere").tolist() == []


def test_one_question_alone_is_covered_by_its_words() -> None:
    alone = QuestionWords([Worded.of(["Niger?"])])
    assert alone.covers([words("Niger"), words("Mali")])[:, 0].tolist() == [1.0, 0.0]


@given(st.lists(st.text(max_size=40), min_size=1, max_size=5), st.text(max_size=60))
def test_any_text_is_covered_by_some_share(questions: list[str], text: str) -> None:
    found = QuestionWords([Worded.of([one]) for one in questions])
    cover = found.covers([words(text)])
    assert ((cover >= 0) & (cover <= 1 + 1e-5)).all()
    assert found.foreign([names(text)]).shape == (1, len(questions))


def test_a_long_text_takes_linear_time() -> None:
    started = time.perf_counter()
    for text in ("a" * 100_000, "A's " * 30_000, "'’" * 50_000, "Niger " * 30_000):
        names(text), words(text)
    assert time.perf_counter() - started < 5
