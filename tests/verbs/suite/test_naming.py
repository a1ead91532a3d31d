"""Suites as a person names them."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.errors import RecipeError
from selfstudy.recipe.file import make_recipe
from selfstudy.recipe.suites import LMEvalBlock, PerplexityBlock, QABlock, TruthfulQABlock
from selfstudy.verbs.suite.naming import known, named

RECIPE = make_recipe({"verify": {"suites": [{"name": "truthfulqa", "margin": 0.1, "tasks": ["mc1"]}]}}, [])


def test_a_name_alone_is_the_suite_of_the_recipe_and_decides_nothing() -> None:
    found = named(["truthfulqa", "qa"], RECIPE, questions=5)
    assert found == (TruthfulQABlock(tasks=("mc1",), questions=5), QABlock(questions=5))


def test_data_of_one_suite_or_of_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("x")
    monkeypatch.chdir(tmp_path)
    assert named(["perplexity"], RECIPE, data=["a.txt"]) == (PerplexityBlock(data=str(tmp_path / "a.txt")),)
    two = named(["perplexity", "qa"], RECIPE, data=["qa=rajpurkar/squad", "perplexity=a.txt"])
    assert [one.data for one in two] == [str(tmp_path / "a.txt"), "rajpurkar/squad"]  # type: ignore[attr-defined]


def test_tasks_of_lm_eval_are_one_suite() -> None:
    found = named(["lm-eval:a", "qa", "lm-eval:b"], RECIPE, include_path="tasks", allow_code=True)
    assert found[0] == LMEvalBlock(tasks=("a", "b"), include_path="tasks", allow_code=True)


@pytest.mark.parametrize(
    ("names", "more", "said"),
    [
        ([], {}, "no suite was named"),
        (["trutfulqa"], {}, "did you mean truthfulqa"),
        (["qa:x"], {}, "no suite named 'qa:x'"),
        (["lm-eval"], {}, "no task was named"),
        (["qa", "perplexity"], {"data": ["a.txt"]}, "of which suite is that"),
        (["qa"], {"data": ["perplexity=a"]}, "of which suite is that"),
        (["qa"], {"data": ["a", "b"]}, "has a file already"),
        (["lm-eval:a"], {"data": ["a"]}, "name their own data"),
        (["qa"], {"allow_code": True}, "are for lm-eval"),
    ],
)
def test_what_is_wrong_is_named(names: list[str], more: dict[str, object], said: str) -> None:
    with pytest.raises(RecipeError) as error:
        named(names, RECIPE, **more)  # type: ignore[arg-type]
    assert said in str(error.value)
    assert "truthfulqa" in known()
