"""Where a run works changes nothing of what it is; what goes to a queue or a shell is what was written."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.errors import RecipeError
from selfstudy.recipe import Recipe
from selfstudy.recipe.file import changed_keys, load_recipe, parse_recipe


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


def test_options_of_sbatch_are_read_with_their_dashes_too() -> None:
    block = parse_recipe({"cluster": {"options": ["--reservation=team", "exclusive"]}}, "mine.yaml").cluster
    assert block is not None
    assert block.options == ("reservation=team", "exclusive")


def test_a_time_of_a_job_is_read_as_it_is_written(tmp_path: Path) -> None:
    """Not as a number to the base of 60, which YAML 1.1 takes it for."""
    for written, read in (("4:00:00", "4:00:00"), ("1-12", "1-12"), ("90", "90"), ("30:00", "30:00")):
        (tmp_path / "mine.yaml").write_text(
            f"library: atlas\ncluster: {{time: {written}}}\n", encoding="utf-8"
        )
        cluster = load_recipe(tmp_path / "mine.yaml").cluster
        assert cluster is not None
        assert cluster.time == read
