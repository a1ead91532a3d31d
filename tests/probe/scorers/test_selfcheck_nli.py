"""SelfCheck by entailment: worked by hand, and by the published rule written plainly on real answers."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from selfstudy.models import load_nli
from selfstudy.probe.scorers.selfcheck_nli import SelfCheckNLI
from selfstudy.recipe import NLIBlock
from selfstudy.records import Answer, Completion, Question
from selfstudy.text import sentences
from tests.conftest import make_nli

from ..test_capability import REAL_MODELS, published
from ..world import Judge
from .scoring import answer, loaded, score, scores_of

ROOM = 512
"""Tokens that the entailment model of the published rule's test reads."""


def real_answers(tokenizer: Any, count: int = 90, room: int = ROOM) -> tuple[list[Question], list[Answer]]:
    """Answers of the three real models of the published experiment, as many of each, with four samples.

    Only such that every sentence fits beside every sample into `room` tokens: longer pairs are read in
    windows, which the plain rule knows nothing of.
    """
    found = []
    for model in REAL_MODELS:
        data = published(model)
        for kind in ("prompts_with_hallucination", "prompts_with_no_hallucination"):
            fitting = (e for e in data[kind] if _tokens(tokenizer, e) <= room)
            found += list(islice(fitting, count // 6 + 1))
    questions = [Question(text=entry["prompt"]) for entry in found[:count]]
    answers = [
        Answer(
            question_id=question.id,
            passage=Completion(text=entry["passage"]),
            samples=tuple(Completion(text=sample) for sample in entry["samples"][:4]),
        )
        for question, entry in zip(questions, found, strict=False)
    ]
    return questions, answers


def _tokens(tokenizer: Any, entry: dict[str, Any]) -> int:
    """Of the longest pair of a sentence and one of the first four samples."""
    parts = [len(ids) for ids in tokenizer(sentences(entry["passage"]) or [""])["input_ids"]]
    return max(parts) + max(len(ids) for ids in tokenizer(entry["samples"][:4])["input_ids"])


@torch.inference_mode()
def plainly(model: Any, tokenizer: Any, passage: str, samples: list[str]) -> float:
    """Manakul et al. 2023, 5.4: one sentence and one sample at a time, the mean of the means."""
    labels = model.config.label2id
    means = []
    for sentence in sentences(passage):
        values = []
        for sample in samples:
            inputs = tokenizer(sentence, sample, return_tensors="pt")
            logits = model(**inputs).logits[0].double()
            pair = torch.stack([logits[labels["entailment"]], logits[labels["contradiction"]]])
            values.append(float(pair.softmax(0)[1]))
        means.append(sum(values) / len(values))
    return sum(means) / len(means)


def test_the_published_rule_on_real_answers(tmp_path: Path) -> None:
    folder = str(make_nli("deberta", tmp_path / "nli", positions=ROOM))
    nli = load_nli(NLIBlock(path=folder, device="cpu"))
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()  # ours has another attention
    tokenizer = AutoTokenizer.from_pretrained(folder)
    questions, answers = real_answers(tokenizer)
    found = [score.value for score in SelfCheckNLI(nli).score(questions, answers)]
    expected = [plainly(model, tokenizer, a.passage.text, [s.text for s in a.samples]) for a in answers]
    assert len(found) == 90
    assert found == pytest.approx(expected, abs=1e-4)
    assert np.ptp(expected) > 0.01


def test_a_pair_without_a_number_leaves_its_sentence_out() -> None:
    class Failing:
        name = "failing"

        def probabilities(self, pairs: Any, progress: Any = None) -> Any:
            return np.array([[np.nan] * 2 if a == "Old." else [0.25, 0.75] for a, _ in pairs])

    some, none = scores_of(
        "selfcheck-nli", answer("Vienna. Old.", "a"), answer("Old.", "a"), models=loaded(nli=Failing())
    )
    assert (some.value, len(some.sentences)) == (0.75, 1)
    assert (none.value, none.error) == (None, "the entailment model gave NaN or inf for every sentence")


def test_selfcheck_is_the_mean_over_sentences_of_the_mean_over_samples() -> None:
    # sentence 1 equals one of two samples: (.05 + .95) / 2; sentence 2 equals none: .95
    (found,) = score("selfcheck-nli", answer("Vienna. It is old.", "Vienna.", "Graz."))
    assert found == (pytest.approx((0.5 + 0.95) / 2), None)


def test_selfcheck_asks_for_the_pair_sentence_then_sample() -> None:
    judge = Judge()
    scores_of("selfcheck-nli", answer("Vienna. Old.", "a", "b"), models=loaded(nli=judge))
    assert judge.pairs == [("Vienna.", "a"), ("Vienna.", "b"), ("Old.", "a"), ("Old.", "b")]
