"""Commented recipes read back as the data that they were made of."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from selfstudy.recipe.commented import commented_yaml


@pytest.mark.parametrize(
    "data",
    [
        {"model": {"path": "gpt2", "dtype": "auto"}, "seed": 3},
        {"library": 'a folder: with # signs\nand "quotes"', "probe": {"ask": [{"method": "documents"}]}},
        {"nli": "none", "judge": None, "budget": {"minutes": 1.5}},
        {"library": "no", "answer_key": "1e3"},
    ],
    ids=("block", "hostile", "short", "words"),
)
def test_reads_back(data: dict[str, Any]) -> None:
    assert (
        yaml.safe_load(commented_yaml(data, {"model.dtype": "one\nmodel: evil", "nli": "why: # x"})) == data
    )


def test_says_why_above_the_key() -> None:
    text = commented_yaml({"model": {"dtype": "auto"}}, {"model.dtype": "this CPU"})
    assert text.endswith("model:\n  # this CPU\n  dtype: auto\n")


def test_says_what_a_key_is() -> None:
    assert commented_yaml({"min_gain": 0.1}).startswith("# Stop after a round")
