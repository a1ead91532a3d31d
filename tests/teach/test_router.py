"""The router's calibration: what it promises about questions that it has not seen."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from importlib import resources
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfstudy.errors import RecipeError
from selfstudy.models.embedder import LexicalEmbedder
from selfstudy.models.router import Router
from selfstudy.recipe import EmbedderBlock, RouterBlock
from selfstudy.stats import wilson
from selfstudy.teach.router import build
from selfstudy.teach.router_settings import allowed

FRAMES = (
    "What is the {a} of {x}?",
    "Which {a} does {x} have?",
    "Can you name the {a} of {x}?",
    "About {x}: what is the {a}?",
    "Tell me the {a} of {x}.",
)
NOVEL = ("If I ask for the {a} of {x}, what do you say?", "Please state, of {x}, the {a}.")
ABOUT = ("capital", "currency", "area", "climate")
WEST = ("Niger", "Gabon", "Togo", "Fiji", "Laos", "Palau", "Guinea")
EAST = ("Tonga", "Nepal", "Qatar", "Oman", "Samoa", "Kenya", "Trinidad and Tobago")
KNOWN = (
    *("Nigeria", "France", "Peru", "Chile", "Spain", "Italy", "Japan", "Ghana", "Egypt", "Malta", "Cuba"),
    *("Papua New Guinea", "Norway", "Turkey", "Poland", "Angola", "Haiti", "Benin", "Chad", "Sudan", "Iraq"),
)
UNRELATED = [f"How do you bake {what} at home?" for what in ("bread", "cake", "a pie", "rolls")] + [
    f"Who wrote the {at} song about the sea?" for at in ("first", "last", "best", "saddest")
]
EMBEDDER = LexicalEmbedder()


def taught(names: tuple[str, ...], wordings: int = 3, seed: int = 0) -> list[tuple[str, str]]:
    rng = random.Random(seed)
    return [
        (f"{x}/{a}", frame.format(a=a, x=x))
        for x in names
        for a in ABOUT
        for frame in rng.sample(FRAMES, wordings)
    ]


def known(names: tuple[str, ...] = KNOWN) -> list[tuple[str, str]]:
    rng = random.Random(1)
    return [(f"{x}/{a}", rng.choice(FRAMES).format(a=a, x=x)) for x in names for a in ABOUT]


def made(**block: Any) -> Router:
    groups = {"west-1": taught(WEST), "east-2": taught(EAST)}
    return build(groups, known(), UNRELATED, RouterBlock(**block), EMBEDDER, EmbedderBlock(), seed=0)


@pytest.fixture(scope="module")
def router() -> Router:
    return made()


def share(router: Router, texts: Mapping[str, str | None]) -> float:
    found = router.route(list(texts))
    return sum(one.adapter == wanted for one, wanted in zip(found, texts.values(), strict=True)) / len(texts)


def novel(names: tuple[str, ...], adapter: str | None) -> dict[str, str | None]:
    return {frame.format(a=a, x=x): adapter for x in names for a in ABOUT for frame in NOVEL}


def test_taught_questions_go_to_their_adapter_in_any_wording(router: Router) -> None:
    trained = {text: "west-1" for _, text in taught(WEST)} | {text: "east-2" for _, text in taught(EAST)}
    assert share(router, trained) == 1
    assert share(router, novel(WEST, "west-1") | novel(EAST, "east-2")) > 0.95


def test_known_and_unrelated_ones_go_to_the_base_model(router: Router) -> None:
    assert share(router, novel(KNOWN, None)) == 1
    assert share(router, dict.fromkeys(["How do you bake scones?", "Who sang the song about rain?"])) == 1


def test_so_do_those_about_something_of_a_similar_name(router: Router) -> None:
    near = ("Nigeria", "Gambia", "Tongatapu", "Papua New Guinea", "Equatorial Guinea", "American Samoa")
    assert share(router, novel(near, None)) == 1
    assert share(router, {text.lower(): wanted for text, wanted in novel(near[:3], None).items()}) == 1


def test_it_says_what_the_calibration_saw(router: Router) -> None:
    figures = router.data.figures
    assert figures["calibrating"] == len(KNOWN) * len(ABOUT) / 2 + len(UNRELATED)
    assert figures["activated"] == figures["false_activation"] == 0
    assert figures["covered"] == pytest.approx(1, abs=0.05)
    assert figures["held_out"] == (len(WEST) + len(EAST)) * len(ABOUT) * 3
    assert figures["near_miss_activation"] == 0


def test_a_handful_of_questions_proves_nothing() -> None:
    few = build(
        {"west-1": taught(WEST)}, known()[:8], [], RouterBlock(), EMBEDDER, EmbedderBlock(), seed=0
    ).data.figures
    assert (few["calibrating"], few["within_bound"]) == (4, False)
    assert few["false_activation_upper"] == pytest.approx(wilson(0, 4).high, abs=1e-4)
    none = build({"west-1": taught(WEST)}, [], [], RouterBlock(), EMBEDDER, EmbedderBlock(), seed=0)
    assert (none.data.figures["false_activation"], none.data.figures["within_bound"]) == (None, False)
    assert none.route(["What is the capital of Niger?"])[0].adapter == "west-1"


def test_a_wording_does_not_vote_for_itself() -> None:
    """Wordings that share no word: each is covered by itself alone, and held out by nothing."""
    strange = [("q", "alpha beta gamma"), ("q", "delta epsilon zeta")]
    found = build({"a-1": strange}, known(), [], RouterBlock(), EMBEDDER, EmbedderBlock(), seed=0)
    assert found.data.figures["covered"] == 0
    assert found.data.figures["held_out"] == 2


def test_one_wording_each_covers_nothing_that_is_measured() -> None:
    found = build(
        {"a-1": taught(WEST, wordings=1)}, known(), [], RouterBlock(), EMBEDDER, EmbedderBlock(), seed=0
    )
    assert (found.data.figures["held_out"], found.data.figures["covered"]) == (0, None)
    assert found.data.thresholds["a-1"] == 0.4
    assert share(found, {text: "a-1" for _, text in taught(WEST, wordings=1)}) == 1


def test_everyday_questions_of_one_wording_are_told_apart() -> None:
    """Half of the built-in ones, many of which ask alike: "What is the opposite of ..."."""
    file = resources.files("selfstudy.verify") / "general.jsonl"
    asked = [json.loads(line)["question"] for line in file.read_text(encoding="utf-8").splitlines()]
    random.Random(0).shuffle(asked)
    own, base, others = asked[:200], asked[200:400], asked[400:]
    groups = {"a-1": [(one, one) for one in own[:100]], "b-2": [(one, one) for one in own[100:]]}
    block = RouterBlock()
    found = build(groups, [(one, one) for one in base], [], block, EMBEDDER, EmbedderBlock(), seed=0)
    wanted = ["a-1"] * 100 + ["b-2"] * 100
    polite = [f"Can you tell me, {one[0].lower()}{one[1:]}" for one in own]
    assert share(found, dict(zip(polite, wanted, strict=True))) > 0.95
    assert share(found, dict(zip(map(str.lower, own), wanted, strict=True))) > 0.95
    assert share(found, dict.fromkeys(others)) > 0.95


def test_a_known_question_that_is_taught_too_is_the_base_models() -> None:
    both = [("k", "What is the capital of Niger?")]
    block = RouterBlock(calibration=0)
    found = build({"west-1": taught(WEST)}, both, [], block, EMBEDDER, EmbedderBlock(), seed=0)
    assert found.route(["What is the capital of Niger?"])[0].adapter is None


def test_what_was_taught_again_is_the_newer_adapters() -> None:
    groups = {"west-1": taught(WEST), "west-2": taught(WEST[:2])}
    found = build(groups, known(), [], RouterBlock(), EMBEDDER, EmbedderBlock(), seed=0)
    asked = ["What is the capital of Niger?", "What is the capital of Togo?"]
    trained = {text for _, text in taught(WEST)}
    for one, route in zip(asked, found.route(asked), strict=True):
        if one in trained:
            assert route.adapter == ("west-2" if "Niger" in one else "west-1")


def test_it_is_a_function_of_what_it_is_given(router: Router) -> None:
    again = made()
    assert again.data == router.data
    assert np.array_equal(again.vectors, router.vectors)


@pytest.mark.parametrize("method", ["centroid", "classifier"])
def test_the_published_ways_keep_the_bound_too(method: str) -> None:
    found = made(method=method)
    count = int(found.data.figures["calibrating"] or 0)
    assert int(found.data.figures["activated"] or 0) <= allowed(count, 0.05)
    assert found.data.words == found.data.questions == ()
    assert {one.adapter for one in found.route([text for _, text in taught(WEST)])} <= {
        None,
        "west-1",
        "east-2",
    }
    assert share(found, dict.fromkeys(UNRELATED)) == 1


def test_a_classifier_needs_something_to_tell_adapters_from() -> None:
    block = RouterBlock(method="classifier")
    with pytest.raises(RecipeError, match="no known question"):
        build({"a-1": taught(WEST)}, [], [], block, EMBEDDER, EmbedderBlock(), seed=0)


def test_the_base_wins_where_nothing_else_may() -> None:
    found = build({}, known(), UNRELATED, RouterBlock(), EMBEDDER, EmbedderBlock(), seed=0)
    assert found.route(["What is the capital of Niger?"])[0].adapter is None


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from(["ant", "bee", "cow", "dog", "eel", "fox"]), min_size=1, max_size=30),
    st.integers(0, 5),
    st.sampled_from([0.01, 0.05, 0.3]),
    st.sampled_from(["nearest", "centroid"]),
)
def test_no_more_of_the_calibration_activates_than_may(
    animals: list[str], seed: int, bound: float, method: Any
) -> None:
    """Known questions are the taught ones in part, so that there is nothing to tell them by."""
    rng = random.Random(seed)
    asked = [f"{rng.choice(['What is', 'Where is', 'Name'])} the {one}" for one in animals]
    own = [(f"t{at}", text) for at, text in enumerate(asked[::2])] + [("t0", "the ant")]
    base = [(f"k{at}", text) for at, text in enumerate(asked)]
    block = RouterBlock(method=method, false_activation=bound)
    found = build({"a-1": own}, base, asked, block, EMBEDDER, EmbedderBlock(), seed=seed)
    figures = found.data.figures
    count = int(figures["calibrating"] or 0)
    assert int(figures["activated"] or 0) <= bound * count
