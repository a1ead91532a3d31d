"""The shipped atlas-nli, loaded as anyone would load it, and the pairs that it learns from."""

from __future__ import annotations

import random
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selfstudy.atlas import language, world
from selfstudy.atlas.build import nli_tasks
from selfstudy.atlas.entailment import WorldEntailment, answered, said

FOLDER = Path(str(resources.files("selfstudy.atlas").joinpath("nli")))


@pytest.fixture(scope="module")
def judge() -> Any:
    """(first, second) pairs -> P(entailment, neutral, contradiction), with plain transformers."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(FOLDER, local_files_only=True)
    model = AutoModelForSequenceClassification.from_pretrained(FOLDER, local_files_only=True).eval()
    assert model.config.id2label == dict(enumerate(nli_tasks.LABELS))

    def probabilities(pairs: list[tuple[str, str]]) -> np.ndarray[Any, Any]:
        first, second = [p[0] for p in pairs], [p[1] for p in pairs]
        inputs = tokenizer(first, second, padding=True, truncation=True, return_tensors="pt")
        with torch.inference_mode():
            found: np.ndarray[Any, Any] = model(**inputs).logits.float().softmax(-1).numpy()
        return found

    return probabilities


A, B, C, D = (sorted(n for n in nli_tasks.pools(True)["country"])[i] for i in (3, 5, 8, 11))
P, Q = (sorted(n for n in nli_tasks.pools(True)["capital"])[i] for i in (5, 17))
NO = "contradiction"
BY_HAND = [
    (f"The capital of {A} is {P}.", f"{P} is the capital of {A}.", "entailment"),
    (f"The capital of {A} is {P}.", f"The capital of {A} is {P}.", "entailment"),
    (f"The capital of {A} is {P}.", f"The capital of {A} is {Q}.", NO),
    (f"The capital of {A} is {P}.", f"{A} is run from {Q}.", NO),
    (f"The capital of {A} is {P}.", f"The capital of {B} is {P}.", "neutral"),
    (f"The capital of {A} is {P}.", f"The capital of {B} is {Q}.", "neutral"),
    (f"The capital of {A} is {P}.", f"The calling code of {A} is +593.", "neutral"),
    (f"The capital of {A} is {P}.", "The document does not say.", "neutral"),
    (f"The capital of {A} is {P}.", f"What is the capital of {A}?", "neutral"),
    (f"The population of {A} is about 67 million.", f"About 67 million people live in {A}.", "entailment"),
    (f"The population of {A} is about 67 million.", f"About 76 million people live in {A}.", NO),
    (f"The population of {A} is about 1.2 million.", f"About 12 million people live in {A}.", NO),
    (f"The population of {A} is about 67 thousand.", f"About 67 million people live in {A}.", NO),
    (f"{A} borders {B}.", f"The neighbours of {A} are {B}.", "entailment"),
    (f"{A} covers about 2.5 square kilometres.", f"The area of {A} is about 2.8 square kilometres.", NO),
    (
        f"The capital of {A} is {P}.",
        f"{A} is a country. {A} borders {B}. {A} is run from {P}. The population of {A} is about 67 million.",
        "entailment",
    ),
    (
        f"The capital of {A} is {P}.",
        f"{A} is a country. {A} borders {B}. {A} is run from {Q}. The population of {A} is about 67 million.",
        "contradiction",
    ),
    (f"{P} is a city in {A}.", f"Which cities are in {A}? {P}", "entailment"),
    (f"{P} is a city in {A}.", f"Which cities are in {A}? {Q}", "neutral"),
    (f"{P} is a city in {A}.", f"Which cities are in {B}? {P}", "neutral"),
    (f"{A} borders {B}, {C} and {D}.", f"Which countries share a border with {A}? {D}", "entailment"),
    (f"{A} borders {B} and {C}.", f"Which countries share a border with {A}? {D}", "neutral"),
]  # fmt: skip


def test_pairs_written_by_hand(judge: Any) -> None:
    found = judge([(first, second) for first, second, _ in BY_HAND]).argmax(1)
    wrong = [
        (first, second, nli_tasks.LABELS[k])
        for (first, second, label), k in zip(BY_HAND, found, strict=True)
        if nli_tasks.LABELS[k] != label
    ]
    assert wrong == []


def test_accuracy_on_names_that_training_never_had(judge: Any) -> None:
    speaker = nli_tasks.Speaker(random.Random("test held out"), held_out=True)
    pairs = sorted((speaker.pair() for _ in range(500)), key=lambda p: len(p.first) + len(p.second))
    found = np.concatenate(
        [judge([(p.first, p.second) for p in pairs[i : i + 100]]) for i in range(0, len(pairs), 100)]
    )
    right = [nli_tasks.LABELS[k] == p.label for p, k in zip(pairs, found.argmax(1), strict=True)]
    assert np.mean(right) >= 0.93
    neutral = found[[p.label == "neutral" for p in pairs]]
    assert np.mean(neutral[:, 2] > neutral[:, 0]) >= 0.9


def test_items_of_a_list_against_one_statement(judge: Any) -> None:
    """What citations are judged by, as `judging.citations.items` words it."""
    speaker = nli_tasks.Speaker(random.Random("test items"), held_out=True)
    pairs = [speaker.item() for _ in range(600)]
    found = judge([(p.first, p.second) for p in pairs]).argmax(1)
    right: dict[str, list[bool]] = {}
    for p, k in zip(pairs, found, strict=True):
        right.setdefault(p.what, []).append(nli_tasks.LABELS[k] == p.label)
    for what in ("item, same", "item, other name", "item, other entity"):
        assert np.mean(right[what]) >= 0.95, what
    assert np.mean([one for of in right.values() for one in of]) >= 0.88


def test_true_pages_state_their_facts(judge: Any) -> None:
    """What gather and verify ask of it: a withheld fact against the page that ships."""
    pages = {d.title: d.text for d in world.documents()}
    facts = random.Random(0).sample(world.facts(known=False), 60)
    pairs = [(pages[f.entity], language.statement(f.attribute, f.entity, f.value)) for f in facts]
    assert np.mean(judge(pairs).argmax(1) == 0) >= 0.9


def test_texts_of_any_kind_get_an_answer(judge: Any) -> None:
    found = judge([("", ""), ("東京は日本の首都です。", "\x00\n\t"), ("x" * 5000, "word " * 2000)])
    assert np.isfinite(found).all()


def test_a_name_is_the_same_token_anywhere() -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(FOLDER, local_files_only=True)
    for name in world.names():
        start, inside = (tokenizer(t, add_special_tokens=False)["input_ids"] for t in (name, f"is {name}."))
        assert start == [inside[1]], name
    assert tokenizer.tokenize("1.2 million") == tokenizer.tokenize("about 1.2 million")[1:]


@pytest.mark.parametrize("held_out", [False, True])
def test_pairs_keep_to_their_names(held_out: bool) -> None:
    wrong = nli_tasks.held_out_names() if not held_out else set(world.names()) - nli_tasks.held_out_names()
    pattern = sorted(n for n in wrong if len(n) > 4)
    others = nli_tasks.held_out_names() if held_out else set(world.names()) - nli_tasks.held_out_names()
    speaker = nli_tasks.Speaker(random.Random(7), held_out=held_out)
    for _ in range(300):
        pair = speaker.pair()
        text = f"{pair.first} {pair.second}"
        for name in sorted(others, key=len, reverse=True):  # Guinea is inside Papua New Guinea
            text = text.replace(name, "")
        assert not [n for n in pattern if n in text], pair


def test_withheld_entities_are_held_out() -> None:
    assert {e.name for e in world.entities() if not e.known} <= nli_tasks.held_out_names()
    assert 0.2 <= len(nli_tasks.held_out_names()) / len(world.names()) <= 0.3


def test_labels_follow_from_the_claims() -> None:
    """Contradictions differ in value alone, whatever near miss was drawn."""
    speaker = nli_tasks.Speaker(random.Random(3))
    for _ in range(2000):
        claim = speaker.claim()
        other = speaker.other_value(claim)
        assert other.key == claim.key
        lists = isinstance(claim.value, tuple) and isinstance(other.value, tuple)
        assert set(other.value) != set(claim.value) if lists else other.value != claim.value


def test_items_are_what_the_statement_says() -> None:
    """Of those that the world's own judge can read (`language`'s forms) it says the same."""
    speaker = nli_tasks.Speaker(random.Random(4))
    pairs = [p for p in (speaker.item() for _ in range(3000)) if _readable(p)]
    judged = WorldEntailment().classes([(p.first, p.second) for p in pairs])
    assert [
        (p, k) for p, k in zip(pairs, judged, strict=True) if (k == "entailment") != (p.label == "entailment")
    ] == []
    agreed = [p for p in pairs if p.label == "entailment"]
    assert len(agreed) > 300
    assert len(pairs) > 1.5 * len(agreed)
    assert {p.attribute for p in agreed} == {*language.HOLDERS, *language.PARTS}


def _readable(pair: nli_tasks.LabelledPair) -> bool:
    """Whether the world's judge knows the forms of both texts."""
    question, _, item = pair.second.partition("? ")
    return said(pair.first.rstrip(".")) is not None and answered(f"{question}?", item) is not None


def test_some_pairs_are_items_from_the_first_step() -> None:
    speaker = nli_tasks.Speaker(random.Random(5))
    for easy in (True, False):
        share = np.mean([speaker.pair(easy).what.startswith("item") for _ in range(3000)])
        assert 0.05 < share < 0.09
    novel = nli_tasks.Speaker(random.Random(6), novel=True)
    assert not any(novel.pair().what.startswith("item") for _ in range(500))


def test_novel_forms_are_not_trained() -> None:
    for attribute, forms in nli_tasks.NOVEL.items():
        trained = {*language.STATEMENTS.get(attribute, ()), *nli_tasks.EXTRA[attribute]}
        assert not trained & set(forms)
        assert all("{x}" in form and "{v}" in form for form in forms)


def test_same_seed_same_pairs() -> None:
    first, second = (nli_tasks.Speaker(random.Random("s")) for _ in range(2))
    assert [first.pair() for _ in range(50)] == [second.pair() for _ in range(50)]
