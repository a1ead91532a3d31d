"""The share of samples that differ."""

from __future__ import annotations

from .scoring import answer, score, scores_of


def test_agreement_is_the_share_of_samples_that_differ() -> None:
    (found,) = scores_of("agreement", answer("The Danube.", "danube", "Danube!", "Rhine", "the Elbe"))
    assert found.value == 0.5
    assert found.sentences[0].per_sample == (0.0, 0.0, 1.0, 1.0)
    assert score("agreement", answer("...", "Vienna.")) == [(None, "the passage has no words")]
