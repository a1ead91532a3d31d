"""EntailmentClassifier: equal to one pair at a time, labels read from the model, mistakes explained."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification

from selfstudy.errors import ModelError
from selfstudy.models import load_nli
from selfstudy.models.nli import EntailmentClassifier, label_roles
from selfstudy.recipe import NLIBlock

PAIRS = [
    ("Paris is the capital of France.", "The capital of France is Paris."),
    ("Who?", "Vienna"),
    ("Who?", "Who?"),
    ("The Danube flows through Vienna, Budapest and Belgrade. " * 2, "Belgrade lies on the Danube."),
    ("Paris is the capital of France.", "The capital of France is Paris."),
    ("", "x"),
]


@pytest.fixture(scope="module", params=["bert", "deberta"])
def nli(request: pytest.FixtureRequest, model_folder: Callable[..., Path]) -> EntailmentClassifier:
    return EntailmentClassifier(NLIBlock(path=str(model_folder(request.param)), device="cpu"))


def one_by_one(nli: EntailmentClassifier) -> np.ndarray:
    """Logits of each pair alone, by the model as transformers has it."""
    model = AutoModelForSequenceClassification.from_pretrained(nli.path).eval()
    rows = []
    for premise, hypothesis in PAIRS:
        inputs = nli.tokenizer(premise, hypothesis, return_tensors="pt")
        with torch.inference_mode():
            rows.append(model(**inputs).logits[0].double().numpy())
    return np.array(rows)


def test_a_batch_equals_one_pair_per_forward(nli: EntailmentClassifier) -> None:
    logits = one_by_one(nli)
    kept = np.exp(logits[:, [2, 0]])  # entailment, contradiction of the fixture's label order
    expected = kept / kept.sum(1, keepdims=True)
    done: list[int] = []
    found = nli.probabilities(PAIRS, done.append)
    assert found == pytest.approx(expected, abs=1e-4)
    assert found.sum(1) == pytest.approx(1.0)
    assert np.ptp(found[:, 0]) > 0.01
    assert sum(done) == len(PAIRS)
    names = ["contradiction", "neutral", "entailment"]
    assert nli.classes(PAIRS) == [names[i] for i in logits.argmax(1)]


def test_no_pairs(nli: EntailmentClassifier) -> None:
    assert nli.probabilities([]).shape == (0, 2)
    assert nli.classes([]) == []


def test_equal_pairs_are_judged_once_and_memory_is_respected(tiny_nli: Path) -> None:
    nli = EntailmentClassifier(NLIBlock(path=str(tiny_nli), device="cpu"))
    expected = nli.probabilities(PAIRS)
    judge, judged = nli._judge, 0

    def limited(batch: object) -> object:
        nonlocal judged
        if len(batch) > 2:  # type: ignore[arg-type]
            raise torch.OutOfMemoryError("CUDA out of memory")
        judged += len(batch)  # type: ignore[arg-type]
        return judge(batch)  # type: ignore[arg-type]

    nli._judge = limited  # type: ignore[method-assign, assignment]
    assert nli.probabilities(PAIRS * 3) == pytest.approx(np.tile(expected, (3, 1)), abs=1e-6)
    assert judged == len(set(PAIRS))


def batches(nli: EntailmentClassifier, pairs: list[tuple[str, str]]) -> list[list[int]]:
    """The lengths in tokens of the pairs of every forward pass."""
    judge, found = nli._judge, []

    def note(batch: Any) -> Any:
        found.append([len(one["input_ids"]) for one in batch])
        return judge(batch)

    nli._judge = note  # type: ignore[method-assign]
    nli.probabilities(pairs)
    return found


SIZES = [("x " * n, "y") for n in (1, 1, 2, 5, 5, 5, 9, 30, 1)]


def test_batches_are_filled_up_to_the_budget_longest_first(tiny_nli: Path) -> None:
    def load(budget: int | None) -> EntailmentClassifier:
        return EntailmentClassifier(NLIBlock(path=str(tiny_nli), device="cpu", token_budget=budget))

    pairs = [(f"{premise} {i}", hypothesis) for i, (premise, hypothesis) in enumerate(SIZES)]
    (whole,) = batches(load(16_384), pairs)
    assert whole == sorted(whole, reverse=True)
    found = batches(load(60), pairs)
    assert [length for batch in found for length in batch] == whole
    assert len(found) > 2
    for batch, after in pairwise(found):
        assert len(batch) == 1 or batch[0] * len(batch) <= 60
        assert batch[0] * (len(batch) + 1) > 60, f"{after[0]} would have had room"
    many = [(f"word {i}", "y") for i in range(300)]
    assert max(map(len, batches(load(None), many))) * whole[-1] <= 512
    assert len(batches(load(16_384), many)) == 1, "a budget that is given is used, on a CPU too"


def test_without_padding_only_equal_lengths_go_together(tiny_nli: Path) -> None:
    nli = EntailmentClassifier(NLIBlock(path=str(tiny_nli), device="cpu"))
    pairs = [(f"{premise} {i}", hypothesis) for i, (premise, hypothesis) in enumerate(SIZES)]
    expected = nli.probabilities(pairs)
    nli.tokenizer.pad_token = None
    found = batches(nli, pairs)
    assert [len(set(batch)) for batch in found] == [1] * len({batch[0] for batch in found})
    assert nli.probabilities(pairs) == pytest.approx(expected, abs=1e-6)


def test_too_long_and_odd_texts_are_judged(tiny_nli: Path) -> None:
    nli = load_nli(NLIBlock(path=str(tiny_nli), device="cpu"))
    found = nli.probabilities([("word " * 1000, "Paris " * 300), ("\ud800", "a\x00b")])
    assert np.isfinite(found).all()


@pytest.mark.parametrize(
    ("labels", "roles"),
    [
        (["ENTAILMENT", "NEUTRAL", "CONTRADICTION"], ["entailment", "neutral", "contradiction"]),
        (["contradict", "entail"], ["contradiction", "entailment"]),
        (["Entailment", "other", "Contradictory"], ["entailment", "other", "contradiction"]),
    ],
)
def test_labels_are_read(labels: list[str], roles: list[str]) -> None:
    assert label_roles(dict(enumerate(labels)), "model") == roles


@pytest.mark.parametrize("labels", [["entailment", "not_entailment"], ["LABEL_0", "LABEL_1", "LABEL_2"]])
def test_labels_that_say_nothing_are_refused(tiny_nli: Path, tmp_path: Path, labels: list[str]) -> None:
    folder = Path(shutil.copytree(tiny_nli, tmp_path / "nli"))
    config = json.loads((folder / "config.json").read_text())
    labels = [*labels, "neutral"][:3]
    config["id2label"] = dict(enumerate(labels))
    config["label2id"] = {label: i for i, label in enumerate(labels)}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError) as caught:
        load_nli(NLIBlock(path=str(folder)))
    assert labels[0] in caught.value.what


def test_a_model_without_a_trained_head_is_refused(tiny_llama: Path) -> None:
    with pytest.raises(ModelError, match="no usable weights"):
        load_nli(NLIBlock(path=str(tiny_llama)))


LONG = " ".join(f"Filler sentence {i} about the river and the harbour." for i in range(60))


@pytest.mark.parametrize("place", ["begin", "middle", "end"])
@pytest.mark.parametrize("long", ["premise", "hypothesis"])
def test_what_stands_far_back_in_a_long_text_counts(place: str, long: str) -> None:
    """A sentence that contradicts is found wherever it stands; what is beyond the limit was cut off."""
    nli = EntailmentClassifier(NLIBlock())
    nli._limit = 48  # atlas-nli has learned on short texts
    said, other = "The capital of France is Paris.", "The capital of France is Rome."
    countries = ("Peru", "Chile", "Cuba", "Fiji") * 5
    filler = " ".join(f"The currency of {name} is the Peso." for name in countries)
    text = {"begin": f"{other} {filler}", "middle": f"{filler} {other} {filler}", "end": f"{filler} {other}"}
    pair = (text[place], said) if long == "premise" else (said, text[place])
    assert len(nli.tokenizer(*pair)["input_ids"]) > nli._limit
    agreeing = tuple(side.replace("Rome", "Paris") for side in pair)
    disagrees, agrees = nli.probabilities([pair, agreeing])[:, 1]
    assert disagrees > 0.5 > agrees
    assert nli.windowed == 2


def test_long_pairs_change_nothing_for_short_ones_and_are_judged_once(tiny_nli: Path) -> None:
    nli = EntailmentClassifier(NLIBlock(path=str(tiny_nli), device="cpu"))
    expected = nli.probabilities(PAIRS)
    done: list[int] = []
    found = nli.probabilities([*PAIRS, (LONG, "x"), ("x", LONG), (LONG, LONG), (LONG, "x")], done.append)
    assert found[: len(PAIRS)] == pytest.approx(expected, abs=1e-6)
    assert np.isfinite(found).all()
    assert (found[-1] == found[len(PAIRS)]).all()
    assert sum(done) == len(PAIRS) + 4
    assert nli.windowed == 3
    assert max(map(max, batches(nli, [(LONG, "y"), (LONG, LONG + "z")]))) <= nli._limit
