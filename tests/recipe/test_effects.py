"""A key that is changed changes something that can be observed: effects/ has a row for each key.

A key that several blocks have from one class has a row in each, for each has a phase, or a model, of its own.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from importlib import import_module
from itertools import chain
from pkgutil import iter_modules
from typing import Any, get_args

import pytest

from selfstudy.recipe import Recipe
from selfstudy.recipe.reference import recipe_keys
from selfstudy.recipe.schema import blocks_of

from . import effects
from .effects import Effect

MODULES = [import_module(f"{effects.__name__}.{found.name}") for found in iter_modules(effects.__path__)]
TABLES: list[dict[str, Effect]] = [module.EFFECTS for module in MODULES if hasattr(module, "EFFECTS")]
EFFECTS: dict[str, Effect] = dict(chain.from_iterable(table.items() for table in TABLES))
BLOCKS = {block.__name__: block for block in blocks_of(Recipe)}
KEYS = {key.id for key in recipe_keys()}
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


def test_every_key_has_a_row() -> None:
    missing = sorted(KEYS - set(EFFECTS) - KINDS)
    assert not missing, "give it another value and an observer in a table of tests/recipe/effects"
    assert not set(EFFECTS) - KEYS, "there is no such key"


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


def shown(key: str) -> tuple[object, str, str]:
    """What a row's observer is shown before the key is changed: several rows are shown the same."""
    row = EFFECTS[key]
    return row.seen, key.partition(".")[0], repr(sorted(row.base.items()))


FIRST = {shown(key): key for key in sorted(EFFECTS, reverse=True)}
"""Of rows that are shown the same the first key."""


def seen(key: str, **changed: Any) -> object:
    row = EFFECTS[key]
    return row.seen(BLOCKS[key.partition(".")[0]].model_validate({**row.base, **changed}))


@cache
def seen_before(first: str) -> object:
    """Once for all rows that are shown the same."""
    return seen(first)


@pytest.mark.parametrize("key", sorted(EFFECTS))
def test_a_changed_key_changes_what_is_observed(key: str) -> None:
    block, _, name = key.partition(".")
    row = EFFECTS[key]
    before, after = (
        BLOCKS[block].model_validate(values) for values in (row.base, {**row.base, name: row.other})
    )
    assert getattr(before, name) != getattr(after, name), "give another value"
    changed = seen(key, **{name: row.other})
    assert seen_before(FIRST[shown(key)]) != changed, "a key that changes nothing: mend it, or delete it"


@pytest.mark.parametrize("key", sorted(FIRST.values()))
def test_an_observer_sees_the_same_twice(key: str) -> None:
    """Or its rows could not fail."""
    assert seen_before(key) == seen(key)
