"""A run of two rounds to be followed back: Fiji was taught, asked again and slipped; Peru was known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from selfstudy.models import lora
from selfstudy.models.base import chat
from selfstudy.models.taught import ROUTER
from selfstudy.recipe import Recipe
from selfstudy.records import (
    Answer,
    Arm,
    Check,
    Completion,
    Due,
    Evidence,
    Example,
    Failure,
    Pair,
    Proposal,
    Question,
    Record,
    Reference,
    Rewording,
    Score,
    TrainedItem,
    TrainingStep,
    Verdict,
    VerdictKind,
)
from selfstudy.run import Round, Run, curriculum
from selfstudy.run.curriculum import Curriculum

FIJI, PERU, CHAD = (f"What is the capital of {name}?" for name in ("Fiji", "Peru", "Chad"))
IDS = {text: Question(text=text).id for text in (FIJI, PERU, CHAD)}
PAGE = "Fiji is run from Suva."


def passage(question: str, source: str, text: str = PAGE, rank: int = 0) -> Evidence:
    return Evidence(
        question_id=IDS[question],
        document_id=f"d-{source}",
        source=source,
        text=text,
        start=10,
        end=10 + len(text),
        rank=rank,
        relevance=1.0,
        date="2026-01",
        fetched="2026-11-01T00:00:00Z",
        sha256="ab" * 32,
    )


def check(question: str, arm: Arm, wording: Any, correct: bool, answer: str = "Suva.") -> Check:
    return Check(
        question_id=IDS[question],
        arm=arm,
        target="gap",
        wording=wording,
        asked=question,
        answer=answer,
        expected="Suva",
        correct=correct,
    )


def asked(question: str, kind: VerdictKind, source: str, said: str = "Nadi.") -> list[Record]:
    """All that a probe and a gather write about one question."""
    name, found = IDS[question], passage(question, source)
    read = Reference(question_id=name, evidence_id=found.id, text="Suva.", inconsistency=0.1, accepted=True)
    verdict = Verdict(
        question_id=name,
        kind=kind,
        score=0.8,
        contradiction=0.97,
        reference_id=read.id if kind != "unverifiable" else None,
        reason="" if kind != "unverifiable" else "no passage answers it",
    )
    return [
        Question(text=question, topic="capitals", method="documents", document_id=found.document_id),
        Answer(question_id=name, passage=Completion(text=said), samples=(Completion(text="Suva."),) * 2),
        Score(question_id=name, scorer="selfcheck-nli", value=0.8),
        found,
        *([read] if kind != "unverifiable" else []),
        verdict,
    ]


def lesson(question: str, phase: str = "sft", adapter: str = "") -> list[Record]:
    name = IDS[question]
    example = Example(prompt=chat(question), completion="Suva.", question_id=name, kind="reference")
    pair = Pair(prompt=chat(question), chosen="Suva.", rejected="Nadi.", question_id=name, weight=2.0)
    wording = Rewording(question_id=name, text=f"Tell me: {question}", use="train")
    given: dict[str, Any] = {"arm": "taught", "question_id": name, "adapter": adapter}
    return [
        wording,
        example,
        pair,
        TrainedItem(phase=phase, item_id=example.id, steps=(2, 5, 9), **given),
        TrainedItem(phase="dpo", item_id=pair.id, steps=tuple(range(1, 30)), **given),
        TrainedItem(phase="dpo", item_id="random", steps=(1,), **given | {"arm": "control"}),
        TrainingStep(arm="taught", phase=phase, step=9, loss=float("nan")),
    ]


def make_adapter(folder: Path, what: Curriculum | None, weights: bytes = b"weights") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / lora.WEIGHTS).write_bytes(weights)
    (folder / lora.CONFIG).write_text("{}")
    if what is not None:
        curriculum.write(folder, what)
    return folder


def make_routed(folder: Path, adapters: dict[str, Curriculum]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ROUTER).write_text("{}")
    for name, what in adapters.items():
        make_adapter(folder / name, what)
    return folder


def decide(turn: Round, promoted: bool, *reasons: str) -> None:
    turn.run.write_json(turn.gate_file, {"promoted": promoted, "reasons": reasons})


def make_run(folder: Path, recipe: Recipe | None = None) -> Run:
    """Open for writing."""
    run = Run.create_or_resume(folder, recipe or Recipe())
    first, second = run.round(1), run.round(2)
    fiji = IDS[FIJI]
    first.append(
        [
            Proposal(ask=0, index=0, method="documents", text=FIJI, question_id=fiji, tried=3),
            Proposal(ask=0, index=1, method="documents", error="nothing usable"),
            *asked(FIJI, "unknown", "oceania/fiji.md"),
            passage(FIJI, "oceania/other.md", "Nadi lies in Fiji.", rank=1),
            *asked(PERU, "known", "america/peru.md", "Lima."),
            *asked(CHAD, "unverifiable", "africa/chad.md"),
            Failure(stage="gather", item_id=IDS[CHAD], message="the reader gave no answer"),
            *lesson(FIJI),
            *[check(FIJI, arm, "original", arm == "taught") for arm in ("base", "taught")],
            *[check(FIJI, arm, "novel", arm == "taught") for arm in ("base", "taught")],
            check(PERU, "base", "original", True),
        ]
    )
    make_adapter(first.adapter(), Curriculum(round=1, questions=(fiji,), sources=("oceania/fiji.md",)))
    decide(first, True)
    second.append(
        [
            Due(question_id=fiji, why="scheduled", asked=1, interval=1),
            *asked(FIJI, "misbelief", "oceania/fiji.md", "Lautoka."),
            *lesson(FIJI),
            check(FIJI, "base", "original", False, "Lautoka."),
            check(FIJI, "taught", "original", False, "Lautoka."),
        ]
    )
    make_adapter(second.adapter(), Curriculum(round=2, questions=(fiji,)), b"other weights")
    decide(second, False, "it forgot too much")
    return run
