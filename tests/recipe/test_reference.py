"""Every key of a recipe is in the reference, with a docstring, a default and a source."""

from __future__ import annotations

import re
from pathlib import Path

from selfstudy.recipe import EpochsBlock, Recipe
from selfstudy.recipe.reference import OURS, recipe_keys
from selfstudy.recipe.schema import blocks_of
from selfstudy.recipe.teach import PHASE_BLOCKS
from selfstudy.recipe.training import TrainingBlock

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "recipe.md"
AGAIN = "python -m selfstudy.show.recipe_reference docs/reference/recipe.md"


def schema_keys() -> set[str]:
    """Every key, found another way: in pydantic's own schema."""
    parts = {"Recipe": (schema := Recipe.model_json_schema()), **schema["$defs"]}
    return {f"{name}.{key}" for name, part in parts.items() for key in part.get("properties", {})}


def test_every_key_of_the_schema_is_found() -> None:
    assert {key.id for key in recipe_keys()} == schema_keys()


def test_every_key_is_on_the_page() -> None:
    anchors = re.findall(r"\{#([A-Za-z0-9]+\.[a-z0-9_]+)\}", PAGE.read_text(encoding="utf-8"))
    assert len(anchors) == len(set(anchors))
    assert set(anchors) == schema_keys(), f"write the page again: {AGAIN}"


def test_every_key_says_what_it_is() -> None:
    bare = [key.id for key in recipe_keys() if len(key.text) < 8]
    assert not bare, "give the field a docstring where its block is written (src/selfstudy/recipe)"


def test_a_decision_that_is_named_as_a_source_is_there() -> None:
    named = {found for key in recipe_keys() for found in re.findall(r"docs/decisions/\S+\.md", key.source)}
    assert named
    assert not [one for one in named if not (ROOT / one).is_file()]


def test_a_key_stands_on_the_page_at_all_its_places() -> None:
    by_id = {key.id: key for key in recipe_keys()}
    assert by_id["DistillBlock.mix"].paths == ("teach.distill.mix", "teach.phases[].mix")
    assert by_id["Recipe.seed"].paths == ("seed",)


def test_a_source_is_of_one_default_alone() -> None:
    """A block that has another default does not take over who gave that of the block it is made from."""
    source = {key.id: key.source for key in recipe_keys()}
    assert source["SFTBlock.batch_size"] == "methods 1 and 2 (DPO)"
    assert source["DistillBlock.batch_size"] == OURS
    assert source["GatherBlock.hits"] == OURS
    assert source["CitationRewardBlock.recall"].startswith("Huang et al. 2024")


def test_a_source_alone_goes_on_with_what_the_key_is() -> None:
    keys = {key.id: key for key in recipe_keys()}
    assert keys["DPOBlock.epochs"].text == keys["SFTBlock.epochs"].text
    assert (keys["DPOBlock.epochs"].source, keys["SFTBlock.epochs"].source) == (
        "methods 1 (DPO)",
        "methods 2",
    )


def test_what_null_means_in_a_phase_is_what_it_does() -> None:
    texts = {key.id: " ".join(key.text.split()) for key in recipe_keys()}
    blocks = [block for block in blocks_of(Recipe) if issubclass(block, TrainingBlock)]
    assert len(blocks) == len(PHASE_BLOCKS)
    for block in blocks:
        rates = re.findall(r"(\de-\d) \(([^)]*)\)", texts[f"{block.__name__}.learning_rate"])
        phase = block.model_fields["type"].default
        assert [float(rate) for rate, phases in rates if phase in phases.split(", ")] == [block.LORA_RATE]
        if issubclass(block, EpochsBlock):
            least, most = block.EPOCHS
            said = f"enough for {block.STEPS} optimizer steps, but {least} at least and {most} at most."
            assert texts[f"{block.__name__}.epochs"].endswith(said)
