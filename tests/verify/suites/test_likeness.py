"""Answers against reference texts."""

from __future__ import annotations

from math import exp
from pathlib import Path
from typing import Any

import pytest
import sacrebleu

from selfstudy import ScriptedLM
from selfstudy.errors import DataError
from selfstudy.recipe.suites import LikenessBlock
from selfstudy.verify.suites import likeness as module
from selfstudy.verify.suites.likeness import likeness, parts

from .asked import jsonl, mean, run

ROWS: list[dict[str, Any]] = [
    {"prompt": "One?", "references": ["the cat sat on the mat", "a dog"]},
    {"question": "Two?", "reference": "the dog is here"},
]
LM = ScriptedLM({"One": "the cat sat on", "Two": "no"})


def test_worked_by_hand() -> None:
    found = parts("the cat sat on", ["the cat sat on the mat", "a dog"])
    assert found["rouge_l"] == pytest.approx(2 * 1 * (4 / 6) / (1 + 4 / 6))
    # normalised: cat sat on; cat sat on mat
    assert found["token_f1"] == pytest.approx(2 * 3 / (3 + 4))
    # all runs are there; of references the nearest length counts, two is as near as six: the shorter one
    assert found["bleu"] == pytest.approx(1.0)
    assert parts("the cat sat on", ["the cat sat on the mat"])["bleu"] == pytest.approx(exp(1 - 6 / 4))
    assert found["words"] == 4
    assert parts("", ["a dog"]) == {"rouge_l": 0, "bleu": 0, "token_f1": 0, "words": 0}


def test_a_run(tmp_path: Path) -> None:
    asked = likeness(LikenessBlock(data=jsonl(tmp_path / "x.jsonl", ROWS)), 0)
    items = run(asked, LM)
    assert [one.asked for one in items] == ["One?", "Two?"]
    assert mean(items, "token_f1") == pytest.approx((6 / 7 + 0) / 2)
    assert [one.name for one in asked.measures if one.main] == ["rouge_l"]
    assert set(items[0].parts) == {one.part for one in asked.measures}


def test_bleu_of_all_together_is_sacrebleus(tmp_path: Path) -> None:
    asked = likeness(LikenessBlock(data=jsonl(tmp_path / "x.jsonl", ROWS)), 0)
    items = run(asked, LM)
    streams = [["the cat sat on the mat", "the dog is here"], ["a dog", None]]
    expected = sacrebleu.corpus_bleu(["the cat sat on", "no"], streams).score / 100
    assert asked.corpus_bleu(items) == pytest.approx(expected)
    assert asked.notes[-1] == f"BLEU of all items together, base: {expected:.3f} (sacrebleu, tokenize 13a)"
    run(asked, LM, arm="taught")
    assert len([note for note in asked.notes if "BLEU of all" in note]) == 2
    assert asked.corpus_bleu([]) is None


def test_a_resumed_run_says_nothing_of_all_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 1)
    asked = likeness(LikenessBlock(data=jsonl(tmp_path / "x.jsonl", ROWS)), 0)
    whole = run(asked, LM)
    again = likeness(LikenessBlock(data=jsonl(tmp_path / "x.jsonl", ROWS)), 0)
    assert run(again, LM, done=frozenset([whole[0].item])) == whole[1:]
    assert not any("BLEU of all" in note for note in again.notes)


def test_a_failed_item(tmp_path: Path) -> None:
    asked = likeness(LikenessBlock(data=jsonl(tmp_path / "x.jsonl", ROWS)), 0)
    one, two = run(asked, ScriptedLM({"One": "a dog"}))
    assert one.parts["rouge_l"] == 1
    assert (two.parts, two.error is None) == ({}, False)
    nobody = run(asked, ScriptedLM({"Nothing": "x"}))
    assert all(one.error for one in nobody)


@pytest.mark.parametrize("row", [{"prompt": "p"}, {"references": ["a"]}, {"prompt": "p", "references": 3}])
def test_rows_that_cannot_be_used(tmp_path: Path, row: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"suite likeness: .*line 1: ") as caught:
        likeness(LikenessBlock(data=jsonl(tmp_path / "x.jsonl", [row])), 0)
    assert "references: [...]" in caught.value.hint


def test_our_own() -> None:
    asked = likeness(LikenessBlock(), 0)
    assert len(asked) >= 10
    items = run(asked, ScriptedLM({"ice": "Water expands when it freezes.", ".": "北京 is a city."}))
    assert 0 <= mean(items, "rouge_l") < 0.5
