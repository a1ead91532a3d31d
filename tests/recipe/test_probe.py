"""The facts of scorers: every scorer has a row, and the row is true."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import yaml

from selfstudy.models import Models
from selfstudy.models.embedder import LexicalEmbedder
from selfstudy.models.scripted import ScriptedLM
from selfstudy.probe.scorers.table import SCORERS, Tools, make_scorer
from selfstudy.prompts import Prompts
from selfstudy.recipe import ProbeBlock, Recipe
from selfstudy.recipe.file import load_recipe, parse_recipe, to_yaml
from selfstudy.recipe.probe import SCORER_FACTS, ScorerName
from selfstudy.records import Answer, Chat, Completion, Document, Question
from selfstudy.verbs.estimate import estimate


class Noting(Prompts):
    """Notes which prompts were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def chat(self, name: str, **values: str) -> Chat:
        self.asked.add(name)
        return super().chat(name, **values)


class Even:
    """An entailment model that is undecided."""

    name = "even"

    def probabilities(self, pairs: object, progress: object = None) -> object:
        return np.full((len(pairs), 2), 0.5)  # type: ignore[arg-type]


def words(chat: Chat) -> int:
    return sum(len(turn.content.split()) for turn in chat)


def test_every_scorer_has_a_name_in_recipes_a_row_of_facts_and_a_builder() -> None:
    assert set(get_args(ScorerName)) == set(SCORER_FACTS) == set(SCORERS)


@pytest.mark.parametrize("name", SCORERS)
def test_the_prompts_of_the_row_are_those_that_the_scorer_asks_with(name: str) -> None:
    prompts, lm = Noting(), ScriptedLM({".": "Yes."})
    models = Models(lm=lm, nli=Even(), embedder=LexicalEmbedder())  # type: ignore[arg-type]
    question = Question(text="Where is Peru?", method="open")
    said = Completion(text="Peru is in America.", tokens=5, logprob=-1.0)
    answer = Answer(question_id=question.id, passage=said, samples=(said, said))
    block = ProbeBlock.model_validate({"ensemble": ["agreement", "selfcheck-ngram"]})
    make_scorer(name, Tools(models, prompts, block)).score([question], [answer])
    assert prompts.asked == set(SCORER_FACTS[name].prompts)  # type: ignore[index]


@pytest.mark.parametrize("name", SCORERS)
def test_the_estimate_counts_what_a_scorer_asks(name: str) -> None:
    ask = ({"method": "open", "count": 10},)
    recipe = Recipe(probe=ProbeBlock.model_validate({"scorer": name, "ask": ask}))
    works = estimate(recipe, [Document(source="a", text="word")], Prompts(), words).works
    assert [work.kind for work in works].count("judge") == bool(SCORER_FACTS[name].prompts)  # type: ignore[index]


def test_the_estimate_shows_the_judge_the_prompt_of_its_scorer() -> None:
    def size(name: str) -> float:
        recipe = Recipe(
            probe=ProbeBlock.model_validate({"scorer": name, "ask": [{"method": "open", "count": 10}]})
        )
        (work,) = (w for w in estimate(recipe, [], Prompts(), words).works if w.kind == "judge")
        return work.prompt

    asked = "What is the name of the largest city of the country in question?"
    assert size("selfcheck-llm") == words(Prompts().chat("support", context=asked, sentence=asked))
    assert size("bsdetector") == words(Prompts().chat("grade", question=asked, answer=asked))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], ("selfcheck-nli", 10)),
        (["model.path=org/name"], ("claim-likelihood", 0)),
        (["model.path=org/name", "nli.path=org/nli"], ("claim-likelihood", 0)),
        (["probe.model={path: org/name}"], ("claim-likelihood", 0)),
        (["model.path=org/name", "probe.samples=5"], ("claim-likelihood", 5)),
        (["model.path=org/name", "probe.compare=[agreement]"], ("claim-likelihood", 10)),
        (["model.path=org/name", "probe.adaptive={}"], ("agreement", 10)),
        (["model.path=org/name", "probe.scorer=agreement"], ("agreement", 10)),
        (["model={type: remote, model: x}"], ("agreement", 10)),
        (["model={type: remote, model: x, logprobs: true}"], ("passage-likelihood", 0)),
        (["model={type: server, engine: vllm, model: org/name}"], ("agreement", 10)),
        (["model={type: server, engine: vllm, model: org/name}", "nli.path=org/nli"], ("selfcheck-nli", 10)),
    ],
)
def test_what_is_not_said_of_scoring_follows_from_the_model(
    given: list[str], expected: tuple[str, int]
) -> None:
    recipe = load_recipe(None, ["library=atlas", *given])
    assert (recipe.probe.scorer, recipe.probe.samples) == expected
    assert recipe.verify.samples == (10 if recipe.probe.samples else 0)
    assert load_recipe(None, ["library=atlas", "verify.samples=3", *given]).verify.samples == 3
    kept = to_yaml(recipe)  # what a run keeps says it, whatever later versions choose
    assert parse_recipe(yaml.safe_load(kept), "kept") == recipe
    assert f"scorer: {expected[0]}" in kept
