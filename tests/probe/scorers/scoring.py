"""Answers by hand, and their scores: shared by the tests of the scorers."""

from __future__ import annotations

from typing import Any

from selfstudy.models import Models
from selfstudy.models.scripted import ScriptedLM
from selfstudy.probe.scorers import Tools, make_scorer
from selfstudy.records import Answer, Completion, Question, Score

from ..world import Judge, Spots

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
