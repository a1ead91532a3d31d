"""Commented recipes read back as the data that they were made of."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from selfstudy.files import plain_yaml
from selfstudy.recipe.commented import UnsetKeys, commented_yaml


@pytest.mark.parametrize(
    "data",
    [
        {"model": {"path": "gpt2", "dtype": "auto"}, "seed": 3},
        {"library": 'a folder: with # signs\nand "quotes"', "probe": {"ask": [{"method": "documents"}]}},
        {"nli": "none", "judge": None, "budget": {"minutes": 1.5}},
        {"library": "no", "answer_key": "1e3"},
        {"deploy": {"type": "dynamic", "groups": {"example.org": ["https://example.org"]}}},
    ],
    ids=("block", "hostile", "short", "words", "dots"),
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


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)


@settings(max_examples=50)
@given(name=NAMES, reason=NAMES)
def test_any_name_survives(name: str, reason: str) -> None:
    data = {"model": {"path": name}, "library": [name, f"-{name}", f"{name}: #"]}
    unset = UnsetKeys({"model.revision": name, "answer_key": name}, {"model.revision": reason})
    assert plain_yaml.load(commented_yaml(data, {"model.path": reason, "library": reason}, unset)) == data


def test_keys_that_are_not_set_stand_in_their_block() -> None:
    unset = UnsetKeys({"model.revision": None, "budget.calls": None}, {"budget.calls": "Of models."})
    text = commented_yaml({"seed": 1, "model": {"path": "x"}}, {}, unset)
    assert text.index("model:") < text.index("seed: 1") < text.index("#budget:")
    assert "model:\n  path: x\n  #revision: null\n\n" in text
    assert text.endswith("#budget:\n#  # Of models.\n#  calls: null\n")


def test_a_list_of_blocks_has_a_line_for_each() -> None:
    text = commented_yaml({"probe": {"ask": [{"method": "open", "count": 1}, {"method": "induced"}]}})
    assert text.endswith("  ask:\n    - {method: open, count: 1}\n    - {method: induced}\n")
