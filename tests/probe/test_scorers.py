"""What all scorers keep to, the registry, and the two that are a formula over one matrix."""

from __future__ import annotations

from typing import Any

import pytest

from selfstudy.errors import RecipeError
from selfstudy.models import Models
from selfstudy.models.scripted import ScriptedLM
from selfstudy.probe.scorers import SCORERS, Tools, make_scorer
from selfstudy.probe.scorers.base import Remembering, chosen
from selfstudy.records import Answer, Completion, Question, Score

from .world import Judge, Spots

LM = ScriptedLM({"Does the context": "Yes.", "Is the answer correct": ["Correct.", "unsure"]})


def loaded(**others: Any) -> Models:
    return Models(**{"lm": LM, "nli": Judge(), "embedder": Spots(), **others})


def said(text: str | None) -> Completion:
    if text is None:
        return Completion(text="", finish="error", error="memory")
    return Completion(text=text, tokens=4, logprob=-2.0)


def answer(passage: str, *samples: str | None) -> Answer:
    return Answer(
        question_id=Question(text=passage + "?").id,
        passage=said(passage),
        samples=tuple(said(sample) for sample in samples),
    )


def scores_of(name: str, *answers: Answer, models: Models | None = None) -> list[Score]:
    scorer = make_scorer(name, Tools(models or loaded()))
    assert scorer.name == name
    scores = scorer.score([Question(text=a.passage.text + "?") for a in answers], list(answers))
    assert [(s.question_id, s.scorer) for s in scores] == [(a.question_id, name) for a in answers]
    return scores


def score(name: str, *answers: Answer) -> list[tuple[float | None, str | None]]:
    return [(s.value, s.error) for s in scores_of(name, *answers)]


def test_every_name_of_the_recipe_is_a_scorer() -> None:
    from typing import get_args

    from selfstudy.recipe import ScorerName

    assert set(SCORERS) == set(get_args(ScorerName))


def test_selfcheck_is_the_mean_over_sentences_of_the_mean_over_samples() -> None:
    # sentence 1 equals one of two samples: (.05 + .95) / 2; sentence 2 equals none: .95
    (found,) = score("selfcheck-nli", answer("Vienna. It is old.", "Vienna.", "Graz."))
    assert found == (pytest.approx((0.5 + 0.95) / 2), None)


def test_selfcheck_asks_for_the_pair_sentence_then_sample() -> None:
    judge = Judge()
    scores_of("selfcheck-nli", answer("Vienna. Old.", "a", "b"), models=loaded(nli=judge))
    assert judge.pairs == [("Vienna.", "a"), ("Vienna.", "b"), ("Old.", "a"), ("Old.", "b")]


def test_agreement_is_the_share_of_samples_that_differ() -> None:
    (found,) = scores_of("agreement", answer("The Danube.", "danube", "Danube!", "Rhine", "the Elbe"))
    assert found.value == 0.5
    assert found.sentences[0].per_sample == (0.0, 0.0, 1.0, 1.0)
    assert score("agreement", answer("...", "Vienna.")) == [(None, "the passage has no words")]


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


@pytest.mark.parametrize("name", sorted(set(SCORERS) - {"p-true"}))
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


def test_the_same_answers_in_a_row_are_scored_once() -> None:
    class Counting:
        name = "counting"
        calls = 0

        def score(self, questions: Any, answers: Any) -> list[Score]:
            self.calls += 1
            return [Score(question_id=a.question_id, scorer=self.name, value=0.5) for a in answers]

    counting = Counting()
    scorer = Remembering(counting)
    a, b = answer("Vienna."), answer("Graz.")
    questions = [Question(text="?")] * 2
    first = scorer.score(questions, [a, b])
    assert scorer.score(questions, [a, b]) == first
    assert counting.calls == 1
    assert scorer.score(questions, [b, a]) == first[::-1]
    scorer.score(questions[:1], [a])
    scorer.score(questions, [a.model_copy(), b])
    assert counting.calls == 4


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("yes", "yes"),
        ("No.", "no"),
        ("**Yes**, it does.", "yes"),
        ("The answer is: no", "no"),
        ("It is not supported, no", None),
        ("I cannot say yes", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_only_the_beginning_of_a_reply_counts(reply: str, expected: str | None) -> None:
    assert chosen(reply, {"yes", "no"}) == expected
