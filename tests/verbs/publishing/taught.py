"""Runs that have taught something, without any training: tiny random models with random adapters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from selfstudy.models.taught import ROUTER
from selfstudy.recipe import Recipe
from selfstudy.recipe.file import parse_recipe
from selfstudy.records import Check, Evidence, Reference, Verdict
from selfstudy.run import Round, Run, curriculum
from selfstudy.run.curriculum import Curriculum
from tests.verbs.test_export import make_adapter

_NAMES = "Fiji Peru Chad France Germany Italy Japan Kenya Cuba Niger Mali Oman Iran"
COUNTRIES = _NAMES.split(" ")
GAIN = {
    "before": 0.1,
    "after": 0.8,
    "difference": 0.7,
    "low": 0.55,
    "high": 0.82,
    "p": 0.001,
    "n": 40,
    "facts": 38,
    "won": 28,
    "lost": 1,
}
PROMOTED: dict[str, Any] = {
    "promoted": True,
    "verdict": "promoted",
    "reasons": ["Correctness on gaps rose by 70.0 points, and nothing fell."],
    "gains": {"gap": GAIN, "known": GAIN | {"before": 1.0, "after": 0.98, "difference": -0.02}},
}


def recipe_of(model: Path, **more: Any) -> Recipe:
    short = {"max_new_tokens": 8}
    data = {"model": {"path": str(model), "device": "cpu"}, "library": "atlas", "answering": short}
    return parse_recipe(data | more, "a test")


def checks(turn: Round, names: list[str] = COUNTRIES) -> None:
    """As if verify had asked them."""
    turn.append(
        Check(
            question_id=str(at),
            arm="taught",
            target="gap" if at < 9 else "known",
            wording="original",
            asked=f"What is the capital of {name}?",
            answer="Suva.",
            expected="Suva",
            correct=True,
        )
        for at, name in enumerate(names)
    )


def evidence(turn: Round, source: str, at: int = 0) -> None:
    """A gap that was taught from a document of this name."""
    found = Evidence(
        question_id=str(at),
        document_id="d",
        source=source,
        text="It is Suva.",
        start=0,
        end=11,
        rank=0,
        relevance=1.0,
    )
    read = Reference(
        question_id=str(at), evidence_id=found.id, text="Suva.", inconsistency=0.0, accepted=True
    )
    verdict = Verdict(question_id=str(at), kind="unknown", score=0.9, reference_id=read.id)
    turn.append([found, read, verdict])


def make_taught(folder: Path, model: Path, gate: dict[str, Any] | None = PROMOTED, **more: Any) -> Run:
    """A run of one round whose adapter is random; to be read."""
    with Run.create_or_resume(folder, recipe_of(model, **more)) as run:
        turn = run.round(1)
        make_adapter(model, turn.adapter())
        checks(turn)
        evidence(turn, "oceania/fiji.md")
        if gate is not None:
            run.write_json(turn.gate_file, gate)
    return Run.open(folder, write=False)


def make_routed(folder: Path, model: Path) -> Run:
    """Two adapters of which a router would pick one."""
    with Run.create_or_resume(folder, recipe_of(model, deploy="dynamic")) as run:
        turn = run.round(1)
        place = turn.adapter()
        place.mkdir()
        (place / ROUTER).write_text("{}")
        for seed, name in enumerate(("africa-1", "asia-2")):
            make_adapter(model, place / name, r=2 + seed)
            taught = Curriculum(
                round=1, group=name, questions=tuple(map(str, range(seed, 9, 2))), sources=(f"{name}.md",)
            )
            curriculum.write(place / name, taught)
        checks(turn)
        run.write_json(turn.gate_file, PROMOTED)
    return Run.open(folder, write=False)
