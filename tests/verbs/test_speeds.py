"""How fast a model answers is measured in batches, after a warm-up, at the length of real answers."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from selfstudy import ScriptedLM
from selfstudy.models.base import Sampling
from selfstudy.prompts import Prompts
from selfstudy.recipe import Ask, ProbeBlock, Recipe
from selfstudy.records import Document
from selfstudy.verbs.speeds import Probe, Speed, _sizes

PAGES = [Document(source=str(i), text=f"Document {i} says something about Peru.") for i in range(5)]


def measure(lm: ScriptedLM, recipe: Recipe, seconds: float) -> dict[str, Speed]:
    return Probe(lm, recipe, PAGES, Prompts(), seconds).run()


def test_it_sees_the_length_of_answers_and_stops_in_time() -> None:
    lm = ScriptedLM({"Ask one question": ["What is it?"], ".": ["It is a short answer."]})
    speeds = measure(lm, Recipe(library="x"), 0.2)
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
    speed = measure(lm, recipe, 0.01)["answer"]
    assert speed.seconds(100, 5, block=100) == pytest.approx(0.02 + 0.002 * 500, rel=0.5)
    one_by_one = 500 * (0.02 + 0.002)
    assert speed.seconds(100, 5, block=100) < one_by_one / 5


@pytest.mark.parametrize(
    ("most", "sizes"), [(48, [2, 5, 16, 48]), (24, [2, 8, 24]), (9, [2, 9]), (8, [2, 8]), (1, [2, 4])]
)
def test_the_last_two_batches_differ_enough(most: int, sizes: list[int]) -> None:
    assert _sizes(most) == sizes


def test_a_slow_model_is_asked_in_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfstudy.verbs.speeds.PATIENCE", 0.01)
    lm = Timed(batch=0.02, each=0.0)
    measure(lm, Recipe(library="x", probe=ProbeBlock(samples=4)), 0.01)
    # a warm-up; then questions, answers and readings: read alone, a few tokens of each, then whole
    assert lm.asked == [5, 2, 2, 2, 2, 10, 10, 2, 12, 12]


def test_questions_of_a_file_are_asked(tmp_path: Path) -> None:
    source = tmp_path / "asked.txt"
    source.write_text("What is the capital of Peru?\nWhat is the capital of Chad?\n")
    ask = Ask(method="external", count=2, source=source, questions=True)
    lm = Timed(0.0, 0.0)
    found = measure(lm, Recipe(library="x", probe=ProbeBlock(ask=(ask,), samples=2)), 0.01)
    assert set(found) == {"answer", "read"}
    assert any("capital of Chad" in text for text in lm.texts)
