"""What is measured before a run: in batches, after a warm-up; what was answered is scored and trained on."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from selfstudy import ScriptedLM
from selfstudy.models.base import HasWeights, Sampling
from selfstudy.prompts import Prompts
from selfstudy.recipe import Ask, LocalModel, NoNLI, ProbeBlock, Recipe
from selfstudy.records import Document
from selfstudy.verbs.measuring import measure, measure_run, models_around

PAGES = [Document(source=str(i), text=f"Document {i} says something about Peru.") for i in range(5)]


def test_it_sees_the_length_of_answers_and_stops_in_time() -> None:
    lm = ScriptedLM({"Ask one question": ["What is it?"], ".": ["It is a short answer."]})
    speeds = measure(lm, Recipe(library="x"), PAGES, Prompts(), 0.2)
    assert {kind: speed.tokens for kind, speed in speeds.items()} == {"answer": 5, "read": 5, "question": 3}
    assert all(speed.per_second > 0 for speed in speeds.values())


class Timed(ScriptedLM):
    """Takes `batch` seconds a call and `each` a completion; notes what was asked, and how many at once."""

    def __init__(self, batch: float, each: float) -> None:
        super().__init__({".": ["It is a short answer."]})
        self.batch, self.each = batch, each
        self.asked: list[int] = []
        self.texts: list[str] = []

    def generate(self, chats: Any, sampling: Sampling, progress: Any = None) -> Any:
        self.asked.append(len(chats) * sampling.total)
        self.texts += [chat[-1].content for chat in chats]
        writes = sampling.max_new_tokens > 2
        time.sleep(self.batch + self.each * self.asked[-1] * writes)
        return super().generate(chats, sampling, progress)


def test_what_a_large_batch_takes_follows_from_two_small_ones() -> None:
    recipe = Recipe(library="x", probe=ProbeBlock(samples=4))
    lm = Timed(batch=0.02, each=0.002)
    speed = measure(lm, recipe, PAGES, Prompts(), 0.01)["answer"]
    assert speed.seconds(100, 5, block=100) == pytest.approx(0.02 + 0.002 * 500, rel=0.5)
    one_by_one = 500 * (0.02 + 0.002)
    assert speed.seconds(100, 5, block=100) < one_by_one / 5


def test_a_slow_model_is_asked_in_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfstudy.verbs.measuring.PATIENCE", 0.01)
    lm = Timed(batch=0.02, each=0.0)
    measure(lm, Recipe(library="x", probe=ProbeBlock(samples=4)), PAGES, Prompts(), 0.01)
    # a warm-up; then questions, answers and readings: read alone, then written
    assert lm.asked == [5, 2, 2, 2, 10, 2, 12]


def test_questions_of_a_file_are_asked(tmp_path: Path) -> None:
    source = tmp_path / "asked.txt"
    source.write_text("What is the capital of Peru?\nWhat is the capital of Chad?\n")
    ask = Ask(method="external", count=2, source=source, questions=True)
    lm = Timed(0.0, 0.0)
    found = measure(lm, Recipe(library="x", probe=ProbeBlock(ask=(ask,), samples=2)), PAGES, Prompts(), 0.01)
    assert set(found) == {"answer", "read"}
    assert any("capital of Chad" in text for text in lm.texts)


def test_scoring_and_training_are_measured_where_there_is_room(
    tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from selfstudy.models import load_lm
    from selfstudy.teach.trainers import shared

    recipe = Recipe(
        model=LocalModel(path=str(tiny_llama), device="cpu"),
        nli=NoNLI(),
        library="x",
        answering={"max_new_tokens": 4, "reading_tokens": 4},
        probe=ProbeBlock(samples=2),
        teach={"wordings": 1, "sft": {"replay": 0.5, "reading": 0.0}},
    )
    lm = load_lm(recipe.model)
    assert isinstance(lm, HasWeights)
    prompts = Prompts()
    found = measure_run(models_around(lm, None, recipe, prompts), recipe, PAGES, prompts, 0.1)
    assert found.scoring is not None
    assert found.pair is not None
    assert found.gaps is not None
    assert found.training[0].example > 0
    assert found.training[0].examples == pytest.approx(2 * 1.5)  # two wordings, half as many replayed
    needed = 2 * sum(one.numel() * 4 for one in lm.model.parameters())
    for free, room in ((needed, False), (needed + 1, True)):
        monkeypatch.setattr("psutil.virtual_memory", lambda free=free: SimpleNamespace(available=free))
        assert shared.has_room(lm) == room
    monkeypatch.setattr(shared, "has_room", lambda lm: False)
    monkeypatch.setattr(shared, "training_copy", None)
    assert measure_run(models_around(lm, None, recipe, prompts), recipe, PAGES, prompts, 0.1).training == {}
