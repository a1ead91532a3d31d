"""The published settings as recipes: each loads, and says what the papers say."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.recipe import DPOBlock, Recipe, SFTBlock
from selfstudy.recipe.file import load_recipe
from selfstudy.teach import followers
from selfstudy.teach.launch import Launched

RECIPES = Path(__file__).parents[1] / "examples" / "recipes"


def loaded(name: str, folder: Path) -> Recipe:
    (folder / "page.txt").write_text("Peru is a country.")
    return load_recipe(RECIPES / f"{name}.yaml", [f"library={folder}"])


def test_self_questioning(tmp_path: Path) -> None:
    recipe = loaded("self-questioning", tmp_path)
    lora = recipe.teach.lora
    assert (lora.r, lora.alpha, lora.dropout, lora.target_modules) == (64, 128, 0.05, ("q_proj", "v_proj"))
    (dpo,) = recipe.teach.plan
    assert isinstance(dpo, DPOBlock)
    assert (dpo.beta, dpo.rate(), dpo.warmup, dpo.epochs, dpo.batch_size) == (0.1, 3e-5, 0.1, 3, 32)
    assert (dpo.labels, dpo.pairs) == ("published", 1)
    assert (recipe.probe.samples, recipe.probe.threshold) == (10, 0.5)


def test_knowledge_detection(tmp_path: Path) -> None:
    recipe = loaded("knowledge-detection", tmp_path)
    sft, dpo = recipe.teach.plan
    assert isinstance(sft, SFTBlock)
    assert isinstance(dpo, DPOBlock)
    assert (sft.epochs, sft.rate(), sft.reading) == (2, pytest.approx(10 * 2e-5), 1)
    assert (dpo.beta, dpo.rate()) == (0.3, pytest.approx(10 * 5e-7))
    assert dpo.passes(1600) * 1600 / dpo.batch_size == 300
    assert (recipe.teach.lora.r, recipe.teach.lora.target_modules) == (256, "all-linear")
    assert (recipe.gather.accept, recipe.gather.max_inconsistency) == ("consistency", 0.5)


@pytest.mark.parametrize("name", [path.stem for path in sorted(RECIPES.glob("*.yaml"))])
def test_several_processes_can_train_it(name: str, tmp_path: Path) -> None:
    for sharding in ("none", "fsdp", "zero2"):
        followers.require_together(loaded(name, tmp_path), Launched(0, 8, 8, sharding))  # type: ignore[arg-type]
