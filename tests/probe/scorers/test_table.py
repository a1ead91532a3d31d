"""The table of scorers, and what all of them keep to."""

from __future__ import annotations

import pytest

from selfstudy.errors import RecipeError
from selfstudy.probe.scorers import SCORERS, Tools, make_scorer
from selfstudy.recipe.probe import SCORER_FACTS

from .scoring import answer, loaded, score, scores_of


def test_every_name_of_the_recipe_is_a_scorer() -> None:
    from typing import get_args

    from selfstudy.recipe import ScorerName

    assert set(SCORERS) == set(get_args(ScorerName))


@pytest.mark.parametrize("name", sorted(SCORERS))
def test_failed_samples_are_left_out(name: str) -> None:
    with_failure, without = scores_of(
        name, answer("Vienna.", "Vienna.", None, "Graz."), answer("Vienna.", "Vienna.", "Graz.")
    )
    assert with_failure == without
    assert with_failure.value is not None


@pytest.mark.parametrize("name", sorted(SCORERS))
def test_an_empty_passage_is_unscored_and_leaves_the_others_alone(name: str) -> None:
    same = ("Vienna.", "Vienna.")
    empty, good = score(name, answer(" ", *same), answer("Vienna.", *same))
    assert empty[0] is None
    assert str(empty[1]).endswith("the passage is empty")
    assert (good,) == tuple(score(name, answer("Vienna.", *same)))
    assert good[0] is not None


@pytest.mark.parametrize(
    "name", sorted(name for name in SCORERS if SCORER_FACTS[name].samples or name == "ensemble")
)
@pytest.mark.parametrize("samples", [(), (None, None)])
def test_without_samples_there_is_no_score(name: str, samples: tuple[None, ...]) -> None:
    ((value, error),) = score(name, answer("Vienna.", *samples))
    assert value is None
    assert str(error).endswith("all samples failed" if samples else "there are no samples")


@pytest.mark.parametrize("name", sorted(SCORERS))
@pytest.mark.parametrize("text", ["...", "\ud800", "\x1c.", "مرحبا.", "Vienna \U0001f642\x00 $question"])
def test_odd_texts_and_empty_samples_are_scored_or_say_why_not(name: str, text: str) -> None:
    first, second = scores_of(name, answer(text, text, "", "Graz."), answer("Vienna.", "", text, "Graz."))
    for found in (first, second):
        assert (found.value is None) == (found.error is not None)
    assert second.value is not None


@pytest.mark.parametrize("name", sorted(SCORERS))
def test_nothing_to_score_is_no_trouble(name: str) -> None:
    assert scores_of(name) == []


@pytest.mark.parametrize("name", sorted(SCORERS))
def test_scores_do_not_depend_on_what_else_is_asked(name: str) -> None:
    several = [
        answer("Vienna.", "Vienna.", "Graz.", "Graz."),
        answer("Graz. It is old.", "Graz.", "Old.", "Linz."),
        answer("Linz.", "Linz.", "Linz.", "Linz."),
    ]
    together = scores_of(name, *several)
    assert together == [found for one in several for found in scores_of(name, one)]


def test_an_unknown_scorer_names_the_known_ones() -> None:
    with pytest.raises(RecipeError, match="selfcheck-nli"):
        make_scorer("vibes", Tools(loaded()))
