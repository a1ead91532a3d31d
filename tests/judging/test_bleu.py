"""BLEU worked by hand, and as sacrebleu has it."""

from __future__ import annotations

import math

import pytest
import sacrebleu

from selfstudy.judging.bleu import bleu, corpus_bleu, is_here

TEXTS = ["the cat sat on the mat", "there is a dog in the garden", "no"]
REFERENCES = [
    ["the cat sat on a mat", "a cat was sitting on the mat"],
    ["a dog is in the garden"],
    ["yes", "no"],
]


def test_worked_by_hand() -> None:
    """5 of 6 words, 3 of 5 pairs, 2 of 4 threes, 1 of 3 fours; as long as the reference."""
    by_hand = math.exp(sum(map(math.log, (5 / 6, 3 / 5, 2 / 4, 1 / 3))) / 4)
    assert bleu("the cat sat on the mat", ["the cat sat on a mat"]) == pytest.approx(by_hand)


def test_a_short_text_is_punished_by_its_length() -> None:
    """All of its runs are there: only exp(1 - 6 / 4) is left."""
    assert bleu("the cat sat on", ["the cat sat on the mat"]) == pytest.approx(math.exp(1 - 6 / 4))


def test_short_texts_are_not_zero() -> None:
    assert bleu("no", ["no"]) == pytest.approx(1)
    assert bleu("", ["no"]) == 0


def test_of_a_corpus_as_sacrebleu_has_it() -> None:
    streams = [
        ["the cat sat on a mat", "a dog is in the garden", "yes"],
        ["a cat was sitting on the mat", None, "no"],
    ]
    assert is_here()
    expected = sacrebleu.corpus_bleu(TEXTS, streams).score / 100
    assert corpus_bleu(TEXTS, REFERENCES) == pytest.approx(expected)
    mean = sum(bleu(text, some) for text, some in zip(TEXTS, REFERENCES, strict=True)) / 3
    assert corpus_bleu(TEXTS, REFERENCES) != pytest.approx(mean, abs=0.01)


def test_nothing_to_compare() -> None:
    with pytest.raises(ValueError, match="no reference"):
        bleu("a", [])
    with pytest.raises(ValueError, match="no text"):
        corpus_bleu([], [])


def test_a_huge_text_is_cut() -> None:
    assert 0 <= bleu("word " * 200_000, ["word " * 200_000]) <= 1
