"""What is told of an entailment model that does not fit a run's sentences."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from selfstudy.judging.by_words import WordEntailment
from selfstudy.judging.fitting import fit
from selfstudy.models import load_nli
from selfstudy.models.embedder import LexicalEmbedder
from selfstudy.recipe import NLIBlock

NAMES = ("Poland", "Japan", "Chad", "Peru", "Kenya", "Cuba")
ATLAS = [f"The capital of {name} is {other}." for name, other in zip(NAMES, NAMES[::-1], strict=True)]
OTHER = [f"Patients with hypertension received {dose} mg of losartan twice daily." for dose in range(50, 56)]


class Labels:
    """Labels by a function of the pair."""

    name = "made-up"

    def __init__(self, label: Callable[[str, str], str]) -> None:
        self.label = label

    def classes(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        return [self.label(*pair) for pair in pairs]

    def probabilities(self, pairs: Sequence[tuple[str, str]], progress: object = None) -> np.ndarray:
        raise AssertionError("not asked")


def test_the_embedded_model_is_at_home_in_its_world_and_named_outside() -> None:
    nli = load_nli(NLIBlock())
    home = fit(nli, ATLAS)
    assert home.problems == ()
    assert (home.same, home.same_entailed, home.changed_entailed) == (6, 6, 0)
    away = fit(nli, OTHER)
    assert away.pieces is not None
    assert away.pieces > 3
    assert "does not seem to know the language or the domain" in away.problems[0]


def test_words_alone_pass() -> None:
    found = fit(WordEntailment(LexicalEmbedder), [*ATLAS, *OTHER])
    assert found.pieces is None
    assert (found.same_entailed, found.changed, found.changed_entailed) == (12, 12, 0)
    assert found.problems == ()


def test_swapped_labels_and_a_model_that_always_says_the_same() -> None:
    swapped = fit(Labels(lambda a, b: "contradiction" if a == b else "entailment"), ATLAS)
    assert "labels are in another order" in swapped.problems[0]
    yes = fit(Labels(lambda a, b: "entailment"), ATLAS)
    assert "still follow when a number or a name is changed" in yes.problems[0]
    silent = fit(Labels(lambda a, b: ""), ATLAS)
    assert "no label that can be read" in silent.problems[0]


def test_too_few_sentences_tell_nothing() -> None:
    assert fit(Labels(lambda a, b: "contradiction"), ATLAS[:3]).problems == ()
    assert fit(load_nli(NLIBlock()), []).problems == ()
