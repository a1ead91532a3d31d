"""A run says what it was made with, and another version's run is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfstudy.errors import RunError
from selfstudy.recipe import Recipe, RejectionBlock, SFTBlock
from selfstudy.recipe.file import recipe_digest, to_yaml
from selfstudy.run.provenance import provenance, stored_recipe
from selfstudy.version import __version__

RECIPE = Recipe(library="atlas", seed=4)


def stored(folder: Path, **changes: object) -> Recipe:
    (folder / "recipe").write_text(to_yaml(RECIPE))
    (folder / "made with").write_text(json.dumps({**provenance(RECIPE), **changes}))
    return stored_recipe(folder / "recipe", folder / "made with")


def test_what_is_noted() -> None:
    found = provenance(RECIPE)
    assert (found["selfstudy"], found["seed"]) == (__version__, 4)
    assert found["recipe_digest"] == recipe_digest(RECIPE)
    assert "torch" in found["packages"]


def test_what_is_read_back_and_what_is_refused(tmp_path: Path) -> None:
    assert stored(tmp_path) == RECIPE
    with pytest.raises(RunError, match=r"made by another version of selfstudy, 0\.0\.9"):
        stored(tmp_path, format=1, selfstudy="0.0.9")
    with pytest.raises(RunError, match="was edited after the run began"):
        stored(tmp_path, recipe_digest="another")
    (tmp_path / "made with").write_text("[1, 2")
    with pytest.raises(RunError, match="missing or damaged"):
        stored_recipe(tmp_path / "recipe", tmp_path / "made with")
    with pytest.raises(RunError, match="selfstudy did not write"):
        stored(tmp_path, kind="another tool")


def test_a_run_of_before_there_was_a_kind_goes_on(tmp_path: Path) -> None:
    stored(tmp_path)
    written = {name: value for name, value in provenance(RECIPE).items() if name != "kind"}
    written["recipe_digest"] = "of fewer keys"
    (tmp_path / "made with").write_text(json.dumps(written))
    lines = (tmp_path / "recipe").read_text().splitlines()
    (tmp_path / "recipe").write_text("\n".join(line for line in lines if "follow_links" not in line))
    assert stored_recipe(tmp_path / "recipe", tmp_path / "made with") == RECIPE


def test_a_run_of_an_older_version_means_what_it_meant(tmp_path: Path) -> None:
    stored(tmp_path, selfstudy="0.1.0")
    lines = (tmp_path / "recipe").read_text().splitlines()
    later = ("  accept:", "  temperature: 0.7", "  repeats:")  # keys that it did not have
    kept = [line for line in lines if not line.startswith(later)]
    assert len(kept) == len(lines) - 3
    (tmp_path / "recipe").write_text("\n".join(kept))
    found = stored_recipe(tmp_path / "recipe", tmp_path / "made with")
    assert (found.gather.accept, found.gather.temperature) == ("consistency", None)
    assert found.verify.repeats == 0


@pytest.mark.parametrize(("merge", "type_"), [("true", "merged"), ("false", "adapter")])
def test_a_run_of_before_there_was_deploy_merges_as_it_did(tmp_path: Path, merge: str, type_: str) -> None:
    stored(tmp_path, selfstudy="0.2.0.dev0")
    recipe = (tmp_path / "recipe").read_text()
    before, _, after = recipe.partition("deploy:\n")
    assert after.startswith("  type: adapter")
    (tmp_path / "recipe").write_text(before.replace("verify:\n", f"verify:\n  merge: {merge}\n"))
    assert stored_recipe(tmp_path / "recipe", tmp_path / "made with").deploy.type == type_


def test_keys_that_are_no_more_do_not_stand_in_the_way(tmp_path: Path) -> None:
    stored(tmp_path)
    older = {**provenance(RECIPE), "selfstudy": "0.2.0.dev4", "recipe_digest": "of more keys"}
    (tmp_path / "made with").write_text(json.dumps(older))
    file = tmp_path / "recipe"
    text = file.read_text()
    file.write_text(text.replace("  rejection:\n", "  rejection:\n    keep: 2.0\n    rest: true\n"))
    assert stored_recipe(file, tmp_path / "made with") == RECIPE
    phases = "  method: null\n  phases:\n  - type: rejection\n    keep: 2.0\n  - type: sft\n    keep: 2.0\n"
    file.write_text(text.replace("  method: distill\n", "").replace("  phases: []\n", phases))
    first, second = stored_recipe(file, tmp_path / "made with").teach.plan
    assert first == RejectionBlock()
    assert second == SFTBlock(keep=2.0)
