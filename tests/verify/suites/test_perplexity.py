"""How probable a text is: against a forward pass of transformers, and sums worked by hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from math import exp, log
from pathlib import Path

import pytest
import torch
from hypothesis import given as some
from hypothesis import strategies as st

from selfstudy.errors import DataError
from selfstudy.models.base import NoLogprobsError
from selfstudy.models.local.lm import LocalLM
from selfstudy.recipe import LocalModel
from selfstudy.recipe.suites import PerplexityBlock
from selfstudy.records import SuiteItem
from selfstudy.verify.suites import perplexity as module
from selfstudy.verify.suites.perplexity import BEFORE, PIECE, cut, parts, perplexity

from .asked import Likely, Server, jsonl, run


def figure(items: Sequence[SuiteItem], part: str, per: str) -> float:
    """As `Measure` says: a sum over a sum, over the items that have both."""
    good = [one.parts for one in items if {part, per} <= set(one.parts)]
    return sum(one[part] for one in good) / sum(one[per] for one in good)


def test_worked_by_hand() -> None:
    """Probabilities 1/2, 1/4 and 1/8: 6 bits in all, of "añb" with 4 bytes."""
    found = parts("añb", [log(1 / 2), log(1 / 4), log(1 / 8)])
    assert found["nats"] == pytest.approx(6 * log(2))
    assert (found["tokens"], found["bytes"], found["characters"]) == (3, 4, 3)
    assert found["bits"] == pytest.approx(6)
    assert exp(found["nats"] / found["tokens"]) == pytest.approx(4)  # the geometric mean of 2, 4, 8


def test_a_short_text_is_as_transformers_has_it(model_folder: Callable[..., Path], tmp_path: Path) -> None:
    lm = LocalLM(LocalModel(path=str(model_folder("gpt2")), device="cpu"))
    text = "The Danube flows through Vienna. Paris is the capital of France."
    (tmp_path / "a.txt").write_text(text)
    items = run(perplexity(PerplexityBlock(data=str(tmp_path / "a.txt")), 0), lm)
    ids = lm.tokenizer(text, add_special_tokens=False)["input_ids"]
    row = torch.tensor([[lm.tokenizer.eos_token_id, *ids]])
    with torch.no_grad():
        loss = lm.model(row, labels=row).loss.item()
    assert figure(items, "nats", "tokens") == pytest.approx(loss, abs=1e-4)
    assert sum(one.parts["tokens"] for one in items) == len(ids)
    assert sum(one.parts["bytes"] for one in items) == len(text)


def test_pieces_make_up_the_text_and_stand_behind_what_is_before_them() -> None:
    text = "  " + "It rained for a long time in the hills. " * 200 + "\n\nThen it stopped.\n"
    pieces = cut(text)
    assert "".join(one.text for one in pieces) == text.strip()
    assert all(len(one.text) <= PIECE + 2 for one in pieces)
    so_far = ""
    for one in pieces:
        assert so_far.endswith(one.before)
        assert len(one.before) <= BEFORE
        assert bool(one.before) == bool(so_far)
        so_far += one.text


@some(st.text(alphabet="ab .!?\n北😀", max_size=3000))
def test_any_text_is_cut_into_all_of_itself(text: str) -> None:
    assert "".join(one.text for one in cut(text)) == text.strip()


def test_each_token_counts_once(tiny_llama: Path) -> None:
    """More than the model reads at once."""
    lm = LocalLM(LocalModel(path=str(tiny_llama), device="cpu"))
    asked = perplexity(PerplexityBlock(), 0)
    assert len(asked) >= 5
    items = run(asked, lm)
    text = module.given.own_file("perplexity.txt").read_text(encoding="utf-8").strip()
    count = lm.count_tokens(text)
    assert sum(one.parts["tokens"] for one in items) == pytest.approx(count, abs=len(asked))
    assert sum(one.parts["characters"] for one in items) == len(text)
    assert all(one.error is None for one in items)
    ours = figure(items, "nats", "tokens")
    assert 3 < exp(ours) < 5_000


def test_measures(tmp_path: Path) -> None:
    asked = perplexity(PerplexityBlock(), 0)
    main, *others = asked.measures
    assert (main.part, main.per, main.exp, main.better, main.main) == ("nats", "tokens", True, "lower", True)
    assert [(one.part, one.per, one.better) for one in others] == [
        ("bits", "bytes", "lower"),
        ("bits", "characters", "lower"),
    ]


def test_a_model_that_cannot_is_refused() -> None:
    with pytest.raises(NoLogprobsError):
        run(perplexity(PerplexityBlock(), 0), Server({".": "x"}))


def test_a_piece_that_fails_and_resuming(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 2)
    rows = [{"text": text} for text in ("One two.", "Three.", "Nothing.", "Four 北京.", "One two.")]

    class Odd(Likely):
        def text_logprobs(self, befores: Sequence[str], texts: Sequence[str]) -> list[list[float]]:
            odd = {"Nothing.": [], "Three.": [float("nan")]}
            return [odd.get(text, [-1.0]) for text in texts]

    asked = perplexity(PerplexityBlock(data=jsonl(tmp_path / "x.jsonl", rows)), 0)
    whole = run(asked, Odd({".": "x"}))
    assert [one.error is None for one in whole] == [True, False, False, True, True]
    assert whole[1].parts == whole[2].parts == {}
    assert len({one.item for one in whole}) == 5  # a text that comes twice is two
    assert figure(whole, "nats", "tokens") == 1
    assert run(asked, Odd({".": "x"}), done=frozenset(one.item for one in whole[:3])) == whole[2:]


def test_data_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text(" \n")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    for data, problem in (
        (tmp_path / "empty.txt", "is empty"),
        (tmp_path / "latin.txt", "not UTF-8"),
        (tmp_path / "none.txt", "cannot be read"),
        (tmp_path, "folder"),
        (jsonl(tmp_path / "x.jsonl", [{"text": "a"}, {"title": "b"}]), "line 2: field 'text' is missing"),
    ):
        with pytest.raises(DataError, match=problem):
            perplexity(PerplexityBlock(data=str(data)), 0)


def test_ten_thousand_texts(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "x.jsonl", [{"text": f"Sentence {i}. It is 北京."} for i in range(10_000)])
    start = time.monotonic()
    asked = perplexity(PerplexityBlock(data=path, questions=100), 3)
    assert len(asked) == 100
    assert any("drawn from 10,000" in note for note in asked.notes)
    assert time.monotonic() - start < 30
