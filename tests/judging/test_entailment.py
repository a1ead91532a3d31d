"""The three kinds of judges of entailment, as a recipe names them and a run gets them."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy import ScriptedLM
from selfstudy.errors import ModelError
from selfstudy.judging.by_prompt import PromptedEntailment
from selfstudy.judging.by_words import WordEntailment
from selfstudy.judging.entailment import entailment_model
from selfstudy.loop import Study
from selfstudy.models import load_nli
from selfstudy.models.embedder import LexicalEmbedder
from selfstudy.models.nli import EntailmentClassifier
from selfstudy.prompts import Prompts
from selfstudy.recipe import NLIBlock, NoNLI, PromptedNLI, Recipe, ScriptedModel
from selfstudy.run import Run


def test_each_kind() -> None:
    judge = ScriptedLM({".": "true"}, name="judge")

    def made(block: NLIBlock | PromptedNLI | NoNLI) -> object:
        return entailment_model(block, None, Prompts(), lambda asked: judge, LexicalEmbedder)

    assert isinstance(made(NLIBlock()), EntailmentClassifier)
    prompted = made(PromptedNLI())
    assert isinstance(prompted, PromptedEntailment)
    assert prompted.name == "judge, by prompt"
    assert isinstance(made(NoNLI()), WordEntailment)


@pytest.mark.parametrize("block", [PromptedNLI(), NoNLI()])
def test_what_is_no_model_is_not_loaded_as_one(block: PromptedNLI | NoNLI) -> None:
    with pytest.raises(ModelError, match="no entailment model to load"):
        load_nli(block)


def test_a_run_asks_its_judge_or_its_model_and_counts_it(tmp_path: Path) -> None:
    for name, said in (("model", "false"), ("judge", "true")):
        (tmp_path / f"{name}.yaml").write_text(f"'.': '{said}'\n")
    pairs = [("It is red.", "It is blue.")]
    for ask, expected in (("judge", "entailment"), ("model", "contradiction")):
        recipe = Recipe(
            model=ScriptedModel(path=tmp_path / "model.yaml"),
            judge=ScriptedModel(path=tmp_path / "judge.yaml"),
            nli=PromptedNLI(ask=ask),
        )
        with Run.create_or_resume(tmp_path / ask, recipe) as run:
            study = Study(run)
            nli = study.nli
            nli._replies = True  # type: ignore[attr-defined]  # a scripted model's numbers say nothing
            assert nli.classes(pairs) == [expected]
            assert study.language_models.ledger.total.calls == 1
            assert nli.classes(pairs) == [expected]
            assert study.language_models.ledger.total.calls == 1  # judged before
