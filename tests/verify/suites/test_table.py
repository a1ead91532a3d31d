"""The table has a row for every block of a recipe, and every row makes a suite that keeps the contract."""

from __future__ import annotations

from typing import get_args

import pytest

from selfstudy.recipe.suites import SuiteBase, SuiteBlock
from selfstudy.records import Document, SuiteItem
from selfstudy.verify.suites.table import SUITES, make_suite, name_of_block, settings_of

BLOCKS = get_args(get_args(SuiteBlock)[0])
DOCUMENT = Document(source="s", title="Fiji", text="Suva is the capital of Fiji.")


def test_every_block_of_a_recipe_has_a_row_by_its_own_name() -> None:
    assert {row.block for row in SUITES.values()} == set(BLOCKS)
    assert all(row.block.model_fields["name"].default == name for name, row in SUITES.items())


@pytest.mark.parametrize("name", [name for name in SUITES if name not in ("lm-eval", "likeness")])
def test_every_suite_has_data_of_our_own_or_asks_about_the_library(name: str) -> None:
    block = SUITES[name].block()
    suite = make_suite(block, 0, lambda: [DOCUMENT])
    assert suite.name == name
    assert len(suite) > 0
    assert sum(one.main for one in suite.measures) == 1
    assert suite.measures[0].main
    assert len({one.name for one in suite.measures}) == len(suite.measures)
    assert all(isinstance(note, str) for note in suite.notes)
    few = make_suite(block.model_copy(update={"questions": 1}), 0, lambda: [DOCUMENT])
    assert len(few) == 1


def test_a_suite_may_say_what_no_mean_of_items_says() -> None:
    parts = {"points": 1.0, "characters": 9.0, "characters_before": 5.0, "identical": 0.0}
    won = [
        SuiteItem(
            suite="pairwise",
            arm="taught",
            item=str(n),
            asked="?",
            parts=parts,
            reasons={"without document": "first, then second"},
        )
        for n in range(3)
    ]
    said = SUITES["pairwise"].findings(won, 0)
    assert any("win rate 1.000" in one for one in said)
    assert SUITES["pairwise"].findings([], 0) == ()
    assert SUITES["qa"].findings(won, 0) == ()


def test_the_margin_tells_no_suite_from_another() -> None:
    block: SuiteBase = SUITES["qa"].block(margin=0.1, questions=3)
    assert name_of_block(block) == "qa"
    assert settings_of(block) == {"questions": 3, "data": None}
