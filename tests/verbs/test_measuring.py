"""What is measured before a run: what was answered is scored and trained on, where there is room."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from selfstudy.models.base import HasWeights
from selfstudy.prompts import Prompts
from selfstudy.recipe import LocalModel, NoNLI, ProbeBlock, Recipe
from selfstudy.records import Document
from selfstudy.verbs.measuring import measure_run, models_around

PAGES = [Document(source=str(i), text=f"Document {i} says something about Peru.") for i in range(5)]


def test_scoring_and_training_are_measured_where_there_is_room(
    tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from selfstudy.models import load_lm
    from selfstudy.teach.trainers import memory, shared

    recipe = Recipe(
        model=LocalModel(path=str(tiny_llama), device="cpu"),
        nli=NoNLI(),
        library="x",
        answering={"max_new_tokens": 4, "reading_tokens": 4},
        probe=ProbeBlock(samples=2),
        teach={"wordings": 1, "distill": {"replay": 0.5, "swapped": 0, "neutral": 0}},
    )
    lm = load_lm(recipe.model)
    assert isinstance(lm, HasWeights)
    prompts = Prompts()
    found = measure_run(models_around(lm, None, recipe, prompts), recipe, PAGES, prompts, 0.1)
    assert found.scoring is not None
    assert found.pair is not None
    assert found.gaps is not None
    assert found.training[0].example > 0
    assert found.training[0].showing > 0
    assert found.training[0].examples == pytest.approx(2 * 1.5)  # two wordings, half as many replayed
    needed = 2 * sum(one.numel() * 4 for one in lm.model.parameters())
    for free, room in ((needed, False), (needed + 1, True)):
        monkeypatch.setattr("psutil.virtual_memory", lambda free=free: SimpleNamespace(available=free))
        assert memory.has_room(lm) == room
        assert memory.has_room(lm, full=True) == (room and free >= 4 * (needed // 2))
    full = Recipe.model_validate(recipe.model_dump() | {"teach": {"finetuning": "full"}})
    with monkeypatch.context() as patch:
        patch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=10 * needed))
        rates: list[float] = []
        real = shared.arguments

        def seen(*given: Any) -> dict[str, Any]:
            arguments = real(*given)
            rates.append(arguments["learning_rate"])
            return arguments

        patch.setattr(shared, "arguments", seen)
        models = models_around(lm, None, full, prompts)
        assert measure_run(models, full, PAGES, prompts, 0.1).training[0].example > 0
        assert rates == [pytest.approx(3e-5)], "as all weights are trained"
    monkeypatch.setattr(memory, "has_room", lambda lm, **how: False)
    monkeypatch.setattr(shared, "training_copy", None)
    assert measure_run(models_around(lm, None, recipe, prompts), recipe, PAGES, prompts, 0.1).training == {}
