"""Which documents may be evidence: the recipe's keys for it."""

from __future__ import annotations

from datetime import date

import pytest
from pydantic import ValidationError

from selfstudy.gather.evidence import EvidenceRules
from selfstudy.library.excluded import Excluded
from selfstudy.library.index import Hit
from selfstudy.recipe import GatherBlock
from selfstudy.recipe.gather import days_of


def hit(source: str, day: str = "") -> Hit:
    return Hit(0, "d", source, "", "text", 0, 4, 1.0, date=day)


def test_excluded_before_stale() -> None:
    rules = EvidenceRules(date(2026, 11, 28), 30, Excluded(["bench.example"]))
    assert rules.strict
    both = rules.against(hit("https://bench.example/1", "2019"))
    assert both is not None
    assert both.why == "excluded"
    assert rules.against(hit("https://other.example/1")) is None
    old = rules.against(hit("https://other.example/1", "2019"))
    assert old is not None
    assert old.why == "stale"
    assert not EvidenceRules(date(2026, 11, 28)).strict


@pytest.mark.parametrize(
    ("age", "days"), [("30", 30), ("30d", 30), ("6w", 42), ("18m", 548), ("2y", 730), ("2 y", 730)]
)
def test_ages(age: str, days: int) -> None:
    assert days_of(age) == days
    assert GatherBlock(max_age=age).max_age == age


def test_a_number_is_an_age_in_days() -> None:
    assert GatherBlock.model_validate({"max_age": 30}).max_age == "30"


@pytest.mark.parametrize(
    "keys",
    [
        {"max_age": "0"},
        {"max_age": "2 years"},
        {"max_age": -3},
        {"max_age": True},
        {"max_age": "9" * 30},
        {"as_of": "2026"},
        {"as_of": "2026-02-30"},
        {"as_of": "20261128"},
    ],
)
def test_bad_keys(keys: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        GatherBlock.model_validate(keys)
