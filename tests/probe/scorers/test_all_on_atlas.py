"""Every scorer on the embedded models: what atlas-lm knows looks more consistent than what it cannot know."""

from __future__ import annotations

import random
from typing import get_args

import pytest

from selfstudy.atlas import language, world
from selfstudy.atlas.build.invented import invented_names
from selfstudy.models import Models, load_embedder, load_lm, load_nli
from selfstudy.models.answering import from_memory
from selfstudy.probe.answers import answer
from selfstudy.probe.scorers import Tools, make_scorer
from selfstudy.prompts import Prompts
from selfstudy.recipe import AnsweringBlock, EmbedderBlock, LocalModel, NLIBlock, ProbeBlock, ScorerName
from selfstudy.records import Answer, Question

EACH = 12
UNCERTAIN = ("selfcheck-llm", "p-true")
"""What a model of 5 million parameters says of its own answers is measured in its card, not promised here."""


@pytest.fixture(scope="module")
def models() -> Models:
    return Models(
        load_lm(LocalModel(path="atlas")),
        load_nli(NLIBlock(path="atlas")),
        load_embedder(EmbedderBlock()),
    )


@pytest.fixture(scope="module")
def asked(models: Models) -> tuple[list[Question], list[Answer]]:
    """Questions about known entities, then as many about invented ones; answered."""
    rng = random.Random(0)
    known = [(f.attribute, f.entity) for f in rng.sample(world.facts(known=True), EACH)]
    invented = [(attribute, rng.choice(invented_names())) for attribute, _ in known]
    questions = [Question(text=language.wordings(a, name)[0]) for a, name in (*known, *invented)]
    answers = answer(questions, models.lm, Prompts(), from_memory(AnsweringBlock(), 6, seed=0))
    return questions, [one for one in answers if isinstance(one, Answer)]


@pytest.mark.parametrize("name", get_args(ScorerName))
def test_known_is_more_consistent_than_invented(
    name: str, models: Models, asked: tuple[list[Question], list[Answer]]
) -> None:
    questions, answers = asked
    assert len(answers) == 2 * EACH
    block = ProbeBlock(ensemble=("selfcheck-nli", "agreement", "semantic-entropy"))
    scores = make_scorer(name, Tools(models, block=block)).score(questions, answers)
    values = [score.value for score in scores]
    if name in UNCERTAIN:
        assert all((score.value is None) == (score.error is not None) for score in scores)
        assert any(value is not None for value in values)
        return
    assert None not in values
    known, invented = sum(values[:EACH]) / EACH, sum(values[EACH:]) / EACH  # type: ignore[arg-type]
    assert known + 0.05 < invented
    assert max(values) <= 1.0  # type: ignore[type-var]
