"""Suites are refused before a model is loaded, if the recipe lacks what they need; and get what it has."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from selfstudy.errors import RecipeError
from selfstudy.judging.by_sentence import BySentence
from selfstudy.prompts import Prompts
from selfstudy.recipe import LocalModel, Recipe, RemoteModel, ScriptedModel, ServerModel
from selfstudy.recipe.file import make_recipe
from selfstudy.recipe.suites import AtomicFactsBlock, PairwiseBlock, QABlock, TruthfulQABlock
from selfstudy.records import Document
from selfstudy.verify.suites.planning import planned, same_weights, tools

from ..towns import WordNLI


class Source:
    """Has everything, and notes what was asked for."""

    def __init__(self) -> None:
        self.given: list[str] = []

    def prompts(self) -> Prompts:
        return Prompts()

    def entailment(self) -> WordNLI:
        self.given.append("nli")
        return WordNLI()

    def judging(self, block: Any) -> Any:
        self.given.append(f"judge {block.path}")
        return type("Judging", (), {"name": block.path})()

    def retriever(self) -> Any:
        self.given.append("library")
        return None

    def documents(self) -> Sequence[Document]:
        return [Document(source="s", title="Fiji", text="Suva.")]


def recipe(**more: Any) -> Recipe:
    return make_recipe({"model": {"path": "atlas"}, **more}, [])


JUDGE = {"judge": {"path": "somebody"}}


@pytest.mark.parametrize(
    ("block", "has", "lacks"),
    [
        (PairwiseBlock(), {}, "a judge"),
        (AtomicFactsBlock(), {}, "a library"),
        (AtomicFactsBlock(), {"library": "atlas", "nli": {"type": "none"}}, "an entailment model"),
    ],
)
def test_what_is_lacking_is_named(block: Any, has: dict[str, Any], lacks: str) -> None:
    with pytest.raises(RecipeError, match=f"{block.name} needs {lacks}"):
        planned(block, recipe(**has), Source().documents)


def test_what_a_suite_is_asked_with_tells_it_from_the_same_asked_otherwise() -> None:
    plain = planned(TruthfulQABlock(questions=2), recipe())
    judged = planned(TruthfulQABlock(questions=2, margin=0.02), recipe(**JUDGE))
    assert plain.margin is None
    assert judged.margin == 0.02
    assert {**plain.settings, "judge": "somebody"} == judged.settings
    assert judged.findings([]) == ()


def test_a_margin_by_which_nothing_could_be_promoted_is_refused_before_anything_is_asked(
    tmp_path: Path,
) -> None:
    rows = [{"question": f"What is {n}?", "answers": [f"number {n}"]} for n in range(20)]
    data = tmp_path / "rows.jsonl"

    def plan(rows: list[dict[str, Any]], **more: Any) -> object:
        data.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return planned(PairwiseBlock(data=str(data), **more), recipe(**JUDGE))

    plan(rows, margin=0.1)
    plan(rows[:3])
    with pytest.raises(RecipeError, match="19 of its 20 questions have gold answers: with fewer than 20"):
        plan([*rows[:19], {"question": "Why?"}], margin=0.1)
    with pytest.raises(RecipeError, match="5 of its 5"):
        plan(rows, margin=0.1, questions=5)


def test_only_what_some_suite_wants_is_loaded() -> None:
    source = Source()
    none = tools([QABlock()], recipe(**JUDGE), source)
    assert source.given == []
    assert (none.judge, none.nli, none.retriever, none.judged_by_itself) == (None, None, None, False)
    found = tools([PairwiseBlock(), AtomicFactsBlock()], recipe(library="atlas", **JUDGE, seed=7), source)
    assert sorted(source.given) == ["judge somebody", "library", "nli"]
    assert found.judge is not None
    assert (found.judge.name, found.seed, found.judged_by_itself) == ("somebody", 7, False)


def test_a_model_that_judges_itself_is_known() -> None:
    own = tools([PairwiseBlock()], recipe(judge={"path": "atlas"}), Source())
    assert own.judged_by_itself
    assert same_weights(LocalModel(path="a", adapter=Path("x")), LocalModel(path="a"))
    assert not same_weights(LocalModel(path="a"), LocalModel(path="a", revision="2"))
    assert not same_weights(LocalModel(path="a"), ScriptedModel(path=Path("a")))


def test_a_judge_behind_a_server_is_the_same_model_however_it_is_asked() -> None:
    asked = RemoteModel(model="m", base_url="http://127.0.0.1:1/v1")
    slower = RemoteModel(model="m", base_url="http://127.0.0.1:1/v1", concurrency=2, logprobs=True)
    assert same_weights(asked, slower)
    assert not same_weights(asked, RemoteModel(model="other", base_url="http://127.0.0.1:1/v1"))
    served = ServerModel(engine="vllm", model="a", args={"max-model-len": 4096})
    assert same_weights(served, LocalModel(path="a"))
    assert same_weights(served, ServerModel(engine="sglang", model="quantised", weights="a"))
    assert not same_weights(served, LocalModel(path="b"))


def test_entailment_reads_documents_as_its_block_says() -> None:
    """atlas-nli sees not of whom a value is said, in a page as a whole."""
    found = tools([AtomicFactsBlock()], recipe(library="atlas"), Source())
    assert isinstance(found.nli, BySentence)
    whole = tools([AtomicFactsBlock()], recipe(library="atlas", nli={"path": "x"}), Source())
    assert isinstance(whole.nli, WordNLI)
    evaluator = {"verify": {"nli": {"path": "x", "premise": "sentences"}}}
    assert isinstance(
        tools([AtomicFactsBlock()], recipe(library="atlas", **evaluator), Source()).nli, BySentence
    )


def test_a_file_with_other_questions_is_another_suite(tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text('{"question": "a?", "answers": ["b"]}\n')
    block = QABlock(data=str(file))
    before = planned(block, recipe()).settings
    assert planned(block, recipe()).settings == before
    file.write_text('{"question": "c?", "answers": ["d"]}\n')
    assert planned(block, recipe()).settings != before
    assert "data_sha256" not in planned(QABlock(), recipe()).settings
