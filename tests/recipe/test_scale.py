"""Where a run works changes nothing of what it is; what goes to a queue or a shell is what was written."""

from __future__ import annotations

import pytest

from selfstudy.errors import RecipeError
from selfstudy.recipe import Recipe
from selfstudy.recipe.file import changed_keys, parse_recipe


def test_where_a_run_works_may_change_when_it_is_resumed() -> None:
    here = Recipe()
    elsewhere = Recipe.model_validate(
        {"scale": {"workers": 3}, "cluster": {"gpus": 8}, "teach": {"launch": {"processes": 2}}}
    )
    assert changed_keys(here, elsewhere) == []


@pytest.mark.parametrize("address", ["local", "auto", "10.0.0.1:6379", "ray://head.example:10001"])
def test_addresses(address: str) -> None:
    assert Recipe.model_validate({"scale": {"address": address}}).scale.address == address  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "block",
    [
        {"scale": {"address": "http://head:1"}},
        {"scale": {"address": "head:1/../x"}},
        {"scale": {"workers": 0}},
        {"cluster": {"partition": "gpu\n#SBATCH --uid=0"}},
        {"cluster": {"account": "me; rm -rf ~"}},
        {"cluster": {"modules": ["cuda$(id)"]}},
        {"cluster": {"setup": ["one\ntwo"]}},
        {"cluster": {"time": "soon"}},
        {"cluster": {"options": ["--wrap=a b"]}},
        {"teach": {"launch": {"processes": 0}}},
    ],
)
def test_what_is_no_such_thing_is_refused(block: dict[str, object]) -> None:
    with pytest.raises(RecipeError):
        parse_recipe(block, "mine.yaml")
