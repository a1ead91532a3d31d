"""What a reader is told of what judged entailment, wherever its figures stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.errors import RecipeError, RunError
from selfstudy.loop import Study
from selfstudy.recipe import LocalModel, NLIBlock, NoNLI, PromptedNLI, Recipe, ServerModel, VerifyBlock
from selfstudy.recipe.file import load_recipe, parse_recipe, read_yaml, to_yaml
from selfstudy.run import Run
from selfstudy.run.entailment import EntailmentFit, entailment_cautions, evaluated_by

REAL = LocalModel(path="org/model")


def test_left_out_it_goes_by_the_model() -> None:
    assert Recipe().nli == NLIBlock(path="atlas")
    assert Recipe(model=ServerModel(engine="transformers", model="atlas")).nli == NLIBlock()
    assert Recipe(model=REAL).nli == NoNLI()
    assert Recipe(model=REAL, nli=NLIBlock()).nli == NLIBlock()
    served = ServerModel(engine="vllm", model="org/model")
    assert Recipe(model=served).probe.scorer == "agreement"
    assert Recipe(model=REAL).probe.ensemble == ("agreement",)
    assert Recipe(model=served, nli=PromptedNLI()).probe.scorer == "selfcheck-nli"


def test_how_it_is_written(tmp_path: Path) -> None:
    model = {"path": "org/model"}
    assert parse_recipe({"model": model, "nli": "none"}, "r").nli == NoNLI()
    assert parse_recipe({"nli": "lm"}, "r").nli == PromptedNLI(ask="judge")
    assert parse_recipe({"nli": {"type": "lm", "ask": "model"}}, "r").nli == PromptedNLI(ask="model")
    assert parse_recipe({"model": model, "nli": {"path": "org/nli"}}, "r").nli == NLIBlock(path="org/nli")
    with pytest.raises(RecipeError, match=r"nli.*must be one of 'classifier', 'seq2seq', 'lm', 'none'"):
        parse_recipe({"nli": "some"}, "r")
    for recipe in (Recipe(model=REAL), Recipe(nli=PromptedNLI(ask="model"))):
        (tmp_path / "kept.yaml").write_text(to_yaml(recipe))
        assert parse_recipe(read_yaml(tmp_path / "kept.yaml"), "r") == recipe


@pytest.mark.parametrize(
    ("scorer", "instead"),
    [("selfcheck-nli", "agreement"), ("bsdetector", "p-true"), ("ensemble", "agreement")],
)
def test_scorers_that_need_one_are_refused(tmp_path: Path, scorer: str, instead: str) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(
        f"model: {{path: org/model}}\nprobe: {{scorer: {scorer}, ensemble: [selfcheck-nli], "
        "ask: [{method: open, count: 1}]}\n"
    )
    with pytest.raises(RecipeError, match=f"needs an entailment model, and nli is none.*take {instead}"):
        load_recipe(path)
    assert load_recipe(path, ["nli=lm"]).probe.scorer == scorer


def cautions(folder: Path, recipe: Recipe) -> tuple[str, ...]:
    with Run.create_or_resume(folder, recipe) as run:
        return entailment_cautions(run)


def test_what_is_said(tmp_path: Path) -> None:
    assert cautions(tmp_path / "atlas", Recipe()) == ()
    assert cautions(tmp_path / "own", Recipe(model=REAL, nli=NLIBlock(path="org/nli"))) == ()
    (words,) = cautions(tmp_path / "none", Recipe(model=REAL))
    assert "no entailment model (nli: none)" in words
    (prompt,) = cautions(tmp_path / "lm", Recipe(nli=PromptedNLI()))
    assert "asked by prompt" in prompt
    (outside,) = cautions(tmp_path / "outside", Recipe(model=REAL, nli=NLIBlock()))
    assert "atlas-nli knows the sentences of the embedded world alone" in outside


def test_the_one_of_verify_is_another_if_it_is_named(tmp_path: Path) -> None:
    other = parse_recipe({"verify": {"nli": {"path": "org/nli"}}}, "r")
    assert evaluated_by(Recipe()) == NLIBlock() == other.nli
    assert evaluated_by(other) == NLIBlock(path="org/nli")
    both = Recipe(model=REAL, nli=NLIBlock(path="org/nli"), verify=VerifyBlock(nli=NLIBlock()))
    (outside,) = cautions(tmp_path / "run", both)
    assert "atlas-nli knows the sentences of the embedded world alone" in outside
    (tmp_path / "kept.yaml").write_text(to_yaml(both))
    assert parse_recipe(read_yaml(tmp_path / "kept.yaml"), "r") == both
    path = tmp_path / "my.yaml"
    path.write_text("library: atlas\nverify: {nli: {path: ./own}}\n")
    with pytest.raises(RecipeError, match=r"verify\.nli\.path: no model folder at .*own"):
        load_recipe(path)


def test_verify_judges_by_the_one_that_is_named_for_it(tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "same", Recipe()) as run:
        same = Study(run)
        assert same.evaluator is same.nli
    with Run.create_or_resume(tmp_path / "other", Recipe(verify=VerifyBlock(nli=NoNLI()))) as run:
        other = Study(run)
        assert other.evaluator.name != other.nli.name


def test_what_was_measured_is_said_too(tmp_path: Path) -> None:
    with Run.create_or_resume(tmp_path / "run", Recipe()) as run:
        found = EntailmentFit(model="m", problems=("It does not fit.",))
        run.write_json(run.entailment_file, found.model_dump(mode="json"))
        assert entailment_cautions(run) == ("It does not fit.",)
        run.write_json(run.entailment_file, {"problems": 3})
        with pytest.raises(RunError, match=r"entailment\.json is damaged"):
            entailment_cautions(run)
