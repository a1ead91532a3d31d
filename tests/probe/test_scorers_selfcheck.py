"""The variants of SelfCheck: worked by hand, and by the published rule written plainly on real answers."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from selfstudy.models import Models, load_nli
from selfstudy.models.scripted import ScriptedLM
from selfstudy.probe.scorers.selfcheck_ngram import SelfCheckNgram
from selfstudy.probe.scorers.selfcheck_nli import SelfCheckNLI
from selfstudy.recipe import NLIBlock
from selfstudy.records import Answer, Completion, Question, SentenceScore
from selfstudy.text import sentences
from tests.conftest import make_nli

from .test_capability import REAL_MODELS, Placed, published
from .test_scorers import LM, answer, loaded, scores_of

QUESTION = [Question(text="?")]


def judged_by(script: dict[str, Any]) -> tuple[Models, list[str]]:
    """Models with a judge that answers by a script, and what it is asked."""
    asked: list[str] = []

    def listen(reply: str) -> Callable[[Any, int], str]:
        def answer(chat: Any, number: int) -> str:
            asked.append(chat[-1].content)
            return reply

        return answer

    return loaded(own_judge=ScriptedLM({pattern: listen(reply) for pattern, reply in script.items()})), asked


# selfcheck-llm


def test_the_judge_of_each_pair_by_hand() -> None:
    models, asked = judged_by(
        {
            "Graz.*Sentence: Vienna": "no",
            "Sentence: Vienna": "Yes.",
            "Graz.*Sentence: It": "yes",
            ".": "No, not at all.",
        }
    )
    (found,) = scores_of(
        "selfcheck-llm", answer("Vienna. It is old.", "Vienna.", "Graz.", "Vienna."), models=models
    )
    assert found.sentences == (
        SentenceScore(text="Vienna.", value=1 / 3, per_sample=(0.0, 1.0, 0.0)),
        SentenceScore(text="It is old.", value=2 / 3, per_sample=(1.0, 0.0, 1.0)),
    )
    assert (found.value, found.parts) == (0.5, {"unjudged": 0})
    assert len(asked) == 4  # two sentences, two distinct samples
    assert "Context: Graz.\nSentence: Vienna." in "\n".join(asked)


def test_a_pair_without_a_verdict_does_not_count() -> None:
    models, _ = judged_by({"Context: Graz": "maybe", "Sentence: It is old": "no", ".": "yes"})
    (found,) = scores_of("selfcheck-llm", answer("Vienna. It is old.", "Vienna.", "Graz."), models=models)
    assert [s.per_sample for s in found.sentences] == [(0.0, None), (1.0, None)]
    assert (found.value, found.parts) == (0.5, {"unjudged": 2})


def test_a_sentence_that_was_never_judged_is_left_out() -> None:
    models, _ = judged_by({"Sentence: It is old": "Hm.", ".": "no"})
    (found,) = scores_of("selfcheck-llm", answer("Vienna. It is old.", "Vienna.", "Graz."), models=models)
    assert [s.text for s in found.sentences] == ["Vienna."]
    assert found.value == 1.0


@pytest.mark.parametrize(("reply", "shown"), [("Hm.", "'Hm.'"), (None, "no scripted answer")])
def test_no_verdict_at_all_is_an_error(reply: str | None, shown: str) -> None:
    models, _ = judged_by({} if reply is None else {".": reply})
    (found,) = scores_of("selfcheck-llm", answer("Vienna.", "Vienna."), models=models)
    assert found.value is None
    assert "neither yes nor no" in str(found.error)
    assert shown in str(found.error)


def test_without_a_judge_the_model_judges_itself() -> None:
    (found,) = scores_of("selfcheck-llm", answer("Vienna.", "Graz."), models=loaded(lm=LM))
    assert found.value == 0.0


# selfcheck-ngram


def test_unigrams_by_hand() -> None:
    # 3 words in the passage, 9 in all; "vienna" 2 of 9, else 3 of 9
    vienna = 1 - log(2) / log(9 / 3)
    one = answer("Vienna lies there.", "Vienna lies there.", "Graz lies there.")
    (found,) = scores_of("selfcheck-ngram", one)
    assert found.value == pytest.approx(vienna)
    assert found.parts == {"vienna": pytest.approx(vienna)}
    (mean,) = SelfCheckNgram(average=True).score(QUESTION, [one])
    assert mean.value == pytest.approx(vienna / 3)
    assert mean.parts == found.parts


def test_the_scale_is_that_of_minus_log_p() -> None:
    # "vienna" twice in a passage of 5 words, 3 times in all 12: its surprise lies between that of
    # 2 / 5 (every sample repeats the passage) and of 2 / 12 (none has the word)
    (found,) = SelfCheckNgram(average=True).score(
        QUESTION, [answer("Vienna, Vienna of my dreams.", "Vienna is grand", "Who knows such dreams")]
    )
    surprise = {"vienna": -log(3 / 12), "of": -log(1 / 12), "my": -log(1 / 12), "dreams": -log(2 / 12)}
    low = {word: -log((2 if word == "vienna" else 1) / 5) for word in surprise}
    high = {word: -log((2 if word == "vienna" else 1) / 12) for word in surprise}
    scaled = {word: (surprise[word] - low[word]) / (high[word] - low[word]) for word in surprise}
    expected = (2 * scaled["vienna"] + scaled["of"] + scaled["my"] + scaled["dreams"]) / 5
    assert found.value == pytest.approx(expected)


def test_bigrams_by_hand() -> None:
    # "lies" always follows "vienna", "vienna" begins 2 of 3 texts
    (found,) = SelfCheckNgram(n=2).score(
        QUESTION, [answer("Vienna lies there.", "Vienna lies there.", "Graz lies there.")]
    )
    assert found.value == pytest.approx(1 - log(2) / log(3))
    # the same words in another order are another thing
    swapped = answer("There lies Vienna.", "Vienna lies there.", "Vienna lies there.")
    assert SelfCheckNgram(n=2).score(QUESTION, [swapped])[0].value == 1.0
    assert SelfCheckNgram(n=1).score(QUESTION, [swapped])[0].value == 0.0


def test_the_ends_of_the_scale() -> None:
    same, other, wordless = scores_of(
        "selfcheck-ngram",
        answer("Vienna lies there.", *["Vienna lies there."] * 5),
        answer("Vienna lies there.", "Graz is here", "so be it"),
        answer("Vienna.", "", "..."),
    )
    assert (same.value, other.value, wordless.value) == (0.0, 1.0, 1.0)
    # "vienna" is more frequent than if the sample repeated the passage: 0, not less
    often = answer("Vienna lies.", "Vienna, Vienna, Vienna lies")
    (found,) = SelfCheckNgram(average=True).score(QUESTION, [often])
    assert found.value == pytest.approx((0 + 1 - log(2) / log(6 / 2)) / 2)


def test_a_sentence_without_words_is_left_out() -> None:
    found, nothing = scores_of("selfcheck-ngram", answer("Vienna. ?!", "Vienna"), answer("?!", "Vienna"))
    assert [s.value for s in found.sentences] == [0.0]
    assert (nothing.value, nothing.error) == (None, "the passage has no words")


def test_a_gram_has_a_word() -> None:
    with pytest.raises(ValueError, match="n is 0"):
        SelfCheckNgram(n=0)


# selfcheck-embedding


def test_the_nearest_sentence_of_each_sample_by_hand() -> None:
    places = {
        "Vienna is old.": [1.0, 0.0],
        "So it is.": [0.0, 1.0],
        "Vienna is ancient.": [0.8, 0.6],
        "Graz is new.": [-1.0, 0.0],
    }
    (found,) = scores_of(
        "selfcheck-embedding",
        answer("Vienna is old. So it is.", "Vienna is ancient. Graz is new.", "Graz is new.", ""),
        models=loaded(embedder=Placed(places)),
    )
    first, second = found.sentences
    assert first.per_sample == pytest.approx((0.2, 1.0, 1.0))  # opposite and empty: nothing near
    assert second.per_sample == pytest.approx((0.4, 1.0, 1.0))
    assert found.value == pytest.approx((2.2 / 3 + 2.4 / 3) / 2)


def test_every_distinct_sentence_is_embedded_once_in_one_call() -> None:
    class Listening(Placed):
        def __init__(self) -> None:
            self.calls: list[list[str]] = []

        def encode(self, texts: Any) -> Any:
            self.calls.append(list(texts))
            return np.ones((len(texts), 1), dtype=np.float32)

    embedder = Listening()
    scores = scores_of(
        "selfcheck-embedding",
        answer("Vienna. Graz.", "Graz.", "Graz. Linz."),
        answer("Linz.", "Vienna."),
        models=loaded(embedder=embedder),
    )
    assert embedder.calls == [["Vienna.", "Graz.", "Linz."]]
    assert [s.value for s in scores] == [0.0, 0.0]


def test_what_the_embedder_has_no_number_for_is_not_consistent() -> None:
    places = {"Vienna.": [1.0], "Graz.": [1.0], "Linz.": [float("nan")]}
    some, none, empty = scores_of(
        "selfcheck-embedding",
        answer("Vienna. Linz.", "Graz.", "Linz."),
        answer("Linz.", "Vienna."),
        answer(" ", "Vienna."),
        models=loaded(embedder=Placed(places)),
    )
    assert [(s.text, s.per_sample) for s in some.sentences] == [("Vienna.", (0.0, None))]
    assert some.value == 0.0
    assert (none.value, none.error) == (None, "the embedder gave no number for any sentence")
    assert empty.error == "the passage is empty"


# selfcheck-nli


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
    assert (none.value, none.error) == (None, "the entailment model gave no number for any sentence")
