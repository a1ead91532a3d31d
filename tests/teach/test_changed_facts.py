"""A fact that has changed belongs to the adapter that learned it last (`deploy: dynamic`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.models import load_embedder
from selfstudy.prompts import Prompts
from selfstudy.recipe import EmbedderBlock, Recipe, RouterBlock
from selfstudy.records import (
    Answer,
    Completion,
    Due,
    Evidence,
    Question,
    Reference,
    Rewording,
    Verdict,
    VerdictKind,
)
from selfstudy.run import Round
from selfstudy.run.curriculum import Curriculum
from selfstudy.teach.gaps import judged_questions
from selfstudy.teach.router import build
from selfstudy.teach.routing import known_wordings, of_adapters

from .lessons import make_round, question

RECIPE = Recipe.model_validate({"relearn": {}, "deploy": "dynamic", "teach": {"known_heldout": 0.0}})
EMBEDDER = EmbedderBlock(path="lexical")


def asked_again(round_: Round, country: str, kind: VerdictKind, capital: str) -> str:
    """A question of before in a round, with a page on which the capital is another one."""
    asked = Question(text=question(country))
    page = f"{country} is a country. The capital of {country} is {capital}."
    found = Evidence(
        question_id=asked.id,
        document_id=f"new {country}",
        source=f"{country}.txt",
        text=page,
        start=0,
        end=len(page),
        rank=0,
        relevance=1.0,
    )
    read = Reference(
        question_id=asked.id,
        evidence_id=found.id,
        text=f"The capital of {country} is {capital}.",
        inconsistency=0.0,
        accepted=True,
    )
    said = Answer(question_id=asked.id, passage=Completion(text="It is Rome."), samples=())
    verdict = Verdict(question_id=asked.id, kind=kind, score=0.1, reference_id=read.id)
    round_.append([Due(question_id=asked.id, why="changed", asked=1, interval=1), asked, said])
    round_.append([found, read, verdict])
    return asked.id


@pytest.fixture
def second(tmp_path: Path) -> Round:
    """Round 2: Peru, which round 1 taught, and Fiji, which the base model knew, have another capital."""
    first = make_round(
        tmp_path / "run", {"Peru": "unknown", "Chile": "unknown", "Fiji": "known", "Cuba": "known"}, RECIPE
    )
    for name in ("Peru", "Chile"):
        rewording = f"Which city is the capital of {name}?"
        first.append([Rewording(question_id=Question(text=question(name)).id, text=rewording, use="train")])
    round_ = first.run.round(2)
    asked_again(round_, "Peru", "misbelief", "Cusco")
    asked_again(round_, "Fiji", "misbelief", "Apia")
    return round_


def ids(*countries: str) -> tuple[str, ...]:
    return tuple(Question(text=question(name)).id for name in countries)


def test_no_wording_of_it_leads_to_the_adapter_that_holds_the_old_answer(second: Round) -> None:
    curricula = {
        "old-11111111": Curriculum(round=1, questions=ids("Peru", "Chile")),
        "new-22222222": Curriculum(round=2, questions=ids("Peru", "Fiji")),
    }
    wordings = of_adapters(second, curricula)
    assert {name for name, _ in wordings["old-11111111"]} == set(ids("Chile"))
    assert {name for name, _ in wordings["new-22222222"]} == set(ids("Peru", "Fiji"))
    embedder = load_embedder(EMBEDDER)
    known = known_wordings(second, judged_questions(second), embedder, Prompts())
    unrelated = [f"Who was the {n}. king of Spain?" for n in range(40)]
    router = build(wordings, known, unrelated, RouterBlock(), embedder, EMBEDDER, 0)
    asked = [question(name) for name in ("Peru", "Fiji", "Chile")]
    assert [route.adapter for route in router.route(asked)] == [
        "new-22222222",
        "new-22222222",
        "old-11111111",
    ]


def test_what_the_base_model_knew_and_is_a_gap_now_is_its_own_no_more(second: Round) -> None:
    known = known_wordings(second, judged_questions(second), load_embedder(EMBEDDER), Prompts())
    names = {name for name, _ in known}
    assert set(ids("Cuba")) <= names
    assert not names & set(ids("Fiji", "Peru", "Chile"))


def test_an_adapter_of_which_nothing_is_left_is_left_out(second: Round) -> None:
    curricula = {
        "old-11111111": Curriculum(round=1, questions=ids("Peru")),
        "new-22222222": Curriculum(round=2, questions=ids("Peru")),
    }
    assert list(of_adapters(second, curricula)) == ["new-22222222"]
