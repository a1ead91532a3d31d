"""A key that is changed changes something that can be observed; effects/ has a row for each key.

A key without a row stands in effects/not_yet.py, and is at least read by the code outside the recipe.  A key
that several blocks have from one class has a row in each, for each has a phase, or a model, of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from itertools import chain
from typing import Any, get_args

import pytest

from selfstudy.recipe import Recipe
from selfstudy.recipe.reference import recipe_keys
from selfstudy.recipe.schema import blocks_of

from .effects import Effect, asked, cluster, gathering, others, probing, suites, training, verifying
from .effects.not_yet import NOT_YET
from .effects.readers import PACKAGE, read_keys

TABLES = (
    *(asked.EFFECTS, cluster.EFFECTS, training.EFFECTS, others.EFFECTS),
    *(probing.EFFECTS, gathering.EFFECTS, verifying.EFFECTS, suites.EFFECTS),
)
EFFECTS: dict[str, Effect] = dict(chain.from_iterable(table.items() for table in TABLES))
BLOCKS = {block.__name__: block for block in blocks_of(Recipe)}
KEYS = {key.id for key in recipe_keys()}
WITHOUT = {f"{block}.{key}" for block, names in NOT_YET.items() for key in names.split()}
MOST = 189
"""Keys without a row: lower it with each that gets one, and never raise it."""
KINDS = {
    f"{name}.{key}"
    for name, block in BLOCKS.items()
    for key, field in block.model_fields.items()
    if key in ("type", "name") and len(get_args(field.annotation)) == 1
}
"""Keys whose other value makes it another block."""
ONE_CHOICE = {"ScaleBlock.type"}
"""Of these, what has one value alone, and waits for a second."""


def test_a_key_stands_in_one_table() -> None:
    assert len(EFFECTS) == sum(map(len, TABLES))
    assert not WITHOUT & set(EFFECTS), "take it out of NOT_YET"


def test_every_key_has_a_row() -> None:
    missing = sorted(KEYS - set(EFFECTS) - KINDS - WITHOUT)
    assert not missing, "give it another value and an observer in a table of tests/recipe/effects"
    assert not (set(EFFECTS) | WITHOUT) - KEYS, "there is no such key"


def test_another_kind_is_another_block() -> None:
    """No two blocks of one place have the same `type` or `name`, and each stands where there is another."""
    places = defaultdict[str, dict[str, str]](dict)
    for key in (key for key in recipe_keys() if key.id in KINDS):
        (value,) = get_args(BLOCKS[key.said.block].model_fields[key.name].annotation)
        for path in key.paths:
            assert places[path].setdefault(value, key.id) == key.id
    assert {
        one for kinds in places.values() if len(kinds) > 1 for one in kinds.values()
    } == KINDS - ONE_CHOICE


def test_fewer_and_fewer_keys_have_none() -> None:
    assert len(WITHOUT) == MOST


_BEFORE: dict[tuple[Callable[[Any], object], str, str], object] = {}
"""What an observer sees of a block with a base, for all keys that have them: it does not change by itself."""


@pytest.mark.parametrize("key", sorted(EFFECTS))
def test_a_changed_key_changes_what_is_observed(key: str) -> None:
    block, _, name = key.partition(".")
    row = EFFECTS[key]
    before, after = (
        BLOCKS[block].model_validate(values) for values in (row.base, {**row.base, name: row.other})
    )
    assert getattr(before, name) != getattr(after, name), "give another value"
    shared = row.seen, block, repr(row.base)
    if shared not in _BEFORE:
        _BEFORE[shared] = row.seen(before)
    assert _BEFORE[shared] != row.seen(after), "a key that changes nothing: mend it, or delete it"


@pytest.mark.parametrize("key", sorted({row.seen: key for key, row in sorted(EFFECTS.items())}.values()))
def test_what_is_observed_does_not_change_by_itself(key: str) -> None:
    row = EFFECTS[key]
    block = BLOCKS[key.partition(".")[0]].model_validate(row.base)
    assert row.seen(block) == row.seen(block)


def test_a_key_without_a_row_is_read_by_the_code() -> None:
    found = read_keys(sorted(PACKAGE.rglob("*.py")))
    assert not WITHOUT - found, "nothing outside the recipe reads it: mend it, or delete it"


def test_what_is_read_is_told_apart_by_block() -> None:
    """Of two files only what they read, though other blocks have keys of these names."""
    recipe = sorted((PACKAGE / "recipe").glob("*.py"))
    found = (
        read_keys([*recipe, PACKAGE / "teach" / "examples.py", PACKAGE / "models" / "lora_targets.py"]) & KEYS
    )
    examples = {f"{block}.{key}" for block in ("SFTBlock", "DistillBlock") for key in ("replay", "reading")}
    assert examples <= found
    assert {"LoraBlock.r", "LoraBlock.dropout"} <= found
    assert not found & {"GatherBlock.reader", "SFTBlock.batch_size", "PPOBlock.kl", "LocalModel.path"}
