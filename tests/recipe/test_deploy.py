"""The recipe's block `deploy`."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from selfstudy.recipe import DeployBlock, Recipe


def test_a_word_is_short_for_its_type() -> None:
    recipe = Recipe.model_validate({"deploy": "dynamic"})
    assert recipe.deploy == DeployBlock(type="dynamic")


def test_half_of_all_prompts_may_not_go_wrong() -> None:
    with pytest.raises(ValidationError, match="less than or equal to"):
        DeployBlock.model_validate({"router": {"false_activation": 0.9}})
