from __future__ import annotations

import pytest

from selfstudy.errors import RecipeError
from selfstudy.probe.scorers import SCORERS, Tools, make_scorer
from selfstudy.records import Answer, Completion, Question

from .world import Judge, models


def answer(passage: str, *samples: str | None) -> Answer:
    return Answer(
        question_id=Question(text=passage + "?").id,
        passage=Completion(text=passage),
        samples=tuple(
            Completion(text=s) if s is not None else Completion(text="", finish="error", error="memory")
            for s in samples
        ),
    )


def score(name: str, *answers: Answer) -> list[tuple[float | None, str | None]]:
    scorer = make_scorer(name, Tools(models()))
    assert scorer.name == name
    scores = scorer.score([Question(text=a.passage.text + "?") for a in answers], list(answers))
    assert [s.question_id for s in scores] == [a.question_id for a in answers]
    return [(s.value, s.error) for s in scores]


def test_selfcheck_is_the_mean_over_sentences_of_the_mean_over_samples() -> None:
    # sentence 1 equals one of two samples: (.05 + .95) / 2; sentence 2 equals none: .95
    (found,) = score("selfcheck-nli", answer("Vienna. It is old.", "Vienna.", "Graz."))
    assert found == (pytest.approx((0.5 + 0.95) / 2), None)


def test_selfcheck_asks_for_the_pair_sentence_then_sample() -> None:
    judge = Judge()
    loaded = models()
    loaded.nli = judge
    make_scorer("selfcheck-nli", Tools(loaded)).score(
        [Question(text="?")], [answer("Vienna. Old.", "a", "b")]
    )
    assert judge.pairs == [("Vienna.", "a"), ("Vienna.", "b"), ("Old.", "a"), ("Old.", "b")]


def test_agreement_is_the_share_of_samples_that_differ() -> None:
    (found,) = score("agreement", answer("The Danube.", "danube", "Danube!", "Rhine", "the Elbe"))
    assert found == (0.5, None)


@pytest.mark.parametrize("name", sorted(SCORERS))
def test_failed_samples_are_left_out(name: str) -> None:
    with_failure, without = score(
        name, answer("Vienna.", "Vienna.", None, "Graz."), answer("Vienna.", "Vienna.", "Graz.")
    )
    assert with_failure == without


@pytest.mark.parametrize("name", sorted(SCORERS))
def test_an_empty_passage_is_unscored_and_leaves_the_others_alone(name: str) -> None:
    empty, good = score(name, answer(" ", "Vienna."), answer("Vienna.", "Vienna."))
    assert empty == (None, "the passage is empty")
    assert good[0] is not None


@pytest.mark.parametrize("name", sorted(SCORERS))
def test_without_samples_there_is_no_score(name: str) -> None:
    assert score(name, answer("Vienna.", None, None)) == [(None, "all samples failed")]


def test_an_unknown_scorer_names_the_known_ones() -> None:
    with pytest.raises(RecipeError, match="selfcheck-nli"):
        make_scorer("vibes", Tools(models()))
