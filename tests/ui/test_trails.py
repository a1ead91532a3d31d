"""A question's trail as the page shows it: its rounds in order, which samples agree, what was marked."""

from __future__ import annotations

from pathlib import Path

from selfstudy.recipe import Recipe
from selfstudy.records import Answer, Completion, Question, Score, SentenceScore, Verdict
from selfstudy.run import Run
from selfstudy.ui.trails import question_trail
from tests.verbs.test_chat import FIJI, make_run


def test_samples_are_told_by_what_the_score_rests_on_and_a_failed_one_shifts_none(tmp_path: Path) -> None:
    question = Question(text="Who?")
    samples = (
        Completion(text="A."),
        Completion(text="", finish="error", error="timeout"),
        Completion(text="B."),
    )
    sentence = SentenceScore(text="A.", value=0.5, per_sample=(0.1, 0.9))
    with Run.create_or_resume(tmp_path / "run", Recipe()) as run:
        scorer = run.recipe.probe.scorer
        run.round(1).append(
            [
                question,
                Answer(question_id=question.id, passage=Completion(text="A."), samples=samples),
                Score(question_id=question.id, scorer=scorer, value=0.5, sentences=(sentence,)),
            ]
        )
        (only,) = question_trail(run, question.id).rounds
    assert [one.agrees for one in only.samples] == [True, None, False]
    assert only.samples[1].told == "failed"
    assert "timeout" in only.samples[1].text


def test_the_last_verdict_comes_first_or_the_round_that_is_asked_for(tmp_path: Path) -> None:
    with Run.open(make_run(tmp_path / "run")) as run:
        name = Question(text=FIJI).id
        run.round(2).append([Question(text=FIJI), Verdict(question_id=name, kind="known", score=0.1)])
        assert [one.trail.round for one in question_trail(run, name).rounds] == [2, 1]
        one, two = question_trail(run, name, first=1).rounds
    assert (one.trail.round, two.trail.round) == (1, 2)
    assert "its answer does not say what the evidence says: it does not know this" in one.why
    assert "there is no accepted answer" in two.why
    (passage,) = one.passages
    assert passage.parts == ("", "Fiji is run from Suva.", "")
    assert one.arms == ("base", "taught")
    assert one.asked[0].by_arm["taught"].correct
