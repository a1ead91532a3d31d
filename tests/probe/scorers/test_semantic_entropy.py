"""Entropy of meanings, worked by hand and derived again plainly."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfstudy.probe.scorers.semantic_entropy import (
    SemanticEntropy,
    cluster_meanings,
    cluster_probabilities,
    entropy,
)
from selfstudy.records import Question, digest

from .scoring import answer, loaded, scores_of
from .test_predictive_entropy import weighted


class Entails:
    """An entailment model that knows which (premise, hypothesis) pairs hold; the question is cut off."""

    name = "entails"

    def __init__(self, holds: Any, question: str = "Q") -> None:
        self.holds = holds
        self.question = question
        self.calls: list[list[tuple[str, str]]] = []

    def classes(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        self.calls.append(list(pairs))
        return [self._one(*(text.partition(" ")[2] for text in pair)) for pair in pairs]

    def _one(self, premise: str, hypothesis: str) -> str:
        found = self.holds(premise, hypothesis)
        return {True: "entailment", False: "neutral", None: ""}[found]

    def probabilities(self, pairs: Any, progress: Any = None) -> Any:
        raise AssertionError("entailment is the most probable of all classes")


def meaning(text: str) -> str:
    return text[0]


def same(premise: str, hypothesis: str) -> bool:
    return meaning(premise) == meaning(hypothesis)


def test_clusters_by_hand() -> None:
    nli = Entails(same)
    (found,) = cluster_meanings(["Q"], [["a1", "b1", "a2", "a1", "c1", "b2"]], nli)
    assert found == (0, 1, 0, 0, 2, 1)
    assert nli.calls[0][:2] == [("Q a1", "Q b1"), ("Q b1", "Q a1")]
    # a1 with b1 a2 c1 b2, b1 with c1 b2, both ways, in two waves; c1 is alone by then
    assert [len(call) for call in nli.calls] == [8, 4]


def test_entailment_one_way_is_not_the_same_meaning() -> None:
    longer = Entails(lambda premise, hypothesis: len(premise) >= len(hypothesis))
    assert cluster_meanings(["Q"], [["Vienna in Austria", "Vienna", "Austria"]], longer) == [(0, 1, 2)]


def test_equal_texts_need_no_model() -> None:
    nli = Entails(same)
    assert cluster_meanings(["Q", "R"], [["x"] * 5, []], nli) == [(0,) * 5, ()]
    assert nli.calls == []


def test_waves_go_over_all_questions() -> None:
    nli = Entails(same)
    texts = [["a1", "b1", "c1"], ["a1", "b1"], ["a1", "a2"]]
    assert cluster_meanings(["Q", "Q", "Q"], texts, nli) == [(0, 1, 2), (0, 1), (0, 0)]
    assert [len(call) for call in nli.calls] == [4 + 2 + 2, 2]


def test_discrete_by_hand() -> None:
    # shares 1/2, 1/4, 1/4: entropy 1.5 log 2, of at most log 4
    (found,) = scores_of(
        "semantic-entropy-discrete", answer("a", "a1", "b1", "a2", "c1"), models=loaded(nli=Entails(same))
    )
    assert found.value == pytest.approx(0.75)
    assert found.clusters == (0, 1, 0, 2)
    assert found.parts == {
        "entropy": pytest.approx(1.5 * log(2)),
        "cluster 0": 0.5,
        "cluster 1": 0.25,
        "cluster 2": 0.25,
    }


def test_likelihood_by_hand() -> None:
    # per token -log 2, -log 4 and -log 4: weights 1/2, 1/4, 1/4; the two a's together 3/4
    one = weighted(("a1", -2 * log(2), 2), ("b1", -3 * log(4), 3), ("a2", -log(4), 1))
    (found,) = SemanticEntropy(Entails(same)).score([Question(text="Q")], [one])
    nats = -(0.75 * log(0.75) + 0.25 * log(0.25))
    assert found.value == pytest.approx(nats / log(3))
    assert found.parts["cluster 0"] == pytest.approx(0.75)
    assert found.clusters == (0, 1, 0)


def test_one_meaning_has_none_and_all_different_is_one() -> None:
    same_, other = scores_of(
        "semantic-entropy",
        answer("a", "a1", "a2", "a3"),
        answer("b", "a1", "b1", "c1"),
        models=loaded(nli=Entails(same)),
    )
    assert (same_.value, other.value) == (0.0, pytest.approx(1.0))
    assert other.value is not None
    assert other.value <= 1.0


@pytest.mark.parametrize("name", ["semantic-entropy", "semantic-entropy-discrete"])
def test_one_sample_has_no_entropy(name: str) -> None:
    (found,) = scores_of(name, answer("a", "a1", None), models=loaded(nli=Entails(same)))
    assert (found.value, found.error) == (None, "it needs 2 samples, there is 1")


@pytest.mark.parametrize("name", ["semantic-entropy", "predictive-entropy"])
def test_imported_answers_without_token_counts_are_unscored(name: str) -> None:
    one = weighted(("a1", -1.0, 2), ("b1", 0.0, 0))
    (found,) = scores_of(name, one, models=loaded(nli=Entails(same)))
    assert found.value is None
    assert "no token count" in str(found.error)
    (discrete,) = scores_of("semantic-entropy-discrete", one, models=loaded(nli=Entails(same)))
    assert discrete.value == pytest.approx(1.0)


def test_no_label_is_no_score() -> None:
    nli = Entails(lambda a, b: None if "b1" in (a, b) else same(a, b))
    bad, good = scores_of(
        "semantic-entropy", answer("a", "a1", "b1", "c1"), answer("b", "a1", "a2"), models=loaded(nli=nli)
    )
    assert (bad.value, good.value) == (None, 0.0)
    assert "no label" in str(bad.error)


def plainly(texts: list[str], logprobs: list[float] | None, holds: Any) -> tuple[list[int], float]:
    """Kuhn et al. 2023, algorithm 1, one text after the other; then their entropy over log K."""
    clusters: list[list[int]] = []
    for i, text in enumerate(texts):
        for members in clusters:
            first = texts[members[0]]
            if (
                text == first
                or (holds(first, text) and holds(text, first))
                or text in [texts[m] for m in members]
            ):
                members.append(i)
                break
        else:
            clusters.append([i])
    weights = [1.0 if logprobs is None else exp(logprobs[i]) for i in range(len(texts))]
    shares = [sum(weights[i] for i in members) / sum(weights) for members in clusters]
    number = [next(c for c, members in enumerate(clusters) if i in members) for i in range(len(texts))]
    return number, -sum(p * log(p) for p in shares if p > 0) / log(len(texts))


@st.composite
def structures(draw: st.DrawFn) -> tuple[list[list[str]], list[list[float]], Any]:
    """Samples of some questions, their log-probabilities per token, and any relation between texts."""
    texts = draw(
        st.lists(st.lists(st.sampled_from("abcdefg"), min_size=2, max_size=10), min_size=1, max_size=3)
    )
    logprobs = [draw(st.lists(st.floats(-20, 0), min_size=len(row), max_size=len(row))) for row in texts]
    seed, share = draw(st.integers(0, 2**32)), draw(st.integers(0, 16))

    def holds(premise: str, hypothesis: str) -> bool:  # neither symmetric nor transitive
        return int(digest(str(seed), premise, hypothesis)[0], 16) < share

    return texts, logprobs, holds


@settings(max_examples=1000)
@given(structures())
def test_semantic_entropy_is_what_a_plain_derivation_gives(
    structure: tuple[list[list[str]], list[list[float]], Any],
) -> None:
    texts, logprobs, holds = structure
    answers = [
        weighted(*((text, 3 * p, 3) for text, p in zip(row, ps, strict=True)))
        for row, ps in zip(texts, logprobs, strict=True)
    ]
    questions = [Question(text="Q")] * len(answers)
    for discrete in (False, True):
        found = SemanticEntropy(Entails(holds), discrete).score(questions, answers)
        for score, row, ps in zip(found, texts, logprobs, strict=True):
            number, value = plainly(row, None if discrete else ps, holds)
            assert list(score.clusters) == number
            assert score.value == pytest.approx(value, abs=1e-9)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=10), st.floats(-1e4, 1e4))
def test_probabilities_sum_to_one_on_any_scale(clusters: list[int], shift: float) -> None:
    plain = cluster_probabilities(clusters)
    assert plain.sum() == pytest.approx(1.0)
    assert plain.tolist() == [
        pytest.approx(clusters.count(i) / len(clusters)) for i in range(max(clusters) + 1)
    ]
    moved = cluster_probabilities(clusters, [shift] * len(clusters))
    assert moved.tolist() == pytest.approx(plain.tolist())
    assert 0 <= entropy(plain) <= log(len(clusters)) + 1e-12
