"""Tasks of lm-eval asked of our models, without a network; skipped where lm-eval is not installed."""

from __future__ import annotations

import json
from math import exp
from pathlib import Path

import pytest

from selfstudy.errors import DataError, MissingExtraError
from selfstudy.models import load_lm
from selfstudy.models.base import LanguageModel
from selfstudy.prompts import Prompts
from selfstudy.recipe import LocalModel
from selfstudy.recipe.suites import LMEvalBlock
from selfstudy.records import SuiteItem
from selfstudy.verify.gains import Resampling
from selfstudy.verify.suites.base import SuiteTools
from selfstudy.verify.suites.figures import compared
from selfstudy.verify.suites.lm_eval_tasks import LMEvalSuite, lm_eval_suite

CHOICE = """
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{validation: {data}}}}}
output_type: multiple_choice
validation_split: validation
doc_to_text: "Q: {{{{question}}}}\\nA:"
doc_to_target: "{{{{label}}}}"
doc_to_choice: "{{{{choices}}}}"
metric_list:
  - {{metric: acc, aggregation: mean, higher_is_better: true}}
  - {{metric: f1, aggregation: f1, higher_is_better: true}}
"""
ROLLING = """
task: text
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
output_type: loglikelihood_rolling
test_split: test
doc_to_text: ""
doc_to_target: "{{{{question}}}}"
metric_list: [{{metric: word_perplexity}}]
"""
ROWS = [{"question": f"What is {n}?", "choices": ["one", "two and"], "label": n % 2} for n in range(6)]


def test_without_lm_eval_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "lm_eval", None)
    with pytest.raises(MissingExtraError, match="lm-eval"):
        lm_eval_suite(LMEvalBlock(tasks=("x",)), 0)


@pytest.fixture
def tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pytest.importorskip("lm_eval", reason="lm-eval is not installed (the extra eval)")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "tasks"
    folder.mkdir()
    data = folder / "rows.jsonl"
    data.write_text("".join(f"{json.dumps(row)}\n" for row in ROWS))
    (folder / "choice.yaml").write_text(CHOICE.format(name="choice", data=json.dumps(str(data))))
    (folder / "text.yaml").write_text(ROLLING.format(data=json.dumps(str(data))))
    return folder


@pytest.fixture
def lm(tiny_llama: Path) -> LanguageModel:
    return load_lm(LocalModel(path=str(tiny_llama), dtype="float32"), cache=False)


def suite(tasks: Path, *names: str, questions: int | None = None) -> LMEvalSuite:
    return lm_eval_suite(LMEvalBlock(tasks=names, include_path=str(tasks), questions=questions), 0)


def ask(one: LMEvalSuite, lm: LanguageModel, done: frozenset[str] = frozenset()) -> list[SuiteItem]:
    blocks = one.run(lm, SuiteTools(Prompts()), "base", (), done)
    return [item for block in blocks for item in block]


def test_choices_and_perplexity_are_what_our_model_says(tasks: Path, lm: LanguageModel) -> None:
    asked = suite(tasks, "choice", "text")
    assert len(asked) == 12
    assert [one.name for one in asked.measures] == ["choice:acc", "text:word_perplexity"]
    assert "f1 left out" in " ".join(asked.notes)
    items = ask(asked, lm)
    assert [one.item for one in items[:2]] == ["choice/0", "choice/1"]
    assert not [one.error for one in items if one.error]
    values = lm.text_logprobs(["Q: What is 1?\nA:"] * 2, [" one", " two and"])  # type: ignore[attr-defined]
    sums = [sum(one) for one in values]
    best = sums.index(max(sums))
    assert items[1].parts == {"choice:acc": float(best == 1)}
    assert items[1].answer == ROWS[1]["choices"][best]  # type: ignore[index]
    texts = [str(row["question"]) for row in ROWS]
    rows = lm.text_logprobs([""] * 6, texts)  # type: ignore[attr-defined]
    whole = sum(value for row in rows for value in row)
    figures = compared(items, [], asked.measures, Resampling(resamples=100)).figures
    assert figures["text:word_perplexity"].before == pytest.approx(exp(-whole / 18), rel=1e-4)
    assert figures["text:word_perplexity"].better == "lower"


def test_a_sample_is_seeded_and_what_is_done_is_not_asked_again(tasks: Path, lm: LanguageModel) -> None:
    few = suite(tasks, "choice", questions=3)
    items = ask(few, lm)
    assert len(few) == len(items) == 3
    assert [one.item for one in ask(suite(tasks, "choice", questions=3), lm)] == [one.item for one in items]
    assert ask(few, lm, frozenset(one.item for one in items)) == []


def test_an_item_that_cannot_be_scored_is_an_error(tasks: Path, lm: LanguageModel) -> None:
    class Broken:
        name = "broken"

        def text_logprobs(self, befores: list[str], texts: list[str]) -> list[list[float]]:
            return [[] if "What is 2" in before else [-1.0] for before in befores]

    items = ask(suite(tasks, "choice"), Broken())  # type: ignore[arg-type]
    assert [one.item for one in items if one.error] == ["choice/2"]
    assert not items[2].parts


def test_code_is_refused_unless_it_is_allowed(tasks: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    (tasks / "evil.py").write_text(
        f"open({str(ran)!r}, 'w')\ndef run(doc, results):\n    return {{'acc': 1.0}}\n"
    )
    with (tasks / "choice.yaml").open("a") as file:
        file.write("process_results: !function evil.run\n")
    with pytest.raises(DataError, match="--allow-code"):
        suite(tasks, "choice")
    assert not ran.exists()
    allowed = lm_eval_suite(LMEvalBlock(tasks=("choice",), include_path=str(tasks), allow_code=True), 0)
    assert ran.exists()
    assert "allowed to run code" in " ".join(allowed.notes)


def test_errors_name_the_task(tasks: Path) -> None:
    with pytest.raises(DataError, match="no task 'choise'"):
        suite(tasks, "choise")
    (tasks / "choice.yaml").write_text(CHOICE.format(name="choice", data="/nowhere.jsonl"))
    with pytest.raises(DataError, match="cannot load choice"):
        suite(tasks, "choice")
    with pytest.raises(DataError, match="no folder"):
        suite(tasks / "none", "choice")
