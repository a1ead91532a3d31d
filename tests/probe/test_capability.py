from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfstudy.probe import capability
from selfstudy.probe.capability import self_learning_capability
from selfstudy.recipe import Ask
from selfstudy.records import Proposal, Question
from selfstudy.verbs.importing.pickles import read_pickle

from .world import Spots

PUBLISHED = Path(__file__).parents[3] / "shared" / "data" / "into-the-unknown"
REAL_MODELS = ("TinyLlama", "Phi-3", "Mistral")


def proposed(texts: list[str]) -> list[Proposal]:
    return [
        Proposal(ask=0, index=i, method="open", text=t, question_id=Question(text=t).id)
        for i, t in enumerate(texts)
    ]


def scored(values: Mapping[str, float | None]) -> dict[str, float | None]:
    return {Question(text=text).id: value for text, value in values.items()}


class Placed:
    """An embedder that puts each text where the test says."""

    name = "placed"

    def __init__(self, places: dict[str, list[float]]) -> None:
        self.places = places

    def encode(self, texts: Any) -> Any:
        return np.array([self.places[t] for t in texts], dtype=np.float32)


class Noting(Spots):
    """An embedder that notes what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[list[str]] = []

    def encode(self, texts: Any) -> Any:
        self.seen.append(list(texts))
        return super().encode(texts)


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([100], 1.0),
        ([50, 150], 1.0),
        ([25], 0.75),
        ([175, 175], 0.75),
        ([200], 0.0),
        ([0], 0.0),
        ([300, 100], 0.0),
    ],
)
def test_brevity_by_hand(lengths: list[int], expected: float) -> None:
    assert capability.brevity(["x" * n for n in lengths]) == pytest.approx(expected)


def test_brevity_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no questions"):
        capability.brevity([])


def test_slc_and_awareness_by_hand() -> None:
    assert capability.slc(0.6, 0.2, 0.5) == pytest.approx(0.2)
    assert capability.awareness([0.5, 0.51, 0.1, 1.0], 0.5) == 0.5  # a score at the threshold is no gap


def test_few_distinct_questions_are_counted_not_clustered() -> None:
    texts = [f"{'x' * 99}{i}" for i in range(5)] * 4
    result = self_learning_capability(proposed(texts), scored(dict.fromkeys(texts, 0.9)), Spots(), 0.5)
    assert (result.curiosity, result.awareness, result.brevity) == (5 / 20, 1.0, 1.0)
    assert result.slc == pytest.approx((0.25 + 1) / 2)
    assert (result.questions, result.clustered) == (20, 20)


def test_ten_distinct_are_few_and_eleven_are_embedded() -> None:
    nowhere = Placed({})
    ten, eleven = ([f"q{i}" for i in range(n)] * 3 for n in (10, 11))
    assert self_learning_capability(proposed(ten), {}, nowhere, 0.5).curiosity == pytest.approx(10 / 30)
    with pytest.raises(KeyError):
        self_learning_capability(proposed(eleven), {}, nowhere, 0.5)


def test_three_groups_and_four_strays() -> None:
    rng = np.random.default_rng(0)
    places = {}
    for group, centre in enumerate(([0, 0], [10, 0], [0, 10])):
        for i in range(10):
            places[f"group {group} number {i}"] = [*(np.array(centre) + rng.normal(0, 0.05, 2))]
    for i, far in enumerate(([50, 50], [-60, 20], [30, -70], [-40, -45])):
        places[f"stray {i}"] = [float(x) for x in far]
    result = self_learning_capability(proposed(list(places)), {}, Placed(places), 0.5)
    assert result.curiosity == pytest.approx((3 + 4) / 34)
    labels = capability.cluster_labels(list(places), Placed(places))
    assert [int(x) for x in labels[-4:]] == [capability.OUTLIER] * 4
    assert all(len(set(labels[10 * g : 10 * g + 10].tolist())) == 1 for g in range(3))


def test_repeats_count_as_often_as_proposed_and_failures_do_not() -> None:
    texts = ["unknown?"] * 3 + ["known?"]
    failed = Proposal(ask=0, index=9, method="open", text="", error="the model proposed nothing")
    result = self_learning_capability(
        [*proposed(texts), failed], scored({"unknown?": 0.9, "known?": 0.1}), Spots(), 0.5
    )
    assert (result.questions, result.curiosity, result.awareness) == (4, 2 / 4, 3 / 4)


def test_an_unscored_question_is_neither_known_nor_a_gap() -> None:
    result = self_learning_capability(
        proposed(["a?", "b?", "c?"]), scored({"a?": 0.9, "b?": 0.2, "c?": None}), Spots(), 0.5
    )
    assert result.awareness == 0.5


def test_what_the_model_did_not_think_of_does_not_count() -> None:
    asks = [
        Ask(method="documents", count=1),
        Ask(method="external", count=1, questions=True),
        Ask(method="external", count=1),
        *(Ask(method=method, count=1) for method in ("open", "induced", "oracle")),
    ]
    proposals = [Proposal(ask=i, index=0, method=ask.method, text=f"{i}?") for i, ask in enumerate(asks)]
    assert [p.ask for p in capability.proposed_by_model(proposals, asks)] == [2, 3, 4, 5]


def test_proposals_are_gone_through_once_and_not_kept() -> None:
    """There may be a million: of each its text stays, and its score."""
    alive: list[weakref.ref[Proposal]] = []
    most = 0

    def stream() -> Iterator[Proposal]:
        nonlocal most
        for made in range(200):
            [one] = proposed([f"{made} and some more words?"])
            alive.append(weakref.ref(one))
            most = max(most, sum(ref() is not None for ref in alive))
            yield one.model_copy(update={"index": made})

    texts = [f"{n} and some more words?" for n in range(200)]
    scores = scored({text: n / 200 for n, text in enumerate(texts)})
    found = self_learning_capability(stream(), scores, Spots(), 0.5)
    assert found == self_learning_capability(proposed(texts), scores, Spots(), 0.5)
    assert found.awareness == 99 / 200
    assert most <= 3


def test_nothing_asked_has_no_metrics() -> None:
    result = self_learning_capability([], {}, Spots(), 0.5)
    assert (result.curiosity, result.awareness, result.brevity, result.slc) == (None, None, None, None)
    assert (result.questions, result.clustered) == (0, 0)


def test_many_questions_are_sampled_and_the_result_says_so() -> None:
    texts = [f"question number {i}?" for i in range(300)]
    embedder = Noting()
    for seed in (0, 0, 1):
        found = self_learning_capability(proposed(texts), {}, embedder, 0.5, limit=100, seed=seed)
        assert (found.questions, found.clustered) == (300, 100)
    first, again, other = embedder.seen
    assert len(set(first)) == 100
    assert first == again != other


@given(
    st.lists(st.sampled_from([f"{'q' * i}?" for i in range(0, 250, 30)]), min_size=1, max_size=30), st.data()
)
def test_metrics_stay_in_range(texts: list[str], data: st.DataObject) -> None:
    values = {t: data.draw(st.floats(0, 1), label=t[:5]) for t in dict.fromkeys(texts)}
    result = self_learning_capability(proposed(texts), scored(dict(values)), Spots(), 0.5)
    assert result.curiosity == len(set(texts)) / len(texts)
    for value in (result.curiosity, result.awareness, result.brevity, result.slc):
        assert value is not None
        assert 0 <= value <= 1
    assert result.slc == pytest.approx(result.brevity * (result.curiosity + result.awareness) / 2)  # type: ignore[operator]


def published(model: str) -> dict[str, Any]:
    found = sorted(PUBLISHED.glob(f"res_*{model}*.pickle"))
    if not found:
        pytest.skip(f"no published result file of {model} in {PUBLISHED}")
    data: dict[str, Any] = read_pickle(found[0])
    return data


@pytest.mark.parametrize("model", [*REAL_MODELS, "baseline"])
def test_published_metrics_from_published_scores(model: str) -> None:
    data = published(model)
    questions = data["proposed_questions"]
    answered = data["prompts_with_hallucination"] + data["prompts_with_no_hallucination"]
    values = [float(entry["average_score"]) for entry in answered]
    for entry in answered:
        assert np.nanmean(entry["sentence_scores"]) == pytest.approx(float(entry["average_score"]), abs=1e-12)

    aware, brief = capability.awareness(values, 0.5), capability.brevity(questions)
    assert aware == data["knowledge_limit_awareness_score"]
    assert brief == data["brevity_coefficient"]
    slc = capability.slc(float(data["curiosity_score"]), aware, brief)
    assert slc == float(data["self_learning_capability_score"])


@pytest.mark.parametrize("model", REAL_MODELS)
def test_published_curiosity_from_published_labels(model: str) -> None:
    data = published(model)
    labels = np.asarray(data["proposed_questions_labels"], dtype=np.int64)
    assert capability.curiosity(labels) == float(data["curiosity_score"])


def test_the_published_baseline_is_off_by_one_because_copies_were_told_apart() -> None:
    # HDBSCAN breaks ties between copies of one text by their order: here two texts have copies inside and
    # outside a cluster, so another run over the same questions counts another number of outliers.
    data = published("baseline")
    labels = np.asarray(data["proposed_questions_labels"], dtype=np.int64)
    per_text: dict[str, set[int]] = {}
    for text, label in zip(data["proposed_questions"], labels.tolist(), strict=True):
        per_text.setdefault(text, set()).add(label)
    assert sum(len(found) > 1 for found in per_text.values()) == 2
    assert round(capability.curiosity(labels) * 576) - round(float(data["curiosity_score"]) * 576) == 1
