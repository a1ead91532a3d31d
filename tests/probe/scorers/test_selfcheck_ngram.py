"""SelfCheck by an n-gram model of the samples, worked by hand."""

from __future__ import annotations

from math import log

import pytest

from selfstudy.probe.scorers.selfcheck_ngram import SelfCheckNgram
from selfstudy.records import Question

from .scoring import answer, scores_of

QUESTION = [Question(text="?")]


def test_unigrams_by_hand() -> None:
    # 3 words in the passage, 9 in all; "vienna" 2 of 9, else 3 of 9
    vienna = 1 - log(2) / log(9 / 3)
    one = answer("Vienna lies there.", "Vienna lies there.", "Graz lies there.")
    (found,) = scores_of("selfcheck-ngram", one)
    assert found.value == pytest.approx(vienna)
    assert found.parts == {"vienna": pytest.approx(vienna)}
    (mean,) = SelfCheckNgram(average=True).score(QUESTION, [one])
    assert mean.value == pytest.approx(vienna / 3)
    assert mean.parts == found.parts


def test_the_scale_is_that_of_minus_log_p() -> None:
    # "vienna" twice in a passage of 5 words, 3 times in all 12: its surprise lies between that of
    # 2 / 5 (every sample repeats the passage) and of 2 / 12 (none has the word)
    (found,) = SelfCheckNgram(average=True).score(
        QUESTION, [answer("Vienna, Vienna of my dreams.", "Vienna is grand", "Who knows such dreams")]
    )
    surprise = {"vienna": -log(3 / 12), "of": -log(1 / 12), "my": -log(1 / 12), "dreams": -log(2 / 12)}
    low = {word: -log((2 if word == "vienna" else 1) / 5) for word in surprise}
    high = {word: -log((2 if word == "vienna" else 1) / 12) for word in surprise}
    scaled = {word: (surprise[word] - low[word]) / (high[word] - low[word]) for word in surprise}
    expected = (2 * scaled["vienna"] + scaled["of"] + scaled["my"] + scaled["dreams"]) / 5
    assert found.value == pytest.approx(expected)


def test_bigrams_by_hand() -> None:
    # "lies" always follows "vienna", "vienna" begins 2 of 3 texts
    (found,) = SelfCheckNgram(n=2).score(
        QUESTION, [answer("Vienna lies there.", "Vienna lies there.", "Graz lies there.")]
    )
    assert found.value == pytest.approx(1 - log(2) / log(3))
    # the same words in another order are another thing
    swapped = answer("There lies Vienna.", "Vienna lies there.", "Vienna lies there.")
    assert SelfCheckNgram(n=2).score(QUESTION, [swapped])[0].value == 1.0
    assert SelfCheckNgram(n=1).score(QUESTION, [swapped])[0].value == 0.0


def test_the_ends_of_the_scale() -> None:
    same, other, wordless = scores_of(
        "selfcheck-ngram",
        answer("Vienna lies there.", *["Vienna lies there."] * 5),
        answer("Vienna lies there.", "Graz is here", "so be it"),
        answer("Vienna.", "", "..."),
    )
    assert (same.value, other.value, wordless.value) == (0.0, 1.0, 1.0)
    # "vienna" is more frequent than if the sample repeated the passage: 0, not less
    often = answer("Vienna lies.", "Vienna, Vienna, Vienna lies")
    (found,) = SelfCheckNgram(average=True).score(QUESTION, [often])
    assert found.value == pytest.approx((0 + 1 - log(2) / log(6 / 2)) / 2)


def test_a_sentence_without_words_is_left_out() -> None:
    found, nothing = scores_of("selfcheck-ngram", answer("Vienna. ?!", "Vienna"), answer("?!", "Vienna"))
    assert [s.value for s in found.sentences] == [0.0]
    assert (nothing.value, nothing.error) == (None, "the passage has no words")


def test_a_gram_has_a_word() -> None:
    with pytest.raises(ValueError, match="n is 0"):
        SelfCheckNgram(n=0)
